"""What a client does and what goes wrong, drawn from a seed."""

import random
from dataclasses import dataclass
from typing import Literal, get_args

from tests.crash.boundaries import How, When, Where

Action = Literal[
    "send", "twins", "rivals", "regenerate", "edit", "cancel", "leave", "fail", "replay", "reload"
]
# What happens to a request that got no answer. `hasty`: it is sent again while the lease still stands.
Then = Literal["retry", "hasty", "move on"]

_WEIGHTS = {"send": 6, "regenerate": 3, "edit": 3}


@dataclass(frozen=True)
class CrashPoint:
    where: Where
    when: When
    how: How
    nth: int


@dataclass(frozen=True)
class Step:
    action: Action
    # Which of the client's conversations, counted from the newest; beyond the oldest is a new one.
    conversation: int
    streams: bool
    slow: bool
    crash_point: CrashPoint | None
    then: Then
    killed_afterwards: bool

    def __str__(self) -> str:
        words = [self.action, f"in {self.conversation}", "streamed" * self.streams, "slow" * self.slow]
        words += [
            f"[{self.crash_point}]" if self.crash_point else "",
            self.then,
            "killed" * self.killed_afterwards,
        ]
        return " ".join(word for word in words if word)


def draw(seed: int) -> list[Step]:
    rng = random.Random(seed)
    return [_step(rng) for _ in range(rng.randint(2, 3))]


def _step(rng: random.Random) -> Step:
    actions = get_args(Action)
    crash_point = _crash_point(rng) if rng.random() < 0.6 else None
    (action,) = rng.choices(actions, [_WEIGHTS.get(action, 1) for action in actions])
    return Step(
        action=action,
        conversation=rng.choice([0, 0, 0, 1]),
        streams=rng.random() < 0.3,
        slow=action in {"cancel", "leave"} or (crash_point is not None and crash_point.where == "checkpoint"),
        crash_point=crash_point,
        then=rng.choice(get_args(Then)),
        killed_afterwards=rng.random() < 0.1,
    )


def _crash_point(rng: random.Random) -> CrashPoint:
    where: Where = rng.choice(["begin", "begin", "end", "end", "checkpoint", "model"])
    # A model whose connection breaks is no crash: tests/integration/test_chat.py has it.
    hows: list[How] = ["kill", "cut", "stop"]
    [how] = rng.choices(hows, [6, 0 if where == "model" else 2, 2])
    nth = rng.choice([1, 1, 2]) if where in {"checkpoint", "begin"} else 1
    when: When = rng.choice(["before", "after"] if how == "cut" else ["before", "after", "replied"])
    return CrashPoint(where, when, how, nth)
