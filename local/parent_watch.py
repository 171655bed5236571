"""Runs a command that never outlives the process that started it.

The parent holds the other end of this script's standard input, a socket, on which it gets the command's
process id. When the parent closes it, or dies, the command's process group gets a signal and, if it is still
there some seconds later, SIGKILL. A parent-death signal alone would not do: it exists on Linux only, fires
when the starting *thread* ends, and is lost when the command changes its user.
"""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

_PR_SET_PDEATHSIG = 1


class ChildProcess:
    """A running command that ends when this process does."""

    def __init__(self, process: subprocess.Popen[bytes], watch: int) -> None:
        self._process = process
        # A descriptor, because a socket closes when nothing refers to it any more.
        self._watch: int | None = watch

    @classmethod
    def start(
        cls,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stop_with: signal.Signals = signal.SIGTERM,
        grace_s: float = 5.0,
        pass_fds: Sequence[int] = (),
    ) -> Self:
        watch = [sys.executable, "-IS", __file__, stop_with.name, str(grace_s)]
        here, there = socket.socketpair()
        with log.open("ab") as output, there:
            process = subprocess.Popen(
                [*watch, *command],
                stdin=there.fileno(),
                stdout=output,
                stderr=output,
                env=env,
                cwd=cwd,
                pass_fds=pass_fds,
                start_new_session=True,  # a Ctrl-C in the terminal is for the parent alone
            )
        return cls(process, here.detach())

    @cached_property
    def pid(self) -> int:
        """The command's, which leads a process group. Blocks until the command is started."""
        if self._watch is None:
            raise ProcessLookupError
        return int(os.read(self._watch, 16))

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def stop(self) -> None:
        """Ask the command to end. `wait` returns once it has."""
        if self._watch is not None:
            os.close(self._watch)
            self._watch = None

    def wait(self) -> int:
        return self._process.wait()


def _die_with_the_watch() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def main() -> int:
    signal_name, grace_s, *command = sys.argv[1:]
    stop_with = signal.Signals[signal_name]
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        close_fds=False,  # the command inherits what `pass_fds` passed on
        process_group=0,
        preexec_fn=_die_with_the_watch,  # noqa: PLW1509 (no thread is running yet)
    )

    def end_with_parent() -> None:
        with contextlib.suppress(ConnectionResetError):  # the parent has not read the process id
            os.read(0, 1)
        _signal_group(child.pid, stop_with)
        time.sleep(float(grace_s))
        _signal_group(child.pid, signal.SIGKILL)

    with contextlib.suppress(OSError):  # the parent has just ended
        os.write(0, b"%d" % child.pid)
    signal.signal(signal.SIGTERM, lambda *_: _signal_group(child.pid, stop_with))
    threading.Thread(target=end_with_parent, daemon=True).start()
    code = child.wait()
    _signal_group(child.pid, signal.SIGKILL)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
