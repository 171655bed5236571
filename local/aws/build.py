"""Builds what AWS Lambda runs, two layers and the functions, without Docker.

    python -m local.aws.build                            everything, for Lambda, by `sam build`
    python -m local.aws.build --one NAME --out FOLDER    one part: what layers/Makefile calls for `sam build`

It needs Python 3.11 or newer with pip, and `sam build` for the first. Byte code works only for the Python
version that made it, so a Python of Lambda's version is looked for. Without one the functions start slower.
"""

import argparse
import hashlib
import inspect
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from local.progress import Problem, exit_code, one_at_a_time, run, step

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"
REQUIREMENTS = ROOT / "requirements.txt"
PACKAGE = ROOT / "layers" / "parley" / "python"
FUNCTIONS = ROOT / "functions"
BUILT = ROOT / ".aws-sam" / "build"
# The layer of dependencies takes long to build: it is kept here, under a digest of all that goes into it.
KEPT = ROOT / ".parley" / "aws"
KEPT_FOR_S = 7 * 86_400
DEPENDENCIES, PARLEY = "DependenciesLayer", "ParleyLayer"
LAMBDA_PYTHON = "3.13"
# Wheels name the architectures differently. Lambda's Amazon Linux 2023 has glibc 2.34.
MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
GLIBC = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014", "manylinux2010", "manylinux1")
# Lambda's runtime has these. Each needs its own version of the others, so all of them are left out.
IN_THE_RUNTIME = ("boto3", "botocore", "jmespath", "s3transfer")
NOT_RUN = ("bin", "**/tests", "**/*.pyi", "**/*.pyx", "**/*.pxd", "**/*.c", "**/*.h")
# importlib.metadata reads versions and entry points from these.
READ_OF_METADATA = ("METADATA", "entry_points.txt")
NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "tests", "test_*.py")
MAX_MB = 250


@dataclass(frozen=True)
class Target:
    """The Python version, such as "3.13", and the AWS architecture; None is this machine's."""

    python: str = LAMBDA_PYTHON
    architecture: str | None = "x86_64"

    @classmethod
    def here(cls) -> "Target":
        """The Python that runs this."""
        return cls(f"{sys.version_info.major}.{sys.version_info.minor}", None)

    def __str__(self) -> str:
        return f"{self.python}-{self.architecture or platform.machine()}"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m local.aws.build", description="Build what AWS Lambda runs, without Docker."
    )
    parser.add_argument("--architecture", choices=MACHINES, default="x86_64", help="Lambda's architecture")
    parser.add_argument("--one", metavar="NAME", help="one layer or function, named as in template.yaml")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="target folder of --one")
    options = parser.parse_args()
    if options.one and not options.out:
        parser.error("--one needs --out")
    target = Target(architecture=options.architecture)
    if options.one:
        build_one(options.one, options.out, target)
    else:
        build_for_lambda(target)
        print("Next: make deploy")


def build(folder: Path, target: Target) -> None:
    """Build both layers and all functions into `folder`, each in a folder named as in template.yaml.

    The dependencies' layer is a link to the one in KEPT, to be read only. Raises Problem.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = _dependencies(target)
    _remove(folder / DEPENDENCIES)
    (folder / DEPENDENCIES).symlink_to(kept)
    for name in (PARLEY, *functions()):
        build_one(name, folder / name, target)


def build_one(name: str, folder: Path, target: Target) -> None:
    """Build the layer or function that template.yaml calls `name` into `folder`. Raises Problem."""
    _remove(folder)
    if name == DEPENDENCIES:
        shutil.copytree(_dependencies(target), folder)
    elif name == PARLEY:
        shutil.copytree(PACKAGE, folder / "python", ignore=NOT_COPIED)
        _compile(folder / "python", "/opt/python", target)
    else:
        _copy_function(name, folder)
        _compile(folder, "/var/task", target)
        # SAM publishes a new version of a function only when its own files have changed.
        (folder / "layers.sha256").write_text(_layers_digest(target))


def functions() -> list[str]:
    """The names of the functions in template.yaml."""
    return re.findall(r"^  (\w+Function):$", TEMPLATE.read_text(), re.MULTILINE)


def find_python(version: str) -> str | None:
    """A Python of that version: the running one, one on the PATH, or one of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    of_pyenv = map(str, pyenv.glob(f"versions/{version}.*/bin/python3"))
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    for candidate in (sys.executable, shutil.which(f"python{version}"), *sorted(of_pyenv)):
        if candidate:
            answer = subprocess.run([candidate, "-c", ask], capture_output=True, text=True, check=False)
            if answer.stdout.strip() == version:
                return candidate
    return None


