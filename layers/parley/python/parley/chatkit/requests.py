"""Reads and checks what a ChatKit client sends, before anything is done. Raises ProblemError."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

from chatkit import types
from pydantic import TypeAdapter, ValidationError

from parley.errors import BadRequest, NotFound, NotSupported, Unprocessable
from parley.text import MessageText, TitleText, storable

ThreadRequest = (
    types.ThreadsGetByIdReq
    | types.ThreadsListReq
    | types.ItemsListReq
    | types.ItemsFeedbackReq
    | types.ThreadsUpdateReq
    | types.ThreadsDeleteReq
)
TurnRequest = types.StreamingReq | types.ThreadsSyncCustomActionReq

MAX_PAGE = 100
# Validation collects an error for each wrong entry before it reports any of them.
MAX_LIST = 1_000

_REQUEST: TypeAdapter[types.ChatKitReq] = TypeAdapter(types.ChatKitReq)
_MESSAGE = TypeAdapter(MessageText)
_TITLE = TypeAdapter(TitleText)


def read_request(body: bytes) -> ThreadRequest | TurnRequest:
    """A request of the protocol that Parley supports, every text of which Postgres can store."""
    request = _parse(body)
    match request:
        case types.AttachmentsCreateReq() | types.AttachmentsDeleteReq():
            raise NotSupported("Attachments are not supported.")
        case types.InputTranscribeReq():
            raise NotSupported("Dictation is not supported.")
        case types.ThreadsCreateReq() | types.ThreadsAddUserMessageReq():
            if request.params.input.attachments:
                raise NotSupported("Attachments are not supported.")
            if request.params.input.inference_options.tool_choice:
                raise NotSupported("A choice of tools is not supported.")
        case types.ItemsFeedbackReq() if len(request.params.item_ids) > MAX_PAGE:
            raise wrong("params/item_ids", f"At most {MAX_PAGE} items are rated at once.")
        case types.ThreadsUpdateReq():
            _check("params/title", _TITLE, request.params.title)
        case types.ThreadsListReq() | types.ItemsListReq():
            limit = request.params.limit
            if limit is not None and not 1 <= limit <= MAX_PAGE:
                raise wrong("params/limit", f"A page has 1 to {MAX_PAGE} entries.")
    return request


def _parse(body: bytes) -> types.ChatKitReq:
    try:
        raw = json.loads(body)
        for text in _texts(raw):
            storable(text)
        return _REQUEST.validate_json(body)
    except ValidationError as error:
        raise _refusal(error) from None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise BadRequest from None
    except ValueError as error:
        raise Unprocessable([{"pointer": "/body", "detail": str(error)}]) from None


def message_text(message: types.UserMessageInput) -> str:
    """The message as one text: a quotation first, tags by their names."""
    text = "".join(part.text for part in message.content)
    if message.quoted_text:
        quoted = "\n".join(f"> {line}" for line in message.quoted_text.splitlines())
        text = f"{quoted}\n\n{text}"
    return _check("params/input/content", _MESSAGE, text)


def identifier(thread_id: str) -> uuid.UUID:
    """A thread's id as its conversation's. Raises NotFound unless it is a UUID as Parley spells it."""
    try:
        conversation_id = uuid.UUID(thread_id)
    except ValueError:
        raise NotFound from None
    if str(conversation_id) != thread_id:
        raise NotFound
    return conversation_id


def wrong(pointer: str, detail: str) -> Unprocessable:
    return Unprocessable([{"pointer": f"/body/{pointer}", "detail": detail}])


def _check(pointer: str, kind: TypeAdapter[str], text: str) -> str:
    try:
        return kind.validate_python(text)
    except ValidationError as error:
        raise wrong(pointer, error.errors()[0]["msg"]) from None


def _refusal(error: ValidationError) -> BadRequest | Unprocessable:
    """The errors without the input. A location's first part is the operation's name, where that is known."""
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    if any(not problem["loc"] for problem in problems):
        return BadRequest("The body is not an operation of the ChatKit protocol.")
    fields = [
        {"pointer": "/".join(["/body", *map(str, each["loc"][1:])]), "detail": each["msg"]}
        for each in problems
    ]
    return Unprocessable(fields)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for name, part in value.items():
                yield name
                yield from _texts(part)
        case list():
            if len(value) > MAX_LIST:
                raise ValueError(f"A list has at most {MAX_LIST} entries.")
            for part in value:
                yield from _texts(part)
