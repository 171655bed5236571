import type { ChatApi } from "@/services/chat_api";
import { ApiError, connectionLost } from "@/services/errors";
import { newIdempotencyKey } from "@/services/idempotency_key";
import type { Act, TurnRequest } from "@/services/types";
import { LiveTurn } from "./liveTurn";
import { fromApi, isWaiting, patched, userMessage, withoutMessage } from "./messages";
import { OpenChat, problemOf, type ChatState } from "./openChat";
import { pause } from "./pause";
import { Ratings } from "./ratings";
import { Reading } from "./reading";

/** One act of a person; a retry repeats it unchanged, so that the server can recognise it. */
interface Attempt {
  request: TurnRequest;
  /** A connection was lost over it: the server may have carried it out. */
  isUncertain: boolean;
}

const OWN_TURN_POLL_MS = 2_000;
const BUSY = "An answer is still being written here, perhaps in another tab.";

/** What a person can do in one conversation, from its first message to leaving it. */
export class ChatStore {
  readonly reading: Reading;
  readonly ratings: Ratings;
  readonly #chat: OpenChat;
  /** What has not begun yet, by the message that it is about. */
  readonly #attempts = new Map<string, Attempt>();
  #live: LiveTurn | null = null;

  constructor(
    api: ChatApi,
    conversationId: string | null,
    /** Called when the conversation is there, and when a turn in it has begun or ended. */
    onChange: (conversationId: string) => void,
  ) {
    this.#chat = new OpenChat(api, conversationId, onChange);
    this.reading = new Reading(this.#chat, () => this.#sendQueued());
    this.ratings = new Ratings(this.#chat);
  }

  subscribe = (listener: () => void) => this.#chat.subscribe(listener);

  getState = () => this.#chat.state;

  open() {
    this.#chat.open();
    if (this.#chat.state.view === "loading") void this.reading.load();
  }

  /** Only the watching ends: the server goes on with a running turn. */
  close() {
    this.#chat.close();
  }

  refresh = async () => {
    const { view, conversationId, beginning } = this.#chat.state;
    if (view === "unavailable") return this.reading.load();
    // The stream of a turn is ahead of what is stored.
    if (view !== "ready" || !conversationId || beginning || this.#live) return;
    await this.reading.refresh();
  };

  send = (text: string) => {
    const message = userMessage(newIdempotencyKey(), text);
    this.#chat.set({ messages: [...this.#chat.state.messages, message] });
    return this.#resend(message.id);
  };

  /**
   * Asks again for an answer that went wrong, or sends what could not be sent; while another answer
   * is being written, as soon as that has ended.
   */
  retry = async (messageId: string) => {
    if (this.#chat.find(messageId)?.role === "assistant") return this.regenerate(messageId);
    if (this.#chat.isBusy) this.#chat.patch(messageId, { status: "queued", error: null });
    else await this.#resend(messageId);
  };

  regenerate = async (messageId: string) => {
    const { conversationId } = this.#chat.state;
    if (!conversationId) return;
    await this.#run(messageId, { kind: "regenerate", conversationId, messageId });
  };

  /** Lets an answer that waits go on, with the tools that it asks for or without them. */
  decide = async (messageId: string, approved: boolean) => {
    const { conversationId } = this.#chat.state;
    if (!conversationId || this.#chat.isBusy) return;
    // Those that are shown: the turn may wait for others since.
    const waiting = this.#chat.find(messageId)?.toolCalls.filter(isWaiting) ?? [];
    const calls = waiting.map(({ call_id }) => call_id);
    await this.#run(messageId, { kind: "approval", conversationId, messageId, approved, calls });
  };

  /** Takes a message that could not be sent back, for its writer to change it. */
  withdraw = (id: string) => {
    this.#attempts.delete(id);
    this.#chat.set({ messages: withoutMessage(this.#chat.state.messages, id) });
  };

  startEdit = (messageId: string) => {
    const message = this.#chat.find(messageId);
    if (message) this.#chat.set({ edit: { messageId, text: message.content, error: null } });
  };

  changeEdit = (text: string) => {
    const { edit } = this.#chat.state;
    if (edit) this.#chat.set({ edit: { ...edit, text } });
  };

  cancelEdit = () => this.#chat.set({ edit: null });

  sendEdit = async () => {
    const { edit, conversationId } = this.#chat.state;
    if (!edit || !conversationId) return;
    const { messageId, text } = edit;
    this.#chat.set({ edit: { ...edit, error: null } });
    await this.#run(messageId, { kind: "edit", conversationId, messageId, message: text });
  };

  stop = async () => {
    const { running, state } = this.#chat;
    if (!running || !state.conversationId) return;
    this.#chat.set({ isStopping: true, problem: null });
    await this.#chat.guarded(
      async () => {
        const answer = await this.#chat.api.cancelTurn(state.conversationId!, running.id);
        if (this.#live) return; // its stream tells
        this.#chat.patch(running.id, fromApi(answer));
        await this.reading.refresh();
      },
      (error) => ({ ...problemOf(error), isStopping: false }),
    );
  };

  #resend(messageId: string) {
    const { conversationId, messages } = this.#chat.state;
    const message = this.#chat.find(messageId)?.content ?? "";
    this.#chat.set({ messages: patched(messages, messageId, { status: "sending", error: null }) });
    return this.#run(messageId, { kind: "send", conversationId, message });
  }

  #sendQueued() {
    const queued = this.#chat.state.messages.find(({ status }) => status === "queued");
    if (queued && !this.#chat.isBusy) void this.#resend(queued.id);
  }

  async #run(targetId: string, act: Act): Promise<void> {
    const { signal } = this.#chat;
    const attempt = this.#attempt(targetId, act);
    const live = new LiveTurn(this.#chat, targetId, act);
    this.#live = live;
    this.#chat.set({ beginning: targetId, announcement: "", problem: null, isSignedOut: false });
    const refusal = await this.#stream(live, attempt.request);
    this.#live = null;
    if (signal.aborted) return;
    if (refusal) return this.#refuse(targetId, attempt, refusal);
    this.#attempts.delete(targetId);
    live.flush();
    if (live.isEnded) this.#sendQueued();
    else await this.reading.follow("checking");
  }

  #attempt(targetId: string, act: Act): Attempt {
    const made = this.#attempts.get(targetId);
    if (made && isSameAct(made.request, act)) return made;
    const request = { ...act, idempotencyKey: newIdempotencyKey() };
    const attempt = { request, isUncertain: false };
    this.#attempts.set(targetId, attempt);
    return attempt;
  }

  /** Returns why the turn has not begun, if it has not. */
  async #stream(live: LiveTurn, request: TurnRequest): Promise<ApiError | null> {
    const { signal } = this.#chat;
    try {
      for await (const event of this.#chat.api.runTurn(request, signal)) {
        if (signal.aborted) return null;
        live.apply(event);
      }
    } catch (error) {
      if (signal.aborted) return null;
      if (!(error instanceof ApiError)) throw error;
      return error;
    }
    return live.hasBegun ? null : connectionLost();
  }

  async #refuse(targetId: string, attempt: Attempt, error: ApiError): Promise<void> {
    const { conversationId } = this.#chat.state;
    if (error.isBusy && !conversationId) {
      // Nothing but this very message, lost before, can run in a conversation that it begins.
      const { signal } = this.#chat;
      await pause(OWN_TURN_POLL_MS, signal);
      return signal.aborted ? undefined : this.#run(targetId, attempt.request);
    }
    attempt.isUncertain ||= error.isUncertain;
    this.#chat.set({
      beginning: null,
      isSignedOut: error.isSignedOut,
      ...this.#refused(targetId, attempt, error),
    });
    if (attempt.request.kind === "approval") await this.#lookAgain(targetId);
    else if (error.isStale || error.isUncertain) await this.refresh();
  }

  /** A decision may have arrived though nobody heard so, or there is nothing left to decide. */
  async #lookAgain(messageId: string): Promise<void> {
    await this.refresh();
    const message = this.#chat.find(messageId);
    if (message && !isWaiting(message)) this.#chat.set({ problem: null });
  }

  #refused(targetId: string, attempt: Attempt, error: ApiError): Partial<ChatState> {
    const { messages, edit } = this.#chat.state;
    const problem = error.isBusy ? BUSY : error.message;
    switch (attempt.request.kind) {
      case "send": {
        const status = error.isBusy ? "held" : "unsent";
        const change = attempt.isUncertain
          ? ({ status: "lost", error: problem } as const)
          : ({ status, error: error.isBusy ? null : problem } as const);
        return { messages: patched(messages, targetId, change) };
      }
      case "edit":
        return { edit: edit && { ...edit, error: problem } };
      case "regenerate":
      case "approval":
        return { problem };
      default:
        return attempt.request satisfies never;
    }
  }
}

function isSameAct(request: TurnRequest, act: Act): boolean {
  if (request.kind !== act.kind || request.conversationId !== act.conversationId) return false;
  return contentOf(request) === contentOf(act);
}

function contentOf(act: Act): string {
  if (act.kind === "approval") return `${act.approved} ${act.calls.join(" ")}`;
  return act.kind === "regenerate" ? "" : act.message;
}
