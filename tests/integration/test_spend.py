"""What is charged equals what was spent, and a quota is passed by what running turns overshoot, no more."""

import logging
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import Executable

from local.postgres import Postgres
from parley.database import Database, Rows
from parley.models import Message
from parley.models.turn import Act, Decision, Edit, Regenerate, Resume, Send
from parley.repositories import conversations, erasure, follow_ups, turns
from parley.repositories.follow_ups import Pending, Reservation, TokenUsage
from parley.repositories.turns import Begun, Limits, NewTurn, Reached, Refused
from tests.conftest import ApiUser
from tests.integration.test_turns import Writing

HISTORIES = 20
# The user of every fourth erases everything now and then, which makes the rest rare.
ERASES = 4
STEPS = 40
ANSWER_TOKENS = 100
TOKENS = ("input_tokens", "output_tokens")
DAY = ("day", "model", "turns", "cached_tokens", "cost")
KINDS = 3
# What has to happen at least once in all histories together.
ALL_STEPS = {
    *("Send", "Regenerate", "Edit", "Resume", "sent twice", "replay"),
    *("busy", "too_many", "over_quota", "quota_reserved"),
    *("checkpoint", "completed", "failed", "cancelled", "waiting_approval", "expired", "forced", "lost"),
    *("deleted", "erased", "not reserved"),
}
DAY_S = 86_400

_ANSWERS = text("""
    select id, conversation_id, reply_to, status, superseded, idempotency_key, lease_id, model,
        coalesce(input_tokens, 0) as input, coalesce(output_tokens, 0) as output,
        coalesce(cached_tokens, 0) as cached,
        coalesce(reserved_input, 0) as reserved_input, coalesce(reserved_output, 0) as reserved_output,
        status = 'in_progress' and lease_expires_at > clock_timestamp() as is_running
    from message where role = 'assistant' order by conversation_id, seq
""")
_USAGE = text("""
    select coalesce(sum(turns), 0), coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),
        coalesce(sum(cached_tokens), 0)
    from usage
""")
_DELETED = text("""
    select count(*) from deleted_turn
    where lease_id is not null and not charged and lease_expires_at > clock_timestamp()
""")
_EXPIRE = text("""
    update message set lease_expires_at = clock_timestamp() - interval '1 second'
    where id = :id and status = 'in_progress' returning 1
""")


@dataclass
class Worker:
    """A process that holds a turn, or believes so. `reserved`: input and output, if its turn was deleted."""

    turn: NewTurn
    begun: Begun
    reserved: tuple[int, int] | None = None


class Resending(Database):
    """Sends some statements twice, as after a reply that was lost."""

    draw = random.Random()

    def rows(
        self, user_id: str | None, statement: Executable, params: Mapping[str, Any] | None = None
    ) -> Rows:
        if self.draw.random() < 0.2:
            with suppress(DBAPIError):
                super().rows(user_id, statement, params)
        return super().rows(user_id, statement, params)


