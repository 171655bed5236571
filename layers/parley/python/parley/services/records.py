"""The records of an export, which an import takes as well: docs/export.md describes them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from parley.models import Conversation, Message, Usage, UserSettings
from parley.models.tool_call import CallStatus, read_tool_calls

VERSION = 1
# Characters of text in one record. What is longer goes on in records of its own, so that each fits into a
# part of an import, however JSON spells it.
MAX_TEXT = 20_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# An imported time may be the key of a cursor.
_Time = Annotated[AwareDatetime, Field(ge=_EPOCH, lt=datetime(9000, 1, 1, tzinfo=UTC))]
_Count = Annotated[int, Field(ge=0, lt=2**31)]
_Place = Annotated[int, Field(ge=1, lt=2**31)]
_Id = Annotated[str, Field(min_length=1, max_length=200)]


class MessageUsage(BaseModel):
    input_tokens: _Count
    output_tokens: _Count
    model: str
    estimated: bool


class MessageFeedback(BaseModel):
    rating: Literal["up", "down"]
    comment: Annotated[str, Field(max_length=2_000)] | None = None


class ConversationRecord(BaseModel):
    kind: Literal["conversation"] = "conversation"
    id: _Id
    title: str
    title_withheld: bool = False
    created_at: _Time
    updated_at: _Time
    archived: bool = False
    pinned: bool = False
    model: Annotated[str, Field(max_length=200)] | None = None


class MessageRecord(BaseModel):
    """`content` is the beginning of the text. `text` records hold the rest, `tool_call` records the calls."""

    kind: Literal["message"] = "message"
    conversation_id: _Id
    id: _Id
    seq: _Place
    role: Literal["user", "assistant"]
    status: Literal["in_progress", "completed", "failed", "cancelled", "interrupted", "waiting_approval"]
    content: str
    usage: MessageUsage | None = None
    incomplete: Literal["length"] | None = None
    withheld: bool = False
    feedback: MessageFeedback | None = None
    # A problem document.
    error: dict[str, Any] | None = None
    reply_to: _Id | None = None
    version_of: _Id
    version: _Place
    superseded: bool = False
    created_at: _Time
    completed_at: _Time | None = None


class TextRecord(BaseModel):
    """More of a message's text. `offset`: the characters before it."""

    kind: Literal["text"] = "text"
    conversation_id: _Id
    message_id: _Id
    offset: _Count
    text: str


class ToolCallRecord(BaseModel):
    """A call of an answer. `index` counts the answer's calls from 0."""

    kind: Literal["tool_call"] = "tool_call"
    conversation_id: _Id
    message_id: _Id
    index: _Count
    call_id: str
    name: str
    arguments: str
    output: Any = None
    status: CallStatus
    duration_ms: _Count | None = None


MessageRecords = MessageRecord | TextRecord | ToolCallRecord


def header() -> dict[str, Any]:
    return {"kind": "export", "version": VERSION, "exported_at": datetime.now(UTC).isoformat()}


def settings_record(settings: UserSettings) -> dict[str, Any]:
    return {"kind": "settings", **settings.model_dump(exclude={"user_id"})}


def usage_record(usage: Usage) -> dict[str, Any]:
    """A row of the ledger, whatever columns it has."""
    return {"kind": "usage", **usage.model_dump(mode="json", exclude={"user_id"})}


def conversation_record(conversation: Conversation, title_withheld: bool) -> ConversationRecord:
    stored = conversation.model_dump(include=set(ConversationRecord.model_fields) - {"id"})
    return ConversationRecord(**stored, id=str(conversation.id), title_withheld=title_withheld)


def message_records(message: Message, status: str) -> Iterator[MessageRecords]:
    """A message as the API shows it, version or not, and then what does not fit into its first record."""
    of_conversation = {"conversation_id": str(message.conversation_id)}
    of_message: dict[str, Any] = {**of_conversation, "message_id": str(message.id)}
    is_charged = message.model is not None and message.output_tokens is not None
    ids = {
        name: value and str(value)
        for name, value in message.model_dump(include={"id", "reply_to", "version_of"}).items()
    }
    yield MessageRecord.model_validate(
        {
            **message.model_dump(include=set(MessageRecord.model_fields)),
            **of_conversation,
            **ids,
            "status": status,
            "content": message.content[:MAX_TEXT],
            "usage": message.model_dump(include=set(MessageUsage.model_fields)) if is_charged else None,
        }
    )
    for offset in range(MAX_TEXT, len(message.content), MAX_TEXT):
        yield TextRecord(**of_message, offset=offset, text=message.content[offset : offset + MAX_TEXT])
    for index, call in enumerate(read_tool_calls(message.run_items, status)):
        yield ToolCallRecord.model_validate({**of_message, "index": index, **call.model_dump()})
