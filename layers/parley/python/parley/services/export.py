"""Rows of an export as JSON Lines, as one JSON document, or as Markdown for people."""

import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from parley.models import Message
from parley.models.tool_call import read_tool_calls
from parley.repositories.exports import ExportRow
from parley.services.records import VERSION, conversation_record, message_records

_ENDINGS = {
    "in_progress": "The answer is being written.",
    "cancelled": "The answer was stopped.",
    "interrupted": "The answer was interrupted.",
    "waiting_approval": "The answer waits for a decision.",
}


def records(rows: Sequence[ExportRow], begun: uuid.UUID | None) -> Iterator[BaseModel]:
    """`begun`: the conversation whose own record was in an earlier part."""
    for row in rows:
        if row.conversation.id != begun:
            begun = row.conversation.id
            yield conversation_record(row.conversation, row.title_withheld)
        if row.message is not None and row.status is not None:
            yield from message_records(row.message, row.status)


def json_lines(entries: Iterable[BaseModel | dict[str, Any]]) -> bytes:
    return b"".join(_json(entry) + b"\n" for entry in entries)


def json_document(entries: Iterable[BaseModel]) -> bytes:
    """What POST /import takes."""
    lines = b",\n".join(_json(entry) for entry in entries)
    return b'{"source": "parley", "version": %d, "records": [\n%s\n]}\n' % (VERSION, lines)


def markdown(rows: Sequence[ExportRow], is_first: bool) -> bytes:
    parts = [f"# {rows[0].conversation.title}\n"] if is_first else []
    parts += [_section(row.message, row.status) for row in rows if row.message and row.status]
    return ("\n".join(parts) + "\n").encode()


def _section(message: Message, status: str) -> str:
    who = "You" if message.role == "user" else "Assistant"
    lines = [f"## {who}, {message.created_at:%Y-%m-%d %H:%M} UTC", message.content]
    if calls := read_tool_calls(message.run_items, status):
        lines.insert(1, "Tools: " + ", ".join(f"`{call.name}`" for call in calls))
    if status == "failed":
        lines.append(f"*No answer: {(message.error or {}).get('title', 'it failed')}.*")
    elif status in _ENDINGS:
        lines.append(f"*{_ENDINGS[status]}*")
    return "\n\n".join(line for line in lines if line) + "\n"


def _json(entry: BaseModel | dict[str, Any]) -> bytes:
    if isinstance(entry, BaseModel):
        return entry.model_dump_json().encode()
    return json.dumps(entry, ensure_ascii=False).encode()
