import type { Problem } from "./types";

/** What went wrong, in words a person may read; `status` 0 means that no answer came. */
export class ApiError extends Error {
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.name = "ApiError";
    this.status = status;
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
    return this.status === 409;
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
  return new ApiError(body.detail || body.title || body.message || FALLBACK, response.status);
}