@dataclass
class History:
    """What one user does at random, and what it has to come to.

    Lists are of tokens read, written, and read from the cache. `erased`: what quotas still count.
    """

    database: Database
    draw: random.Random
    quota: int | None
    erases: bool = False
    user_id: str = field(default_factory=lambda: f"spender-{uuid.uuid4().hex[:8]}")
    workers: list[Worker] = field(default_factory=list)
    # Spent on what is no message any more, or never was one.
    elsewhere: list[int] = field(default_factory=lambda: [0] * KINDS)
    turns: int = 0
    erased: int = 0
    overshoot: int = 0
    largest: int = 0
    last_key: int = 0
    steps: dict[str, int] = field(default_factory=dict)

    def take(self) -> None:
        kinds: list[Callable[[], None]] = [
            *[self.begin] * 6,
            *[self.end] * 4,
            self.checkpoint,
            self.expire,
            self.force_cancel,
            self.delete,
            self.follow_up,
        ]
        kinds += [self.erase] * self.erases
        self.draw.choice(kinds)()
        self.check()

    def check(self) -> None:
        rows = self.rows(_ANSWERS)
        counted, *charged = map(int, self.rows(_USAGE)[0])
        spent = [sum(getattr(row, kind) for row in rows) for kind in ("input", "output", "cached")]
        assert charged == [one + other for one, other in zip(spent, self.elsewhere, strict=True)]
        assert counted == self.turns
        assert sum(row.is_running for row in rows) + self.rows(_DELETED)[0][0] <= 4
        if self.quota is not None:
            assert sum(charged[:2]) + self.erased <= self.quota + self.overshoot + self.largest

    # What may happen

    def begin(self) -> None:
        act, key = self.any_act()
        limits = Limits(1_000, None, self.quota, answer_tokens=ANSWER_TOKENS)
        model = self.draw.choice(["m", "n"])
        turn = NewTurn(self.user_id, act, key, "h", model, "t", tokens=self.draw.randrange(200))
        held = self.rows(_ANSWERS)
        spent = self.spent()
        result = turns.begin_turn(self.database, turn, limits)
        if isinstance(result, Refused):
            self.count(result.reason)
            # What a dead worker's turn has reserved is spent, though a refused turn does not write it down.
            spent += sum(row.reserved_input + row.reserved_output for row in held if not row.is_running)
            is_over = self.quota is not None and spent >= self.quota
            assert result.reason == "busy" or (result.reason == "over_quota") == is_over
            return
        if not isinstance(result, Begun):
            self.count("replay")
            return
        self.count(type(act).__name__)
        self.turns += not isinstance(act, Resume)
        self.workers.append(Worker(turn, result))
        now = {row.id: row for row in self.rows(_ANSWERS)}
        mine = now[result.answer_id].reserved_input + now[result.answer_id].reserved_output
        assert mine >= ANSWER_TOKENS
        self.check_admitted(mine, [row for row in held if row.is_running])
        if self.draw.random() < 0.2:
            self.count("sent twice")
            assert turns.begin_turn(self.database, turn, limits) == result

    def check_admitted(self, mine: int, running: list[Any]) -> None:
        self.largest = max(self.largest, mine)
        if self.quota is None:
            return
        spent = self.spent()
        assert spent < self.quota
        reserved = sum(row.reserved_input + row.reserved_output for row in running)
        assert not running or spent + reserved + mine <= self.quota

    def spent(self) -> int:
        return sum(map(int, self.rows(_USAGE)[0][1:3])) + self.erased

    def any_act(self) -> tuple[Act, str | None]:
        answers = [row for row in self.rows(_ANSWERS) if not row.superseded]
        # One that failed is tried again; any other is there already.
        ended = [row for row in answers if row.status != "in_progress" and row.idempotency_key]
        if ended and self.draw.random() < 0.3:
            row = self.draw.choice(ended)
            return Send(row.conversation_id, "again"), row.idempotency_key
        self.last_key += 1
        key = f"k{self.last_key}" if self.draw.random() < 0.8 else None
        if not answers or self.draw.random() < 0.4:
            return Send(None, "hello"), key
        row = self.draw.choice(answers)
        if row.status == "waiting_approval":
            return Resume(row.conversation_id, row.id, Decision(approved=True)), key
        acts: list[Act] = [
            Send(row.conversation_id, "and"),
            Regenerate(row.conversation_id, row.id),
            Edit(row.conversation_id, row.reply_to, "or"),
        ]
        return self.draw.choice(acts), key

    def end(self) -> None:
        """As a worker does: store the end or, if the conversation is gone, put its charge right."""
        if not self.workers:
            return
        worker = self.workers.pop(self.draw.randrange(len(self.workers)))
        spent = (self.draw.randrange(600), self.draw.randrange(300), self.draw.randrange(100))
        statuses = ["completed", "failed", "cancelled", "waiting_approval"]
        status: Any = self.draw.choice(statuses)
        held = [row for row in self.rows(_ANSWERS) if row.lease_id == worker.turn.lease_id and row.is_running]
        answer = ended(worker, status, spent)
        stored = turns.end_turn(self.database, answer, accepted=True)
        assert stored == bool(held)
        self.count(status if stored else "lost")
        if stored:
            reserved = held[0].reserved_input + held[0].reserved_output
            self.overshoot += max(0, sum(spent[:2]) - reserved)
            if self.draw.random() < 0.2:
                assert turns.end_turn(self.database, ended(worker, status, spent), accepted=True)
            return
        was_deleted = turns.charge_deleted_turn(self.database, answer)
        # Also if the user has erased everything meanwhile.
        assert was_deleted == (worker.begun.answer_id not in {row.id for row in self.rows(_ANSWERS)})
        if worker.reserved is not None:
            self.count("deleted")
            turns.charge_deleted_turn(self.database, answer)
            for each, reserved in enumerate((*worker.reserved, 0)):
                self.elsewhere[each] += spent[each] - reserved
            self.overshoot += max(0, sum(spent[:2]) - sum(worker.reserved))

    def checkpoint(self) -> None:
        for worker in self.workers[:1]:
            reached = Reached("so far", None, True, self.draw.randrange(900), self.draw.randrange(400))
            before = {row.id: row for row in self.rows(_ANSWERS)}.get(worker.begun.answer_id)
            held = turns.checkpoint_turn(self.database, worker.turn, worker.begun.answer_id, reached)
            if held is None or before is None:
                return
            self.count("checkpoint")
            self.overshoot += max(0, reached.input_tokens - before.reserved_input)
            self.overshoot += max(0, reached.output_tokens - before.reserved_output)

    def expire(self) -> None:
        """A worker dies, or is so slow that its lease runs out: then it goes on."""
        if not self.workers:
            return
        worker = self.draw.choice(self.workers)
        self.rows(_EXPIRE, id=worker.begun.answer_id)
        self.count("expired")
        if self.draw.random() < 0.7:
            self.workers.remove(worker)

    def force_cancel(self) -> None:
        for worker in self.workers[:1]:
            turns.force_cancel(self.database, self.user_id, worker.begun.answer_id)
            self.count("forced")

    def delete(self) -> None:
        rows = self.rows(_ANSWERS)
        if not rows:
            return
        conversation_id = self.draw.choice(rows).conversation_id
        mine = [row for row in rows if row.conversation_id == conversation_id]
        conversations.delete_conversation(self.database, self.user_id, conversation_id)
        self.elsewhere[0] += sum(row.input + row.reserved_input for row in mine)
        self.elsewhere[1] += sum(row.output + row.reserved_output for row in mine)
        self.elsewhere[2] += sum(row.cached for row in mine)
        for worker in self.workers:
            for row in mine:
                if (row.lease_id, row.status) == (worker.turn.lease_id, "in_progress"):
                    worker.reserved = (row.reserved_input, row.reserved_output)

    def erase(self) -> None:
        running = [row for row in self.rows(_ANSWERS) if row.status == "in_progress"]
        self.erased = self.spent() + sum(row.reserved_input + row.reserved_output for row in running)
        erasure.erase_user(self.database, self.user_id)
        self.elsewhere, self.turns = [0] * KINDS, 0
        for worker in self.workers:
            worker.reserved = None
        self.count("erased")

    def follow_up(self) -> None:
        rows = self.rows(_ANSWERS)
        conversation_id = self.draw.choice(rows).conversation_id if rows else uuid.uuid4()
        args = (self.database, self.user_id, conversation_id)
        reservation = Reservation("m", self.draw.randrange(50), self.draw.randrange(20))
        if not follow_ups.reserve(*args, reservation, self.quota):
            self.count("not reserved")
            return
        if self.draw.random() < 0.3:
            self.delete()
        cost = (reservation.reserved_input, reservation.reserved_output, 0)
        if self.draw.random() < 0.8:
            cost = (self.draw.randrange(60), self.draw.randrange(20), self.draw.randrange(9))
            spent = TokenUsage(reservation.id, *cost)
            if cost[0] % 2:
                follow_ups.store_title(*args, "A title", spent)
            else:
                follow_ups.postpone(*args, 20, spent)
        for index, tokens in enumerate(cost):
            self.elsewhere[index] += tokens
        self.overshoot += max(0, sum(cost[:2]) - reservation.reserved_input - reservation.reserved_output)

    def rows(self, statement: Any, **params: Any) -> Any:
        return self.database.rows(self.user_id, statement, params)

    def count(self, what: str) -> None:
        self.steps[what] = self.steps.get(what, 0) + 1


