import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** The id of the process of this machine that listens on a port. */
export function listenerOn(port: number): number {
  if (process.platform === "darwin") {
    return Number(execFileSync("lsof", ["-nP", "-t", `-iTCP:${port}`, "-sTCP:LISTEN"]));
  }
  const socket = `socket:[${inodeOf(port)}]`;
  const pid = readdirSync("/proc").find((name) => /^\d+$/.test(name) && holds(name, socket));
  if (!pid) throw new Error(`Nobody listens on port ${port}`);
  return Number(pid);
}

/** /proc/net/tcp: address and port in hexadecimal second, the state fourth (0A listens), the inode tenth. */
function inodeOf(port: number): string | undefined {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .find(([, address, , state]) => address?.endsWith(local) && state === "0A")?.[9];
}

function holds(pid: string, socket: string): boolean {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((fd) => readlinkSync(`${folder}/${fd}`) === socket);
  } catch {
    return false; // ended meanwhile, or somebody else's
  }
}