def build_for_lambda(target: Target) -> None:
    """Build everything into BUILT, as `sam deploy` takes it. Shows its progress. Raises Problem."""
    if shutil.which("make") is None:
        raise Problem("make is missing, which `sam build` calls: install it")
    if find_python(target.python) is None:
        print(
            f"  Without Python {target.python} there is no byte code, and cold starts take twice as long. "
            f"Install python{target.python} and build again."
        )
    _dependencies(target)
    command = [sys.executable, "-m", "samcli", "build", "--no-cached", "--parallel"]
    command += ["--template-file", str(TEMPLATE), "--build-dir", str(BUILT)]
    command += ["--parameter-overrides", f"Architecture={target.architecture}"]
    with step("sam build"):
        run(command, cwd=ROOT, env={**os.environ, "PYTHON": sys.executable, **silent_sam()})
    layers = sum(map(_megabytes, (BUILT / DEPENDENCIES, BUILT / PARLEY)))
    largest = layers + max(_megabytes(BUILT / name) for name in functions())
    print(f"Built for {target}: {BUILT.relative_to(ROOT)}, {largest:.0f} MB a function with its layers")
    if largest > MAX_MB:
        raise Problem(f"Lambda takes {MAX_MB} MB: remove a package from pyproject.toml, then `make lock`")


def silent_sam() -> dict[str, str]:
    """Variables that keep SAM from sending telemetry and from looking for a newer version of itself."""
    folder = ROOT / ".parley" / "sam"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metadata.json").write_text(json.dumps({"lastVersionCheck": time.time()}))
    return {"SAM_CLI_TELEMETRY": "0", "__SAM_CLI_APP_DIR": str(folder)}


def _copy_function(name: str, folder: Path) -> None:
    # FollowUpFunction is functions/followup.
    source = FUNCTIONS / name.removesuffix("Function").lower()
    if not source.is_dir():
        raise Problem(f"{name} of template.yaml: there is no folder functions/{source.name} to build it from")
    # The stream function has the chat function's agent, but its own entry point.
    sources = [FUNCTIONS / "chat", source] if source.name == "stream" else [source]
    for each in sources:
        shutil.copytree(each, folder, ignore=NOT_COPIED, dirs_exist_ok=True)


def _dependencies(target: Target) -> Path:
    """The folder of the dependencies' layer, built if it is not kept already."""
    kept = KEPT / f"{target}-{_digest(target)[:16]}"
    with one_at_a_time(KEPT / f"{target}.lock"):
        if not kept.exists():
            unfinished = KEPT / f"unfinished-{target}"
            _remove(unfinished)
            _install(unfinished / "python", target)
            with step(f"Byte code for Python {target.python}"):
                _compile(unfinished / "python", "/opt/python", target)
            unfinished.rename(kept)
        kept.touch()
        for folder in KEPT.glob(f"{target}-*"):
            if folder.stat().st_mtime < time.time() - KEPT_FOR_S:
                _remove(folder)
    return kept


def _digest(target: Target) -> str:
    """A digest of all that goes into the dependencies' layer."""
    rules = (GLIBC, NOT_RUN, READ_OF_METADATA, inspect.getsource(_install), inspect.getsource(_compile))
    # Byte code is the same for all patch versions of Python.
    byte_code = "byte code" if find_python(target.python) else "no byte code"
    made_of = [str(target), *_requirements(), byte_code, *map(str, rules)]
    return hashlib.sha256("\n".join(made_of).encode()).hexdigest()


def _layers_digest(target: Target) -> str:
    """A digest of all that goes into both layers."""
    digest = hashlib.sha256(_digest(target).encode())
    for file in sorted(PACKAGE.rglob("*")):
        if file.is_file() and file.parent.name != "__pycache__":
            digest.update(f"\n{file.relative_to(PACKAGE)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def _requirements() -> list[str]:
    lines = REQUIREMENTS.read_text().splitlines()
    return [line for line in lines if line.partition("==")[0] not in IN_THE_RUNTIME]


def _install(folder: Path, target: Target) -> None:
    folder.mkdir(parents=True)
    listed = folder.parent / "requirements.txt"
    listed.write_text("\n".join(_requirements()))
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-compile", "--only-binary=:all:", f"--target={folder}", f"--requirement={listed}"]
    if target.architecture is not None:
        command += ["--implementation", "cp", "--python-version", target.python]
        command += [f"--platform={name}_{MACHINES[target.architecture]}" for name in GLIBC]
    with step(f"Packages for {target}, the first time half a minute"):
        run(command, cwd=ROOT)
    listed.unlink()
    for pattern in NOT_RUN:
        for path in list(folder.glob(pattern)):
            _remove(path)
    for path in folder.glob("*.dist-info/*"):
        if path.name not in READ_OF_METADATA:
            _remove(path)


def _compile(folder: Path, runs_in: str, target: Target) -> None:
    """Add byte code that Python uses without checking the source's date, which a zip file changes."""
    python = find_python(target.python)
    if python is not None:
        command = [python, "-P", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
        run([*command, "-d", runs_in, "."], cwd=folder)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1_048_576


if __name__ == "__main__":
    sys.exit(exit_code(main))
