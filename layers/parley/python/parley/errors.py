"""The errors that clients see. Each carries its status and public text; api/problems.py renders them."""

from collections.abc import Mapping
from typing import Any


class ProblemError(Exception):
    """An RFC 9457 problem. Clients are shown `detail`, so it must be safe to show."""

    status: int = 500
    type: str = "/problems/internal-error"
    title: str = "Something went wrong on our side"
    detail: str = "The error has been recorded. Please try again."
    retry_after_s: int | None = None

    def __init_subclass__(cls, status: int | None = None, problem: str | None = None) -> None:
        """A problem that is not given has its base class's type and status."""
        cls.status = status or cls.status
        cls.type = f"/problems/{problem}" if problem else cls.type

    def __init__(
        self,
        detail: str | None = None,
        *,
        retry_after_s: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.detail = detail or type(self).detail
        self.headers = dict(headers or {})
        if seconds := retry_after_s or self.retry_after_s:
            self.headers["Retry-After"] = str(seconds)
        super().__init__(self.detail)

    def document(self) -> dict[str, Any]:
        """The problem document without `request_id`, which only the HTTP layer knows."""
        return {"type": self.type, "title": self.title, "status": self.status, "detail": self.detail}


class InternalError(ProblemError):
    pass


class BadRequest(ProblemError, status=400, problem="bad-request"):
    title = "The request cannot be read"
    detail = "The body is not valid JSON."


class Unauthorized(ProblemError, status=401, problem="unauthorized"):
    """Without `reason`, no token was sent, and RFC 6750 wants no error code."""

    title = "You are not signed in"
    detail = "Send a valid token as `Authorization: Bearer <JWT>`."

    def __init__(self, reason: str | None = None) -> None:
        challenge = "Bearer"
        if reason:
            challenge = f'Bearer error="invalid_token", error_description="{reason}"'
        super().__init__(headers={"WWW-Authenticate": challenge})


class Forbidden(ProblemError, status=403, problem="forbidden"):
    title = "This is not yours"
    detail = "You do not have access to this."


class NotFound(ProblemError, status=404, problem="not-found"):
    title = "Not found"
    detail = "There is nothing here, or it has been deleted."


class MethodNotAllowed(ProblemError, status=405, problem="method-not-allowed"):
    title = "Method not allowed"
    detail = "This address does not take this method."


class RequestTimeout(ProblemError, status=408, problem="request-timeout"):
    title = "The request took too long to arrive"
    detail = "Its body has to be here within 15 seconds."

    def __init__(self) -> None:
        super().__init__(headers={"Connection": "close"})


class TurnInProgress(ProblemError, status=409, problem="turn-in-progress"):
    title = "An answer is still being written"
    detail = "Wait for the answer to finish, or cancel it, then try again."
    retry_after_s = 2


class MessageSuperseded(ProblemError, status=409, problem="message-superseded"):
    title = "This message has been replaced"
    detail = "A newer version has taken its place. Load the conversation again."


class PayloadTooLarge(ProblemError, status=413, problem="payload-too-large"):
    title = "The request is too large"
    detail = "A request body may have 256 KiB at most."


# A 256 KiB body can hold thousands of errors.
MAX_FIELD_ERRORS = 20


class Unprocessable(ProblemError, status=422, problem="validation"):
    """`errors`: dicts of `pointer` and `detail`. Only the first MAX_FIELD_ERRORS are sent."""

    title = "The request is not valid"
    detail = "Some of what was sent is not valid."

    def __init__(self, errors: list[dict[str, str]]) -> None:
        super().__init__()
        self.errors = errors[:MAX_FIELD_ERRORS]

    def document(self) -> dict[str, Any]:
        return {**super().document(), "errors": self.errors}


class KeyReused(ProblemError, status=422, problem="idempotency-key-reused"):
    title = "This Idempotency-Key was used for another request"
    detail = "Use a new key for a new request; the first request's result is unchanged."


class TooManyShared(ProblemError, status=422, problem="too-many-shared"):
    title = "You share as much as you can"
    detail = "Revoke a link that you no longer need, then try again."


class NotSupported(ProblemError, status=422, problem="not-supported"):
    title = "Not supported"
    detail = "This is not supported."


class ContentRefused(ProblemError, status=422, problem="content-refused"):
    title = "The model refused this"
    detail = "The model declined to answer. Try to put it differently."


class ContextTooLong(ProblemError, status=422, problem="context-too-long"):
    title = "This is too long for the model"
    detail = "The model cannot read as much at once. Send less, or start a new conversation."


class QuotaExceeded(ProblemError, status=429, problem="quota-exceeded"):
    title = "Your quota for today is used up"
    detail = "It is fresh when the next day begins in UTC. You can go on then."


class QuotaReserved(QuotaExceeded, problem="quota-reserved"):
    title = "What is left of your quota for today is reserved"
    detail = (
        "Answers that are being written may need what is left of your quota. Try again when they are done."
    )
    retry_after_s = 2


class TooManyTurns(ProblemError, status=429, problem="too-many-turns"):
    title = "Several of your answers are being written"
    detail = "Several of your answers are being written. Try again when one of them is done."
    retry_after_s = 1


class TooManyRequests(ProblemError, status=429, problem="too-many-requests"):
    title = "You sent too many requests at once"
    detail = "You sent too many requests at once. Try again when the others are answered."
    retry_after_s = 1


class UpstreamFailed(ProblemError, status=502, problem="model-failed"):
    title = "The model did not answer"
    detail = "Your message is kept. Please try again."


class AgentExhausted(ProblemError, status=502, problem="agent-exhausted"):
    title = "The agent came to no answer"
    detail = "It used its tools too often, or too much text. What was written so far is kept. Ask for less."


class Unavailable(ProblemError, status=503, problem="unavailable"):
    title = "Not available right now"
    detail = "Please try again in a moment."
    retry_after_s = 2


class Overloaded(Unavailable, problem="overloaded"):
    title = "Too many answers are being written right now"
    detail = "Nothing was stored. Please try again in a moment."


class ModelBusy(Unavailable, problem="model-busy"):
    title = "The model is busy"
    detail = "Your message is kept. Please try again in a moment."


class DatabaseUnavailable(Unavailable, problem="database-unavailable"):
    title = "The database cannot be reached"


class DataTooLarge(ProblemError, status=507, problem="data-too-large"):
    title = "This is too large for the database"
    detail = "It cannot be sent or read at once. Ask for less."


class DeadlineExceeded(ProblemError, status=504, problem="deadline-exceeded"):
    title = "The answer took too long"
    detail = "What was written so far is kept. Please try again, or ask for less at once."


# What a request may be answered with: one about the user's own data, one with a body, one that starts a turn.
DATA_ERRORS = (
    Unauthorized,
    Forbidden,
    NotFound,
    Unprocessable,
    TooManyRequests,
    DatabaseUnavailable,
    DataTooLarge,
)
BODY_ERRORS = (BadRequest, RequestTimeout, PayloadTooLarge)
TURN_ERRORS = (
    *BODY_ERRORS,
    Unauthorized,
    Forbidden,
    NotFound,
    TurnInProgress,
    Unprocessable,
    KeyReused,
    ContentRefused,
    ContextTooLong,
    QuotaExceeded,
    QuotaReserved,
    TooManyTurns,
    UpstreamFailed,
    AgentExhausted,
    Overloaded,
    ModelBusy,
    DatabaseUnavailable,
    DeadlineExceeded,
    DataTooLarge,
)
