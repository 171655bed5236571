"""What a model says in one turn, counted, bounded and made storable. All that it writes passes here."""

import json
import math
import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from parley.ids import new_id
from parley.models.tool_call import CALL_ID, safe_call
from parley.services.history import tokens_of_size
from parley.text import clean_text, is_visible

# Bytes of JSON that the answers of one turn may have: the platform refuses replies over 6 MB.
MAX_ANSWER = 1_000_000
MAX_CALLS = 50
# No model reads or writes as many in one request. The columns hold 2 * 10^9.
MAX_TOKENS = 10_000_000
_FIRST_HALF = re.compile("[\ud800-\udbff]$")


class Call(NamedTuple):
    call_id: str
    name: str
    arguments: str


@dataclass(slots=True)
class ModelRequest:
    """`input_size` gives bytes, and is called only if the model does not say what it read."""

    input_size: Callable[[], int]
    output_size: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None

    def read(self) -> int:
        return tokens_of_size(self.input_size()) if self.input_tokens is None else self.input_tokens

    def written(self) -> int:
        return tokens_of_size(self.output_size) if self.output_tokens is None else self.output_tokens


@dataclass(slots=True)
class ModelReport:
    """`taken`: ids that no new call may have. `calls`: as the model wrote them, by the ids that they got.

    `incomplete`: the last answer was cut off.
    """

    taken: set[str]
    # Bytes of JSON, of which MAX_ANSWER may be written.
    size: int = 0
    requests: list[ModelRequest] = field(default_factory=list)
    calls: dict[str, Call] = field(default_factory=dict)
    incomplete: Literal["length"] | None = None
    _half: str = ""
    # What an answer begins with, as long as nothing of it can be seen.
    _blank: str = ""
    _is_blank: bool = True

    def begin(self, input_size: Callable[[], int]) -> ModelRequest:
        """A request is made, about which the methods below then are."""
        self.incomplete, self._half, self._blank, self._is_blank = None, "", "", True
        self.requests.append(ModelRequest(input_size))
        return self.requests[-1]

    def text(self, said: str, last: bool = False) -> str:
        """`said` as it may be passed on. Before the `last`, half of a surrogate pair waits for the other.

        Blank text waits for some that can be seen: no model reads a message that has none.
        """
        said, self._half = self._half + said, ""
        if not last and (half := _FIRST_HALF.search(said)):
            said, self._half = said[:-1], half.group()
        said = clean_text(said)
        if self._is_blank and not is_visible(said):
            self._blank = (self._blank + said)[:MAX_ANSWER]
            return ""
        said, self._blank, self._is_blank = self._blank + said, "", False
        return self._bounded(said)

    def call(self, call_id: Any, name: Any, arguments: Any) -> Call | None:
        """The call as the Agents SDK may make it and read it to the model; None where there are too many."""
        if not isinstance(call_id, str) or not CALL_ID.fullmatch(call_id) or call_id in self.taken:
            call_id = f"call_{new_id().hex}"
        if not isinstance(arguments, str):
            arguments = "" if arguments is None else json.dumps(arguments)
        written = Call(call_id, clean_text(str(name or "")), clean_text(arguments))
        if len(self.calls) == MAX_CALLS or not self.takes(written):
            self.incomplete = "length"
            return None
        self.taken.add(call_id)
        self.calls[call_id] = written
        return Call(call_id, *safe_call(written.name, written.arguments))

    def takes(self, part: Any) -> bool:
        """Count a part that cannot be cut; False if there is no room for it."""
        size = json_size(part)
        if self.size + size > MAX_ANSWER:
            return False
        self._count(size)
        return True

    def charge(self, input_tokens: Any, output_tokens: Any) -> None:
        """What the model says that its last answer cost."""
        request = self.requests[-1]
        request.input_tokens, request.output_tokens = _count(input_tokens), _count(output_tokens)

    def usage(self) -> tuple[int, int, bool]:
        """Input tokens, output tokens, and whether some of them are estimated."""
        return (
            sum(request.read() for request in self.requests),
            sum(request.written() for request in self.requests),
            any(None in (request.input_tokens, request.output_tokens) for request in self.requests),
        )

    def _bounded(self, text: str) -> str:
        room = max(0, MAX_ANSWER - self.size)
        # Even an empty text has a size, that of its quotation marks.
        while text and (size := json_size(text)) > room:
            self.incomplete = "length"
            text = text[: len(text) * room // size]
        self._count(json_size(text) if text else 0)
        return text

    def _count(self, size: int) -> None:
        self.size += size
        self.requests[-1].output_size += size


def json_size(value: Any) -> int:
    """Bytes of `value` in a reply."""
    return len(json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass"))


def _count(tokens: Any) -> int | None:
    if isinstance(tokens, bool) or not isinstance(tokens, int | float) or not 0 <= tokens < math.inf:
        return None
    return min(int(tokens), MAX_TOKENS)


# The Agents SDK makes the requests of a turn in tasks of its own, which inherit this.
current_report: ContextVar[ModelReport] = ContextVar("current_report")
