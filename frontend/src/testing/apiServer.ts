import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Received {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  body: unknown;
  /** The body as it was sent. */
  text: string;
}

type Respond = (response: ServerResponse, request: Received) => void | Promise<void>;

/** An HTTP server that responds as a test wants, and records the requests. */
export class ApiServer {
  readonly received: Received[] = [];
  #respond: Respond = (response) => void response.writeHead(404).end();
  readonly #server = createServer((incoming, response) => {
    this.#serve(incoming, response).catch((error: Error) => response.destroy(error));
  });

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  answer(respond: Respond) {
    this.received.length = 0;
    this.#respond = respond;
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse) {
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Expose-Headers", "Link, Retry-After");
    if (incoming.method === "OPTIONS") {
      response.writeHead(204, {
        "Access-Control-Allow-Headers": "authorization, content-type, idempotency-key",
        "Access-Control-Allow-Methods": "*",
      });
      response.end();
      return;
    }
    let text = "";
    for await (const chunk of incoming) text += String(chunk);
    const { method = "", url: path = "", headers } = incoming;
    const request = { method, path, headers, body: text ? JSON.parse(text) : null, text };
    this.received.push(request);
    await this.#respond(response, request);
  }
}

export function sendJson(response: ServerResponse, body: unknown, status = 200, headers = {}) {
  response.writeHead(status, { "Content-Type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

export function openStream(response: ServerResponse) {
  let id = 0;
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  return (event: string, data: unknown) => {
    id += 1;
    response.write(`id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  };
}

/** A token without a valid signature, which the browser does not check. */
export function makeToken(sub: string, secondsToLive = 900, nonce = 0): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + secondsToLive;
  return `${part({ alg: "RS256" })}.${part({ sub, exp, nonce })}.signature`;
}
