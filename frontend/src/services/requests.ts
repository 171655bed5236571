import type { AccessToken } from "./access_token";
import { connectionLost, fromResponse } from "./errors";

type Query = Record<string, string | number | null | undefined>;

export interface RequestOptions {
  /** In place of the usual one. */
  base?: string;
  query?: Query;
  body?: unknown;
  /** In place of `body`: what is JSON already, which is sent as it is. */
  json?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Sends requests to the API as the signed-in user. */
export class Requests {
  /** The address that all paths follow. */
  readonly base: string;
  readonly #token: AccessToken;

  constructor(apiUrl: string, token: AccessToken) {
    this.base = `${apiUrl}/api`;
    this.#token = token;
  }

  async json<T>(method: string, path: string, options?: RequestOptions): Promise<T> {
    const response = await this.send(method, path, options);
    try {
      return (await response.json()) as T;
    } catch (error) {
      if (options?.signal?.aborted) throw error;
      throw connectionLost(); // The body broke off, or something else has responded.
    }
  }

  /** Sends a request. After a 401 it is repeated once with a new token; body and key stay the same. */
  async send(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
    const token = await this.#token.get();
    let response = await this.#fetch(method, path, options, token);
    if (response.status === 401) {
      await this.#token.reject(token);
      response = await this.#fetch(method, path, options, await this.#token.get());
    }
    if (!response.ok) throw await fromResponse(response);
    return response;
  }

  async #fetch(
    method: string,
    path: string,
    { base = this.base, query, body, json, headers, signal }: RequestOptions,
    token: string,
  ): Promise<Response> {
    const content = json ?? JSON.stringify(body);
    const url = new URL(base + path);
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value != null) url.searchParams.set(name, String(value));
    }
    try {
      return await fetch(url, {
        method,
        headers: {
          ...headers,
          Authorization: `Bearer ${token}`,
          ...(content !== undefined && { "Content-Type": "application/json" }),
        },
        body: content,
        signal,
        cache: "no-store",
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw connectionLost();
    }
  }
}
