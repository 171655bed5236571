/** @jest-environment node */

import { ApiServer, makeToken, sendJson } from "@/testing/apiServer";
import { AccessToken } from "./access_token";
import { AccountApi } from "./account_api";
import { importFile, NOTHING_IMPORTED, type ImportProgress } from "./import_file";

const server = new ApiServer();
let api: AccountApi;

beforeAll(async () => {
  const token = new AccessToken("ada", async () => makeToken("ada"));
  api = new AccountApi(await server.start(), "ada", token);
});
afterAll(() => server.stop());

async function all<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const found: Value[] = [];
  for await (const value of values) found.push(value);
  return found;
}

test("an export follows its links to the last part", async () => {
  server.answer((response, { path }) => {
    const link = '</api/ada/export?cursor=x%3D>; rel="next"';
    response.writeHead(200, path.includes("cursor") ? {} : { Link: link });
    response.end(path.includes("cursor") ? '{"type":"message"}\n' : '{"type":"header"}\n');
  });
  expect(await all(api.exportEverything())).toEqual([
    '{"type":"header"}\n',
    '{"type":"message"}\n',
  ]);
  const paths = server.received.map(({ path }) => path);
  expect(paths).toEqual(["/api/ada/export", "/api/ada/export?cursor=x%3D"]);
});

test("where sharing is off, there is no list of links", async () => {
  server.answer((response) => sendJson(response, { type: "/problems/not-found" }, 404));
  expect(await api.listShared()).toBeNull();
});

test("links are read to the last page", async () => {
  server.answer((response, { path }) => {
    const isLast = path.includes("cursor=next");
    const page = { data: [{ id: isLast ? "2" : "1" }], next_cursor: isLast ? null : "next" };
    sendJson(response, { ...page, has_more: !isLast });
  });
  expect((await api.listShared())!.map(({ id }) => id)).toEqual(["1", "2"]);
});

test("an import that broke off goes on with the part that failed", async () => {
  const line = (id: number) =>
    `${JSON.stringify({ type: "message", id, text: "x".repeat(90_000) })}\n`;
  const file = new Blob([1, 2, 3, 4, 5, 6].map(line));
  const taken = { conversations: 1, messages: 2, already_there: 0, not_taken: [] };
  server.answer((response) => {
    if (server.received.length === 2) response.destroy();
    else sendJson(response, taken);
  });
  const progress: ImportProgress[] = [NOTHING_IMPORTED];
  const send = async () => {
    for await (const now of importFile(api, file, progress.at(-1)!)) progress.push(now);
  };
  await expect(send()).rejects.toMatchObject({ status: 0 });
  expect(progress.at(-1)).toMatchObject({ messages: 2, nextPart: 1 });
  await send();
  expect(progress.at(-1)).toMatchObject({ conversations: 3, messages: 6, share: 1 });
  const ids = server.received.map(({ body }) =>
    (body as { records: { id: number }[] }).records.map(({ id }) => id),
  );
  expect(ids).toEqual([
    [1, 2],
    [3, 4],
    [3, 4],
    [5, 6],
  ]);
});

test("a part is sent as it is in the file, and one that is refused stops no other", async () => {
  const line = (id: number) =>
    `{"id":${id},"output":12345678901234567890,"text":"${"x".repeat(150_000)}"}`;
  const file = new Blob([1, 2, 3].map((id) => `${line(id)}\n`));
  const taken = { conversations: 1, messages: 2, already_there: 0, not_taken: [] };
  server.answer((response) => {
    if (server.received.length !== 2) sendJson(response, taken);
    else sendJson(response, { type: "/problems/bad-request", detail: "No." }, 400);
  });
  const last = (await all(importFile(api, file, NOTHING_IMPORTED))).at(-1)!;
  const whole = server.received.map(({ text }, at) => text.includes(line(at + 1)));
  expect(whole).toEqual([true, true, true]);
  expect(last).toMatchObject({ conversations: 2, nextPart: 3, share: 1 });
  expect(last.notTaken).toMatchObject([{ what: "part of the file", count: 1 }]);
});

test.each([401, 403, 409, 429, 503])("an import stops when it is told %d", async (status) => {
  server.answer((response) => sendJson(response, { type: "/problems/x", detail: "No." }, status));
  const file = new Blob(['{"kind":"export"}\n']);
  await expect(all(importFile(api, file, NOTHING_IMPORTED))).rejects.toMatchObject({ status });
});
