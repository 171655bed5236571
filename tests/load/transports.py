"""TCP beside Neon's SQL over HTTP, both over TLS and through a pooler. A proxy in between counts."""

import contextlib
import statistics
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import text

from parley.database import Database
from tests import certificates
from tests.load.conversations import QUESTION
from tests.load.designs.ours import Design
from tests.load.rig import USER, Rig
from tests.load.table import Row
from tests.neon import serve_apart
from tests.pgbouncer import pgbouncer
from tests.proxy import Proxy, Traffic

SERVERS = 5
DELAY_S = 0.05
STATEMENTS = 200
# About as large as those of a turn.
STATEMENT = text("select cast(:asked as text), cast(:number as int), repeat('answer ', 100)")
PARAMS = {"asked": QUESTION, "number": 7}


@dataclass
class Transport:
    """A way to reach the database at `url` or, with `http_url`, at that."""

    name: str
    proxy: Proxy
    url: str
    http_url: str | None = None

    def database(self) -> Database:
        kind: Any = "http" if self.http_url else "tcp"
        return Database(self.url, pool_size=1, transport=kind, http_url=self.http_url)


def compare(folder: Path, rig: Rig, runs: int) -> list[Row]:
    trips, sizes, slower, cpu = {}, {}, {}, {}
    with _transports(folder, rig) as transports:
        for each in transports:
            costs = [_turns(each, rig) for _ in range(runs)]
            trips[each.name] = [
                _median(turn.round_trips + turn.connections for turn in turns)
                for turns in zip(*costs, strict=True)
            ]
            sizes[each.name] = [
                _median(turn.bytes_up + turn.bytes_down for turn in turns)
                for turns in zip(*costs, strict=True)
            ]
        for each in transports:
            slower[each.name] = _slowed(each, runs)
        measured: dict[str, list[tuple[float, float]]] = {each.name: [] for each in transports}
        for _ in range(runs):
            for each in transports:
                measured[each.name].append(_cpu(each))
        cpu = {name: [min(times) for times in zip(*costs, strict=True)] for name, costs in measured.items()}
    shown = " | ".join(f"{name} {cold:g} / {warm:g}" for name, (cold, warm) in trips.items())
    size = " | ".join(
        f"{name} {cold / 1000:.1f} / {warm / 1000:.1f} kB" for name, (cold, warm) in sizes.items()
    )
    wall = " | ".join(f"{name} {seconds * 1000:.0f} ms" for name, seconds in slower.items())
    times = " | ".join(f"{name} {first:.1f} / {later:.2f} ms" for name, (first, later) in cpu.items())
    met = trips["HTTP"] == [4, 2]
    return [
        Row(
            "P12",
            "round trips of a cold / a warm turn, over TLS, with the TCP handshake",
            "HTTP 4 / 2",
            shown,
            met,
            data=trips,
        ),
        Row("P12", "… bytes on the wire", "", size, data=sizes),
        Row(
            "P12",
            f"… two statements, cold, with {DELAY_S * 1000:.0f} ms added to each round trip but TCP's",
            "",
            wall,
            data=slower,
        ),
        Row("P12", "… CPU of a connection's first / a later statement", "", times, data=cpu),
    ]


@contextlib.contextmanager
def _transports(folder: Path, rig: Rig) -> Iterator[list[Transport]]:
    with contextlib.ExitStack() as stack:
        folder.mkdir()
        authority, certificate = certificates.make(folder, "localhost")
        url = rig.postgres.app_url
        pooled = stack.enter_context(
            pgbouncer(folder / "pooler", url, servers=SERVERS, certificate=certificate)
        )
        neon_port = stack.enter_context(
            serve_apart(folder / "neon", url, servers=SERVERS, certificate=certificate)
        )
        proxies = [Proxy(("127.0.0.1", port)) for port in (_port(pooled), neon_port)]
        ports = [stack.enter_context(proxy.listen()) for proxy in proxies]
        login = url.rpartition("@")[0]
        verified = f"parley?sslmode=require&sslrootcert={authority}"
        yield [
            Transport("TCP", proxies[0], f"{login}@localhost:{ports[0]}/{verified}"),
            Transport(
                "HTTP", proxies[1], f"{login}@localhost:1/{verified}", f"https://localhost:{ports[1]}/sql"
            ),
        ]


def _port(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])


def _turns(transport: Transport, rig: Rig) -> tuple[Traffic, Traffic]:
    """What the first turn of a new process sends, and the second."""
    design = Design(
        transport.url,
        rig.direct_url("parley"),
        USER,
        rig.token,
        model_url=rig.model.url,
        issuer_url=rig.issuer_url,
        http_url=transport.http_url,
    )
    design.prepare()
    conversation = str(uuid.uuid4())
    design.seed(conversation, 10)
    costs = []
    for _ in range(2):
        transport.proxy.traffic = Traffic()
        design.turn(conversation, QUESTION)
        # Closing the connection sends something too.
        costs.append(replace(transport.proxy.traffic))
    design.close()
    return costs[0], costs[1]


def _slowed(transport: Transport, runs: int) -> float:
    """How much longer the first two statements of a process take on a slower network."""
    times = []
    for delay_s in (0.0, DELAY_S):
        walls = []
        for _ in range(runs):
            database = transport.database()
            transport.proxy.delay_s = delay_s
            started = time.perf_counter()
            for _ in range(2):
                database.rows(USER, STATEMENT, PARAMS)
            walls.append(time.perf_counter() - started)
            transport.proxy.delay_s = 0
            database.close()
        times.append(min(walls))
    return times[1] - times[0]


def _cpu(transport: Transport) -> tuple[float, float]:
    """Milliseconds of this thread, in which neither the proxy nor a server runs."""
    database = transport.database()
    times = []
    for _ in range(STATEMENTS):
        started = time.thread_time()
        database.rows(USER, STATEMENT, PARAMS)
        times.append((time.thread_time() - started) * 1000)
    database.close()
    return times[0], statistics.median(times[1:])


def _median(values: Iterator[int]) -> float:
    return statistics.median(values)
