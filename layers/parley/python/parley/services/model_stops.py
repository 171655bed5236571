"""How a model's answer stops: what providers say, in either protocol, as one table. See docs/models.md."""

import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from parley.errors import ContentRefused, ContextTooLong, ModelBusy, ProblemError, UpstreamFailed

Stop = Literal["completed", "length"]


class RequestRefused(UpstreamFailed):
    """The provider takes something in the request for invalid."""


# Chat Completions' `finish_reason` and Responses' `incomplete_details.reason`, in lower case. Any other means
# that the answer is whole.
REASONS: dict[str, Literal["length"] | type[ProblemError]] = {
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "content_filter": ContentRefused,
    "refusal": ContentRefused,
    "safety": ContentRefused,
    "recitation": ContentRefused,
    "prohibited_content": ContentRefused,
    "incomplete": "length",
    "cancelled": UpstreamFailed,
    "error": UpstreamFailed,
    "insufficient_system_resource": ModelBusy,
}
# An error's `code` or `type`.
CODES: dict[str, type[ProblemError]] = {
    "rate_limit_exceeded": ModelBusy,
    "rate_limit_error": ModelBusy,
    "too_many_requests": ModelBusy,
    "insufficient_quota": ModelBusy,
    "overloaded_error": ModelBusy,
    "server_overloaded": ModelBusy,
    "engine_overloaded_error": ModelBusy,
    "slow_down": ModelBusy,
    "content_filter": ContentRefused,
    "content_policy_violation": ContentRefused,
    "responsibleaipolicyviolation": ContentRefused,
    "moderation_blocked": ContentRefused,
    "invalid_prompt": ContentRefused,
    "cyber_policy": ContentRefused,
    "bio_policy": ContentRefused,
    "context_length_exceeded": ContextTooLong,
    "context_window_exceeded": ContextTooLong,
    "exceed_context_size_error": ContextTooLong,
    "request_too_large": ContextTooLong,
    "invalid_request_error": RequestRefused,
}
# The HTTP status of an error, also where a stream names it as its `code`.
STATUSES: dict[int, type[ProblemError]] = {
    400: RequestRefused,
    401: UpstreamFailed,
    403: UpstreamFailed,
    404: UpstreamFailed,
    413: ContextTooLong,
    422: RequestRefused,
    429: ModelBusy,
    503: ModelBusy,
    529: ModelBusy,
}
# Many servers say that a history is too long in words only, among them these, in lower case.
TOO_LONG = (
    "context length",
    "context size",
    "context window",
    "input is too long",
    "length of the messages",
    "max length",
    "prompt is too long",
    "prompt length",
    "token count",
    "token limit",
    "too many input tokens",
    "too many tokens",
)
MAX_RETRY_S = 60


def of_reason(reason: Any) -> Stop:
    """How an answer ended that has a reason for it. Raises ProblemError for one that is none."""
    stop = REASONS.get(reason.lower()) if isinstance(reason, str) else None
    if stop is None or stop == "length":
        return stop or "completed"
    raise stop


def of_error(body: Any, status: int | None = None, headers: Mapping[str, str] | None = None) -> ProblemError:
    """The problem that a provider's error is, told by HTTP or in a stream.

    `body`: the error object, or its text.
    """
    error = body if isinstance(body, dict) else {"message": body}
    inner = error.get("innererror")
    names = [error.get("code"), error.get("type"), inner.get("code") if isinstance(inner, dict) else None]
    known = [CODES[str(name).lower()] for name in names if str(name).lower() in CODES]
    numbers = [status, *(int(str(name)) for name in names if re.fullmatch("[1-5][0-9]{2}", str(name)))]
    known += [STATUSES[number] for number in numbers if number in STATUSES]
    # An invalid request is what servers also call a history that is too long, or one that they refuse.
    told = [problem for problem in known if problem is not RequestRefused]
    problem = told[0] if told else RequestRefused if known else UpstreamFailed
    message = str(error.get("message")).lower()
    if problem in (RequestRefused, UpstreamFailed) and any(words in message for words in TOO_LONG):
        problem = ContextTooLong
    return problem(retry_after_s=retry_after(headers or {})) if problem is ModelBusy else problem()


def retry_after(headers: Mapping[str, str]) -> int | None:
    """Seconds, from a number or a date."""
    value = headers.get("retry-after", "")
    try:
        if re.fullmatch(r"[0-9]+(\.[0-9]*)?", value):
            seconds = float(value)
        else:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return math.ceil(min(max(seconds, 1), MAX_RETRY_S))
