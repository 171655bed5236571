"""A process that can be frozen, as on Lambda between two invocations, and that never outlives this one."""

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from local.parent_watch import ChildProcess


class Sandbox:
    def __init__(self, child: ChildProcess, folder: Path) -> None:
        self._child = child
        self._folder = folder

    @classmethod
    def start(cls, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path) -> Self:
        folder = Path(tempfile.mkdtemp(prefix="parley-sandbox-"))
        # The shell writes its process id, which the command keeps after `exec`.
        write_pid = ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(folder / "pid")]
        child = ChildProcess.start(
            [*write_pid, *command], log=log, env=env, cwd=cwd, stop_with=signal.SIGKILL, grace_s=0
        )
        return cls(child, folder)

    @property
    def exit_code(self) -> int | None:
        return self._child.exit_code

    @property
    def pid(self) -> int:
        """Raises OSError before the command runs and after `stop`."""
        return int((self._folder / "pid").read_text())

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def peak_memory_mb(self) -> int | None:
        """None if the process has ended or this is not Linux."""
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) // 1024
        return None

    def stop(self) -> None:
        self._child.stop()
        self._child.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(OSError):  # it has just ended
            os.killpg(self.pid, number)
