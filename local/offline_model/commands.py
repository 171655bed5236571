"""Commands that make the model misbehave, for tests and for people who are curious.

A command is `name` or `name=value`, and commas join several. They are read from these places in turn, and
later ones win:

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
    context=N           refuse prompts of more than N tokens, as a model with a small window does
What the model says:
    refusal             refuse to answer
    incomplete=REASON   stop in the middle: content_filter or max_output_tokens
    words=N             an answer of N words
    tool=NAME           call this tool, which need not exist
    loop                call a tool again and again
When:
    first=N             only for the first N requests with the same input, then behave once, and again
    key=TEXT            makes equal inputs differ, so that `first` counts them apart
"""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from local.offline_model.prompt import BadRequestError

_IN_NAME = re.compile(r"^offline:(.+)$", re.DOTALL)
_IN_MESSAGE = re.compile(r"^\s*\[offline:([^\]]*)\]\s*")

# A flag is given without a value.
Flag = Annotated[bool, Field(strict=True), BeforeValidator(lambda value: True if value == "" else value)]


@dataclass(frozen=True)
class Commands:
    slow: float = 0
    word: float | None = None
    status: int | None = None
    retry_after: float | None = None
    cut: int | None = None
    hang: Annotated[int | None, BeforeValidator(lambda value: value or 0)] = None
    error: str | None = None
    rubbish: Literal["json", "html", "empty"] | None = None
    refusal: Flag = False
    incomplete: Literal["content_filter", "max_output_tokens"] | None = None
    words: int | None = None
    tool: str | None = None
    loop: Flag = False
    first: int | None = None
    context: int | None = None
    key: str = ""

    @property
    def pace(self) -> "Commands":
        """Only the commands that slow the answer down."""
        return Commands(slow=self.slow, word=self.word)


_COMMANDS = TypeAdapter(Commands)


def read_commands(model: str, header: str, message: str) -> Commands:
    in_name, in_message = _IN_NAME.match(model), _IN_MESSAGE.match(message)
    given: dict[str, Any] = {}
    for text in (in_name and in_name[1], header, in_message and in_message[1]):
        parts = (part.strip().partition("=") for part in (text or "").split(",") if part.strip())
        given |= {name: value for name, _, value in parts}
    for name in given:
        if name not in Commands.__dataclass_fields__:
            raise BadRequestError(f"The offline model knows no command {name!r}.")
    try:
        return _COMMANDS.validate_python(given)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        raise BadRequestError(
            f"The offline model cannot use {given[name]!r} for its command {name!r}."
        ) from None


def without_commands(message: str) -> str:
    return _IN_MESSAGE.sub("", message)
