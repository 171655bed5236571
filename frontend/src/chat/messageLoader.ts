import { newIdempotencyKey } from "@/services/idempotency_key";
import type { MessageVersions } from "@/services/types";
import { fromApi, userMessage, type ChatMessage } from "./chatMessage";
import type { ChatState } from "./chatState";
import { problemOf, type ChatStore } from "./chatStore";
import { withPage } from "./messageList";

const CHANGED_ELSEWHERE = "The message was changed elsewhere meanwhile. Your text is kept here.";

/** Reads the stored messages of the conversation. */
export class MessageLoader {
  readonly #store: ChatStore;
  #earlierCursor: string | null = null;

  constructor(store: ChatStore) {
    this.#store = store;
  }

  async loadLatest(): Promise<void> {
    const { signal } = this.#store;
    const { ratings } = this.#store.state;
    const page = await this.#store.api.listMessages(this.#conversationId, { signal });
    const { state } = this.#store;
    // A rating that changed during the request may be newer than the page.
    if (state.ratings !== ratings) return this.loadLatest();
    const messages = withPage(state.messages, page.data.map(fromApi));
    // While earlier pages are shown above this one, the cursor of the topmost page counts.
    if (messages[0]?.id === page.data[0]?.id) {
      this.#earlierCursor = page.next_cursor;
      this.#store.set({ hasEarlier: page.has_more });
    }
    this.#store.set({ messages, ...withoutOrphanedEdit(state, messages) });
  }

  loadEarlier = () =>
    this.#store.request(async (signal) => {
      const page = await this.#store.api.listMessages(this.#conversationId, {
        before: this.#earlierCursor,
        signal,
      });
      this.#earlierCursor = page.next_cursor;
      const messages = [...page.data.map(fromApi), ...this.#store.state.messages];
      this.#store.set({ messages, hasEarlier: page.has_more, problem: null });
    }, problemOf);

  /** The versions of a message, oldest first; an empty list if they cannot be read. */
  listVersions = async (messageId: string): Promise<ChatMessage[]> => {
    let versions: ChatMessage[] = [];
    await this.#store.request(async () => {
      const read: ChatMessage[] = [];
      let cursor: string | null = null;
      do {
        const page: MessageVersions = await this.#store.api.listVersions(
          this.#conversationId,
          messageId,
          cursor,
        );
        read.unshift(...page.data.map(fromApi));
        cursor = page.next_cursor;
      } while (cursor);
      versions = read;
    }, problemOf);
    return versions;
  };

  get #conversationId() {
    return this.#store.state.conversationId!;
  }
}

/** Closes the edit of a message that is gone, and keeps its text unless this edit replaced the message. */
function withoutOrphanedEdit(before: ChatState, messages: ChatMessage[]): Partial<ChatState> {
  const { edit } = before;
  if (!edit || messages.some(({ id }) => id === edit.messageId)) return {};
  const isStored = messages.some(
    ({ id, role, content }) =>
      role === "user" && content === edit.text && !before.messages.some((shown) => shown.id === id),
  );
  if (isStored) return { edit: null };
  const unsent = userMessage(newIdempotencyKey(), {
    status: "unsent",
    content: edit.text,
    error: CHANGED_ELSEWHERE,
  });
  return { edit: null, messages: [...messages, unsent] };
}
