"""What of a part of an import can be stored, and what not and why."""

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from parley.database import Database
from parley.repositories.imports import Outcome, import_part
from parley.text import clean_text, is_visible

MAX_TITLE = 200
UNTITLED = "Imported conversation"
# Distinct lines about what was not taken. Any more are counted without their conversation.
_MAX_LINES = 200
_REASONS: dict[Outcome, str] = {
    "continued": "You have written in this conversation since it was imported.",
    "missing": "Its conversation was not imported.",
    "no_question": "It answers no question that was imported.",
    "no_place": "Its place in the conversation is taken.",
    "no_message": "Its message was not imported.",
    "gap": "What comes before it was not imported.",
    "too_long": "The message would be too long.",
}


@dataclass(frozen=True, slots=True)
class NotTaken:
    """`conversation`: its id in the file, where it is known. `what` this is about, and how many of it."""

    conversation: str | None
    what: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Imported:
    """`already_there`: messages that an earlier import, or this one's first sending, had taken."""

    conversations: int
    messages: int
    already_there: int
    not_taken: list[NotTaken]


@dataclass(slots=True)
class ImportPlan:
    """Rows as JSON has them, by their ids here, and what is left out."""

    user_id: str
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    conversations: dict[uuid.UUID, dict[str, Any]] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    additions: list[dict[str, Any]] = field(default_factory=list)
    # The conversations' ids in the file.
    named: dict[uuid.UUID, str] = field(default_factory=dict)
    refused: Counter[tuple[str | None, str, str]] = field(default_factory=Counter)

    def id_of(self, *parts: str) -> uuid.UUID:
        """The id here of what has these ids elsewhere: always the same for a user, and nobody else's."""
        of_user = uuid.uuid5(uuid.NAMESPACE_URL, f"parley:import:{self.user_id}")
        return uuid.uuid5(of_user, "\x00".join(parts))

    def refer(self, conversation_id: uuid.UUID, named: str, source_id: str | None = None) -> None:
        """Say that the part is about this conversation. `source_id`: its id in the Parley it is from."""
        if conversation_id not in self.conversations:
            self.named[conversation_id] = named
            self.conversations[conversation_id] = {"id": str(conversation_id), "source_id": source_id}

    def refuse(self, conversation: str | None, what: str, reason: str, count: int = 1) -> None:
        name = clean_text(conversation)[:MAX_TITLE] if conversation else None
        if (name, what, reason) not in self.refused and len(self.refused) >= _MAX_LINES:
            name = None
        self.refused[name, what, reason] += count

    def past(self, time: datetime | None, otherwise: datetime | None = None) -> str:
        """`time` as a row may have it: lists are in the order of time, and nothing has happened after now."""
        return min(time or otherwise or self.now, self.now).isoformat()

    def store(self, database: Database) -> Imported:
        if not self.conversations:
            return Imported(0, 0, 0, self._not_taken())
        conversations = list(self.conversations.values())
        outcomes = import_part(database, self.user_id, conversations, self.messages, self.additions)
        for what, rows in (("message", self.messages), ("addition", self.additions)):
            self._note(what, rows, outcomes[f"{what}s"])
        return Imported(
            outcomes["conversations"].count("taken"),
            outcomes["messages"].count("taken"),
            outcomes["messages"].count("present"),
            self._not_taken(),
        )

    def _note(self, what: str, rows: Sequence[dict[str, Any]], outcomes: Sequence[Outcome]) -> None:
        for row, outcome in zip(rows, outcomes, strict=True):
            if outcome in _REASONS:
                named = self.named[uuid.UUID(row["conversation_id"])]
                kind = what if what == "message" else ("text" if "text" in row else "tool call")
                self.refuse(named, kind, _REASONS[outcome])

    def _not_taken(self) -> list[NotTaken]:
        return [NotTaken(*key, count) for key, count in self.refused.items()]


def title_of(text: Any) -> str:
    title = clean_text(text)[:MAX_TITLE] if isinstance(text, str) else ""
    return title if is_visible(title) else UNTITLED
