import { newIdempotencyKey } from "@/services/idempotency_key";
import type { Act, TurnRequest } from "@/services/types";

/** A request for a turn that has not started. A retry repeats it, so that the server recognises it by its key. */
export interface TurnAttempt {
  readonly request: TurnRequest;
  /** A request was lost, so the server may have started the turn. */
  isUncertain: boolean;
}

/** The attempts of one conversation, by the message that they are about. */
export class TurnAttempts {
  readonly #attempts = new Map<string, TurnAttempt>();

  /** Returns the attempt at the same act, or begins a new one. */
  begin(messageId: string, act: Act): TurnAttempt {
    const earlier = this.#attempts.get(messageId);
    if (earlier && isSameAct(earlier.request, act)) return earlier;
    const request = { ...act, idempotencyKey: newIdempotencyKey() };
    const attempt = { request, isUncertain: false };
    this.#attempts.set(messageId, attempt);
    return attempt;
  }

  end(messageId: string) {
    this.#attempts.delete(messageId);
  }
}

function isSameAct(request: TurnRequest, act: Act): boolean {
  if (request.kind !== act.kind || request.conversationId !== act.conversationId) return false;
  return contentOf(request) === contentOf(act);
}

function contentOf(act: Act): string {
  if (act.kind === "resume") return `${act.approved} ${act.calls.join(" ")}`;
  return act.kind === "regenerate" ? "" : act.message;
}
