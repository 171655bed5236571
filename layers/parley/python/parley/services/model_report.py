"""What a model says in one turn, counted, bounded and made storable. All that it writes passes here."""

import json
import math
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from parley.errors import AgentExhausted
from parley.ids import new_id
from parley.models.tool_call import CALL_ID, safe_call
from parley.services.history import tokens_of_size
from parley.text import beginning, clean_text, is_visible, json_size

# Bytes of JSON that the answers of one turn may have: the platform refuses replies over 6 MB.
MAX_ANSWER = 1_000_000
MAX_CALLS = 50
# No model reads or writes as many in one request. The columns hold 2 * 10^9.
MAX_TOKENS = 10_000_000


class Spent(NamedTuple):
    """`cached_tokens`: what the model's prompt cache had of the input. `estimated`: not all was told."""

    input_tokens: int
    cached_tokens: int
    output_tokens: int
    estimated: bool


class Call(NamedTuple):
    call_id: str
    name: str
    arguments: str


@dataclass(slots=True, eq=False)
class ModelRequest:
    """One request and its answer, on which the methods below report.

    `input_size` gives bytes, and is called only if the model does not say what it read. `incomplete`: the
    answer was cut off. `is_inner`: an agent made it that is used as a tool, or a guardrail.
    """

    turn: "ModelReport"
    input_size: Callable[[], int]
    is_inner: bool = False
    output_size: int = 0
    input_tokens: int | None = None
    cached_tokens: int = 0
    output_tokens: int | None = None
    incomplete: Literal["length"] | None = None
    _estimate: int | None = None
    _half: str = ""
    # What the answer begins with, as long as nothing of it can be seen.
    _blank: str = ""
    _is_blank: bool = True

    def text(self, said: str, last: bool = False) -> str:
        """`said` as it may be passed on. Before the `last`, half of a surrogate pair waits for the other.

        Blank text waits for some that can be seen: no model reads a message that has none.
        """
        if self._half:
            said, self._half = self._half + said, ""
        if not last and "\ud800" <= said[-1:] <= "\udbff":
            said, self._half = said[:-1], said[-1]
        said = clean_text(said)
        if self._is_blank:
            if not is_visible(said):
                self._blank = (self._blank + said)[:MAX_ANSWER]
                return ""
            said, self._blank, self._is_blank = self._blank + said, "", False
        return self._bounded(said)

    def call(self, call_id: Any, name: Any, arguments: Any) -> Call | None:
        """The call as the Agents SDK may make it and read it to the model; None where there are too many."""
        turn = self.turn
        if not isinstance(call_id, str) or not CALL_ID.fullmatch(call_id) or call_id in turn.taken:
            call_id = f"call_{new_id().hex}"
        if not isinstance(arguments, str):
            arguments = "" if arguments is None else json.dumps(arguments)
        written = Call(call_id, clean_text(str(name or "")), clean_text(arguments))
        if len(turn.calls) == MAX_CALLS or not self.takes(written):
            self.incomplete = "length"
            return None
        turn.taken.add(call_id)
        turn.calls[call_id] = written
        return Call(call_id, *safe_call(written.name, written.arguments))

    def takes(self, part: Any) -> bool:
        """Count a part that cannot be cut; False if there is no room for it."""
        size = json_size(part)
        if self.turn.size + size > MAX_ANSWER:
            return False
        self._count(size)
        return True

    def charge(self, input_tokens: Any, output_tokens: Any, input_details: Any) -> None:
        """What the model says that its answer cost. The details of the input name the cached tokens."""
        self.input_tokens, self.output_tokens = _tokens(input_tokens), _tokens(output_tokens)
        cached = input_details.get("cached_tokens") if isinstance(input_details, dict) else None
        self.cached_tokens = min(_tokens(cached) or 0, self.input_tokens or 0)

    def read(self) -> int:
        if self.input_tokens is not None:
            return self.input_tokens
        # Asked for at each checkpoint, and it takes the size of everything that was said.
        if self._estimate is None:
            self._estimate = tokens_of_size(self.input_size())
        return self._estimate

    def written(self) -> int:
        return tokens_of_size(self.output_size) if self.output_tokens is None else self.output_tokens

    def _bounded(self, text: str) -> str:
        # Even an empty text has a size, that of its quotation marks.
        size = json_size(text) if text else 0
        room = MAX_ANSWER - self.turn.size
        if size > room:
            self.incomplete = "length"
            text = beginning(text, room)
            size = json_size(text) if text else 0
        self._count(size)
        return text

    def _count(self, size: int) -> None:
        self.turn.size += size
        self.output_size += size


@dataclass(slots=True)
class ModelReport:
    """`taken`: ids that no new call may have. `calls`: as the model wrote them, by the ids that they got."""

    taken: set[str]
    # Bytes of JSON, of which MAX_ANSWER may be written.
    size: int = 0
    requests: list[ModelRequest] = field(default_factory=list)
    calls: dict[str, Call] = field(default_factory=dict)
    # Set when the turn is charged. A tool that refused to be cancelled may let its run go on.
    is_closed: bool = False

    def begin(self, input_size: Callable[[], int], *, is_inner: bool = False) -> ModelRequest:
        if self.is_closed:
            raise AgentExhausted
        self.requests.append(ModelRequest(self, input_size, is_inner))
        return self.requests[-1]

    @property
    def incomplete(self) -> Literal["length"] | None:
        """The turn's last answer was cut off."""
        own = [request for request in self.requests if not request.is_inner]
        return own[-1].incomplete if own else None

    def spent(self) -> Spent:
        return Spent(
            sum(request.read() for request in self.requests),
            sum(request.cached_tokens for request in self.requests),
            sum(request.written() for request in self.requests),
            any(None in (request.input_tokens, request.output_tokens) for request in self.requests),
        )


def _tokens(tokens: Any) -> int | None:
    if isinstance(tokens, bool) or not isinstance(tokens, int | float) or not 0 <= tokens < math.inf:
        return None
    return min(int(tokens), MAX_TOKENS)


# The Agents SDK makes the requests of a turn in tasks of its own, which inherit this.
current_report: ContextVar[ModelReport] = ContextVar("current_report")
current_request: ContextVar[ModelRequest] = ContextVar("current_request")
