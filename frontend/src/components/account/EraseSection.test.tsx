import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { EraseSection } from "./EraseSection";

// jsdom has no modal dialogs.
beforeAll(() => {
  HTMLDialogElement.prototype.showModal = function (this: HTMLDialogElement) {
    this.open = true;
  };
});

test.each([
  [403, "SIGN_IN_AGAIN", true],
  [401, "SIGNED_OUT", true],
  [400, "NOT_CONFIRMED", false],
])("refused with %i %s, the dialog offers to sign in again: %s", async (status, code, offers) => {
  global.fetch = async () =>
    ({
      ok: false,
      status,
      headers: new Headers(),
      json: async () => ({ code, message: "The server's reason." }),
    }) as Response;
  render(<EraseSection email="ada@example.com" hasPassword={false} />);
  await userEvent.click(screen.getByRole("button", { name: "Erase my account" }));
  await userEvent.type(screen.getByLabelText("Your e-mail address"), "ada@example.com");
  await userEvent.click(screen.getByRole("button", { name: "Erase everything" }));
  expect(await screen.findByRole("alert")).toHaveTextContent("The server's reason.");
  expect(screen.queryAllByRole("button", { name: "Sign in again" })).toHaveLength(offers ? 1 : 0);
});
