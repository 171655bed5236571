import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** The id of the process that listens on a port of this machine. */
export function listenerOn(port: number): number {
  if (process.platform === "darwin") {
    return Number(execFileSync("lsof", ["-nP", "-t", `-iTCP:${port}`, "-sTCP:LISTEN"]));
  }
  const socket = `socket:[${inodeOf(port)}]`;
  const pid = readdirSync("/proc").find((name) => /^\d+$/.test(name) && holds(name, socket));
  if (!pid) throw new Error(`No process listens on port ${port}`);
  return Number(pid);
}

/** Columns of /proc/net/tcp: 2 address and port in hexadecimal, 4 state (0A is listening), 10 inode. */
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
    return false; // The process has ended, or belongs to another user.
  }
}
