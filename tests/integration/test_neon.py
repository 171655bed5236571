"""SQL over HTTP: one POST a statement, whatever Neon's proxy or the network does to it."""

import random
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from local.ports import free_port
from local.postgres import Postgres
from parley import migrate
from parley import neon as transport
from parley.config import ConfigError, Settings
from parley.database import Database, sqlstate
from parley.errors import DataTooLarge
from parley.postgres import READ_TIMEOUT_S, Address
from tests import certificates, crossing, neon
from tests.conftest import ApiUser
from tests.integration.test_database import WHOAMI
from tests.integration.test_database_faults import Log, ask, every_reply, log  # noqa: F401 (a fixture)
from tests.integration.test_faults import KEY, expire_leases, model_calls, unavailable
from tests.integration.test_history import model_input
from tests.integration.test_turns import alternates
from tests.neon import Fault, Neon

# Answered before anything was executed, and so to be sent again some times.
NOT_EXECUTED: list[Fault] = ["html", 429, 500, 503]
# An answer that is missing or makes no sense. Sent again once.
IN_DOUBT: list[Fault] = ["close before", "close after", "nonsense"]


@pytest.fixture(scope="module")
def rig(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neon]:
    with neon.serve(tmp_path_factory.mktemp("neon"), postgres.app_url) as rig:
        yield rig


@pytest.fixture
def over_http(rig: Neon, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Pauses are short."""
    monkeypatch.setattr(transport, "PAUSES_S", (0.01, 0.02))
    database = Database(postgres.app_url, pool_size=1, transport="http", http_url=rig.http_url)
    yield database
    database.close()
    rig.play(None)


def test_a_statement_and_its_users_setting_are_one_request(over_http: Database, rig: Neon) -> None:
    requests, connections = rig.requests, rig.connections
    for number in range(10):
        assert over_http.rows("alice", WHOAMI, {"value": number}) == [("alice", number)]
    assert (rig.requests - requests, rig.connections - connections) == (10, 1)


def test_no_setting_outlives_its_request(over_http: Database) -> None:
    assert over_http.rows("alice", WHOAMI, {"value": 1}) == [("alice", 1)]
    assert over_http.rows(None, WHOAMI, {"value": 1})[0][0] in (None, "")
    over_http.rows(None, text("select set_config('app.user_id', 'alice', false)"))
    assert over_http.rows(None, WHOAMI, {"value": 1})[0][0] in (None, "")


def test_an_error_of_ours_is_raised_and_costs_no_connection(over_http: Database, rig: Neon) -> None:
    assert ask(over_http, "alice", 1)
    connections = rig.connections
    for code, statement in {
        "42601": "selekt 1",
        "42P01": "select * from nothing",
        "22P02": "select cast('x' as int)",
        "22012": "select 1 / 0",
        "42501": "insert into conversation (id, user_id, title) values (gen_random_uuid(), 'bob', '')",
    }.items():
        with pytest.raises(DBAPIError) as raised:
            over_http.rows("alice", text(statement))
        assert sqlstate(raised.value) == code
    with pytest.raises(UnicodeEncodeError):
        over_http.rows("alice", WHOAMI, {"value": "\ud800"})
    assert ask(over_http, "bob", 2)
    assert rig.connections == connections


@pytest.mark.parametrize(
    ("faults", "attempts"), [(NOT_EXECUTED, 3), (IN_DOUBT, 2)], ids=["not executed", "in doubt"]
)
def test_a_fault_that_passes_is_not_noticed(
    over_http: Database, rig: Neon, faults: list[Fault], attempts: int
) -> None:
    for fault in faults:
        for times in range(1, attempts + 2):
            requests = rig.requests
            rig.play(fault, times)
            assert ask(over_http, "alice", times) == (times < attempts), (fault, times)
            assert rig.requests - requests == min(times + 1, attempts), (fault, times)
            rig.play(None)
            assert ask(over_http, "bob", times), (fault, times)


def test_faults_of_all_kinds_one_after_another_give_nobody_anothers_rows(
    over_http: Database, rig: Neon
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    for number in range(300):
        fault = draw.choice([*NOT_EXECUTED, *IN_DOUBT, "password"])
        rig.play(fault, draw.randint(0, 4))
        ask(over_http, draw.choice(["alice", "bob"]), number)
        if draw.random() < 0.2:
            rig.cut()
    rig.play(None)
    assert ask(over_http, "carol", 1)


def test_a_connection_that_was_closed_while_idle_is_replaced_silently(over_http: Database, rig: Neon) -> None:
    assert ask(over_http, "alice", 1)
    connections = rig.connections
    rig.cut()
    assert ask(over_http, "alice", 2)
    assert rig.connections == connections + 1
    rig.cut()
    rig.play(500, 2)  # the server sleeps as well
    assert ask(over_http, "alice", 3)


def test_silence_is_waited_for_once(over_http: Database, rig: Neon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "READ_TIMEOUT_S", 0.5)
    requests = rig.requests
    rig.play("silence", 2)
    assert not ask(over_http, "alice", 1)
    assert rig.requests == requests + 1


def test_what_is_too_large_is_said_to_be(over_http: Database, rig: Neon) -> None:
    large = text("select cast(:value as text)")
    with pytest.raises(DataTooLarge):
        over_http.rows("alice", large, {"value": "x" * neon.LIMIT})
    with pytest.raises(DataTooLarge):
        over_http.rows("alice", text("select repeat('x', 11 * 1024 * 1024)"))
    assert over_http.rows("alice", large, {"value": "x" * (neon.LIMIT - 1_000)})
    assert ask(over_http, "bob", 1)


def test_a_neon_that_is_down_is_said_to_be_unavailable(postgres: Postgres) -> None:
    nowhere = f"http://localhost:{free_port()}/sql"
    database = Database(postgres.app_url, pool_size=1, transport="http", http_url=nowhere)
    assert not ask(database, "alice", 1)


def test_a_statement_is_given_up_before_its_turn_is(settings: Settings) -> None:
    limit_s = float(migrate.ROLE_SETTINGS["statement_timeout"].removesuffix("s"))
    assert limit_s <= READ_TIMEOUT_S < settings.turn_deadline_s


def test_no_statement_crosses_over_http(postgres: Postgres, tmp_path: Path) -> None:
    with neon.serve_apart(tmp_path, postgres.app_url, servers=2) as port:
        clients = crossing.ours(postgres.app_url, f"http://127.0.0.1:{port}/sql")
        assert crossing.count_wrong(clients, 10_000) == 0


# Addresses


@pytest.mark.parametrize(
    ("host", "where"),
    [
        ("ep-x-pooler.eu-central-1.aws.neon.tech", "api.eu-central-1.aws.neon.tech"),
        ("ep-x.c-2.us-east-2.aws.neon.tech", "api.c-2.us-east-2.aws.neon.tech"),
    ],
)
def test_a_database_of_neons_is_reached_over_tls_without_a_setting(host: str, where: str) -> None:
    address = Address(f"postgresql://u:p%40ss@{host}/db?sslmode=require&channel_binding=require")
    connection = transport.connector(address, None)()
    assert isinstance(connection._http, HTTPSConnection)
    assert (connection._http.host, connection._http.port, connection._path) == (where, 443, "/sql")
    assert connection._headers["Neon-Connection-String"] == f"postgresql://u:p%40ss@{host}/db"


@pytest.mark.parametrize("host", ["db.example.com", "localhost", "neon.tech.example.com", "xneon.tech"])
def test_a_password_is_not_sent_to_an_address_that_was_guessed(host: str) -> None:
    with pytest.raises(ConfigError, match=r"^DATABASE_HTTP_URL: "):
        Database(f"postgresql://u:p@{host}/db", pool_size=1, transport="http")


# TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Its own certificate, and the one of `localhost` that it signed."""
    return certificates.make(tmp_path_factory.mktemp("tls"), "localhost")


@pytest.fixture(scope="module")
def over_tls(postgres: Postgres, authority: tuple[Path, Path]) -> Iterator[Neon]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority[1])
    with Neon(postgres.app_url, tls=context).listen() as rig:
        yield rig


