import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pg8000.native
import pytest

from local.postgres import Postgres, PostgresError
from local.progress import Problem

ROOT = Path(__file__).parents[2]


def connect(url: str, *, password: str | None = None) -> pg8000.native.Connection:
    parts = urlsplit(url)
    assert parts.username
    return pg8000.native.Connection(
        parts.username,
        password=password or parts.password,
        host=parts.hostname,
        port=parts.port,
        database=parts.path.strip("/"),
    )


def query(url: str, statement: str) -> list[Any]:
    connection = connect(url)
    try:
        rows: list[Any] = connection.run(statement)
        return rows
    finally:
        connection.close()


def listens(port: int | None) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_data_and_password_survive_a_restart_and_a_new_start(data: Path) -> None:
    with Postgres.start(data, durable=False) as server:
        query(server.owner_url, "create table kept as select 42 as answer")
        server.restart()
        assert query(server.owner_url, "select answer from kept") == [[42]]
        first_password = urlsplit(server.owner_url).password
    with Postgres.start(data, durable=False) as server:
        assert query(server.owner_url, "select answer from kept") == [[42]]
        assert urlsplit(server.owner_url).password == first_password


def test_peoples_data_is_synced_and_that_of_tests_is_not(data: Path) -> None:
    for durable, setting in ((True, "on"), (False, "off")):
        with Postgres.start(data, durable=durable) as server:
            assert query(server.owner_url, "show fsync") == [[setting]]


def test_a_wrong_password_is_refused(data: Path) -> None:
    with (
        Postgres.start(data, durable=False) as server,
        pytest.raises(pg8000.native.DatabaseError, match="password authentication failed"),
    ):
        connect(server.owner_url, password="wrong")


def test_passwords_are_for_their_owner_only(data: Path) -> None:
    with Postgres.start(data, durable=False) as server:
        assert server.app_url != server.owner_url
        assert {file.stat().st_mode & 0o777 for file in data.glob("*.password")} == {0o600}


def test_a_second_server_on_the_same_data_is_refused(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.postgres.LOCK_TIMEOUT_S", 0.2)
    with Postgres.start(data, durable=False) as server:
        with pytest.raises(Problem, match="another server is running"):
            Postgres.start(data, durable=False)
        assert query(server.owner_url, "select 1") == [[1]]


def test_a_pid_file_left_over_does_not_matter_even_if_the_pid_is_taken(data: Path) -> None:
    Postgres.start(data, durable=False).stop()
    (data / "cluster" / "postmaster.pid").write_text(f"{os.getpid()}\n{data / 'cluster'}\n")
    with Postgres.start(data, durable=False) as server:
        assert query(server.owner_url, "select 1") == [[1]]


def test_no_server_outlives_a_killed_starter(data: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from local.postgres import Postgres\n"
        "print(Postgres.start(Path(sys.argv[1]), durable=False).owner_url, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, data], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout
        url = starter.stdout.readline().strip()
        assert query(url, "select 1") == [[1]]
        starter.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while listens(urlsplit(url).port):
        assert time.monotonic() < deadline, "the server is still there"
        time.sleep(0.05)
    with Postgres.start(data, durable=False) as server:
        assert query(server.owner_url, "select 1") == [[1]]


def test_a_server_that_ends_by_itself_is_noticed(data: Path) -> None:
    with Postgres.start(data, durable=False) as server:
        server.check()
        os.kill(int((data / "cluster" / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
        deadline = time.monotonic() + 10
        with pytest.raises(PostgresError, match="has ended"):
            while time.monotonic() < deadline:
                server.check()
                time.sleep(0.05)


def test_no_folder_above_the_data_is_opened_to_others(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with Postgres.start(closed / "checkout" / "data", durable=False) as server:
        assert query(server.owner_url, "select 1") == [[1]]
        assert closed.stat().st_mode & 0o777 == 0o700


def test_a_cluster_half_made_is_made_anew(data: Path) -> None:
    (data / "cluster.new").mkdir(parents=True)
    (data / "cluster.new" / "PG_VERSION").write_text("18")
    with Postgres.start(data, durable=False) as server:
        assert query(server.owner_url, "select 1") == [[1]]


def test_broken_data_is_named(data: Path) -> None:
    Postgres.start(data, durable=False).stop()
    shutil.rmtree(data / "cluster" / "global")
    with pytest.raises(PostgresError, match=r"did not start on .*data.*global"):
        Postgres.start(data, durable=False)


def test_data_of_another_version_is_named(data: Path) -> None:
    Postgres.start(data, durable=False).stop()
    (data / "cluster" / "PG_VERSION").write_text("12\n")
    with pytest.raises(PostgresError, match="made by PostgreSQL 12, this is 18"):
        Postgres.start(data, durable=False)
