import type { Rating } from "@/services/types";
import { problemOf, type OpenChat } from "./openChat";

/** What a person thinks of the answers: shown at once, and taken back when it cannot be stored. */
export class Ratings {
  readonly #chat: OpenChat;

  constructor(chat: OpenChat) {
    this.#chat = chat;
  }

  /** Rates an answer, or removes the rating when it is this one already. */
  toggle = async (messageId: string, rating: Rating) => {
    const message = this.#chat.find(messageId);
    if (!message) return;
    const { ratings } = this.#chat.state;
    const wanted = ratingOf(message, ratings) === rating ? null : rating;
    this.#chat.set({ problem: null, isSignedOut: false });
    this.#want(messageId, wanted);
    // One request after the other, or the last one to arrive would count instead of the last press.
    if (ratings[messageId] !== undefined) return;
    await this.#chat.guarded(() => this.#store(messageId, wanted), problemOf);
    this.#want(messageId, undefined);
  };

  /** Goes on until what was stored is what is still wanted. */
  async #store(messageId: string, rating: Rating | null): Promise<void> {
    await this.#chat.api.rateAnswer(this.#chat.state.conversationId!, messageId, rating);
    this.#chat.patch(messageId, { rating });
    const wanted = this.#chat.state.ratings[messageId]!;
    if (wanted !== rating) await this.#store(messageId, wanted);
  }

  #want(messageId: string, rating: Rating | null | undefined) {
    this.#chat.set({ ratings: { ...this.#chat.state.ratings, [messageId]: rating } });
  }
}

/** Ratings on their way to the server, by message; `null` removes one, `undefined` has arrived. */
export type PendingRatings = Readonly<Record<string, Rating | null | undefined>>;

export function ratingOf(
  message: { id: string; rating: Rating | null },
  pending: PendingRatings,
): Rating | null {
  const wanted = pending[message.id];
  return wanted === undefined ? message.rating : wanted;
}
