"""The catalogue of faults, each injected for real. Where a test is elsewhere, this says where.

row     fault                                       test
5       malformed or absurd ids                     test_an_absurd_id_is_refused; test_conversations.py
6       NUL, lone surrogates, naughty strings       test_naughty_text_comes_back_byte_for_byte; test_chat.py
7       empty body, no JSON, 10 MB, deep nesting    test_a_monstrous_body_is_refused; test_chat.py
8       huge headers                                test_huge_headers_are_refused
9       double click                                test_turns.py: fifty requests with one key
10, 11  lost response, same key and other body      test_chat.py: the same key; a key with another body
12      two tabs                                    test_turns.py: of fifty turns at once
13–16   killed around each commit                   test_crash.py
17      time limit                                  test_turns.py: a deadline; test_lambda_handlers.py
18      the client disconnects                      test_resilience.py: a client that goes away; test_crash.py
19      a stale worker wakes                        test_a_worker_that_slept_over_its_lease…; test_crash.py
20, 21  model 429, 500, 503, reset                  test_a_model_in_trouble_is_asked_twice…; test_chat.py
22      the model hangs                             test_turns.py: every hang is answered
23      rubbish, nothing, a refusal                 test_chat.py: trouble with the model
24      tool raises, unknown, bad arguments         test_a_tool_told_nonsense…, test_a_tool_acts_once…;
                                                    test_tools.py: a tool that does not exist
25      endless tool loop                           test_tools.py: an endless loop
26      injected text                               test_tools.py: arguments do not say who is asking
27      context too long                            test_a_context_too_long…; test_history.py
28      database down, or talks nonsense            test_a_database_that_is_down…; test_database_faults.py
29      database dies during the model call         test_a_paid_reply_is_stored…, test_a_reply_that_cannot…,
                                                    test_a_restart_under_load…
30      idle connection closed                      test_a_connection_closed_while_idle…
31      pooler full                                 test_a_full_pooler_sheds…
32      pooler swaps servers                        test_turns_through_a_pooler…; test_database.py
33      cut during the commit                       test_a_statement_cut_off…, test_a_title_whose_storing…
34      deadlock, lock time-out                     test_a_deadlock…, test_a_lock_held_for_too_long…
35      Neon wakes slowly                           test_a_database_that_wakes_slowly…
36      wrong certificate                           test_a_wrong_certificate…
37      clock skew                                  test_the_order_does_not_follow_the_clock; test_security.py
38      clones of one process                       test_crash.py: every worker is one
"""

import json
import signal
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from agents import Agent, function_tool
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from pydantic import SecretStr
from sqlalchemy import text

from local.ports import free_port
from local.postgres import Postgres
from parley import migrate
from parley.config import Settings
from parley.database import Database
from parley.postgres import Address
from parley.repositories import follow_ups
from parley.repositories.follow_ups import Reservation, TokenUsage
from tests.conftest import ApiUser
from tests.integration.test_chat import events
from tests.integration.test_database import at_port
from tests.integration.test_resilience import worker
from tests.integration.test_turns import Writing, alternates, listed
from tests.pgbouncer import pgbouncer
from tests.proxy import Proxy

KEY = {"Idempotency-Key": "k"}
STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
def behind_proxy(
    postgres: Postgres, serve_api: Callable[..., str], new_user: Callable[..., ApiUser]
) -> Iterator[tuple[Proxy, ApiUser]]:
    """Somebody whose server reaches the database through a proxy."""
    proxy = Proxy(("127.0.0.1", postgres.port))
    with proxy.listen() as port:
        someone = new_user(api_url=serve_api(database_url=SecretStr(at_port(postgres.app_url, port))))
        assert someone.http.get("/conversations").status_code == 200
        yield proxy, someone


def model_calls(model_url: str, canary: str) -> int:
    """How often the model was asked for an answer to a message with these words."""
    requests = httpx.get(f"{model_url}/log").json()["requests"]
    # Other tests speak the other protocol, in which this word is another.
    bodies = [each["body"] for each in requests if "input" in each["body"]]
    return sum(canary in str(body["input"][-1]) and "Write a title" not in str(body) for body in bodies)


