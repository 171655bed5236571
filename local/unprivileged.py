"""Runs a command as another user, without root's rights: PostgreSQL refuses to run as root.

The command may still have to reach files below folders that only root may enter, such as a checkout under
/root. Opening those folders to the world is no way out, so in that case, and in that case only, the command
keeps one capability: to read and search past file permissions.
"""

import argparse
import ctypes
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

_PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 8, 47, 2
_CAPABILITY_VERSION_3 = 0x20080522
# Containers commonly drop the first and leave the second, which can write as well.
_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE = 2, 1


def as_user(uid: int, command: Sequence[str], reaching: Iterable[Path]) -> list[str]:
    """The command line that runs `command` as `uid`, able to reach the given paths."""
    walled = any(not parent.stat().st_mode & 0o001 for path in reaching for parent in path.resolve().parents)
    return [sys.executable, "-IS", __file__, *(["--reach"] if walled else []), str(uid), "--", *command]


class _CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _CapabilityData(ctypes.Structure):
    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


def _drop_all_but(capability: int) -> bool:
    """After setuid: keeps one capability, also across exec. Says whether it could."""
    libc = ctypes.CDLL(None)
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    mask = 1 << capability
    data = (_CapabilityData * 2)(_CapabilityData(mask, mask, mask))
    if libc.capset(ctypes.byref(header), data) != 0:
        return False
    raised: int = libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)
    return raised == 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Run a command as another user.")
    parser.add_argument("--reach", action="store_true", help="keep the right to read below closed folders")
    parser.add_argument("uid", type=int)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    if options.reach and sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(options.uid)
    os.setuid(options.uid)
    if options.reach and not (
        sys.platform == "linux" and any(map(_drop_all_but, (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE)))
    ):
        sys.exit(
            "PostgreSQL does not run as root, and no other user can enter the folder of this checkout: "
            "move it, for example to /srv, or run as an ordinary user."
        )
    os.execvp(options.command[0], options.command)  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
