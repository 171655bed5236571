import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

from local.progress import Problem


class State:
    """A folder with the data, which is kept between runs, and the logs of the latest run."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.data = folder / "data"
        self.logs = folder / "logs"
        self.function_logs = self.logs / "functions"
        self.built = folder / "built"
        self.issuer_key = folder / "issuer.pem"

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        with (self._folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Problem(
                    f"It is running already, on the data in {self.data}: use or stop that one"
                ) from None
            yield

    def reset(self) -> None:
        """Put the data aside, in place of what an earlier reset put there."""
        if self.data.exists():
            old = self.data.with_suffix(".old")
            shutil.rmtree(old, ignore_errors=True)
            self.data.rename(old)