def unavailable(reply: httpx.Response) -> bool:
    return (reply.status_code, reply.json()["type"]) == (503, "/problems/database-unavailable") and int(
        reply.headers["retry-after"]
    ) >= 1


# Requests: rows 5 to 8


@pytest.mark.parametrize(
    "odd",
    [
        "x",
        "%00",
        "0" * 32 + "0",
        "..%2f..",
        "' or 1=1",
        "9" * 5_000,
        "%F0%9F%A6%9C",
        "-1",
        "urn:uuid:" + "e" * 32,
    ],
)
@pytest.mark.parametrize("path", ["{}", "{}/messages", "{good}/messages/{}/versions"])
def test_an_absurd_id_is_refused(alice: ApiUser, path: str, odd: str) -> None:
    good = str(uuid.uuid4())
    reply = alice.http.get("/conversations/" + path.replace("{good}", good).replace("{}", odd))
    assert reply.status_code in {404, 422}, reply.text
    assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("odd", ["00000000-0000-0000-0000-000000000000", "f" * 32])
def test_an_id_that_nobody_made_is_not_found(alice: ApiUser, odd: str) -> None:
    for path in (f"/{odd}", f"/{odd}/messages"):
        assert alice.http.get(f"/conversations{path}").status_code == 404
    assert alice.say("Hello", odd).status_code == 404


NAUGHTY = [
    "\ufeff\u200b\u2060\u00ad",
    "\u202e\u2066right to left\u2069\u202c",
    "Z\u0351\u036b\u0343\u036aa\u0351\u036b\u0343\u036al\u0351g\u0343o",
    "\x01\x02\x7f\x80\x9f",
    "'; drop table message; --",
    "${jndi:ldap://127.0.0.1/a} {{7*7}} %s %n %d $1 :name \\",
    "\U0010ffff\U0001f469\u200d\U0001f680 \ufdd0",
    "\r\n\r\n\u2028\u2029\x0b\x0c\x85",
    "null undefined NaN true [] {} \"\" '' ``",
    "data: x\n\nevent: turn.completed\ndata: {}\n\n",
    "\u0130\u0131\u00df\u1e9e\ufb03 e\u0301 \u00e9",
]


@pytest.mark.parametrize("naughty", NAUGHTY, ids=range(len(NAUGHTY)))
def test_naughty_text_comes_back_byte_for_byte(alice: ApiUser, naughty: str) -> None:
    reply = alice.say(f"Say exactly: .{naughty}.", **STREAM)
    *_, (name, completed) = events(reply)
    assert name == "turn.completed"
    question, answer = alice.messages(completed["conversation_id"])
    assert question["content"] == f"Say exactly: .{naughty}."
    assert answer["content"] == completed["response"]


@pytest.mark.parametrize(
    "body", [b"x" * 10_000_000, b"[" * 200_000, b'{"message":' * 20_000], ids=["10 MB", "deep", "deeper"]
)
def test_a_monstrous_body_is_refused(alice: ApiUser, body: bytes) -> None:
    # The server answers before it has read everything, and may then close the connection.
    with suppress(httpx.WriteError, httpx.ReadError):
        reply = alice.http.post("/chat", content=body, headers={"Content-Type": "application/json"})
        assert reply.status_code in {400, 413, 422}
    assert alice.say("Hello").status_code == 200


