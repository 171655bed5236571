"""What the commands in this folder share: how they show progress, report problems and run other commands."""

import contextlib
import fcntl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path


class Problem(Exception):
    """Something stands in the way. The text says what, and what to do about it."""


@contextlib.contextmanager
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


def exit_code(main: Callable[[], int | None]) -> int:
    """Run a command's `main`. A Problem is printed without a traceback."""
    try:
        return main() or 0
    except Problem as problem:
        text = str(problem)
    except PermissionError as error:
        text = f"No permission for {error.filename}: run as the user that owns it, or give it to this one"
    except KeyboardInterrupt:
        return 130
    print(f"\n{text}", file=sys.stderr)
    return 1


def run(command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> None:
    """Run quietly. Raises Problem with the end of the output if the command fails."""
    result = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if result.returncode != 0:
        end = last_lines(result.stdout)
        raise Problem(f"{end}\n`{' '.join(command)}` in {cwd} failed: above is the end of what it printed")


@contextlib.contextmanager
def one_at_a_time(lock: Path, busy: str = "", patience_s: float = 0) -> Iterator[int]:
    """Holds the lock, a file, and gives its descriptor. Waits while another process holds it.

    With `busy`, it waits for `patience_s` and then raises Problem with that text.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + patience_s
    with lock.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if busy and time.monotonic() > deadline:
                    raise Problem(busy) from None
                time.sleep(0.05)
        yield file.fileno()
