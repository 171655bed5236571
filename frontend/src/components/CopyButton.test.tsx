import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { CopyButton } from "./CopyButton";

afterEach(() => jest.restoreAllMocks());

function show() {
  const user = userEvent.setup(); // It gives the page a clipboard.
  render(<CopyButton name="Copy it" text={() => "some text"} />);
  return { copy: () => user.click(screen.getByRole("button")) };
}

test("copying is confirmed", async () => {
  const { copy } = show();
  await copy();
  expect(await screen.findByRole("button", { name: "Copied" })).toBeVisible();
  expect(await navigator.clipboard.readText()).toBe("some text");
  expect(screen.queryByRole("alert")).toBeNull();
});

test("a refused clipboard is reported, until copying works", async () => {
  const { copy } = show();
  const refusal = new DOMException("Write permission denied.", "NotAllowedError");
  const writeText = jest.spyOn(navigator.clipboard, "writeText").mockRejectedValue(refusal);
  await copy();
  expect(await screen.findByRole("alert")).toHaveTextContent("does not allow this page to copy");
  expect(screen.getByRole("button", { name: "Copy it" })).toBeVisible();
  writeText.mockRestore();
  await copy();
  expect(await screen.findByRole("button", { name: "Copied" })).toBeVisible();
  expect(screen.queryByRole("alert")).toBeNull();
});
