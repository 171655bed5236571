"""What must hold after every step and every schedule, read from the rows as the owner of the tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pg8000.dbapi

FINAL = {"completed", "cancelled"}


class Violated(AssertionError):
    """A promise was broken."""


def hold(condition: object, promise: str) -> None:
    if not condition:
        raise Violated(promise)


@dataclass(frozen=True)
class Row:
    """A message as stored; `status` is what a reader sees."""

    id: str
    conversation_id: str
    seq: int
    role: str
    status: str
    content: str
    key: str | None
    reply_to: str | None
    superseded: bool
    # Charged, or reserved and to be charged unless the turn's worker says otherwise.
    tokens: list[int]
    reserved: bool
    completed_at: Any


_ROWS = """
    select id::text, conversation_id::text, seq, role,
        case when status = 'in_progress' and lease_expires_at <= clock_timestamp()
             then 'interrupted' else status end,
        content, idempotency_key, reply_to::text, superseded,
        array[coalesce(input_tokens, 0) + coalesce(reserved_input, 0),
              coalesce(output_tokens, 0) + coalesce(reserved_output, 0)],
        reserved_input is not null, completed_at
    from message where user_id = %s order by conversation_id, seq
"""
_CONVERSATIONS = "select id::text, message_count, last_seq from conversation where user_id = %s"
_USAGE = """
    select coalesce(sum(turns), 0), coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0)
    from usage where user_id = %s
"""
# What 30 seconds do.
_EXPIRE = """
    update message set lease_expires_at = clock_timestamp() - interval '1 millisecond'
    where user_id = %s and status = 'in_progress'
"""


class Rows:
    """One user's rows. Checks at each look that none is gone, and that what has ended stays as it ended."""

    def __init__(self, owner: pg8000.dbapi.Connection, user_id: str) -> None:
        self._owner = owner
        self._user_id = user_id
        self.seen: dict[str, Row] = {}

    def expire_leases(self) -> None:
        self._query(_EXPIRE)

    def look(self, rerun_keys: set[str]) -> list[Row]:
        """The rows of now. `rerun_keys`: of requests sent again since the last look."""
        rows = [Row(*row) for row in self._query(_ROWS)]
        now = {row.id: row for row in rows}
        for before in self.seen.values():
            hold(before.id in now, f"message {before.id} is lost")
            _stayed(before, now[before.id], before.key in rerun_keys)
        self.seen = now
        return rows

    def check(self, rows: list[Row], begins: int) -> None:
        """At rest, when no worker runs a turn. `begins`: how often the database said that one began."""
        conversations = {row[0]: row[1:] for row in self._query(_CONVERSATIONS)}
        for conversation_id, (count, last_seq) in conversations.items():
            mine = [row for row in rows if row.conversation_id == conversation_id]
            active = [row for row in mine if not row.superseded]
            hold(count == len(active), f"message_count is {count} of {len(active)}")
            hold([row.seq for row in mine] == list(range(1, last_seq + 1)), "last_seq or a seq is wrong")
            _alternates(active)
        _once_each(rows)
        self._check_spend(rows, begins)

    def _check_spend(self, rows: list[Row], begins: int) -> None:
        answers = [row for row in rows if row.role == "assistant"]
        turns, *charged = map(int, self._query(_USAGE)[0])
        hold(not any(row.reserved for row in rows if row.status != "interrupted"), "reserved and not running")
        spent = [sum(row.tokens[i] for row in answers if not row.reserved) for i in (0, 1)]
        # A turn that began in vain has begun again, and counts again.
        hold(
            len(answers) <= turns <= begins, f"{turns} counted of {len(answers)} turns, begun {begins} times"
        )
        hold(charged == spent, f"charged {charged} for {spent}")

    def _query(self, sql: str) -> list[Any]:
        cursor = self._owner.cursor()
        cursor.execute(sql, (self._user_id,))
        return list(cursor.fetchall()) if cursor.description else []


def _stayed(before: Row, now: Row, may_run_again: bool) -> None:
    hold(now.superseded or not before.superseded, f"{now.id} is back")
    hold(now.seq == before.seq, f"{now.id} moved")
    if before.status in FINAL or (before.status in {"failed", "interrupted"} and not may_run_again):
        outcome = (before.status, before.content, before.tokens)
        hold(outcome == (now.status, now.content, now.tokens), f"ended as {outcome}, now {now}")
        if before.status != "interrupted":  # which is written down later than it is read
            hold(before.completed_at == now.completed_at, f"{now.id} ended again")


def _alternates(active: list[Row]) -> None:
    roles = [row.role for row in active]
    hold(roles == ["user", "assistant"] * (len(roles) // 2), f"the roles are {roles}")
    hold(sum(row.status == "in_progress" for row in active) <= 1, "two turns run")
    for question, answer in pairwise(active):
        hold(answer.role == "user" or answer.reply_to == question.id, "an answer to something else")


def _once_each(rows: list[Row]) -> None:
    questions = [row for row in rows if row.role == "user"]
    hold(len({row.content for row in questions}) == len(questions), "a question is stored twice")
    answered = {row.reply_to for row in rows if row.role == "assistant"}
    hold(answered == {row.id for row in questions}, "a question without its turn")


def same_as_shown(rows: list[Row], shown: list[Mapping[str, Any]], conversation_id: str) -> None:
    """A reload shows exactly the stored turns, once (R11)."""
    stored = [
        (row.id, row.seq, row.role, row.status, row.content)
        for row in rows
        if row.conversation_id == conversation_id and not row.superseded
    ]
    listed = [tuple(each[name] for name in ("id", "seq", "role", "status", "content")) for each in shown]
    hold(stored == listed, f"a reload shows {listed} of {stored}")
