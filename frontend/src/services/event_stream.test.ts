import { readEventStream } from "./event_stream";

const encode = (text: string) => new TextEncoder().encode(text);

async function read(chunks: Uint8Array[]): Promise<[type?: string, data?: string][]> {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  const events: [type?: string, data?: string][] = [];
  for await (const { event, data } of readEventStream(body)) events.push([event, data]);
  return events;
}

const STREAM =
  ": keep-alive\n\n" +
  'id: 1\nevent: turn.created\ndata: {"message_id":"m"}\n\n' +
  'id: 2\r\nevent: turn.output_text.delta\r\ndata: {"delta":"Grüße, 世界 🌍"}\r\n\r\n' +
  ": keep-alive\n\n" +
  "id:3\nevent:turn.completed\ndata: two\ndata:lines\n\n";

const EVENTS = [
  ["turn.created", '{"message_id":"m"}'],
  ["turn.output_text.delta", '{"delta":"Grüße, 世界 🌍"}'],
  ["turn.completed", "two\nlines"],
];

test("reads a stream that arrives as a whole", async () => {
  expect(await read([encode(STREAM)])).toEqual(EVENTS);
});

test("reads the same events wherever the stream is cut in two", async () => {
  const bytes = encode(STREAM);
  for (let cut = 0; cut <= bytes.length; cut++) {
    expect(await read([bytes.slice(0, cut), bytes.slice(cut)])).toEqual(EVENTS);
  }
});

test.each([
  ["LF", STREAM.replaceAll("\r\n", "\n")],
  ["CRLF", STREAM.replaceAll("\r\n", "\n").replaceAll("\n", "\r\n")],
  ["LF and CRLF", STREAM],
])("reads the same events byte by byte, with lines that end in %s", async (_, stream) => {
  expect(await read(Array.from(encode(stream), (byte) => Uint8Array.of(byte)))).toEqual(EVENTS);
});

test("yields an event as soon as its last line has arrived", async () => {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encode("event: turn.created\ndata: {}\n\n")),
  });
  const { value } = await readEventStream(body).next();
  expect(value).toMatchObject({ event: "turn.created", data: "{}" });
});

test("drops an incomplete event at the end", async () => {
  expect(await read([encode("event: turn.completed\ndata: {}\n")])).toEqual([]);
});

test("fails when the stream falls silent", async () => {
  jest.useFakeTimers();
  try {
    const silent = new ReadableStream<Uint8Array>();
    const next = readEventStream(silent).next();
    const failed = expect(next).rejects.toThrow("silent");
    await jest.advanceTimersByTimeAsync(36_000);
    await failed;
  } finally {
    jest.useRealTimers();
  }
});

test("keep-alive comments break the silence", async () => {
  jest.useFakeTimers();
  try {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const next = readEventStream(readable).next();
    for (let count = 0; count < 5; count++) {
      await jest.advanceTimersByTimeAsync(20_000);
      void writer.write(encode(": keep-alive\n\n"));
    }
    void writer.write(encode("event: turn.created\ndata: {}\n\n"));
    await expect(next).resolves.toMatchObject({ value: { event: "turn.created" } });
  } finally {
    jest.useRealTimers();
  }
});
