import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { StrictMode } from "react";
import { Dialog } from "./Dialog";

// jsdom has no modal dialogs. Like a browser, this one reports later that it was closed.
beforeAll(() => {
  HTMLDialogElement.prototype.showModal = function (this: HTMLDialogElement) {
    this.open = true;
  };
  HTMLDialogElement.prototype.close = function (this: HTMLDialogElement) {
    this.open = false;
    setTimeout(() => this.dispatchEvent(new Event("close")));
  };
});

test("a dialog stays open in strict mode, until it is cancelled", async () => {
  const onClose = jest.fn();
  render(
    <StrictMode>
      <Dialog title="Sure?" action="Yes" onSubmit={async () => undefined} onClose={onClose}>
        <p>Really.</p>
      </Dialog>
    </StrictMode>,
  );
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(screen.getByRole("dialog")).toHaveAttribute("open");
  expect(onClose).not.toHaveBeenCalled();

  await userEvent.click(screen.getByRole("button", { name: "Cancel" }));
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(onClose).toHaveBeenCalledTimes(1);
});
