import type { Rating } from "@/services/types";
import type { PendingRatings } from "./chatState";
import { problemOf, type ChatStore } from "./chatStore";

/** Rates answers: shows a rating at once, and reverts it if it cannot be stored. */
export class Ratings {
  readonly #store: ChatStore;

  constructor(store: ChatStore) {
    this.#store = store;
  }

  /** Rates an answer, or removes the rating if the answer already has it. */
  toggle = async (messageId: string, rating: Rating) => {
    const message = this.#store.find(messageId);
    if (!message) return;
    const { ratings } = this.#store.state;
    const wanted = ratingOf(message, ratings) === rating ? null : rating;
    this.#store.set({ problem: null, isSignedOut: false });
    this.#setPending(messageId, wanted);
    // Requests go one after the other: sent at once, they could arrive in another order.
    if (ratings[messageId] !== undefined) return;
    await this.#store.request(() => this.#save(messageId, wanted), problemOf);
    this.#setPending(messageId, undefined);
  };

  /** Repeats until the stored rating is the one that the user last chose. */
  async #save(messageId: string, rating: Rating | null): Promise<void> {
    await this.#store.api.rateAnswer(this.#store.state.conversationId!, messageId, rating);
    this.#store.setMessage(messageId, { rating });
    const wanted = this.#store.state.ratings[messageId]!;
    if (wanted !== rating) await this.#save(messageId, wanted);
  }

  #setPending(messageId: string, rating: Rating | null | undefined) {
    this.#store.set({ ratings: { ...this.#store.state.ratings, [messageId]: rating } });
  }
}

/** The rating to show: the user's latest choice, stored or not. */
export function ratingOf(
  message: { id: string; rating: Rating | null },
  pending: PendingRatings,
): Rating | null {
  const wanted = pending[message.id];
  return wanted === undefined ? message.rating : wanted;
}
