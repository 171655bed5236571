import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import type { Conversations } from "@/hooks/useConversations";
import { connectionLost } from "@/services/errors";
import { Sidebar } from "./Sidebar";

const CONVERSATIONS = {
  status: "ready",
  conversations: [],
  hasMore: false,
} as unknown as Conversations;

function Example({ onSignOut = async () => {} }: { onSignOut?: () => Promise<void> }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <button onClick={() => setOpen(true)}>Menu</button>
      <Sidebar
        user={{ id: "ada", name: "Ada", email: "ada@example.com" }}
        conversations={CONVERSATIONS}
        activeId={null}
        isDrawerOpen={isOpen}
        onClose={() => setOpen(false)}
        onOpen={() => undefined}
        onSignOut={onSignOut}
      />
    </>
  );
}

test("signing out without a network is reported, until it works", async () => {
  let isOnline = false;
  const onSignOut = jest.fn(async () => {
    if (!isOnline) throw connectionLost();
  });
  render(<Example onSignOut={onSignOut} />);
  const signOut = screen.getByRole("button", { name: "Sign out" });
  await userEvent.click(signOut);
  expect(await screen.findByRole("alert")).toHaveTextContent(
    "You are still signed in. The server cannot be reached.",
  );
  isOnline = true;
  await userEvent.click(signOut);
  expect(screen.queryByRole("alert")).toBeNull();
  expect(onSignOut).toHaveBeenCalledTimes(2);
});

test("the drawer takes the focus and gives it back, also if its effect runs again meanwhile", async () => {
  const { rerender } = render(<Example />);
  const menu = screen.getByRole("button", { name: "Menu" });
  for (const leave of ["{Escape}", "{Enter}"]) {
    await userEvent.click(menu);
    expect(screen.getByRole("button", { name: "Close the list of conversations" })).toHaveFocus();
    rerender(<Example />);
    await userEvent.keyboard(leave);
    await new Promise(requestAnimationFrame);
    expect(menu).toHaveFocus();
  }
});
