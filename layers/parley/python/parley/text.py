"""Text that can be stored and seen: what users may send, and what is made of what others say."""

import json
import math
import unicodedata
from bisect import bisect_right
from typing import Annotated, Any

from pydantic import AfterValidator, Field

# Python's own limit on nested calls is about 1,000, and what is parsed here may be nested as deep.
MAX_DEPTH = 64
# Unicode calls these letters and symbols, but they are blank: Hangul fillers and an empty Braille cell.
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"
_JSON = json.JSONEncoder(ensure_ascii=False, default=str)
# What a model reads, and a tool is called with, in place of arguments that are no JSON object.
INVALID_ARGUMENTS = '{"invalid": "These arguments were not a JSON object."}'


def is_visible(text: str) -> bool:
    """Whether there is anything to see in `text`: no space, control, format or filler characters alone."""
    return any(unicodedata.category(character)[0] in "LNPS" and character not in _BLANK for character in text)


def clean_text(text: str) -> str:
    """`text` as Postgres can store it: NUL and lone surrogates become U+FFFD, halves of a pair are joined."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def clean(value: Any, depth: int = MAX_DEPTH) -> Any:
    """A parsed JSON value with clean text in its keys too, and null for what JSON has no word for.

    What is nested deeper than `depth` becomes null.
    """
    match value:
        case str():
            return clean_text(value)
        case float() if not math.isfinite(value):
            return None
        case dict() | list() if depth == 0:
            return None
        case dict():
            return {clean_text(str(name)): clean(part, depth - 1) for name, part in value.items()}
        case list():
            return [clean(part, depth - 1) for part in value]
        case _:
            return value


def json_size(value: Any) -> int:
    """Bytes of `value` in a reply, where a control character takes six."""
    return len(_JSON.encode(value).encode(errors="surrogatepass"))


def beginning(text: str, room: int) -> str:
    """As much of `text` as has at most `room` bytes in a reply."""
    # No character takes less than a byte.
    text = text[: max(room, 0)]
    if json_size(text) <= room:
        return text
    return text[: bisect_right(range(len(text)), room, key=lambda length: json_size(text[:length])) - 1]


def storable(text: str) -> str:
    """Return `text`. Raises ValueError for NUL, which Postgres cannot store, and for lone surrogates."""
    if "\x00" in text:
        raise ValueError("The text contains a NUL character.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("The text contains half of a surrogate pair.") from None
    return text


def _visible(text: str) -> str:
    if not is_visible(text):
        raise ValueError("There is nothing to see in the text.")
    return text


def _described(pattern: str) -> Any:
    """Says in the OpenAPI document what a validator here asks for."""
    return Field(json_schema_extra={"pattern": pattern})


_SEEN = _described(r"^[^\u0000]*[\p{L}\p{N}\p{P}\p{S}][^\u0000]*$")

Text = Annotated[str, AfterValidator(storable), _described(r"^[^\u0000]*$")]
MessageText = Annotated[Text, Field(min_length=1, max_length=32_000), AfterValidator(_visible), _SEEN]
InstructionsText = Annotated[Text, Field(min_length=1, max_length=1_500), AfterValidator(_visible), _SEEN]
TitleText = Annotated[Text, Field(min_length=1, max_length=200), AfterValidator(_visible), _SEEN]
