import { TestEnvironment } from "jest-environment-jsdom";

/** jsdom has no network of its own; the tests talk to real servers through Node's. */
const FROM_NODE = [
  "fetch",
  "Headers",
  "Request",
  "Response",
  "ReadableStream",
  "TransformStream",
  "TextDecoder",
  "TextEncoder",
  "AbortController",
  "AbortSignal",
  "structuredClone",
];

export default class BrowserWithNetwork extends TestEnvironment {
  async setup() {
    await super.setup();
    for (const name of FROM_NODE) {
      Object.defineProperty(this.global, name, {
        value: Reflect.get(globalThis, name),
        writable: true,
        configurable: true,
      });
    }
    // Node's streams check for the byte arrays of their own realm.
    this.global.Uint8Array = Uint8Array;
    this.global.ArrayBuffer = ArrayBuffer;
  }
}
