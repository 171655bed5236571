import type { ChatKitOptions, CustomApiConfig, ThemeOption } from "@openai/chatkit-react";
import { act, render, waitFor } from "@testing-library/react";
import type { ChatApi } from "@/services/chat_api";
import type { Model } from "@/services/types";
import { ApiServer, sendJson } from "@/testing/apiServer";
import { createApi } from "@/testing/chat";
import { ChatKitPanel } from "./ChatKitPanel";
import { STARTERS } from "./starters";

/** Replaces OpenAI's element, which only OpenAI's host serves. */
class StandIn extends HTMLElement {
  options!: ChatKitOptions;
  readonly threads: (string | null)[] = [];
  written = "";

  async setComposerValue({ text }: { text: string }) {
    this.written = text;
  }

  setOptions(options: ChatKitOptions) {
    this.options = options;
  }

  async setThreadId(threadId: string | null) {
    this.threads.push(threadId);
    this.emit("chatkit.thread.change", { threadId });
  }

  emit(name: string, detail?: object) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
customElements.define("openai-chatkit", StandIn);

const server = new ApiServer();
let url: string;
let api: ChatApi;
let models: Model[];
const scheme = Object.assign(new EventTarget(), { matches: false });

beforeAll(async () => {
  window.matchMedia = () => scheme as unknown as MediaQueryList;
  url = await server.start();
  api = createApi(url);
});
afterAll(() => server.stop());
beforeEach(() => {
  models = [{ id: "small" }];
  server.answer((response) => sendJson(response, { data: [] }));
});

function open(conversationId: string | null = null, draft = "") {
  const callbacks = {
    onTurn: jest.fn(),
    onOpen: jest.fn(),
    onList: jest.fn(),
    onFailure: jest.fn(),
    onMenu: jest.fn(),
    onDraft: jest.fn(),
  };
  let view = 0;
  const panel = (id: string | null) => (
    <ChatKitPanel
      {...callbacks}
      view={view++}
      draft={draft}
      api={api}
      domainKey="domain_pk_1"
      user={{ id: "ada", name: "Ada", email: "ada@example.com" }}
      conversationId={id}
      title={null}
      models={models}
      notice={null}
    />
  );
  const { rerender, unmount } = render(panel(conversationId));
  const element = document.querySelector("openai-chatkit") as StandIn;
  return { ...callbacks, element, unmount, show: (id: string | null) => rerender(panel(id)) };
}

async function openReady(conversationId: string | null = null, draft = "") {
  const opened = open(conversationId, draft);
  await act(async () => {
    document.head.querySelector("script")?.dispatchEvent(new Event("load"));
    opened.element.emit("chatkit.ready");
  });
  return opened;
}

test("configures ChatKit for what the page offers", async () => {
  const { element } = await openReady("c-1");
  const { options } = element;
  expect(options).toMatchObject({
    api: { url: `${url}/api/chatkit`, domainKey: "domain_pk_1" },
    initialThread: "c-1",
    history: { enabled: true, showRename: true, showDelete: true },
    threadItemActions: { feedback: true, retry: true },
    startScreen: { greeting: "Good to see you, Ada." },
    composer: { attachments: { enabled: false }, dictation: { enabled: false } },
  });
  expect(options.startScreen!.prompts!.map(({ prompt }) => prompt)).toEqual(STARTERS);
  expect(options.composer).not.toHaveProperty("models"); // One model leaves no choice.
  expect(options).not.toHaveProperty("locale"); // ChatKit uses the browser's.

  const { fetch } = options.api as CustomApiConfig;
  const init = { method: "POST", body: JSON.stringify({ type: "threads.list" }) };
  await act(async () => void (await fetch!(url, init)));
  expect(server.received.at(-1)).toMatchObject({
    path: "/api/chatkit",
    headers: { authorization: expect.stringContaining("Bearer ") as string },
  });
});

test("offers several models, the first as the default", async () => {
  models = [{ id: "small" }, { id: "large" }];
  const { element } = await openReady();
  expect(element.options.composer!.models).toEqual([
    { id: "small", label: "small", default: true },
    { id: "large", label: "large", default: false },
  ]);
});

test("follows the page's color scheme", async () => {
  const { element } = await openReady();
  const shown = () => (element.options.theme as ThemeOption).colorScheme;
  expect(shown()).toBe("light");
  act(() => {
    scheme.matches = true;
    scheme.dispatchEvent(new Event("change"));
  });
  expect(shown()).toBe("dark");
  scheme.matches = false;
});

test("answers an unknown client tool, so that no turn waits for it", async () => {
  const { element } = await openReady();
  expect(element.options.onClientTool!({ name: "open_door", params: {} })).toEqual({
    error: "This page has no tool named open_door.",
  });
});

test("a conversation opened in the list is opened in ChatKit and the other way round, once each", async () => {
  const { element, onOpen, show } = await openReady("c-1");
  expect(element.threads).toEqual([]);
  show("c-2");
  expect(element.threads).toEqual(["c-2"]);
  expect(onOpen).not.toHaveBeenCalled();

  act(() => element.emit("chatkit.thread.change", { threadId: "c-3" }));
  expect(onOpen.mock.calls).toEqual([["c-3"]]);
  show("c-3");
  expect(element.threads).toEqual(["c-2"]);
  show(null);
  expect(element.threads).toEqual(["c-2", null]);
});

test("a conversation opened while ChatKit starts is shown when ChatKit is ready", async () => {
  const { element, show } = open("c-1");
  show("c-2");
  expect(element.threads).toEqual([]);
  await act(async () => element.emit("chatkit.ready"));
  expect(element.threads).toEqual(["c-2"]);
});

test("the draft of the built-in chat moves to ChatKit when ChatKit is ready", async () => {
  const { element, onDraft } = open(null, "Half a sent");
  expect(element.written).toBe("");
  await act(async () => element.emit("chatkit.ready"));
  expect(element.written).toBe("Half a sent");
  expect(onDraft.mock.calls).toEqual([[""]]);
});

test("a new conversation after one whose first turn is starting is another one", async () => {
  const { element, show } = await openReady();
  server.answer((response, { path }) => {
    if (path !== "/api/chatkit") sendJson(response, { data: [] });
  });
  const { fetch } = element.options.api as CustomApiConfig;
  const init = { method: "POST", body: JSON.stringify({ type: "threads.create", params: {} }) };
  void fetch!(url, init).catch(() => undefined);
  await act(
    async () =>
      void (await waitFor(() => expect(server.received.at(-1)!.path).toBe("/api/chatkit"))),
  );
  show(null);
  expect(element.threads).toEqual([null]);
});

test("removing the frame is a failure", async () => {
  const { element, onFailure } = open();
  const root = element.attachShadow({ mode: "open" });
  root.innerHTML = "<iframe></iframe>";
  await act(async () => element.emit("chatkit.ready"));
  root.innerHTML = "";
  await waitFor(() => expect(onFailure).toHaveBeenCalledTimes(1), { timeout: 3_000 });
});

test("an error before ChatKit is ready is a failure, a later one is not", async () => {
  const started = await openReady();
  const error = { error: new Error("The stream broke") };
  await act(async () => started.element.emit("chatkit.error", error));
  expect(started.onFailure).not.toHaveBeenCalled();
  started.unmount();

  const { element, onFailure } = open();
  await act(async () => element.emit("chatkit.error", error));
  expect(onFailure.mock.calls).toEqual([
    [expect.objectContaining({ message: expect.stringContaining("The stream broke") as string })],
  ]);
});

test("a failure after unmounting is ignored", async () => {
  const { element, onFailure, unmount } = open();
  unmount();
  await act(async () => element.emit("chatkit.error", { error: new Error("gone") }));
  expect(onFailure).not.toHaveBeenCalled();
});
