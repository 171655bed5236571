"""Who is measured: each design in a worker of its own, with a database of its own on the same server."""

import contextlib
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.load.client import Client
from tests.load.conversations import QUESTION
from tests.load.stage import USER, Stage
from tests.load.worker import Worker

OURS, SMALL, BARE = "ours", "ours, small window", "bare Runner.run"
PEERS = {
    "SQLAlchemySession": "agents_session",
    "LangGraph": "langgraph_saver",
    "tutorial": "tutorial",
    "ChatKit": "chatkit_store",
}
# Ten messages fill it, so that ten and ten thousand are compared in the same state: the older turns folded
# into a summary, the newest two in the window.
SMALL_WINDOW = 500
WARM_UP = 6


@dataclass
class Cost:
    """What one call cost; `wall` and `cpu` in seconds."""

    cpu: float
    wall: float
    round_trips: int
    wire_bytes: int
    executed: Counter[str]
    result: Any

    @property
    def statements(self) -> int:
        return self.executed["statement"] + self.executed["transaction"]


@dataclass
class Actor:
    name: str
    worker: Worker
    stage: Stage
    database: str

    def measure(self, method: str, *arguments: Any) -> Cost:
        before = _snapshot(self.stage)
        reply = self.worker.call(method, *arguments)
        trips, size, executed = _snapshot(self.stage)
        executed.subtract(before[2])
        return Cost(
            reply["cpu"], reply["wall"], trips - before[0], size - before[1], executed, reply["result"]
        )

    def seeded(self, count: int) -> str:
        conversation = str(uuid.uuid4())
        self.worker.call("seed", conversation, count)
        return conversation

    def fresh_turn(self, count: int, text: str = QUESTION, method: str = "turn") -> Cost:
        """A turn in a conversation of `count` messages that had no turn before."""
        return self.measure(method, self.seeded(count), text)


def _snapshot(stage: Stage) -> tuple[int, int, Counter[str]]:
    traffic = stage.proxy.traffic
    return traffic.round_trips, traffic.bytes_up + traffic.bytes_down, Counter(stage.proxy.executed)


@contextlib.contextmanager
def cast(stage: Stage) -> Iterator[dict[str, Actor]]:
    """Everybody, warm."""
    with contextlib.ExitStack() as stack:
        actors: dict[str, Actor] = {}

        def add(name: str, design: str, database: str, url: str, **options: Any) -> None:
            worker = Worker(
                design,
                url=stage.proxied(url),
                direct_url=stage.direct_url(database),
                model_url=stage.model.url,
                issuer_url=stage.issuer_url,
                user=USER,
                token=stage.token,
                **options,
            )
            actors[name] = Actor(name, stack.enter_context(worker), stage, database)

        app_url = stage.postgres.app_url
        add(OURS, "ours", "parley", app_url)
        add(SMALL, "ours", "parley", app_url, history_tokens=SMALL_WINDOW)
        add(BARE, "bare", "parley", app_url)
        for name, design in PEERS.items():
            stage.make_database(design)
            add(name, design, design, stage.direct_url(design))
        for actor in actors.values():
            actor.worker.call("prepare")
            for _ in range(WARM_UP):
                actor.fresh_turn(10)
        yield actors


def peers(actors: dict[str, Actor]) -> list[Actor]:
    return [actors[OURS], *(actors[name] for name in PEERS)]


@contextlib.contextmanager
def served(stage: Stage) -> Iterator[tuple[Actor, Client]]:
    """Ours under uvicorn, and a client of it."""
    url = stage.proxied(stage.postgres.app_url)
    options = {"direct_url": stage.direct_url("parley"), "model_url": stage.model.url}
    with Worker("ours_served", url=url, issuer_url=stage.issuer_url, user=USER, **options) as worker:
        address = worker.call("prepare")["result"]
        actor, client = Actor("ours, served", worker, stage, "parley"), Client(address, USER, stage.token)
        for _ in range(WARM_UP):
            client.say(actor.seeded(10), QUESTION)
        yield actor, client
