import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { fromApi } from "@/chat/chatMessage";
import type { Message, Rating } from "@/services/types";
import { answer, question } from "@/testing/chat";
import { MessageActions } from "./MessageActions";

interface ExampleProps {
  message?: object;
  rating?: Rating | null;
  isReadOnly?: boolean;
  isBusy?: boolean;
  onRate?: (rating: Rating) => void;
}

function Example(props: ExampleProps) {
  const { message = answer({ content: "Hello." }), rating = null, onRate = () => {} } = props;
  return (
    <MessageActions
      message={fromApi(message as Message)}
      rating={rating}
      isReadOnly={props.isReadOnly ?? false}
      isBusy={props.isBusy ?? false}
      editButton={null}
      onEdit={() => {}}
      onRegenerate={() => {}}
      onRate={onRate}
    >
      {null}
    </MessageActions>
  );
}

const good = () => screen.queryByRole("button", { name: "Good answer" });
const bad = () => screen.queryByRole("button", { name: "Bad answer" });

test.each([
  [null, "false", "false"],
  ["up", "true", "false"],
  ["down", "false", "true"],
] as const)("with the rating %s the buttons are pressed: %s, %s", (rating, isGood, isBad) => {
  render(<Example rating={rating} />);
  expect(good()).toHaveAttribute("aria-pressed", isGood);
  expect(bad()).toHaveAttribute("aria-pressed", isBad);
});

test("an answer can be rated by keyboard, also during a turn", async () => {
  const onRate = jest.fn();
  render(<Example isBusy onRate={onRate} />);
  good()!.focus();
  await userEvent.keyboard(" ");
  await userEvent.tab();
  expect(bad()).toHaveFocus();
  await userEvent.keyboard("{Enter}");
  expect(onRate.mock.calls).toEqual([["up"], ["down"]]);
});

test.each(["completed", "cancelled", "failed", "interrupted"])(
  "an answer that is %s can be rated",
  (status) => {
    render(<Example message={answer({ status })} />);
    expect(good()).toBeVisible();
    expect(bad()).toBeVisible();
  },
);

test.each([
  ["an answer that waits for a decision", { message: answer({ status: "waiting_approval" }) }],
  ["an earlier version", { isReadOnly: true }],
  ["a question", { message: question() }],
])("%s cannot be rated", (_, props) => {
  render(<Example {...props} />);
  expect(screen.getByRole("group")).toBeInTheDocument();
  expect(good()).toBeNull();
  expect(bad()).toBeNull();
});

test("only toggle buttons have a pressed state", () => {
  render(<Example />);
  expect(screen.getByRole("button", { name: "Regenerate the answer" })).not.toHaveAttribute(
    "aria-pressed",
  );
});
