"""A built function in a process of its own, as Lambda starts it: nothing but the artefact on its path.

Run as a script it is that process. It imports the function's `app.py`, then takes one event a line on its
standard input, and answers each line, and the start, with what it cost.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

# What the runtime has beside Python.
RUNTIME_PACKAGES = ("boto3", "botocore", "jmespath", "s3transfer", "snapshot_restore_py")


@dataclass(frozen=True)
class Cost:
    """`cpu` in seconds, `rss_mb` the most so far, `imported` the modules that were not there before."""

    cpu: float
    rss_mb: float
    imported: list[str]
    logged: list[str]
    reply: Any


class Function:
    """`with Function(build, "ChatFunction", settings) as chat: chat.invoke(event)`

    `first`: Python statements to run, and to count, before the function is imported.
    """

    def __init__(
        self,
        build: Path,
        name: str,
        settings: Mapping[str, str],
        *,
        python: str = sys.executable,
        first: str = "",
    ) -> None:
        folders = (build / name, build / "DependenciesLayer/python", build / "ParleyLayer/python")
        path = os.pathsep.join(map(str, (*folders, _runtime(build))))
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": path,
            # /opt and /var/task can only be read.
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_LAMBDA_FUNCTION_NAME": name,
            **settings,
        }
        # Without site-packages; -P keeps this script's own folder off the path.
        self._process = subprocess.Popen(
            [python, "-S", "-P", str(Path(__file__).resolve()), first],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=environment,
            cwd=build / name,
        )
        self.start = self._answer()

    def invoke(self, event: dict[str, Any]) -> Cost:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(event) + "\n")
        return self._answer()

    def _answer(self) -> Cost:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the function ended with {self._process.wait()}")
        return Cost(**json.loads(line))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _runtime(build: Path) -> Path:
    """A folder with RUNTIME_PACKAGES, as they are installed here, and nothing else."""
    folder = build / "runtime"
    folder.mkdir(exist_ok=True)
    for package in RUNTIME_PACKAGES:
        spec = importlib.util.find_spec(package)
        assert spec
        assert spec.origin
        origin = Path(spec.origin)
        there = origin.parent if origin.name == "__init__.py" else origin
        link = folder / there.name
        if not link.exists():
            link.symlink_to(there)
    return folder


class _Context:
    """The part of the runtime's context that a handler may ask."""

    memory_limit_in_mb = 1769
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:parley"
    aws_request_id = "8e1b9a6e-0000-4000-8000-000000000000"
    function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 29_000


def _highest_rss_mb() -> float:
    # Not ru_maxrss, which a process inherits from the one that started it.
    status = Path("/proc/self/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) / 1024


def _main() -> None:
    # Neither metrics nor the log may come between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    descriptor, name = tempfile.mkstemp()
    errors = os.dup(2)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    log = Path(name).open()  # noqa: SIM115 (as long as the process)
    Path(name).unlink()

    def answer(cpu: float, before: set[str], reply: Any) -> None:
        sys.stdout.flush()
        report = {
            "cpu": cpu,
            "rss_mb": _highest_rss_mb(),
            "imported": sorted(sys.modules.keys() - before),
            "logged": log.read().splitlines(),
            "reply": reply,
        }
        answers.write(json.dumps(report) + "\n")

    before, started = set(sys.modules), time.process_time()
    try:
        exec(sys.argv[1])
        app = importlib.import_module("app")
    except BaseException:
        os.dup2(errors, 2)
        raise

    answer(time.process_time() - started, before, None)
    for line in sys.stdin:
        event = json.loads(line)
        before, started = set(sys.modules), time.process_time()
        reply = app.handler(event, _Context)
        answer(time.process_time() - started, before, reply)
    # Pools and event loops are not worth an orderly end.
    os._exit(0)


if __name__ == "__main__":
    _main()
