"""SQL of imports: sql/import_part.sql."""

from typing import Any, Literal

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from parley.database import Database

# What became of a conversation, of a message, or of what is added to one.
Outcome = Literal[
    "taken",
    "present",
    "own",
    "older",
    "continued",
    "missing",
    "no_question",
    "no_place",
    "no_message",
    "gap",
    "too_long",
]

_IMPORT = text("select import_part(:user_id, :part)").bindparams(bindparam("part", type_=JSONB))


def import_part(
    database: Database,
    user_id: str,
    conversations: list[dict[str, Any]],
    messages: list[dict[str, Any]],
    additions: list[dict[str, Any]],
) -> dict[str, list[Outcome]]:
    """Store what is not there yet. The values are those of the tables' columns, as JSON has them.

    Of a conversation without `title`, an earlier part told. Returns what became of each, by the names of
    the parameters.
    """
    part = {"conversations": conversations, "messages": messages, "additions": additions}
    outcomes: dict[str, list[Outcome]] = database.rows(user_id, _IMPORT, {"user_id": user_id, "part": part})[
        0
    ][0]
    return outcomes
