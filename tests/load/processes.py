"""Starts each design in its own process, with its own database on the same server, and measures its calls."""

import contextlib
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.load.client import Client
from tests.load.conversations import QUESTION
from tests.load.rig import USER, Rig
from tests.load.statements import Kind
from tests.load.worker import Worker

OURS, SMALL, BARE = "ours", "ours, small window", "bare Runner.run"
PEERS = {
    "SQLAlchemySession": "agents_session",
    "LangGraph": "langgraph_saver",
    "tutorial": "tutorial",
    "ChatKit": "chatkit_store",
}
# Ten messages fill it. So conversations of 10 and of 10,000 messages are compared in the same state: the
# newest two turns in the window and the older ones in a summary.
SMALL_WINDOW = 500
WARM_UP = 6


@dataclass
class Cost:
    """What one call cost. `wall` and `cpu` are in seconds."""

    cpu: float
    wall: float
    round_trips: int
    wire_bytes: int
    executed: Counter[Kind]
    result: Any

    @property
    def statements(self) -> int:
        return self.executed["statement"] + self.executed["transaction"]


@dataclass
class DesignProcess:
    name: str
    worker: Worker
    rig: Rig
    database: str

    def measure(self, method: str, *arguments: Any) -> Cost:
        trips_before, size_before, executed_before = _snapshot(self.rig)
        reply = self.worker.call(method, *arguments)
        trips, size, executed = _snapshot(self.rig)
        executed.subtract(executed_before)
        return Cost(
            cpu=reply["cpu"],
            wall=reply["wall"],
            round_trips=trips - trips_before,
            wire_bytes=size - size_before,
            executed=executed,
            result=reply["result"],
        )

    def seeded(self, count: int) -> str:
        """The id of a new conversation of `count` messages."""
        conversation = str(uuid.uuid4())
        self.worker.call("seed", conversation, count)
        return conversation

    def fresh_turn(self, count: int, text: str = QUESTION, method: str = "turn") -> Cost:
        """A turn in a new conversation of `count` messages."""
        return self.measure(method, self.seeded(count), text)


Designs = dict[str, DesignProcess]


def _snapshot(rig: Rig) -> tuple[int, int, Counter[Kind]]:
    traffic = rig.proxy.traffic
    return traffic.round_trips, traffic.bytes_up + traffic.bytes_down, Counter(rig.proxy.executed)


@contextlib.contextmanager
def start_designs(rig: Rig) -> Iterator[Designs]:
    """All designs, warmed up."""
    with contextlib.ExitStack() as stack:
        designs: Designs = {}

        def add(name: str, design: str, *, database: str, url: str, **options: Any) -> None:
            worker = Worker(
                design,
                url=rig.proxied(url),
                direct_url=rig.direct_url(database),
                model_url=rig.model.url,
                issuer_url=rig.issuer_url,
                user=USER,
                token=rig.token,
                **options,
            )
            designs[name] = DesignProcess(name, stack.enter_context(worker), rig, database)

        app_url = rig.postgres.app_url
        add(OURS, "ours", database="parley", url=app_url)
        add(SMALL, "ours", database="parley", url=app_url, history_tokens=SMALL_WINDOW)
        add(BARE, "bare", database="parley", url=app_url)
        for name, design in PEERS.items():
            rig.make_database(design)
            add(name, design, database=design, url=rig.direct_url(design))
        for process in designs.values():
            process.worker.call("prepare")
            for _ in range(WARM_UP):
                process.fresh_turn(10)
        yield designs


def ours_and_peers(designs: Designs) -> list[DesignProcess]:
    return [designs[OURS], *(designs[name] for name in PEERS)]


@contextlib.contextmanager
def start_served(rig: Rig) -> Iterator[tuple[DesignProcess, Client]]:
    """Ours under uvicorn, warmed up, and a client for it."""
    url = rig.proxied(rig.postgres.app_url)
    options = {"direct_url": rig.direct_url("parley"), "model_url": rig.model.url}
    with Worker("ours_served", url=url, issuer_url=rig.issuer_url, user=USER, **options) as worker:
        address = worker.call("prepare")["result"]
        served = DesignProcess("ours, served", worker, rig, "parley")
        client = Client(address, USER, rig.token)
        for _ in range(WARM_UP):
            client.say(served.seeded(10), QUESTION)
        yield served, client
