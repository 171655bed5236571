import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { StrictMode } from "react";
import { connectionLost } from "@/services/errors";
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

test("any failure is shown in the dialog, which stays open and can be tried again", async () => {
  const defects = jest.spyOn(console, "error").mockImplementation();
  const outcomes = [
    () => Promise.reject(connectionLost()),
    () => Promise.reject(new TypeError("x is undefined")),
    () => Promise.resolve(),
  ];
  const onClose = jest.fn();
  render(
    <Dialog title="Sure?" action="Yes" onSubmit={() => outcomes.shift()!()} onClose={onClose}>
      <p>Really.</p>
    </Dialog>,
  );
  const submit = () => userEvent.click(screen.getByRole("button", { name: "Yes" }));
  await submit();
  expect(await screen.findByRole("alert")).toHaveTextContent("The server cannot be reached.");
  expect(defects).not.toHaveBeenCalled();
  await submit();
  expect(await screen.findByRole("alert")).toHaveTextContent("Something went wrong.");
  expect(defects).toHaveBeenCalledTimes(1);
  expect(onClose).not.toHaveBeenCalled();
  await submit();
  await waitFor(() => expect(onClose).toHaveBeenCalledTimes(1));
});
