import type { Problem } from "./types";

/** What went wrong, in words a person may read; `status` 0 means that no answer came. */
export class ApiError extends Error {
  readonly status: number;
  /** The stable name of the problem; empty when it was not the API that answered. */
  readonly type: string;

  constructor(message: string, status: number, type = "") {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.type = type;
  }

  /** The API itself said so, not what stands in front of it or is in its place. */
  get isFromApi() {
    return this.type !== "" || this.isSignedOut;
  }

  get isSignedOut() {
    return this.status === 401;
  }

  get isForbidden() {
    return this.status === 403;
  }

  get isMissing() {
    return this.status === 404;
  }

  /** Asking again would not help. */
  get isFinal() {
    return this.isSignedOut || this.isForbidden || this.isMissing;
  }

  /** Another answer is being written in this conversation. */
  get isBusy() {
    return this.type === "/problems/turn-in-progress";
  }

  /** The page shows something that is no longer so. */
  get isStale() {
    return this.status === 409;
  }

  /** No answer, or a gateway's: the request may have been carried out all the same. */
  get isUncertain() {
    return this.status === 0 || this.status >= 500;
  }
}

export const connectionLost = () =>
  new ApiError("The server cannot be reached. Check your connection and try again.", 0);

export const signedOut = () => new ApiError("Your session has ended.", 401);

const FALLBACK = "Something went wrong. Please try again.";

/** Reads both shapes an error may have: the API's problem details and the gateway's `{"message"}`. */
export async function fromResponse(response: Response): Promise<ApiError> {
  if (response.status === 401) return signedOut();
  const body: Partial<Problem> & { message?: string } = await response.json().catch(() => ({}));
  const message = body.detail || body.title || body.message || FALLBACK;
  return new ApiError(message, response.status, body.type);
}
