"""The text that users may send."""

from typing import Annotated

from pydantic import AfterValidator, Field


def storable(text: str) -> str:
    """Return `text`. Raises ValueError for NUL, which Postgres cannot store, and for lone surrogates."""
    if "\x00" in text:
        raise ValueError("The text contains a NUL character.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("The text contains half of a surrogate pair.") from None
    return text


Text = Annotated[str, AfterValidator(storable)]
MessageText = Annotated[Text, Field(min_length=1, max_length=32_000)]
TitleText = Annotated[Text, Field(min_length=1, max_length=200)]
