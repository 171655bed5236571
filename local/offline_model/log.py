import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Literal

from local.offline_model.prompt import Json

REMEMBERED_REQUESTS = 1000

Outcome = Literal["answered", "refused", "cut", "left"]


@dataclass
class Asked:
    """One request; `outcome` says how it ended: `left` is a client that went away."""

    path: str
    body: Json
    commands: str
    at: float = field(default_factory=time.time)
    outcome: Outcome | None = None

    def end(self, outcome: Outcome) -> None:
        self.outcome = outcome


class Log:
    """The latest requests, oldest first."""

    def __init__(self) -> None:
        self._asked: deque[Asked] = deque(maxlen=REMEMBERED_REQUESTS)

    def add(self, asked: Asked) -> None:
        self._asked.append(asked)

    def clear(self) -> None:
        self._asked.clear()

    def as_json(self) -> list[Json]:
        return [asdict(asked) for asked in self._asked]
