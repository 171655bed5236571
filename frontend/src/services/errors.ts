import type { Problem } from "./types";

const FALLBACK = "Something went wrong. Please try again.";

/** A failed request. Its message is meant for the user; `status` 0 means that no response arrived. */
export class ApiError extends Error {
  readonly status: number;
  /** The stable name of the problem; empty unless the API itself responded. */
  readonly type: string;

  constructor(message: string, status: number, type = "") {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.type = type;
  }

  /** Whether the API itself responded, rather than a gateway or proxy. */
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

  /** A retry would not help. */
  get isFinal() {
    return this.isSignedOut || this.isForbidden || this.isMissing;
  }

  /** Another turn is in progress in this conversation. */
  get isBusy() {
    return this.type === "/problems/turn-in-progress";
  }

  /** What the page shows is out of date. */
  get isStale() {
    return this.status === 409;
  }

  /** Without a response, or with one from a gateway, the API may have carried out the request all the same. */
  get isUncertain() {
    return this.status === 0 || this.status >= 500;
  }
}

export const connectionLost = () =>
  new ApiError("The server cannot be reached. Check your connection and try again.", 0);

export const signedOut = () => new ApiError("Your session has ended.", 401);

/** Whether a guardrail or the model's provider refused the question or its answer. */
export const isRefused = ({ type }: Problem) => type === "/problems/content-refused";

/** Reports a failure to the console, unless it is one of those that happen without any defect. */
export function reportDefect(failure: unknown) {
  if (!(failure instanceof ApiError)) console.error(failure);
}

/** Any failure as one to show. */
export function toApiError(failure: unknown): ApiError {
  reportDefect(failure);
  return failure instanceof ApiError ? failure : new ApiError(FALLBACK, 0);
}

/** Reads the API's problem details and the gateway's `{"message"}`. */
export async function fromResponse(response: Response): Promise<ApiError> {
  if (response.status === 401) return signedOut();
  const body: Partial<Problem> & { message?: string } = await response.json().catch(() => ({}));
  const message = body.detail || body.title || body.message || FALLBACK;
  const text = body.type === "/problems/quota-exceeded" ? withTime(body, response) : null;
  return new ApiError(text ?? message, response.status, body.type);
}

/** Says by the user's own clock when it goes on; null if the response does not tell. */
function withTime({ title }: Partial<Problem>, response: Response): string | null {
  const seconds = Number(response.headers.get("Retry-After"));
  if (!title || !seconds) return null;
  return `${title}. You can go on at ${timeOfDay(new Date(Date.now() + seconds * 1000))}.`;
}

export const timeOfDay = (time: Date) =>
  time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
