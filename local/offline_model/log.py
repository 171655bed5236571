import time
from dataclasses import dataclass, field
from typing import Literal

from local.offline_model.prompt import Json

LOGGED_REQUESTS = 1000

Outcome = Literal["answered", "refused", "cut", "left"]


@dataclass
class LoggedRequest:
    """`outcome` says how it ended: `left` is a client that went away."""

    path: str
    body: Json
    commands: str
    at: float = field(default_factory=time.time)
    outcome: Outcome | None = None
