import { readEventStream, type ServerSentEvent } from "./event_stream";

const encoder = new TextEncoder();

async function read(chunks: Uint8Array[]): Promise<ServerSentEvent[]> {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  const events = [];
  for await (const event of readEventStream(body)) events.push(event);
  return events;
}

const STREAM =
  ": keep-alive\n\n" +
  'id: 1\nevent: turn.created\ndata: {"message_id":"m"}\n\n' +
  'id: 2\r\nevent: turn.output_text.delta\r\ndata: {"delta":"Grüße, 世界 🌍"}\r\n\r\n' +
  ": keep-alive\n\n" +
  "id:3\nevent:turn.completed\ndata: two\ndata:lines\n\n";

const EVENTS = [
  { id: "1", event: "turn.created", data: '{"message_id":"m"}' },
  { id: "2", event: "turn.output_text.delta", data: '{"delta":"Grüße, 世界 🌍"}' },
  { id: "3", event: "turn.completed", data: "two\nlines" },
];

test("reads a stream that arrives at once", async () => {
  expect(await read([encoder.encode(STREAM)])).toEqual(EVENTS);
});

test("reads the same events wherever the stream is cut in two", async () => {
  const bytes = encoder.encode(STREAM);
  for (let cut = 0; cut <= bytes.length; cut++) {
    expect(await read([bytes.slice(0, cut), bytes.slice(cut)])).toEqual(EVENTS);
  }
});

test("reads the same events when every byte arrives alone", async () => {
  const bytes = encoder.encode(STREAM);
  expect(await read(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(EVENTS);
});

test("drops an event that was cut off", async () => {
  expect(await read([encoder.encode("event: turn.completed\ndata: {}\n")])).toEqual([]);
});

test("reports a stream that falls silent", async () => {
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
