import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Problem(Exception):
    """Something stands in the way; the text says what, and what to do about it."""


@contextmanager
def step(name: str) -> Iterator[None]:
    """Shows what is being done, and how long it took."""
    print(f"  {name} … ", end="", flush=True)
    started = time.monotonic()
    try:
        yield
    except BaseException:
        print("stopped", flush=True)
        raise
    print(f"{time.monotonic() - started:.1f} s", flush=True)


def last_lines(text: str, count: int = 15) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(f"    {line}" for line in lines[-count:])


def tell(problem: Problem) -> None:
    print(f"\n{problem}", file=sys.stderr)


def not_allowed(error: PermissionError) -> Problem:
    return Problem(
        f"No permission for {error.filename}: run as the user that it belongs to, or give it to this one"
    )
