import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { expect, request, type APIRequestContext } from "@playwright/test";

/** Another server of the built front end, with other settings. */
export class FrontEnd {
  private constructor(
    readonly process: ChildProcess,
    readonly request: APIRequestContext,
  ) {}

  static async start(env: Record<string, string>): Promise<FrontEnd> {
    const port = await freePort();
    const server = spawn("node", [".next/standalone/server.js"], {
      cwd: join(import.meta.dirname, "../../frontend"),
      env: { ...process.env, HOSTNAME: "127.0.0.1", PORT: String(port), ...env },
      stdio: "ignore",
    });
    const client = await request.newContext({
      baseURL: `http://127.0.0.1:${port}`,
      // A frozen server closes kept connections when it goes on.
      extraHTTPHeaders: { Connection: "close" },
    });
    const status = () => client.get("/sign-in").then((answer) => answer.status(), String);
    await expect.poll(status).toBe(200);
    return new FrontEnd(server, client);
  }

  async stop(): Promise<void> {
    const ended = once(this.process, "exit");
    this.process.kill("SIGCONT");
    this.process.kill("SIGKILL");
    await ended;
  }
}

/** Carries connections to a server, and may forget them without telling either side. */
export class Network {
  readonly #carried = new Set<[Socket, Socket]>();

  private constructor(
    readonly url: string,
    readonly server: Server,
  ) {}

  static async before(address: string): Promise<Network> {
    const url = new URL(address);
    const there = { host: url.hostname, port: Number(url.port) };
    const listener = createServer().listen(0, "127.0.0.1");
    await once(listener, "listening");
    url.port = String((listener.address() as AddressInfo).port);
    const network = new Network(url.href, listener);
    listener.on("connection", (client: Socket) => network.#carry(client, connect(there)));
    return network;
  }

  forget() {
    for (const [client, upstream] of this.#carried) {
      client.unpipe().pause();
      upstream.unpipe().pause();
    }
    this.#carried.clear();
  }

  close() {
    this.server.close();
    this.server.unref();
  }

  #carry(client: Socket, upstream: Socket) {
    for (const side of [client, upstream]) side.on("error", () => undefined).unref();
    this.#carried.add([client, upstream]);
    client.pipe(upstream);
    upstream.pipe(client);
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  return port;
}
