"""Installs what a target of the Makefile needs, once, and again when the list of requirements changes.

It runs under the system's Python before anything is installed, so it uses the standard library only.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from local.progress import Problem, exit_code, one_at_a_time, run, step

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "tests" / "requirements.txt"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
OLDEST_NODE = 20
DEBIAN_PACKAGES = ("chromium", "fonts-dejavu-core", "pgbouncer")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python3 -m local.setup", description="Install what is needed.")
    parser.add_argument("--venv", default=".venv", help="the virtual environment (default: .venv)")
    parser.add_argument("--npm", nargs="*", default=[], metavar="FOLDER", help="install these npm packages")
    parser.add_argument("--debian", action="store_true", help="install the Debian packages of the tests")
    options = parser.parse_args()
    _check_python()
    with one_at_a_time(ROOT / ".parley" / "setup.lock"):
        _make_venv(ROOT / options.venv)
        if options.npm:
            _check_node()
        for folder in options.npm:
            _install_npm_packages(ROOT / folder)
        if options.debian:
            _install_debian_packages()


def _check_python() -> None:
    try:
        import ensurepip  # noqa: F401, PLC0415
        import venv  # noqa: F401, PLC0415
    except ImportError:
        raise Problem(f"Python's venv module is missing: apt-get install python{VERSION}-venv") from None


def _make_venv(venv: Path) -> None:
    make = [sys.executable, "-m", "venv", "--clear", str(venv)]
    # Python compiles each module when it is first imported, which takes a third of the time.
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--no-compile"]
    pip += ["--disable-pip-version-check", "--requirement", str(REQUIREMENTS)]
    wanted = REQUIREMENTS.read_bytes() + VERSION.encode()
    _install(f"Python packages into {venv.name}", wanted, venv / "installed", make, pip)


def _check_node() -> None:
    for command in ("node", "npm"):
        if not shutil.which(command):
            raise Problem(f"{command} is missing: install Node.js {OLDEST_NODE} or newer, with npm")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < OLDEST_NODE:
        raise Problem(f"Node.js {OLDEST_NODE} or newer is needed, this is {version}: install a newer one")


def _install_npm_packages(folder: Path) -> None:
    wanted = (folder / "package-lock.json").read_bytes()
    command = ["npm", "ci", "--no-audit", "--no-fund", "--prefix", str(folder)]
    name = f"npm packages of {folder.relative_to(ROOT)}"
    _install(name, wanted, folder / "node_modules" / ".installed", command)


def _install(name: str, wanted: bytes, stamp: Path, *commands: list[str]) -> None:
    """Run the commands, unless they were run for these wanted packages. The stamp holds their digest."""
    digest = hashlib.sha256(wanted).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    with step(f"{name}, the first time a minute or two"):
        for command in commands:
            run(command, cwd=ROOT)
    stamp.write_text(digest)


def _install_debian_packages() -> None:
    if not shutil.which("dpkg-query"):
        raise Problem(f"The tests need {', '.join(DEBIAN_PACKAGES)} of Debian, and this is no Debian")
    missing = [package for package in DEBIAN_PACKAGES if not _is_installed(package)]
    if not missing:
        return
    root: list[str] = []
    if os.geteuid() != 0:
        root = ["sudo", "--non-interactive"]
        if not shutil.which("sudo") or subprocess.run([*root, "true"], check=False).returncode != 0:
            raise Problem(f"The tests need Debian packages: sudo apt-get install {' '.join(missing)}")
    with step(f"Debian packages: {', '.join(missing)}"):
        apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]
        run([*apt, "update"], cwd=ROOT)
        run([*apt, "install", "--yes", "--no-install-recommends", *missing], cwd=ROOT)


def _is_installed(package: str) -> bool:
    command = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout == "installed"


if __name__ == "__main__":
    sys.exit(exit_code(main))
