import type { Act, ChatReply, TurnEvent } from "@/services/types";
import { begun, withStatus, withToolCall, type ChatMessage } from "./messages";
import type { OpenChat } from "./openChat";

type Created = Extract<TurnEvent, { type: "turn.created" }>;

/** A turn whose stream this page holds: puts what happens in it on the screen. */
export class LiveTurn {
  readonly #chat: OpenChat;
  readonly #targetId: string;
  readonly #act: Act;
  #answerId = "";
  #isEnded = false;
  #unseen = "";
  #frame = 0;

  constructor(
    chat: OpenChat,
    /** The message that is sent, edited, regenerated or decided about. */
    targetId: string,
    act: Act,
  ) {
    this.#chat = chat;
    this.#targetId = targetId;
    this.#act = act;
  }

  get hasBegun() {
    return this.#answerId !== "";
  }

  get isEnded() {
    return this.#isEnded;
  }

  apply(event: TurnEvent) {
    switch (event.type) {
      case "turn.created":
        this.#begin(event);
        break;
      case "turn.output_text.delta":
        this.#grow(event.delta);
        break;
      case "turn.tool_call":
        this.#chat.patch(this.#answerId, { toolCalls: withToolCall(this.#toolCalls, event) });
        break;
      case "turn.completed":
      case "turn.cancelled":
      case "turn.waiting_approval":
        this.#end(resultOf(event));
        break;
      case "turn.failed":
        this.#end({
          status: "failed",
          error: event.problem.detail,
          toolCalls: withStatus(this.#toolCalls, "in_progress", "cancelled"),
        });
        break;
      default:
        event satisfies never; // from a newer server, and not for this page
    }
  }

  /** Shows what has come since the last frame. */
  flush() {
    cancelAnimationFrame(this.#frame);
    const answer = this.#chat.find(this.#answerId);
    if (answer && this.#unseen) {
      this.#chat.patch(answer.id, { content: answer.content + this.#unseen });
    }
    this.#frame = 0;
    this.#unseen = "";
  }

  #begin(created: Created) {
    const { message_id: answerId, user_message_id: questionId } = created;
    const { messages, edit } = this.#chat.state;
    this.#answerId = answerId;
    const shown = begun(messages, this.#targetId, this.#act, { questionId, answerId });
    this.#chat.set({
      conversationId: created.conversation_id,
      messages: shown,
      edit: shown.some(({ id }) => id === edit?.messageId) ? edit : null,
      beginning: null,
    });
    this.#chat.changed();
  }

  get #toolCalls() {
    return this.#chat.find(this.#answerId)?.toolCalls ?? [];
  }

  /** One update of the page a frame, however many deltas arrive in it. */
  #grow(delta: string) {
    this.#unseen += delta;
    this.#frame ||= requestAnimationFrame(() => this.flush());
  }

  #end(change: Partial<ChatMessage>) {
    this.#isEnded = true;
    this.flush();
    this.#chat.patch(this.#answerId, change);
    this.#chat.finished(this.#answerId);
  }
}

function resultOf({ status, response, tool_calls }: ChatReply): Partial<ChatMessage> {
  return { status, content: response, toolCalls: tool_calls };
}
