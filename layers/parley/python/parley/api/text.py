"""Text as users may send it."""

from typing import Annotated

from pydantic import AfterValidator


def _storable(text: str) -> str:
    """Postgres cannot store NUL; lone surrogates cannot be encoded at all."""
    if "\x00" in text:
        raise ValueError("The text contains a NUL character.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("The text contains half of a surrogate pair.") from None
    return text


Text = Annotated[str, AfterValidator(_storable)]
