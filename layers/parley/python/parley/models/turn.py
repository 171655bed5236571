"""What a client asks of a turn: one of four acts, each with exactly what it needs.

`model` is the one that the client names, one of those on offer. Without it, the conversation's answers.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Decision:
    """What the user decided about the tool calls a turn waits for: about `calls`, or about all of them.

    `outputs`: by call id, what the user's page returned for the tools it carries out itself.
    """

    approved: bool
    calls: frozenset[str] | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)

    def covers(self, call_id: str | None) -> bool:
        return self.calls is None or call_id in self.calls


@dataclass(frozen=True, slots=True)
class Send:
    """A new message; without `conversation_id`, the first of a new conversation."""

    conversation_id: uuid.UUID | None
    message: str
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Regenerate:
    """Another answer to the same question.

    `named_id`: the id the client sent, where that was not the answer's. It identifies a repeated request,
    because the answer it stands for changes with every regeneration.
    """

    conversation_id: uuid.UUID
    answer_id: uuid.UUID
    named_id: uuid.UUID | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """A new text for a question. What followed the old one is superseded."""

    conversation_id: uuid.UUID
    question_id: uuid.UUID
    message: str
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """Continue an answer that waits for a decision about its tool calls."""

    conversation_id: uuid.UUID
    answer_id: uuid.UUID
    decision: Decision


Act = Send | Regenerate | Edit | Resume
