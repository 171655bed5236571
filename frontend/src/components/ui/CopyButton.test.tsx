import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { CopyButton } from "./CopyButton";
import { ProblemContext } from "./ProblemContext";

afterEach(() => jest.restoreAllMocks());

function show() {
  const user = userEvent.setup(); // It gives the page a clipboard.
  const showProblem = jest.fn();
  render(
    <ProblemContext value={showProblem}>
      <CopyButton name="Copy it" text={() => "some text"} />
    </ProblemContext>,
  );
  return { showProblem, copy: () => user.click(screen.getByRole("button")) };
}

test("copying is confirmed", async () => {
  const { copy, showProblem } = show();
  await copy();
  expect(await screen.findByRole("button", { name: "Copied" })).toBeVisible();
  expect(await navigator.clipboard.readText()).toBe("some text");
  expect(showProblem).not.toHaveBeenCalled();
});

test("a refused clipboard is reported", async () => {
  const { copy, showProblem } = show();
  const refusal = new DOMException("Write permission denied.", "NotAllowedError");
  jest.spyOn(navigator.clipboard, "writeText").mockRejectedValue(refusal);
  await copy();
  await waitFor(() =>
    expect(showProblem.mock.calls).toEqual([
      [expect.stringContaining("does not allow this page to copy")],
    ]),
  );
  expect(screen.getByRole("button", { name: "Copy it" })).toBeVisible();
});