def ended(worker: Worker, status: str, spent: tuple[int, int, int]) -> Message:
    values: dict[str, Any] = {
        "id": worker.begun.answer_id,
        "conversation_id": worker.begun.conversation_id,
        "user_id": worker.turn.user_id,
        "reply_to": worker.begun.question_id,
        "lease_id": worker.turn.lease_id,
        "status": status,
        "content": "answer",
        "tokens": 3,
        "run_state": {"run": {}} if status == "waiting_approval" else None,
        "model": worker.turn.model,
        "input_tokens": spent[0],
        "output_tokens": spent[1],
        "cached_tokens": spent[2],
    }
    return Message(**values)


@pytest.fixture
def resending(postgres: Postgres, transport: dict[str, Any]) -> Iterator[Resending]:
    options = {name.removeprefix("database_"): value for name, value in transport.items()}
    database = Resending(postgres.app_url, pool_size=1, **options)
    yield database
    database.close()


@pytest.mark.both_transports
def test_the_ledger_has_what_the_turns_have_whatever_happens(
    resending: Resending, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    resending.draw = random.Random(seed)
    # A lease runs out when `expire` says so, and not because the machine is slow.
    monkeypatch.setattr(turns, "LEASE_S", 3_600)
    happened: Counter[str] = Counter()
    # As many as it takes until the rarest step was among them, which is seldom more than HISTORIES.
    for number in range(20 * HISTORIES):
        if number >= HISTORIES and happened.keys() >= ALL_STEPS:
            break
        wait_out_midnight()
        quota = draw.choice([None, 500, 5_000, 50_000])
        history = History(resending, draw, quota, erases=number % ERASES == 0)
        for _ in range(STEPS):
            history.take()
        happened.update(history.steps)
    assert happened.keys() == ALL_STEPS


def wait_out_midnight() -> None:
    """A quota is a day's, and a history knows one day only."""
    left_s = DAY_S - time.time() % DAY_S
    if left_s < 60:
        time.sleep(left_s + 0.1)


STORES: dict[str, tuple[Callable[..., None], *tuple[Any, ...]]] = {
    "title": (follow_ups.store_title, "A title"),
    "summary": (follow_ups.store_summary, Pending(None, None, 0, 0, []), "A summary"),
    "nothing": (follow_ups.postpone, 20),
}


@pytest.mark.both_transports
@pytest.mark.parametrize("deleted", ["never", "before", "between"])
@pytest.mark.parametrize("what", STORES)
def test_a_follow_up_that_is_sent_again_is_charged_once(what: str, deleted: str, database: Database) -> None:
    history = History(database, random.Random(1), None)
    history.begin()
    where = (database, history.user_id, history.workers[0].begun.conversation_id)
    reservation = Reservation("m", 50, 20)
    before = history.spent()
    for _ in range(2):
        assert follow_ups.reserve(*where, reservation, None)
        assert history.spent() == before + 70
    store, *args = STORES[what]
    spent = TokenUsage(reservation.id, 7, 3)
    if deleted == "before":
        conversations.delete_conversation(*where)
        before = history.spent() - 70
    store(*where, *args, spent)
    assert history.spent() == before + 10
    if deleted == "between":
        conversations.delete_conversation(*where)
    before = history.spent()
    for _ in range(2):
        store(*where, *args, spent)
    assert history.spent() == before


@pytest.mark.both_transports
def test_follow_ups_leave_the_quota_what_running_turns_have_reserved(database: Database) -> None:
    history = History(database, random.Random(1), None)
    history.begin()
    where = (database, history.user_id, history.workers[0].begun.conversation_id)
    [reserved] = [row.reserved_input + row.reserved_output for row in history.rows(_ANSWERS)]
    assert not follow_ups.reserve(*where, Reservation("m", 50, 20), reserved + 69)
    assert follow_ups.reserve(*where, Reservation("m", 50, 20), reserved + 70)
    assert not follow_ups.reserve(*where, Reservation("m", 1, 0), reserved + 70)
    conversations.delete_conversation(*where)
    assert not follow_ups.reserve(*where, Reservation("m", 1, 0), None)


_ANY_TWO = text("select id from conversation order by random() limit 2")


class Retries(logging.Handler):
    """What the database was asked twice: a statement that lost a deadlock is sent again."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def retries() -> Iterator[Retries]:
    handler = Retries()
    logging.getLogger("parley.database").addHandler(handler)
    yield handler
    logging.getLogger("parley.database").removeHandler(handler)


def end_somehow(mine: History, worker: Worker, deletes: str) -> None:
    begun, how = worker.begun, mine.draw.randrange(4)
    if how == 0 and deletes == "one":
        conversations.delete_conversation(mine.database, mine.user_id, begun.conversation_id)
    elif how == 0 and deletes:
        ids = [begun.conversation_id, *(row.id for row in mine.rows(_ANY_TWO))]
        conversations.batch_conversations(mine.database, mine.user_id, ids, "delete")
    elif how == 0:
        turns.force_cancel(mine.database, mine.user_id, begun.answer_id)
    elif how == 1:
        mine.rows(_EXPIRE, id=begun.answer_id)
    else:
        turns.end_turn(mine.database, ended(worker, "failed", (7, 3, 2)), accepted=True)


@pytest.mark.parametrize("deletes", ["", "one", "several"])
def test_workers_at_once_neither_wait_for_each_other_nor_lose_a_token(
    deletes: str, database: Database, retries: Retries
) -> None:
    """The shape of each statement, on the same few conversations: what they lock, they lock in one order."""
    seed = random.randrange(2**32)
    print("seed", seed)
    history = History(database, random.Random(seed), None)
    for _ in range(3):
        history.begin()
    spent: list[TokenUsage] = []

    def work(number: int) -> None:
        mine = History(
            database, random.Random(seed + number), None, user_id=history.user_id, last_key=1_000 * number
        )
        for _ in range(25):
            act, key = mine.any_act()
            turn = NewTurn(mine.user_id, act, key, "h", "m", "t", tokens=3)
            begun = turns.begin_turn(database, turn, Limits(1_000, None, None, turns_at_once=20))
            if not isinstance(begun, Begun):
                continue
            end_somehow(mine, Worker(turn, begun), deletes)
            reservation = Reservation("m", 9, 9)
            where = (database, mine.user_id, begun.conversation_id)
            if follow_ups.reserve(*where, reservation, None):
                spent.append(TokenUsage(reservation.id, 5, 1))
                follow_ups.postpone(*where, 20, spent[-1])

    with ThreadPoolExecutor(5) as threads:
        list(threads.map(work, range(1, 6)))
    for row in history.rows(_ANSWERS):
        history.rows(_EXPIRE, id=row.id)
    history.rows(text("select end_expired_turns(:id)::text"), id=history.user_id)
    assert [record.getMessage() for record in retries.records] == []
    rows = history.rows(_ANSWERS)
    _, *charged = map(int, history.rows(_USAGE)[0][:3])
    assert spent
    kept = [sum(row.input for row in rows), sum(row.output for row in rows)]
    found = [kept[0] + 5 * len(spent), kept[1] + len(spent)]
    # What was deleted is charged too.
    assert charged > found if deletes else charged == found


# Through the API


def usage_of(database: Database, user: ApiUser) -> list[int]:
    return list(map(int, database.rows(user.id, _USAGE)[0]))


def test_a_failing_turn_that_is_repeated_under_its_key_uses_up_the_quota(
    serve_api: Callable[..., str], new_user: Callable[..., ApiUser], model_url: str
) -> None:
    alice = new_user(api_url=serve_api(quota_turns_per_day=3))
    message = f"[offline: status=400] Hello {alice.id}"
    replies = [alice.say(message, **{"Idempotency-Key": "k"}) for _ in range(6)]
    assert [reply.status_code for reply in replies] == [502, 502, 502, 429, 429, 429]
    requests = httpx.get(f"{model_url}/log").json()["requests"]
    asked = [each for each in requests if alice.id in str(each["body"].get("input"))]
    answers = [each for each in asked if "Write a title" not in str(each["body"])]
    assert len(answers) == 3


def test_twenty_turns_at_once_pass_a_quota_by_what_one_overshoots(
    serve_api: Callable[..., str], new_user: Callable[..., ApiUser], database: Database
) -> None:
    quota = 20_000
    alice = new_user(api_url=serve_api(quota_tokens_per_day=quota))
    database.rows(
        alice.id, text("select charge(:id, 'm', :spent, 0)"), {"id": alice.id, "spent": quota - 5_000}
    )
    message = "[offline: words=4000] Hello"
    with ThreadPoolExecutor(20) as threads:
        replies = list(threads.map(lambda n: alice.say(f"{message} {n}"), range(20)))
    costs = [sum(each.json()["usage"][name] for name in TOKENS) for each in replies if each.is_success]
    refused = Counter(each.json()["type"] for each in replies if not each.is_success)
    print("spent", costs, "refused", refused)
    assert costs
    _, read, written, _ = usage_of(database, alice)
    assert read + written < quota + len(costs) * max(costs)
    # What they reserved leaves room for four at most.
    assert len(costs) <= 4


def test_what_a_cancelled_turn_read_and_wrote_is_charged(alice: ApiUser, database: Database) -> None:
    writing = Writing(alice, "[offline: word=100,words=100] Tell me more " + "of this " * 500)
    path = f"/conversations/{writing.conversation_id}/messages/{writing.message_id}"
    cancelled = alice.http.post(f"{path}/cancel").json()
    assert cancelled["status"] == "cancelled"
    assert cancelled["usage"]["input_tokens"] > 1_000
    assert cancelled["usage"]["estimated"] is True
    _, read, *_ = usage_of(database, alice)
    assert read >= cancelled["usage"]["input_tokens"]
    writing.wait_for_reply()


@pytest.mark.parametrize("command", ["hang", "word=100,words=500"])
def test_what_a_turn_read_that_ran_out_of_time_is_charged(
    command: str, serve_api: Callable[..., str], new_user: Callable[..., ApiUser], database: Database
) -> None:
    alice = new_user(api_url=serve_api(turn_deadline_s=1.5))
    assert alice.say(f"[offline: {command}] Tell me more " + "of this " * 500).status_code == 504
    (conversation,) = alice.http.get("/conversations").json()["data"]
    answer = alice.messages(conversation["id"])[1]
    assert answer["usage"]["input_tokens"] > 1_000
    _, read, *_ = usage_of(database, alice)
    assert read >= answer["usage"]["input_tokens"]


def test_the_fifth_turn_at_once_is_told_to_wait(alice: ApiUser, bob: ApiUser) -> None:
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda n: alice.say(f"[offline: slow=1] {n}"), range(8)))
        assert bob.say("Hello").status_code == 200
    assert Counter(reply.status_code for reply in replies) == {200: 4, 429: 4}
    for reply in replies:
        if reply.status_code == 429:
            assert reply.json()["type"] == "/problems/too-many-turns"
            assert reply.headers["retry-after"] == "1"
    assert alice.say("Hello").status_code == 200
    assert len(alice.http.get("/conversations").json()["data"]) == 5


def test_usage_tells_what_was_spent_and_what_is_left(
    serve_api: Callable[..., str], new_user: Callable[..., ApiUser]
) -> None:
    alice = new_user(api_url=serve_api(quota_turns_per_day=10, quota_tokens_per_day=100_000))
    fresh = alice.http.get("/usage").json()
    assert fresh["days"] == []
    assert fresh["quota"].pop("fresh_at").endswith("T00:00:00.000Z")
    assert fresh["quota"] == {"turns": 10, "tokens": 100_000, "turns_left": 10, "tokens_left": 100_000}
    reply = alice.say("Hello").json()["usage"]
    body = alice.http.get("/usage?days=1").json()
    (day,) = body["days"]
    assert day.keys() == {*DAY, *TOKENS}
    assert (day["model"], day["turns"], day["cost"]) == ("offline", 1, None)
    assert all(day[name] >= reply[name] > 0 for name in TOKENS)
    assert body["quota"]["turns_left"] == 9
    assert body["quota"]["tokens_left"] == 100_000 - sum(day[name] for name in TOKENS)


@pytest.mark.parametrize("protocol", ["responses", "chat_completions"])
def test_what_the_models_cache_had_is_told(
    protocol: str, serve_api: Callable[..., str], new_user: Callable[..., ApiUser], database: Database
) -> None:
    alice = new_user(api_url=serve_api(openai_api=protocol))
    said = alice.say(f"This is {alice.id}. " + "Some words to remember. " * 300).json()
    alice.say("Go on", said["conversation_id"])
    (day,) = alice.http.get("/usage").json()["days"]
    assert 1_000 < day["cached_tokens"] < day["input_tokens"]
    kept = database.rows(alice.id, text("select sum(cached_tokens) from message"))[0][0]
    assert kept <= day["cached_tokens"]


def test_a_day_costs_what_its_models_cost_if_that_is_known(alice: ApiUser, database: Database) -> None:
    # A million read, of which 400,000 from the cache, and 100,000 written.
    spent = text("select charge(:id, :model, 1000000, 100000, 400000)")
    for model in ("gpt-5-mini", "gpt-5-mini-2025-08-07", "of our own"):
        database.rows(alice.id, spent, {"id": alice.id, "model": model})
    earlier = text("update usage set day = day - 29 where model = 'gpt-5-mini' returning 1")
    database.rows(alice.id, earlier)
    days = alice.http.get("/usage").json()["days"]
    assert [(day["model"], day["cost"]) for day in days] == [
        ("gpt-5-mini-2025-08-07", 0.36),
        ("of our own", None),
        ("gpt-5-mini", 0.36),
    ]
    assert len(alice.http.get("/usage?days=29").json()["days"]) == 2


def test_what_a_running_turn_has_reserved_is_not_left(
    serve_api: Callable[..., str], new_user: Callable[..., ApiUser]
) -> None:
    alice = new_user(api_url=serve_api(quota_tokens_per_day=100_000))
    writing = Writing(alice, "[offline: slow=1] Hello")
    assert alice.http.get("/usage").json()["quota"]["tokens_left"] <= 99_000
    writing.wait_for_reply()
    assert alice.http.get("/usage").json()["quota"]["tokens_left"] > 99_000


def test_without_a_quota_there_is_none_left_to_tell(alice: ApiUser) -> None:
    quota = alice.http.get("/usage").json()["quota"]
    assert set(quota.values()) - {quota["fresh_at"]} == {None}
    for days in ("0", "367", "x"):
        assert alice.http.get(f"/usage?days={days}").status_code == 422
