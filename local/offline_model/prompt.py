"""The model's input and its answer, apart from the protocol that carries it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Literal

Json = dict[str, Any]


class BadRequestError(Exception):
    """The request is one that the real API refuses; the text is its message."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Entry:
    """One step of the conversation: a message, the call of a tool or what the tool answered."""

    kind: Literal["user", "assistant", "call", "output"]
    text: str
    call_id: str = ""
    name: str = ""


@dataclass(frozen=True)
class Result:
    """What a tool answered, and what it had been asked."""

    name: str
    arguments: Json
    text: str


@dataclass(frozen=True)
class Prompt:
    instructions: str
    entries: Sequence[Entry]
    tools: Mapping[str, Json]
    """The JSON schema of each tool's arguments, by name."""

    def texts(self, kind: str) -> list[str]:
        return [entry.text for entry in self.entries if entry.kind == kind]

    @property
    def last(self) -> Entry | None:
        return self.entries[-1] if self.entries else None

    @property
    def results(self) -> list[Result]:
        """Those at the end: the model is to answer with what the tools found."""
        calls = {entry.call_id: entry for entry in self.entries if entry.kind == "call"}
        outputs = takewhile(lambda entry: entry.kind == "output", reversed(self.entries))
        return [
            Result(calls[output.call_id].name, _object(calls[output.call_id].text), output.text)
            for output in reversed([*outputs])
        ]

    def check_pairs(self) -> None:
        """The real API refuses a call without its output, and an output without its call."""
        calls = {entry.call_id for entry in self.entries if entry.kind == "call"}
        outputs = {entry.call_id for entry in self.entries if entry.kind == "output"}
        for call_id in outputs - calls:
            raise BadRequestError(f"No tool call found for function call output with call_id {call_id}.")
        for call_id in calls - outputs:
            raise BadRequestError(f"No tool output found for function call {call_id}.")


@dataclass(frozen=True)
class ToolCall:
    name: str
    arguments: str


@dataclass(frozen=True)
class Reply:
    text: str = ""
    refusal: str = ""
    tool_calls: Sequence[ToolCall] = ()
    incomplete: Literal["content_filter", "max_output_tokens"] | None = None
    error: str | None = None
    """The reply breaks off in the middle with this code."""


def _object(text: str) -> Json:
    try:
        given = json.loads(text)
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}


def text_of(content: object) -> str:
    """The text of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (part.get("text") or part.get("refusal") or "" for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return "" if content is None else json.dumps(content)
