import { act, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ChatApi } from "@/services/chat_api";
import { ApiServer, sendJson } from "@/testing/apiServer";
import { createApi } from "@/testing/chat";
import ChatKitView from "./ChatKitView";

const server = new ApiServer();
let api: ChatApi;

beforeAll(async () => {
  window.matchMedia = () => new EventTarget() as MediaQueryList;
  server.answer((response) => sendJson(response, { data: [] }));
  api = createApi(await server.start());
});
afterAll(() => server.stop());
beforeEach(() => localStorage.clear());
afterEach(() => jest.restoreAllMocks());

function Example() {
  const nothing = () => undefined;
  return (
    <ChatKitView
      api={api}
      domainKey="domain_pk_1"
      user={{ id: "ada", name: "Ada", email: "ada@example.com" }}
      conversationId={null}
      view={0}
      draft=""
      onDraft={nothing}
      title={null}
      models={[]}
      notice={null}
      isBehindDrawer={false}
      onTurn={nothing}
      onOpen={nothing}
      onList={nothing}
      onMenu={nothing}
      builtIn={<main>The built-in chat</main>}
    />
  );
}

const toggle = () => screen.getByRole("switch", { name: "ChatKit" });
const builtIn = () => screen.queryByText("The built-in chat");
const element = () => document.querySelector("openai-chatkit");

/** Simulates a blocked script. */
async function block() {
  await act(async () => {
    document.head.querySelector("script")!.dispatchEvent(new Event("error"));
  });
}

test("shows ChatKit by default", () => {
  render(<Example />);
  expect(toggle()).toBeChecked();
  expect(element()).toBeInTheDocument();
  expect(builtIn()).toBeNull();
});

test("the switch changes the chat, also by keyboard, and the choice is kept", async () => {
  const { unmount } = render(<Example />);
  await userEvent.tab();
  await userEvent.keyboard(" ");
  expect(toggle()).toHaveFocus();
  expect(toggle()).not.toBeChecked();
  expect(builtIn()).toBeVisible();
  expect(element()).toBeNull();
  unmount();

  const again = render(<Example />);
  expect(builtIn()).toBeVisible();
  await userEvent.click(toggle());
  expect(element()).toBeInTheDocument();
  again.unmount();

  render(<Example />);
  expect(toggle()).toBeChecked();
});

test("the switch works in a browser without storage", async () => {
  for (const method of ["getItem", "setItem", "removeItem"] as const) {
    jest.spyOn(Storage.prototype, method).mockImplementation(() => {
      throw new DOMException("denied", "SecurityError");
    });
  }
  render(<Example />);
  await userEvent.click(toggle());
  expect(builtIn()).toBeVisible();
});

test("if ChatKit fails, shows the built-in chat and the reason, until it is dismissed", async () => {
  const { unmount } = render(<Example />);
  await block();
  expect(builtIn()).toBeVisible();
  expect(toggle()).not.toBeChecked();
  expect(screen.getByRole("status")).toHaveTextContent(
    "ChatKit could not be loaded: its script did not come from cdn.platform.openai.com. " +
      "This is the built-in chat. Operators: allow that host, or remove CHATKIT_DOMAIN_KEY.",
  );
  await userEvent.click(screen.getByRole("button", { name: "Dismiss" }));
  expect(screen.queryByRole("status")).toBeNull();
  expect(toggle()).toHaveFocus();
  unmount();

  render(<Example />);
  expect(toggle()).toBeChecked(); // The user did not choose the built-in chat.
});

test("after a failure, ChatKit can be tried again", async () => {
  render(<Example />);
  await block();
  await userEvent.click(toggle());
  expect(screen.getByRole("status")).toBeEmptyDOMElement();
  expect(element()).toBeInTheDocument();
  expect(document.head.querySelectorAll("script")).toHaveLength(1);
  await block();
  expect(builtIn()).toBeVisible();
});
