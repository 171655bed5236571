"""Whatever a database server says or leaves unsaid: 503, or the statement's own error."""

import logging
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from local.postgres import Postgres
from parley import postgres as module
from parley.database import Database, sqlstate
from parley.errors import DatabaseUnavailable
from parley.postgres import Address
from tests.conftest import ApiUser
from tests.faulty_postgres import Fault, FaultyPostgres, Stage, Then, error, message
from tests.integration.test_database import WHOAMI, at_port
from tests.integration.test_faults import unavailable
from tests.integration.test_isolation import MATRIX

CASES = 200
# Every class of PostgreSQL's errors, and codes that are an exception to their class.
# fmt: off
CLASSES = [
    "00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "20", "21", "22", "23", "24",
    "25", "26", "27", "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D", "3F", "40", "42", "44", "53",
    "54", "55", "57", "58", "72", "F0", "HV", "P0", "TR", "XX", "ZZ",
]
# fmt: on
SINGLE = ["25006", "25P02", "42501", "55006", "55P03", "57014", "57P01", "57P02", "57P03", "57P05", "XX000"]
LOST = {"08", "28", "3D", "53", "57", "58", "XX"}
HTML = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<html><h1>Bad Request</h1></html>"
TYPES = [bytes([kind]) for kind in b"1ACDEGHIKNRSTVZcdnpstvW"]


@pytest.fixture
def draw() -> random.Random:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    return random.Random(seed)


@pytest.fixture
def faulty(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FaultyPostgres, Database]]:
    """A server that plays faults, and a database behind it. Silence is waited for shortly."""
    monkeypatch.setattr(module, "LOGIN_TIMEOUT_S", 0.3)
    monkeypatch.setattr(module, "READ_TIMEOUT_S", 0.3)
    server = FaultyPostgres(("127.0.0.1", postgres.port))
    with server.listen() as port:
        database = Database(at_port(postgres.app_url, port), pool_size=1)
        yield server, database
        database.close()


def drawn_code(draw: random.Random) -> str:
    if draw.random() < 0.3:
        return draw.choice(SINGLE)
    return draw.choice(CLASSES) + "".join(draw.choices("0123456789P", k=3))


def meaning(code: str) -> str:
    """As the server's documentation has it, not as the code."""
    if code in {"55P03", "57014"} or code[:2] == "40":
        return "transient"
    return "lost" if code == "25006" or code[:2] in LOST else "own"


def nonsense(draw: random.Random) -> bytes:
    """What is no message, or none that belongs there."""
    return draw.choice(
        [
            b"",
            HTML,
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"\x15\x03\x03\x00\x02\x02\x28",  # a TLS alert
            draw.randbytes(draw.randint(1, 60)),
            message(draw.choice(b"!@\x00\xffxyz").to_bytes(), b"?"),
            message(draw.choice(TYPES), draw.randbytes(draw.randint(0, 9))),
            message(draw.choice(TYPES), b"abc", length=draw.choice([-2_147_483_648, -5, 0, 1, 3, 1 << 30])),
            message(
                b"R", struct.pack("!i", draw.choice([2, 6, 7, 9, 10, 11, 12, 99, -1])) + draw.randbytes(5)
            ),
            message(b"E", b"\xff\xfe no fields \x80"),
            message(b"E"),
            error(draw.choice(["", "1", "abcde", "XX0000"])),
            message(b"S", b"client_encoding\0klingon\0") + message(b"T", struct.pack("!h", 1) + b"a"),
        ]
    )


def drawn_nonsense(draw: random.Random, stage: Stage) -> Fault:
    thens: list[Then] = ["close", "reset", "stall"]
    then = draw.choices(thens, [60, 36, 4])[0]
    return Fault(stage, draw.randint(0, 20 if stage == "login" else 9), nonsense(draw), then)


def ask(database: Database, user: str, value: int) -> bool:
    """Whether the database was available. If so, the answer is this user's own."""
    try:
        rows = database.rows(user, WHOAMI, {"value": value})
    except DatabaseUnavailable:
        return False
    assert rows == [(user, value)]
    return True


