"""Commands: how a test, or a curious person, makes the model misbehave.

A command is `name` or `name=value`; several are joined by commas. They are read from, each adding to the one
before:

* the model's name: `offline:slow=2,word=50`;
* the header `X-Offline-Model: status=503`;
* the start of the last user message: `[offline: cut=20] Tell me a story.`

Pace:
    slow=S              wait S seconds before the first byte
    word=MS             pause MS milliseconds after each word
Faults of the service:
    status=CODE         answer with this HTTP status and the real API's error body
    retry_after=S       … and with this Retry-After (429 has one of 1 second anyway)
    cut=N               close the connection after N events (not streamed: in the middle of the body)
    hang, hang=N        accept the request and never answer, or fall silent after N events
    error=CODE          fail in the middle of the answer with this code, such as server_error
    rubbish=json        JSON that does not parse
    rubbish=html        status 200 and a page of HTML
    rubbish=empty       an answer without output
    rubbish=order       events in an impossible order
    context=N           refuse prompts of more than N tokens, as a model with a small window does
What the model says:
    refusal             refuse to answer
    incomplete=REASON   stop in the middle: content_filter or max_output_tokens
    words=N             an answer of N words
    tool=NAME           call this tool, which need not exist
    loop                call a tool again and again
    arguments=N         call a tool with about N characters of arguments
When:
    first=N             only for the first N requests with the same input, then behave
    key=TEXT            makes equal inputs differ, so that `first` counts them apart
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from local.offline_model.prompt import BadRequestError

_IN_NAME = re.compile(r"^offline:(.+)$", re.DOTALL)
_IN_MESSAGE = re.compile(r"^\s*\[offline:([^\]]*)\]\s*")

Rubbish = Literal["json", "html", "empty", "order"]
Incomplete = Literal["content_filter", "max_output_tokens"]


@dataclass(frozen=True)
class Commands:
    slow: float = 0
    word: float | None = None
    status: int | None = None
    retry_after: float | None = None
    cut: int | None = None
    hang: int | None = None
    error: str | None = None
    rubbish: Rubbish | None = None
    context: int | None = None
    refusal: bool = False
    incomplete: Incomplete | None = None
    words: int | None = None
    tool: str | None = None
    loop: bool = False
    arguments: int | None = None
    first: int | None = None
    key: str = ""

    @property
    def pace(self) -> "Commands":
        """These commands without any but the harmless ones."""
        return Commands(slow=self.slow, word=self.word)


def read_commands(model: str, header: str, message: str) -> Commands:
    in_name, in_message = _IN_NAME.match(model), _IN_MESSAGE.match(message)
    commands = Commands()
    for text in (in_name and in_name[1], header, in_message and in_message[1]):
        commands = replace(commands, **_parse(text or ""))
    return commands


def without_commands(message: str) -> str:
    return _IN_MESSAGE.sub("", message)


def _one_of(choices: Any) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in get_args(choices):
            raise ValueError(value)
        return value

    return read


def _flag(value: str) -> bool:
    if value:
        raise ValueError(value)
    return True


_READERS: dict[str, Callable[[str], object]] = {
    "slow": float,
    "word": float,
    "status": int,
    "retry_after": float,
    "cut": int,
    "hang": lambda value: int(value or 0),
    "error": str,
    "rubbish": _one_of(Rubbish),
    "context": int,
    "refusal": _flag,
    "incomplete": _one_of(Incomplete),
    "words": int,
    "tool": str,
    "loop": _flag,
    "arguments": int,
    "first": int,
    "key": str,
}


def _parse(text: str) -> dict[str, Any]:
    parts = (part.strip().partition("=") for part in text.split(",") if part.strip())
    return {name: _read(name, value) for name, _, value in parts}


def _read(name: str, value: str) -> object:
    if name not in _READERS:
        raise BadRequestError(f"The offline model knows no command {name!r}.")
    try:
        return _READERS[name](value)
    except ValueError:
        raise BadRequestError(f"The offline model cannot use {value!r} for its command {name!r}.") from None
