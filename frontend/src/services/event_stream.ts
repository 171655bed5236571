/** The server writes a comment every 10 s; longer silence in an open stream means that it is lost. */
const SILENCE_MS = 35_000;

export interface ServerSentEvent {
  event: string;
  data: string;
  id: string;
}

/** The event stream format of the HTML standard, without `retry`, which is for automatic reconnection. */
class EventStreamParser {
  #buffer = "";
  #event = "";
  #data: string[] = [];
  #id = "";

  *push(text: string): Generator<ServerSentEvent> {
    this.#buffer += text;
    let end: RegExpExecArray | null;
    while ((end = /\r\n|\n|\r/.exec(this.#buffer))) {
      // A CR at the end of a chunk may be the first half of a CRLF: wait for what follows.
      if (end[0] === "\r" && end.index === this.#buffer.length - 1) return;
      const line = this.#buffer.slice(0, end.index);
      this.#buffer = this.#buffer.slice(end.index + end[0].length);
      if (line === "") yield* this.#dispatch();
      else this.#readField(line);
    }
  }

  *#dispatch(): Generator<ServerSentEvent> {
    if (this.#data.length > 0) {
      yield { event: this.#event || "message", data: this.#data.join("\n"), id: this.#id };
    }
    this.#event = "";
    this.#data = [];
  }

  #readField(line: string) {
    const colon = line.indexOf(":");
    if (colon === 0) return; // a comment: the server keeps the connection alive
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id") this.#id = value;
  }
}

async function readUnlessSilent(reader: ReadableStreamDefaultReader<Uint8Array>) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("The stream fell silent")), SILENCE_MS);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } finally {
    clearTimeout(timer);
  }
}

/** Events in order; an event whose closing blank line never came is dropped, as the standard says. */
export async function* readEventStream(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<ServerSentEvent> {
  const parser = new EventStreamParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await readUnlessSilent(reader);
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