def test_a_login_that_fails_is_tried_once_more(
    faulty: tuple[FaultyPostgres, Database], draw: random.Random
) -> None:
    server, database = faulty
    for number in range(CASES):
        if draw.random() < 0.5:
            severity = draw.choice(["ERROR", "FATAL", "PANIC"])
            fault = Fault("login", draw.randint(0, 20), error(drawn_code(draw), severity))
        else:
            fault = drawn_nonsense(draw, "login")
        for times in (1, 2):
            database.close()
            server.play(fault, times)
            before = server.connections
            assert ask(database, "alice", number) == (times == 1), fault
            assert server.connections - before == 2, fault
        server.play(None)
        assert ask(database, "bob", number), fault


def test_a_login_that_fails_after_an_idle_connection_died_is_tried_once_more_too(
    faulty: tuple[FaultyPostgres, Database],
) -> None:
    """What a suspended server does, and a control plane that is slow to wake it."""
    server, database = faulty
    assert ask(database, "alice", 1)
    server.play(Fault("login", 0, error("XX000", "FATAL")))
    for each in list(server._open):
        each.shutdown(socket.SHUT_RDWR)
    assert ask(database, "alice", 2)
    assert server.connections == 3


def test_an_error_in_a_statement_is_told_by_its_class(
    faulty: tuple[FaultyPostgres, Database], draw: random.Random
) -> None:
    server, database = faulty
    for number in range(CASES):
        code = drawn_code(draw)
        fault = Fault("statement", draw.randint(0, 9), error(code), "resume")
        for times in (1, 2):
            server.play(None)
            assert ask(database, "bob", number), fault
            server.play(fault, times)
            before = server.connections
            if meaning(code) == "own":
                with pytest.raises(DBAPIError) as raised:
                    ask(database, "alice", number)
                assert sqlstate(raised.value) == code
            else:
                assert ask(database, "alice", number) == (times == 1), fault
            server.play(None)
            assert ask(database, "carol", number), fault
            replaced = times if meaning(code) == "lost" else 0
            assert server.connections - before == replaced, fault


def test_an_answer_that_makes_no_sense_is_nobodys(
    faulty: tuple[FaultyPostgres, Database], draw: random.Random
) -> None:
    server, database = faulty
    for number in range(CASES):
        fault = drawn_nonsense(draw, "statement")
        for times in (1, 2):
            server.play(None)
            assert ask(database, "bob", number), fault
            server.play(fault, times)
            ask(database, "alice", number)
        server.play(None)
        assert ask(database, "carol", number), fault


@pytest.mark.parametrize("at", range(10))
def test_a_strange_message_gives_up_the_rest_of_the_answer(
    faulty: tuple[FaultyPostgres, Database], at: int
) -> None:
    """The connection stays open, and holds the rest of the answer to a statement of somebody else."""
    server, database = faulty
    assert ask(database, "bob", 1)
    server.play(Fault("statement", at, message(b"W"), "resume"), 2)
    assert not ask(database, "alice", 2)
    assert ask(database, "carol", 3)
    assert server.connections == 3


@pytest.mark.parametrize("at", range(9))
def test_an_answer_that_ends_early_is_no_answer(faulty: tuple[FaultyPostgres, Database], at: int) -> None:
    server, database = faulty
    assert ask(database, "bob", 1)
    server.play(Fault("statement", at, then="resume"))
    assert ask(database, "alice", 2)
    assert server.connections == 2


def test_an_error_of_ours_is_raised_and_costs_no_connection(
    faulty: tuple[FaultyPostgres, Database],
) -> None:
    server, database = faulty
    assert ask(database, "alice", 1)
    wrong = {
        "42601": text("selekt 1"),
        "42P01": text("select * from nothing"),
        "22P02": text("select cast('x' as int)"),
        "22012": text("select 1 / 0"),
    }
    for code, statement in wrong.items():
        with pytest.raises(DBAPIError) as raised:
            database.rows("alice", statement)
        assert sqlstate(raised.value) == code
    with pytest.raises(UnicodeEncodeError):
        database.rows("alice", WHOAMI, {"value": "\ud800"})
    assert ask(database, "bob", 2)
    assert server.connections == 1


# TLS


