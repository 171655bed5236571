"""Parley's own export, read again."""

import uuid
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from parley.models.tool_call import OUTPUT, ToolCall
from parley.services.import_plan import ImportPlan, title_of
from parley.services.records import (
    ConversationRecord,
    MessageRecord,
    MessageUsage,
    TextRecord,
    ToolCallRecord,
)
from parley.text import is_visible

_RECORD: TypeAdapter[ConversationRecord | MessageRecord | TextRecord | ToolCallRecord] = TypeAdapter(
    Annotated[ConversationRecord | MessageRecord | TextRecord | ToolCallRecord, Field(discriminator="kind")]
)
# Where they are not taken. The header says nothing that the request does not say.
_LEFT_OUT = {
    "usage": "What was spent elsewhere does not count here.",
    "settings": "Settings are not imported.",
}
_MAX_QUESTION = 32_000
# More than any conversation has. What follows counts on from it, in 31 bits.
_MAX_PLACE = 1_000_000_000
_MAX_MODEL = 255
# No worker goes on with these.
_ENDED = {"in_progress": "interrupted", "waiting_approval": "cancelled"}
_ERROR = {"type": str, "title": str, "status": int, "detail": str}
_MAX_ERROR = 2_000


def read_records(plan: ImportPlan, records: list[Any]) -> None:
    for each in records:
        kind = each.get("kind") if isinstance(each, dict) else None
        if kind == "export":
            continue
        if isinstance(kind, str) and kind in _LEFT_OUT:
            plan.refuse(None, kind, _LEFT_OUT[kind])
            continue
        try:
            _read(plan, _RECORD.validate_python(each))
        except ValidationError as error:
            # Never the input, and never a name that the input chose.
            fields = [part for part in error.errors()[0]["loc"][1:2] if isinstance(part, str)]
            reason = f"Its `{fields[0]}` is not valid." if fields else "It is no record that is known here."
            plan.refuse(_named(each), "record", reason)


def _named(record: Any) -> str | None:
    if not isinstance(record, dict):
        return None
    named = record.get("id" if record.get("kind") == "conversation" else "conversation_id")
    return named if isinstance(named, str) else None


def _read(plan: ImportPlan, record: ConversationRecord | MessageRecord | TextRecord | ToolCallRecord) -> None:
    named = record.id if isinstance(record, ConversationRecord) else record.conversation_id
    conversation_id = plan.id_of("parley", named)
    plan.refer(conversation_id, named, _uuid(named))
    if isinstance(record, ConversationRecord):
        plan.conversations[conversation_id] |= {
            "title": title_of(record.title),
            # A title that is the beginning of a withheld question is withheld with it.
            "titled": not record.title_withheld,
            "archived": record.archived,
            "pinned": record.pinned,
            "model": record.model,
            "created_at": plan.past(record.created_at),
            "updated_at": plan.past(record.updated_at),
        }
        return
    if isinstance(record, MessageRecord):
        _read_message(plan, record, conversation_id)
        return
    addition = {
        "conversation_id": str(conversation_id),
        "message_id": str(plan.id_of("parley", named, record.message_id)),
    }
    if isinstance(record, TextRecord):
        plan.additions.append({**addition, "offset": record.offset, "text": record.text})
    else:
        plan.additions.append({**addition, "index": record.index, "run_items": _run_items(record)})


def _read_message(plan: ImportPlan, record: MessageRecord, conversation_id: uuid.UUID) -> None:
    named = record.conversation_id
    row = record.model_dump(include={"seq", "content", "withheld", "superseded", "version"}) | {
        "id": str(plan.id_of("parley", named, record.id)),
        "conversation_id": str(conversation_id),
        "version_of": str(plan.id_of("parley", named, record.version_of)),
        "role": record.role,
        "created_at": plan.past(record.created_at),
        "completed_at": record.completed_at and plan.past(record.completed_at),
    }
    if max(record.seq, record.version) > _MAX_PLACE:
        plan.refuse(named, "message", "No conversation is so long.")
    elif record.role == "assistant":
        plan.messages.append(row | _of_answer(plan, record))
    elif not is_visible(record.content) or len(record.content) > _MAX_QUESTION:
        plan.refuse(named, "message", "Its text is too long, or there is nothing to see in it.")
    else:
        plan.messages.append(row | {"status": "completed"})


def _of_answer(plan: ImportPlan, record: MessageRecord) -> dict[str, Any]:
    reply_to = record.reply_to and str(plan.id_of("parley", record.conversation_id, record.reply_to))
    return {
        "status": _ENDED.get(record.status, record.status),
        "reply_to": reply_to,
        "incomplete": record.incomplete,
        "feedback": record.feedback and record.feedback.model_dump(),
        "error": _error(record.error),
        **_usage(record.usage),
    }


def _usage(given: MessageUsage | None) -> dict[str, Any]:
    return given.model_dump() | {"model": given.model[:_MAX_MODEL]} if given else {}


def _error(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """The problem document; None for anything else."""
    if given is None:
        return None
    error = {name: given.get(name) for name in _ERROR}
    is_one = all(isinstance(error[name], kind) for name, kind in _ERROR.items())
    return error if is_one and len(str(error)) <= _MAX_ERROR else None


def _run_items(record: ToolCallRecord) -> list[dict[str, Any]]:
    call = ToolCall(**record.model_dump(include=set(ToolCall.model_fields)))
    items = call.run_items()
    # Without an output, it would not be known to have failed.
    if call.status == "failed" and call.output is None:
        items.append({"type": OUTPUT, "call_id": call.call_id, "output": None})
    return items


def _uuid(text: str) -> str | None:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None
