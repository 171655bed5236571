"""What both protocols share on the wire: server-sent events and the pieces in which an answer comes."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from local.offline_model.prompt import Json, Prompt, Reply
from local.offline_model.tokens import Usage

STREAM_ERROR = "The server had an error while processing your request. Sorry about that!"


@dataclass(frozen=True)
class Event:
    data: Json | str
    name: str | None = None
    is_word: bool = False

    def encode(self, *, broken: bool = False) -> bytes:
        data = self.data if isinstance(self.data, str) else json.dumps(self.data)
        name = f"event: {self.name}\n" if self.name else ""
        return f"{name}data: {data[: len(data) // 2] if broken else data}\n\n".encode()


@dataclass(frozen=True)
class Protocol:
    read: Callable[[Json], Prompt]
    whole: Callable[[Json, Reply, Usage], Json]
    events: Callable[[Json, Reply, Usage], Iterator[Event]]


def words(text: str) -> list[str]:
    return re.findall(r"\s*\S+\s*$|\s*\S+", text) or ([text] if text else [])


def argument_pieces(arguments: str) -> list[str]:
    size = max(8, len(arguments) // 200)
    return [arguments[start : start + size] for start in range(0, len(arguments), size)]
