"""Exports as a client reads them, and conversations drawn straight into the database."""

import json
import random
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from sqlalchemy import text

from parley.database import Database
from parley.ids import new_id
from parley.models import Conversation, Message
from tests.conftest import ApiUser

MAX_PART = 200_000
LETTERS = "aé漢字🦜 \n\t\"'\\<b>&\x01\x7f\u2028مرحباअ٣"
STATUSES = ("completed", "completed", "failed", "cancelled", "interrupted")


def parts(user: ApiUser, path: str) -> Iterator[httpx.Response]:
    """All parts that begin with this one."""
    query: dict[str, str] | None = None
    while True:
        reply = user.http.get(path, params=query)
        assert reply.status_code == 200, reply.text
        assert len(reply.content) < 5_000_000
        yield reply
        if "next" not in reply.links:
            return
        query = {
            name: values[0] for name, values in parse_qs(urlsplit(reply.links["next"]["url"]).query).items()
        }


def export(user: ApiUser) -> list[dict[str, Any]]:
    return [
        json.loads(line) for reply in parts(user, "/export") for line in reply.content.split(b"\n") if line
    ]


def send(user: ApiUser, part: dict[str, Any]) -> dict[str, Any]:
    body = json.dumps(part, ensure_ascii=False).encode(errors="surrogatepass")
    reply = user.http.post("/import", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def import_records(
    user: ApiUser, records: list[dict[str, Any]], size: int = MAX_PART
) -> list[dict[str, Any]]:
    filled: list[list[dict[str, Any]]] = [[]]
    used = 0
    for record in records:
        length = len(json.dumps(record, ensure_ascii=False).encode()) + 1
        if used + length > size:
            filled.append([])
            used = 0
        filled[-1].append(record)
        used += length
    return [send(user, {"source": "parley", "version": 1, "records": part}) for part in filled]


def normalized(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a round trip keeps: ids become numbers, in the order of titles and of `seq`."""
    conversations = {each["id"]: each for each in records if each["kind"] == "conversation"}
    kept = [each for each in records if each["kind"] in ("conversation", "message", "text", "tool_call")]
    kept.sort(key=lambda each: conversations[each.get("conversation_id") or each["id"]]["title"])
    numbers: dict[str, int] = {}

    def number(name: str, value: Any) -> Any:
        is_id = (
            name in ("id", "conversation_id", "message_id", "reply_to", "version_of") and value is not None
        )
        return numbers.setdefault(value, len(numbers)) if is_id else value

    return [{name: number(name, value) for name, value in each.items()} for each in kept]


def words(draw: random.Random, length: int) -> str:
    return "x" + "".join(draw.choices(LETTERS, k=draw.randrange(length)))


def draw_conversation(draw: random.Random, database: Database, user_id: str, turns: int) -> str:
    """A conversation with failures, versions, tool calls, feedback and usage. Its title is its own."""
    now = datetime.now(UTC) - timedelta(days=draw.randrange(1, 500), microseconds=draw.randrange(10**6))
    conversation = Conversation(
        id=new_id(),
        user_id=user_id,
        title=f"{uuid.UUID(int=draw.getrandbits(128))} {words(draw, 90)}"[:200],
        titled=True,
        archived=draw.random() < 0.3,
        pinned=draw.random() < 0.3,
        created_at=now,
        updated_at=now,
    )
    rows, seq = [], 0
    question: Message | None = None
    for _ in range(turns):
        if question is None or draw.random() < 0.8:
            seq += 1
            question = _message(draw, conversation, seq, question if draw.random() < 0.3 else None)
            rows.append(question)
        seq += 1
        rows.append(_answer(draw, conversation, seq, question, rows))
    conversation.last_seq, conversation.message_count = seq, sum(not row.superseded for row in rows)
    _insert(database, conversation)
    for row in rows:
        _insert(database, row)
    return str(conversation.id)


def _message(draw: random.Random, conversation: Conversation, seq: int, replaced: Message | None) -> Message:
    message = Message(
        id=new_id(),
        conversation_id=conversation.id,
        user_id=conversation.user_id,
        seq=seq,
        role="user",
        status="completed",
        content=words(draw, 20_000 if draw.random() < 0.05 else 300),
        tokens=7,
        withheld=draw.random() < 0.1,
        version_of=conversation.id,
        created_at=conversation.created_at + timedelta(seconds=seq),
        completed_at=conversation.created_at + timedelta(seconds=seq),
    )
    message.version_of = message.id
    if replaced is not None:
        replaced.superseded = True
        message.version_of, message.version = replaced.version_of, replaced.version + 1
    return message


def _answer(
    draw: random.Random, conversation: Conversation, seq: int, question: Message, rows: list[Message]
) -> Message:
    earlier = [row for row in rows if row.reply_to == question.id]
    answer = _message(draw, conversation, seq, earlier[-1] if earlier else None)
    answer.role, answer.reply_to, answer.status = "assistant", question.id, draw.choice(STATUSES)
    answer.content = words(draw, draw.choice([1, 400, 60_000])) if draw.random() < 0.9 else ""
    answer.withheld = question.withheld
    if answer.status == "failed":
        answer.error = {
            "type": "/problems/model-failed",
            "title": "No",
            "status": 502,
            "detail": words(draw, 50),
        }
    if draw.random() < 0.4:
        answer.feedback = {
            "rating": draw.choice(["up", "down"]),
            "comment": draw.choice([None, words(draw, 99)]),
        }
    if draw.random() < 0.7:
        answer.model, answer.estimated = "gpt-5-mini", draw.random() < 0.5
        answer.input_tokens, answer.output_tokens = draw.randrange(2**31), draw.randrange(2**31)
    if draw.random() < 0.5:
        answer.run_items = _run_items(draw)
    if answer.status == "completed" and draw.random() < 0.2:
        answer.incomplete = "length"
    return answer


def _run_items(draw: random.Random) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = [{"type": "reasoning", "encrypted_content": "secret", "summary": []}]
    for number in range(draw.randrange(1, 5)):
        call: dict[str, Any] = {
            "type": "function_call",
            "call_id": f"call_{number}",
            "name": "look_up",
            "arguments": words(draw, 90),
        }
        if status := draw.choice([None, "completed", "failed", "rejected", "waiting_approval"]):
            call["outcome"] = {"status": status, "duration_ms": draw.choice([None, 0, 1234])}
        items.append(call)
        if status != "waiting_approval" and draw.random() < 0.7:
            output = draw.choice([words(draw, 5_000), {"a": [1, None, "é"]}, None, 3.5, [{"text": "t"}]])
            items.append({"type": "function_call_output", "call_id": f"call_{number}", "output": output})
    return [*items, {"role": "assistant", "content": "said"}]


def _insert(database: Database, row: Conversation | Message) -> None:
    table = type(row).__tablename__
    values = json.dumps(row.model_dump(mode="json", exclude={"search"}))
    names = ", ".join(name for name in type(row).model_fields if name != "search")
    statement = text(
        f"insert into {table} ({names}) "
        f"select {names} from jsonb_populate_record(null::{table}, cast(:row as jsonb)) returning 1"
    )
    database.rows(row.user_id, statement, {"row": values})


TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
