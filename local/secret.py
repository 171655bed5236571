import contextlib
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path


def kept_secret(path: Path, make: Callable[[], str] = lambda: secrets.token_urlsafe(32)) -> str:
    """A secret in a file for its owner only: made once, the same ever after."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
            # Of two processes that get here at once one wins, whole.
            with contextlib.suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_text()
