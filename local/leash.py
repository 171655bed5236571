"""Runs a command that never outlives the process that started it.

The starter holds the writing end of the standard input of this script. When it closes that end, or dies in
whatever way, the command's process group gets a signal and, if it is still there some seconds later, SIGKILL.
A parent-death signal would do without this process, but it exists on Linux only, fires when the starting
*thread* ends, and is forgotten when the command changes its user.
"""

import argparse
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

GRACE_S = 5.0
_PR_SET_PDEATHSIG = 1


class Leashed:
    """A running command on a leash."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @classmethod
    def start(
        cls,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stop_with: signal.Signals = signal.SIGTERM,
        grace_s: float = GRACE_S,
        pass_fds: Sequence[int] = (),
    ) -> "Leashed":
        leash = [sys.executable, "-IS", __file__, "--signal", stop_with.name]
        leash += ["--grace", str(grace_s), "--", *command]
        with log.open("ab") as output:
            process = subprocess.Popen(
                leash,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=env,
                cwd=cwd,
                pass_fds=pass_fds,
                start_new_session=True,  # a Ctrl-C in the terminal is for the starter alone
            )
        return cls(process)

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def stop(self) -> None:
        """Asks the command to end; `wait` says when it has."""
        if self._process.stdin:
            self._process.stdin.close()

    def wait(self) -> int:
        return self._process.wait()


def _die_with_the_leash() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def main() -> int:
    parser = argparse.ArgumentParser(description="Run a command until standard input is closed.")
    parser.add_argument("--signal", default="SIGTERM", help="what ends the command (default: SIGTERM)")
    parser.add_argument(
        "--grace", type=float, default=GRACE_S, help="seconds before it is killed (default: 5)"
    )
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    stop_with = signal.Signals[options.signal]
    child = subprocess.Popen(
        options.command,
        stdin=subprocess.DEVNULL,
        close_fds=False,  # what the starter passed on is meant for the command
        process_group=0,
        preexec_fn=_die_with_the_leash,  # noqa: PLW1509 (no thread is running yet)
    )

    def end_with_the_starter() -> None:
        os.read(0, 1)
        _signal_group(child.pid, stop_with)
        time.sleep(options.grace)
        _signal_group(child.pid, signal.SIGKILL)

    signal.signal(signal.SIGTERM, lambda *_: _signal_group(child.pid, stop_with))
    threading.Thread(target=end_with_the_starter, daemon=True).start()
    code = child.wait()
    _signal_group(child.pid, signal.SIGKILL)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
