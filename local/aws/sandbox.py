"""A process that can be frozen, as on Lambda between two invocations, and that never outlives this one."""

import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from local.parent_watch import ChildProcess


class Sandbox:
    def __init__(self, child: ChildProcess) -> None:
        self._child = child

    @classmethod
    def start(cls, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path) -> Self:
        kill = signal.SIGKILL
        return cls(ChildProcess.start(command, log=log, env=env, cwd=cwd, stop_with=kill, grace_s=0))

    @property
    def exit_code(self) -> int | None:
        return self._child.exit_code

    @property
    def pid(self) -> int:
        return self._child.pid

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

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(OSError):  # it has just ended
            os.killpg(self.pid, number)
