import { setMaxListeners } from "node:events";
import { TestEnvironment } from "jest-environment-jsdom";

/** jsdom has no network, so the tests use Node's to talk to real servers. */
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
    // Node's streams accept byte arrays of their own realm only.
    this.global.Uint8Array = Uint8Array;
    this.global.ArrayBuffer = ArrayBuffer;
    acceptNodesSignals(this.global.EventTarget.prototype);
  }
}

/** jsdom's listeners accept its own AbortSignal only.
 * @param {EventTarget} target */
function acceptNodesSignals(target) {
  const { addEventListener } = target;
  target.addEventListener = function (type, listener, options) {
    const { signal, ...rest } = typeof options === "object" ? options : { capture: options };
    addEventListener.call(this, type, listener, rest);
    if (!signal) return;
    setMaxListeners(0, signal);
    signal.addEventListener("abort", () => this.removeEventListener(type, listener, rest));
  };
}
