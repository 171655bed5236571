"""A process that can be frozen, as on Lambda between two invocations, and that never outlives this one."""

import contextlib
import os
import signal
from pathlib import Path

from local.parent_watch import ChildProcess


class Sandbox(ChildProcess):
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
        """Returns once the process has ended."""
        super().stop()
        self.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(OSError):  # it has just ended
            os.killpg(self.pid, number)
