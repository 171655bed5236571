import { render, screen } from "@testing-library/react";
import { ChatInterface } from "./ChatInterface";

beforeAll(() => {
  window.matchMedia = () => new EventTarget() as MediaQueryList;
});

const show = (chatKitDomainKey?: string) =>
  render(
    <ChatInterface
      addresses={{ apiUrl: "http://127.0.0.1" }}
      user={{ id: "ada", name: "Ada", email: "ada@example.com" }}
      chatKitDomainKey={chatKitDomainKey}
      initialConversationId={null}
    />,
  );

/** No server issues tokens here, so the list of conversations fails to load. */
const settled = () => screen.findByText("The list could not be loaded.");

test("without a domain key, shows the built-in chat and nothing of ChatKit", async () => {
  show();
  expect(screen.getByRole("textbox", { name: "Message" })).toBeVisible();
  await settled();
  expect(screen.queryByRole("switch")).toBeNull();
  expect(document.querySelector("openai-chatkit, script")).toBeNull();
});

test("with a domain key, shows ChatKit and the switch", async () => {
  show("domain_pk_1");
  expect(await screen.findByRole("switch", { name: "ChatKit" })).toBeChecked();
  await settled();
  expect(document.querySelector("openai-chatkit")).toBeInTheDocument();
  expect(screen.queryByRole("textbox", { name: "Message" })).toBeNull();
});