def test_tls_with_a_certificate_that_an_authority_signed(
    postgres: Postgres, over_tls: Neon, authority: tuple[Path, Path]
) -> None:
    url = f"{postgres.app_url}?sslrootcert={quote(str(authority[0]))}"
    database = Database(url, pool_size=1, transport="http", http_url=over_tls.http_url)
    assert database.rows("alice", WHOAMI, {"value": 1}) == [("alice", 1)]
    database.close()


@pytest.mark.parametrize(
    ("query", "host"),
    [("", "localhost"), ("?sslrootcert={}", "127.0.0.1"), ("?sslmode=disable", "localhost")],
)
def test_an_impostor_gets_no_password(
    postgres: Postgres, over_tls: Neon, authority: tuple[Path, Path], query: str, host: str
) -> None:
    """Its certificate is signed by nobody that is known, or is another host's."""
    url = postgres.app_url + query.format(quote(str(authority[0])))
    http_url = over_tls.http_url.replace("localhost", host)
    database = Database(url, pool_size=1, transport="http", http_url=http_url)
    requests = over_tls.requests
    assert not ask(database, "alice", 1)
    assert over_tls.requests == requests


# Whole turns


@pytest.fixture
def alice_at_neon(
    rig: Neon, serve_api: Callable[..., str], new_user: Callable[..., ApiUser]
) -> Iterator[ApiUser]:
    url = serve_api(database_transport="http", database_http_url=rig.http_url)
    alice = new_user(api_url=url)
    alice.http.get("/conversations")
    yield alice
    rig.play(None)


