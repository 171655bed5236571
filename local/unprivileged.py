"""Runs a command as another user, without root's rights: PostgreSQL refuses to run as root.

The command may have to reach files below folders that only root may enter, such as a checkout under /root.
In that case, and only then, it keeps one capability: to read and search past file permissions.
"""

import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from local.progress import Problem

# Containers commonly drop the first and leave the second, which also allows to write.
_CAPABILITIES = {"dac_read_search": 1 << 2, "dac_override": 1 << 1}


def as_user(uid: int, command: Sequence[str], reaching: Iterable[Path]) -> list[str]:
    """The command line that runs `command` as `uid`, able to reach the given paths."""
    if not shutil.which("setpriv"):
        raise Problem(
            "PostgreSQL does not run as root: run as an ordinary user, or install setpriv (util-linux)"
        )
    run = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    closed = any(not parent.stat().st_mode & 0o001 for path in reaching for parent in path.resolve().parents)
    if closed:
        kept = _capability()
        run += [f"--inh-caps=-all,+{kept}", f"--ambient-caps=-all,+{kept}", f"--bounding-set=-all,+{kept}"]
    return [*run, "--", *command]


def _capability() -> str:
    permitted = re.search(r"^CapPrm:\s*(\w+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    for name, mask in _CAPABILITIES.items():
        if permitted and int(permitted[1], 16) & mask:
            return name
    raise Problem(
        "PostgreSQL does not run as root, and no other user can enter the folder of this checkout: "
        "move it, for example to /srv, or run as an ordinary user."
    )
