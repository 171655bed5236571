import { isRefused } from "@/services/errors";
import type { Act, ChatReply, TurnEvent } from "@/services/types";
import { isCutOff, type ChatMessage } from "./chatMessage";
import type { ChatStore } from "./chatStore";
import { withStartedTurn } from "./messageList";
import { withStatus, withToolCall } from "./toolCalls";

type TurnCreated = Extract<TurnEvent, { type: "turn.created" }>;

/** A turn that this page receives as a stream. Applies its events to the store. */
export class LiveTurn {
  readonly #store: ChatStore;
  readonly #targetId: string;
  readonly #act: Act;
  #answerId = "";
  #isEnded = false;
  #isRefused = false;
  #unshownText = "";
  #frame = 0;

  constructor(
    store: ChatStore,
    /** The message that is sent, edited, regenerated or decided on. */
    targetId: string,
    act: Act,
  ) {
    this.#store = store;
    this.#targetId = targetId;
    this.#act = act;
  }

  get hasStarted() {
    return this.#answerId !== "";
  }

  get isEnded() {
    return this.#isEnded;
  }

  /** Whether its text was taken back. The server may have kept some of it all the same. */
  get isRefused() {
    return this.#isRefused;
  }

  apply(event: TurnEvent) {
    switch (event.type) {
      case "turn.created":
        this.#start(event);
        break;
      case "turn.output_text.delta":
        this.#append(event.delta);
        break;
      case "turn.tool_call":
        this.#store.setMessage(this.#answerId, {
          toolCalls: withToolCall(this.#toolCalls, event),
        });
        break;
      case "turn.completed":
      case "turn.cancelled":
      case "turn.waiting_approval":
        this.#end(resultOf(event));
        break;
      case "turn.failed":
        this.#isRefused = isRefused(event.problem);
        this.#end({
          status: "failed",
          error: event.problem.detail,
          toolCalls: withStatus(this.#toolCalls, "in_progress", "cancelled"),
          ...(this.#isRefused && { content: "" }),
        });
        break;
      default:
        event satisfies never; // A newer server may send other events; ignore them.
    }
  }

  /** Shows the text received since the last animation frame. */
  flush() {
    cancelAnimationFrame(this.#frame);
    const answer = this.#store.find(this.#answerId);
    if (answer && this.#unshownText) {
      this.#store.setMessage(answer.id, { content: answer.content + this.#unshownText });
    }
    this.#frame = 0;
    this.#unshownText = "";
  }

  #start(created: TurnCreated) {
    const { message_id: answerId, user_message_id: questionId } = created;
    const { edit } = this.#store.state;
    this.#answerId = answerId;
    const messages = withStartedTurn(this.#store.state.messages, {
      targetId: this.#targetId,
      act: this.#act,
      questionId,
      answerId,
    });
    this.#store.set({
      conversationId: created.conversation_id,
      messages,
      edit: messages.some(({ id }) => id === edit?.messageId) ? edit : null,
      pendingId: null,
    });
    this.#store.reportChange();
  }

  get #toolCalls() {
    return this.#store.find(this.#answerId)?.toolCalls ?? [];
  }

  /** Updates the page at most once a frame, however many deltas arrive. */
  #append(delta: string) {
    this.#unshownText += delta;
    this.#frame ||= requestAnimationFrame(() => this.flush());
  }

  #end(change: Partial<ChatMessage>) {
    this.#isEnded = true;
    this.flush();
    this.#store.setMessage(this.#answerId, change);
    this.#store.finishTurn(this.#answerId);
  }
}

function resultOf(reply: ChatReply): Partial<ChatMessage> {
  const { status, response: content, tool_calls: toolCalls } = reply;
  return { status, content, toolCalls, isCutOff: isCutOff(reply) };
}