@pytest.mark.parametrize("fault", [*NOT_EXECUTED, "close before", "close after"])
def test_a_turn_whose_database_fails_for_a_moment_is_none_the_worse(
    alice_at_neon: ApiUser, rig: Neon, fault: Fault, model_url: str
) -> None:
    alice, times = alice_at_neon, 2 if fault in NOT_EXECUTED else 1
    rig.play(fault, times)  # in the first statement
    first = alice.say("Hello", **KEY)
    assert first.status_code == 200, first.text
    with ThreadPoolExecutor() as threads:
        question = f"[offline: slow=0.8] Say exactly: once {alice.id}"
        asking = threads.submit(
            alice.say, question, first.json()["conversation_id"], **{"Idempotency-Key": "k2"}
        )
        time.sleep(0.5)
        rig.play(fault, times)  # in the last
        second = asking.result()
    assert second.status_code == 200, second.text
    assert (
        alice.say(question, first.json()["conversation_id"], **{"Idempotency-Key": "k2"}).json()
        == second.json()
    )
    messages = alice.messages(first.json()["conversation_id"])
    assert len(messages) == 4
    assert alternates(messages)
    assert model_calls(model_url, alice.id) == 1


@pytest.mark.parametrize("fault", [*NOT_EXECUTED, "close before", "close after"])
def test_a_turn_that_cannot_begin_is_a_clear_problem_and_can_be_asked_again(
    alice_at_neon: ApiUser, rig: Neon, postgres: Postgres, fault: Fault
) -> None:
    rig.play(fault, 1_000)
    for reply in (alice_at_neon.say("Hello", **KEY), alice_at_neon.http.get("/conversations")):
        assert unavailable(reply), reply.text
    rig.play(None)
    expire_leases(postgres)
    assert (again := alice_at_neon.say("Hello", **KEY)).status_code == 200, again.text
    assert len(alice_at_neon.messages(again.json()["conversation_id"])) == 2


def test_a_neon_unplugged_in_mid_turn_costs_nothing_that_was_acknowledged(
    postgres: Postgres, serve_api: Callable[..., str], new_user: Callable[..., ApiUser]
) -> None:
    rig = Neon(postgres.app_url)
    with rig.listen() as plugged_in:
        http_url, port = plugged_in.http_url, rig.port
        alice = new_user(api_url=serve_api(database_transport="http", database_http_url=http_url))
        conversation_id = alice.say("Hello").json()["conversation_id"]
        threads = ThreadPoolExecutor()
        question = "[offline: slow=1] Say exactly: again"
        asking = threads.submit(lambda: alice.say(question, conversation_id, **KEY))
        time.sleep(0.5)
    assert unavailable(asking.result())
    threads.shutdown()
    assert unavailable(alice.http.get("/conversations"))
    with rig.listen(port):
        expire_leases(postgres)
        again = alice.say(question, conversation_id, **KEY)
        assert (again.status_code, again.json()["response"]) == (200, "again")
        messages = alice.messages(conversation_id)
        assert len(messages) == 4
        assert alternates(messages)


def test_the_largest_window_of_the_worst_characters_fits_into_a_reply(
    rig: Neon,
    postgres: Postgres,
    serve_api: Callable[..., str],
    new_user: Callable[..., ApiUser],
    model_url: str,
) -> None:
    changes = {"database_transport": "http", "database_http_url": rig.http_url, "history_tokens": 300_000}
    alice = new_user(api_url=serve_api(**changes))
    conversation_id = alice.say("Hello").json()["conversation_id"]
    database = Database(postgres.app_url, pool_size=1)
    fill = """
        update message set content = repeat(chr(1), 449987) || 'x', run_items = null, tokens = 150000
        returning 1
    """
    assert len(database.rows(alice.id, text(fill))) == 2
    database.close()
    window = model_input(alice, model_url, conversation_id, f"now {alice.id}")
    assert sum(len(str(message["content"])) for message in window) > 2 * 449_988


# What operators see


@pytest.mark.parametrize("played", [True, False])
def test_a_wrong_password_names_the_variable_and_never_the_value(
    rig: Neon,
    postgres: Postgres,
    serve_api: Callable[..., str],
    new_user: Callable[..., ApiUser],
    log: Log,  # noqa: F811
    played: bool,
) -> None:
    address = Address(postgres.app_url)
    password = address.password if played else "open-sesame"
    url = f"postgresql://{address.user}:{password}@127.0.0.1:{postgres.port}/{address.database}"
    changes = {
        "database_url": SecretStr(url),
        "database_transport": "http",
        "database_http_url": rig.http_url,
    }
    if played:
        rig.play("password", 10_000)
    alice = new_user(api_url=serve_api(**changes))
    for reply in every_reply(alice):
        assert unavailable(reply), (reply.url, reply.text)
    rig.play(None)
    failures = [vars(record) for record in log.records if record.msg == "database_unavailable"]
    assert failures
    for failure in failures:
        assert failure["reason"].startswith("DATABASE_URL: ")
        for secret in (password, address.password, "not to be logged"):
            assert secret not in str(failure)


def test_the_log_says_with_which_status_neon_failed(over_http: Database, rig: Neon, log: Log) -> None:  # noqa: F811
    rig.play(429, 3)
    assert not ask(over_http, "alice", 1)
    assert {vars(record)["reason"] for record in log.records} == {"HTTP status 429"}