@contextmanager
def answering_tls(said: bytes, stays: bool = False) -> Iterator[tuple[int, list[bytes]]]:
    """A server that answers the request for TLS with `said`. Yields its port and what it received."""
    received: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client, suppress(OSError):
                    received.append(client.recv(8))
                    client.sendall(said)
                    while stays and client.recv(1_000):
                        pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield listener.getsockname()[1], received
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("stays", [False, True])
@pytest.mark.parametrize(
    "said", [b"", b"N", b"S", b"S" + HTML, b"\xff", b"E", error("53300"), b"S\x15\x03\x03"]
)
def test_tls_that_fails_is_tried_once_more(
    postgres: Postgres, said: bytes, stays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOGIN_TIMEOUT_S", 0.2)
    with answering_tls(said, stays) as (port, received):
        database = Database(at_port(postgres.app_url, port) + "?sslmode=require", pool_size=1)
        assert not ask(database, "alice", 1)
        assert len(received) == 2


# What clients and operators see


class Log(logging.Handler):
    """Keeps what `parley` logs."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    logging.getLogger("parley.database").addHandler(log)
    yield log
    logging.getLogger("parley.database").removeHandler(log)


BROKEN = {
    "wrong password": ("postgresql://{user}:open-sesame@127.0.0.1:{port}/{name}", "28P01", "DatabaseError"),
    "no such database": ("postgresql://{user}:{password}@127.0.0.1:{port}/nowhere", "3D000", "DatabaseError"),
    "no such host": ("postgresql://u:open-sesame@[fe80::1%nowhere]/d?sslmode=disable", None, "gaierror"),
    # A subclass of UnicodeError from Python 3.13 on.
    "absurd host": (f"postgresql://u:open-sesame@{'a' * 64}.example/d?sslmode=disable", None, "Unicode"),
    "control plane": ("postgresql://{user}:{password}@127.0.0.1:{faulty}/{name}", "XX000", "DatabaseError"),
}
NEED_NO_DATABASE = {"/api/me", "/api/models", "/api/mcp"}


@pytest.mark.parametrize("broken", BROKEN)
def test_every_route_says_503_and_the_log_says_why(
    broken: str, postgres: Postgres, serve_api: Callable[..., str], new_user: Callable[..., ApiUser], log: Log
) -> None:
    template, code, cause = BROKEN[broken]
    address = Address(postgres.app_url)
    server = FaultyPostgres(("127.0.0.1", postgres.port))
    server.play(Fault("login", 0, error("XX000", "FATAL")), 10_000)
    with server.listen() as faulty:
        parts = {"user": address.user, "password": address.password, "name": address.database}
        url = template.format(**parts, port=postgres.port, faulty=faulty)
        alice = new_user(api_url=serve_api(database_url=SecretStr(url)))
        for reply in every_reply(alice):
            assert unavailable(reply), (reply.url, reply.text)
        ready = httpx.get(alice.http.base_url.join("/api/health/ready"))
    assert (ready.status_code, ready.json()) == (503, {"status": "not ok"})
    assert int(ready.headers["retry-after"]) >= 1
    failures = [vars(record) for record in log.records if record.msg == "database_unavailable"]
    assert failures
    for failure in failures:
        assert failure["sqlstate"] == code
        assert cause in failure["error"]
        for secret in ("open-sesame", address.password, "not to be logged"):
            assert secret not in str(failure)


def every_reply(user: ApiUser) -> Iterator[httpx.Response]:
    """The replies of all routes that need the database, as the user calls them."""
    thing = "0" * 8 + "-0000-4000-8000-" + "0" * 12
    rows = [row for row in MATRIX if row.route not in NEED_NO_DATABASE]
    assert len(rows) > 10
    for row in rows:
        ids = dict.fromkeys(("conversation_id", "message_id", "share_id"), thing)
        path = row.route.format(user_id=user.id, **ids)
        body: dict[str, Any] = {} if row.body is None else {"json": row.body}
        yield user.http.request(row.method, user.http.base_url.join(path), **body)


@pytest.mark.parametrize(
    "fault",
    [Fault("login", 3, error("57P03", "FATAL")), Fault("statement", 2, error("53200"), "resume")],
    ids=["login", "statement"],
)
def test_a_stream_has_no_200_before_its_turn_has_begun(
    fault: Fault, postgres: Postgres, serve_api: Callable[..., str], new_user: Callable[..., ApiUser]
) -> None:
    server = FaultyPostgres(("127.0.0.1", postgres.port))
    with server.listen() as port:
        alice = new_user(api_url=serve_api(database_url=SecretStr(at_port(postgres.app_url, port))))
        server.play(fault, 2)
        assert unavailable(alice.say("Hello", Accept="text/event-stream"))
        server.play(fault, 1)
        assert alice.say("Hello", Accept="text/event-stream").status_code == 200
