import { fireEvent, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useRef, useState } from "react";
import { Composer } from "./Composer";

beforeAll(() => {
  window.matchMedia = () => ({ matches: true }) as MediaQueryList;
});

function Example(props: {
  isBusy?: boolean;
  onSend?: (text: string) => void;
  onStop?: () => void;
}) {
  const { isBusy = false, onSend = () => {}, onStop = () => {} } = props;
  const [draft, setDraft] = useState("");
  return (
    <Composer
      ref={useRef(null)}
      draft={draft}
      onDraft={setDraft}
      isBusy={isBusy}
      canStop={isBusy}
      onSend={onSend}
      onStop={onStop}
    />
  );
}

test("Enter sends, Shift+Enter starts a new line", async () => {
  const onSend = jest.fn();
  render(<Example onSend={onSend} />);
  await userEvent.keyboard("one{Shift>}{Enter}{/Shift}two{Enter}");
  expect(onSend).toHaveBeenCalledWith("one\ntwo");
  expect(screen.getByRole("textbox", { name: "Message" })).toHaveValue("");
});

test("Enter that accepts a candidate of an input method does not send", async () => {
  const onSend = jest.fn();
  render(<Example onSend={onSend} />);
  await userEvent.keyboard("にほん");
  fireEvent.keyDown(screen.getByRole("textbox"), { key: "Enter", isComposing: true });
  fireEvent.keyDown(screen.getByRole("textbox"), { key: "Enter", keyCode: 229 });
  expect(onSend).not.toHaveBeenCalled();
});

test("a blank message is not sent", async () => {
  const onSend = jest.fn();
  render(<Example onSend={onSend} />);
  await userEvent.keyboard("   {Enter}");
  expect(onSend).not.toHaveBeenCalled();
  expect(screen.getByRole("button", { name: "Send" })).toBeDisabled();
});

test("a text that is too long is kept and reported", () => {
  render(<Example />);
  fireEvent.change(screen.getByRole("textbox"), { target: { value: "x".repeat(32_001) } });
  expect(screen.getByText(/32,001 of 32,000/)).toBeVisible();
  expect(screen.getByRole("button", { name: "Send" })).toBeDisabled();
});

test("the length is counted in characters, as the API counts it", () => {
  render(<Example />);
  const field = screen.getByRole("textbox");
  fireEvent.change(field, { target: { value: "🚢".repeat(32_000) } });
  expect(screen.getByRole("button", { name: "Send" })).toBeEnabled();
  fireEvent.change(field, { target: { value: "🚢".repeat(32_001) } });
  expect(screen.getByText(/32,001 of 32,000/)).toBeVisible();
});

test("during a turn, the answer can be stopped and the next message written", async () => {
  const onSend = jest.fn();
  const onStop = jest.fn();
  render(<Example isBusy onSend={onSend} onStop={onStop} />);
  await userEvent.keyboard("next{Enter}");
  expect(onSend).not.toHaveBeenCalled();
  expect(screen.getByRole("textbox")).toHaveValue("next");
  await userEvent.click(screen.getByRole("button", { name: "Stop the answer" }));
  expect(onStop).toHaveBeenCalled();
});