def test_huge_headers_are_refused(alice: ApiUser) -> None:
    with suppress(httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        reply = alice.http.get("/conversations", headers={"X-Huge": "x" * 1_000_000})
        assert reply.status_code in {400, 413, 431}
    many = {f"X-{number}": "x" * 100 for number in range(5_000)}
    with suppress(httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        assert alice.http.get("/conversations", headers=many).status_code in {400, 413, 431}
    assert alice.say("Hello").status_code == 200


# Workers: row 19


def interrupt(database: Database, user: ApiUser, message_id: str) -> None:
    """Leave a turn as its worker's death does, 30 seconds later."""
    database.rows(
        user.id,
        text("""
            update message set status = 'in_progress', content = '', lease_id = id, completed_at = null,
                lease_expires_at = clock_timestamp() - interval '1 second'
            where id = :id returning 1
        """),
        {"id": uuid.UUID(message_id)},
    )


def test_the_key_of_a_broken_off_turn_that_was_replaced_says_so(alice: ApiUser, database: Database) -> None:
    reply = alice.say("Hello", **KEY).json()
    interrupt(database, alice, reply["message_id"])
    path = f"/conversations/{reply['conversation_id']}/messages/{reply['message_id']}/regenerate"
    assert alice.http.post(path).status_code == 200
    again = alice.say("Hello", **KEY)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/message-superseded")
    streamed = alice.say("Hello", **STREAM, **KEY)
    assert events(streamed)[-1][0] == "turn.failed"


def test_the_key_of_a_turn_cancelled_over_a_dead_workers_head_gives_what_it_wrote(
    alice: ApiUser, database: Database
) -> None:
    reply = alice.say("Hello", **KEY).json()
    database.rows(
        alice.id,
        text("""
            update message set status = 'in_progress', content = 'so far', lease_id = id, completed_at = null,
                input_tokens = null, output_tokens = null,
                lease_expires_at = clock_timestamp() + interval '30 seconds'
            where id = :id returning 1
        """),
        {"id": uuid.UUID(reply["message_id"])},
    )
    path = f"/conversations/{reply['conversation_id']}/messages/{reply['message_id']}/cancel"
    assert alice.http.post(path).json()["status"] == "cancelled"
    again = alice.say("Hello", **KEY)
    assert again.status_code == 200, again.text
    assert (again.json()["status"], again.json()["response"]) == ("cancelled", "so far")


def test_a_worker_that_slept_over_its_lease_changes_nothing_when_it_wakes(
    settings: Settings, new_user: Callable[..., ApiUser], database: Database, tmp_path: Path
) -> None:
    port = free_port()
    stale = new_user(api_url=f"http://127.0.0.1:{port}")
    alice = new_user(user_id=stale.id)
    with worker(settings, port, tmp_path / "log") as process:
        writing = Writing(stale, "[offline: word=60,words=60] Tell me more")
        process.send_signal(signal.SIGSTOP)
        database.rows(
            alice.id,
            text("update message set lease_expires_at = clock_timestamp() where id = :id returning 1"),
            {"id": uuid.UUID(writing.message_id)},
        )
        later = alice.say("Say exactly: taken over", writing.conversation_id)
        before = alice.messages(writing.conversation_id)
        process.send_signal(signal.SIGCONT)
        name, problem = writing.wait()[-1]
    assert (name, problem["type"]) == ("turn.failed", "/problems/turn-lost")
    assert alice.messages(writing.conversation_id) == before
    assert [message["status"] for message in before[1::2]] == ["interrupted", "completed"]
    assert before[3]["content"] == later.json()["response"]


# The model: rows 20 to 27


@pytest.mark.parametrize("command", ["status=429", "status=500", "status=503", "cut=2"])
def test_a_model_in_trouble_is_asked_twice_at_most(alice: ApiUser, model_url: str, command: str) -> None:
    started = time.monotonic()
    assert alice.say(f"[offline: {command}] Hello {alice.id}").status_code in {502, 503}
    assert model_calls(model_url, alice.id) <= 2
    assert time.monotonic() - started < 10


class Odd:
    """An agent with tools that count how often they act."""

    def __init__(self) -> None:
        self.acted: list[int] = []

        @function_tool
        def add(number: int) -> str:
            """Add a number."""
            self.acted.append(number)
            return f"added {number}"

        self.agent = Agent[Any](name="Odd", instructions="Help.", tools=[add])


@pytest.fixture
def odd(serve_api: Callable[..., str], new_user: Callable[..., ApiUser]) -> tuple[Odd, ApiUser]:
    odd = Odd()
    return odd, new_user(api_url=serve_api(agent=odd.agent))


def test_a_tool_told_nonsense_does_not_act_and_the_agent_answers(odd: tuple[Odd, ApiUser]) -> None:
    tools, alice = odd
    reply = alice.say('use the tool add with {"number": "many"}')
    assert reply.status_code == 200, reply.text
    assert "error occurred" in reply.json()["tool_calls"][0]["output"]
    assert tools.acted == []


def test_a_tool_acts_once_per_call_whatever_is_replayed(odd: tuple[Odd, ApiUser]) -> None:
    tools, alice = odd
    first = alice.say('use the tool add with {"number": 7}', **KEY)
    assert first.status_code == 200, first.text
    assert alice.say('use the tool add with {"number": 7}', **KEY).content == first.content
    alice.say("And now?", first.json()["conversation_id"])
    assert tools.acted == [7]


def test_a_context_too_long_for_the_model_is_a_readable_failure(alice: ApiUser) -> None:
    conversation_id = alice.say("Say exactly: " + "long " * 300).json()["conversation_id"]
    reply = alice.say("[offline: context=100] And now?", conversation_id)
    assert (reply.status_code, reply.json()["type"]) == (422, "/problems/context-too-long")
    assert alice.messages(conversation_id)[3]["status"] == "failed"


def test_a_long_conversation_is_windowed_not_refused(
    serve_api: Callable[..., str], new_user: Callable[..., ApiUser]
) -> None:
    alice = new_user(api_url=serve_api(history_tokens=400))
    conversation_id = alice.say("Hello").json()["conversation_id"]
    for number in range(6):
        message = f"[offline: context=3000] Say exactly: {number} " + "long " * 300
        assert alice.say(message, conversation_id).status_code == 200


# The database: rows 28 to 36


def test_a_database_that_is_down_costs_no_model_call(
    postgres: Postgres, serve_api: Callable[..., str], new_user: Callable[..., ApiUser], model_url: str
) -> None:
    url = serve_api(database_url=SecretStr(at_port(postgres.app_url, free_port())))
    alice = new_user(api_url=url)
    started = time.monotonic()
    assert unavailable(alice.say(f"Hello {alice.id}"))
    assert time.monotonic() - started < 3
    assert model_calls(model_url, alice.id) == 0


def test_a_database_that_does_not_answer_is_503_within_3_s(
    postgres: Postgres, serve_api: Callable[..., str], new_user: Callable[..., ApiUser]
) -> None:
    """A full backlog: the handshake of TCP itself is never answered."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        address = silent.getsockname()
        crowd = [socket.socket() for _ in range(4)]
        for each in crowd:
            each.setblocking(False)
            each.connect_ex(address)
        url = serve_api(database_url=SecretStr(at_port(postgres.app_url, address[1])))
        alice = new_user(api_url=url)
        started = time.monotonic()
        assert unavailable(alice.say("Hello"))
        assert time.monotonic() - started < 3.2
        for each in crowd:
            each.close()


@pytest.mark.parametrize("reached", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("statement", ["begin", "end"])
def test_a_statement_cut_off_by_the_network_takes_effect_once(
    behind_proxy: tuple[Proxy, ApiUser], model_url: str, statement: str, reached: bool
) -> None:
    proxy, alice = behind_proxy
    conversation_id = alice.say("Hello").json()["conversation_id"]
    time.sleep(0.3)  # the first turn's title is stored
    proxy.cut_reply = reached
    proxy.cut_after = {"begin": 0, "end": 1}[statement]
    reply = alice.say(f"Say exactly: once {alice.id}", conversation_id, **KEY)
    assert proxy.cut_after is None, "the connection was not cut"
    assert reply.status_code == 200, reply.text
    assert alice.say(f"Say exactly: once {alice.id}", conversation_id, **KEY).content == reply.content
    messages = alice.messages(conversation_id)
    assert len(messages) == 4
    assert alternates(messages)
    assert model_calls(model_url, alice.id) == 1


def test_a_title_whose_storing_is_cut_off_is_charged_once(
    alice: ApiUser, database: Database, postgres: Postgres
) -> None:
    conversation_id = uuid.UUID(alice.say("Hello").json()["conversation_id"])
    time.sleep(0.3)  # its own title is stored
    spent = text("select sum(input_tokens), bool_or(titled) from usage, conversation")
    untitled = text("update conversation set titled = false returning 1")
    database.rows(alice.id, untitled)
    before = database.rows(alice.id, spent)[0][0]
    reservation = Reservation("offline", 50, 9)
    assert follow_ups.reserve(database, alice.id, conversation_id, reservation, None)
    proxy = Proxy(("127.0.0.1", postgres.port))
    with proxy.listen() as port:
        through = Database(at_port(postgres.app_url, port), pool_size=1)
        through.rows(alice.id, text("select 1"))
        proxy.cut_after, proxy.cut_reply = 0, True
        follow_ups.store_title(through, alice.id, conversation_id, "Ahoy", TokenUsage(reservation.id, 100, 1))
        through.close()
    assert proxy.cut_after is None, "the connection was not cut"
    assert database.rows(alice.id, spent) == [(before + 100, True)]


def test_a_paid_reply_is_stored_when_the_database_died_meanwhile(
    behind_proxy: tuple[Proxy, ApiUser],
) -> None:
    proxy, alice = behind_proxy
    with ThreadPoolExecutor() as threads:
        asking = threads.submit(alice.say, "[offline: slow=1] Say exactly: paid for")
        time.sleep(0.6)
        proxy.cut()
        reply = asking.result()
    assert (reply.status_code, reply.json()["response"]) == (200, "paid for")
    assert alice.messages(reply.json()["conversation_id"])[1]["content"] == "paid for"


def test_a_reply_that_cannot_be_stored_is_503_and_a_retry_recovers(
    serve_api: Callable[..., str], new_user: Callable[..., ApiUser], tmp_path: Path
) -> None:
    with Postgres.start(tmp_path / "pg", durable=False) as server:
        migrate.upgrade(server.owner_url, server.app_url)
        alice = new_user(api_url=serve_api(database_url=SecretStr(server.app_url)))
        alice.say("Hello")
        with ThreadPoolExecutor() as threads:
            asking = threads.submit(lambda: alice.say("[offline: slow=1.5] Hello again", **KEY))
            time.sleep(0.7)
            server.stop()
            assert unavailable(asking.result())
        server._start()
        expire_leases(server)
        again = alice.say("[offline: slow=1.5] Hello again", **KEY)
        assert again.status_code == 200, again.text
        assert len(alice.messages(again.json()["conversation_id"])) == 2


def test_a_restart_under_load_loses_nothing(
    serve_api: Callable[..., str], new_user: Callable[..., ApiUser], tmp_path: Path
) -> None:
    with Postgres.start(tmp_path / "pg", durable=True) as server:
        migrate.upgrade(server.owner_url, server.app_url)
        url = serve_api(database_url=SecretStr(server.app_url))
        people = [new_user(f"p{number}", api_url=url) for number in range(5)]
        enough = threading.Event()

        def talk(someone: ApiUser) -> list[str]:
            said: list[str] = []
            while not enough.is_set() or len(said) < 3:
                said.append(say_until_answered(someone, f"Say exactly: {len(said)}", str(len(said))))
            return said

        with ThreadPoolExecutor(len(people)) as threads:
            talking = [threads.submit(talk, each) for each in people]
            time.sleep(1)
            server.restart()
            time.sleep(1)
            expire_leases(server)  # of turns that could not be stored: 30 seconds pass
            enough.set()
            answered = [each.result() for each in talking]
        for someone, replies in zip(people, answered, strict=True):
            stored = [someone.messages(each["id"]) for each in all_conversations(someone)]
            assert all(len(messages) == 2 and alternates(messages) for messages in stored)
            assert sorted(messages[1]["id"] for messages in stored) == sorted(replies)


def expire_leases(server: Postgres) -> None:
    owner = Address(server.owner_url).connect()
    owner.cursor().execute("update message set lease_expires_at = now() where status = 'in_progress'")
    owner.commit()
    owner.close()


def say_until_answered(someone: ApiUser, message: str, key: str) -> str:
    """As a client does: the same key until there is a reply. Returns the answer's id."""
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        reply = someone.say(message, **{"Idempotency-Key": key})
        if reply.status_code == 200:
            return str(reply.json()["message_id"])
        assert reply.status_code in {409, 503}, reply.text
        time.sleep(0.2)
    raise AssertionError("no answer")


def all_conversations(someone: ApiUser) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = someone.http.get("/conversations", params={"limit": 100, **cursor}).json()
        found += page["data"]
        if not page["has_more"]:
            return found
        cursor = {"cursor": page["next_cursor"]}


def test_a_connection_closed_while_idle_is_replaced_silently(behind_proxy: tuple[Proxy, ApiUser]) -> None:
    proxy, alice = behind_proxy
    conversation_id = alice.say("Hello").json()["conversation_id"]
    for _ in range(3):
        time.sleep(0.2)
        proxy.cut()
        assert alice.say("Still there?", conversation_id).status_code == 200
    assert alternates(alice.messages(conversation_id))


def test_a_full_pooler_sheds_and_pins_nothing(
    postgres: Postgres,
    serve_api: Callable[..., str],
    new_user: Callable[..., ApiUser],
    tmp_path: Path,
    model_url: str,
) -> None:
    with pgbouncer(tmp_path / "pooler", postgres.app_url, servers=1, clients=1) as url:
        alice = new_user(api_url=serve_api(database_url=SecretStr(url)))
        holder = Database(url, pool_size=1)
        holder.rows("alice", text("select 1"))
        started = time.monotonic()
        assert unavailable(alice.say(f"Hello {alice.id}"))
        assert time.monotonic() - started < 3
        assert model_calls(model_url, alice.id) == 0
        holder.close()
        assert alice.http.get("/conversations").status_code == 200


def test_turns_through_a_pooler_of_two_servers_never_cross(
    postgres: Postgres, serve_api: Callable[..., str], new_user: Callable[..., ApiUser], tmp_path: Path
) -> None:
    with pgbouncer(tmp_path / "pooler", postgres.app_url, servers=2) as url:
        api_url = serve_api(database_url=SecretStr(url))
        people = [new_user(f"p{number}", api_url=api_url) for number in range(8)]

        def talk(someone: ApiUser) -> None:
            conversation_id = None
            for number in range(6):
                expected = f"{someone.id} {number}"
                reply = someone.say(f"Say exactly: {expected}", conversation_id)
                assert (reply.status_code, reply.json()["response"]) == (200, expected)
                conversation_id = reply.json()["conversation_id"]
            messages = someone.messages(str(conversation_id))
            assert [message["content"] for message in messages[1::2]] == [
                f"{someone.id} {number}" for number in range(6)
            ]
            assert len(listed(someone)) == 1

        with ThreadPoolExecutor(len(people)) as threads:
            list(threads.map(talk, people))


@contextmanager
def lock_on(postgres: Postgres, conversation_id: str) -> Iterator[Any]:
    """A second session in a transaction that holds a conversation's row; gives its cursor."""
    session = Address(postgres.owner_url).connect()
    cursor = session.cursor()
    cursor.execute("select 1 from conversation where id = %s for update", (conversation_id,))
    try:
        yield cursor
    finally:
        session.rollback()
        session.close()


def test_a_lock_held_for_too_long_is_503_and_nothing_partial(alice: ApiUser, postgres: Postgres) -> None:
    conversation_id = alice.say("Hello").json()["conversation_id"]
    with lock_on(postgres, conversation_id):
        assert unavailable(alice.say("And now?", conversation_id, **KEY))
    assert len(alice.messages(conversation_id)) == 2
    assert alice.say("And now?", conversation_id, **KEY).status_code == 200
    assert len(alice.messages(conversation_id)) == 4


def test_a_deadlock_is_resolved_by_trying_again(alice: ApiUser, postgres: Postgres) -> None:
    """The turn has the user's lock and waits for the row; the other session the other way round."""
    conversation_id = alice.say("Hello").json()["conversation_id"]
    with ThreadPoolExecutor() as threads, lock_on(postgres, conversation_id) as other:
        asking = threads.submit(alice.say, "And now?", conversation_id)
        time.sleep(0.5)
        # The one that has waited longer finds the deadlock, and is aborted.
        other.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (alice.id,))
        other.execute("rollback")
        reply = asking.result()
    assert reply.status_code == 200, reply.text
    assert len(alice.messages(conversation_id)) == 4


def test_a_key_sent_again_while_its_turn_ends_gets_that_turns_reply(
    alice: ApiUser, postgres: Postgres, model_url: str
) -> None:
    """Both wait for the conversation's row, the end of the turn first."""
    conversation_id = alice.say("Hello").json()["conversation_id"]
    message = f"[offline: slow=0.5] Say exactly: once {alice.id}"
    with ThreadPoolExecutor() as threads:
        first = threads.submit(lambda: alice.say(message, conversation_id, **KEY))
        time.sleep(0.3)
        with lock_on(postgres, conversation_id):
            time.sleep(0.9)
            second = threads.submit(lambda: alice.say(message, conversation_id, **KEY))
            time.sleep(0.4)
        assert first.result().status_code == 200
        assert second.result().content == first.result().content
    assert model_calls(model_url, alice.id) == 1


def test_a_database_that_wakes_slowly_is_waited_for(behind_proxy: tuple[Proxy, ApiUser]) -> None:
    proxy, alice = behind_proxy
    proxy.cut()
    proxy.wakes_in_s = 3
    started = time.monotonic()
    assert alice.say("Hello").status_code == 200
    assert 3 < time.monotonic() - started < 5


@contextmanager
def impostor(folder: Path) -> Iterator[tuple[int, list[bytes]]]:
    """Speaks TLS as PostgreSQL does, with a certificate that it signed itself; keeps what it receives."""
    received: list[bytes] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(folder / "impostor.pem"))

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client, suppress(OSError):
                    request = client.recv(8)
                    assert request[4:] == b"\x04\xd2\x16\x2f", "it did not ask for TLS"
                    client.sendall(b"S")
                    with context.wrap_socket(client, server_side=True) as secret:
                        received.append(secret.recv(1_000))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1], received
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def self_signed(file: Path) -> Path:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(secret + certificate.public_bytes(pem))
    return file


def test_a_wrong_certificate_is_503_and_nothing_is_told_to_it(
    postgres: Postgres, serve_api: Callable[..., str], new_user: Callable[..., ApiUser], tmp_path: Path
) -> None:
    with impostor(tmp_path) as (port, received):
        url = at_port(postgres.app_url, port) + "?sslmode=require"
        alice = new_user(api_url=serve_api(database_url=SecretStr(url)))
        assert unavailable(alice.say("Hello"))
    assert [each for each in received if each] == []


# Clocks: row 37


def test_the_order_does_not_follow_the_clock(alice: ApiUser, database: Database) -> None:
    conversation_id = alice.say("First").json()["conversation_id"]
    alice.say("Second", conversation_id)
    database.rows(
        alice.id,
        text("""
            update message set created_at = now() + (3 - seq) * interval '60 seconds',
                completed_at = now() + (3 - seq) * interval '60 seconds' returning 1
        """),
    )
    assert alice.say("Third", conversation_id).status_code == 200
    messages = alice.messages(conversation_id)
    assert [message["content"] for message in messages[::2]] == ["First", "Second", "Third"]
    assert alternates(messages)
    assert json.dumps([message["seq"] for message in messages]) == "[1, 2, 3, 4, 5, 6]"
