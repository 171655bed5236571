import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from local.progress import one_at_a_time


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

    def lock(self) -> AbstractContextManager[int]:
        busy = f"It is running already, on the data in {self.data}: use or stop that one"
        return one_at_a_time(self._folder / "lock", busy)

    def reset(self) -> None:
        """Put the data aside, in place of what an earlier reset put there."""
        if self.data.exists():
            old = self.data.with_suffix(".old")
            shutil.rmtree(old, ignore_errors=True)
            self.data.rename(old)
