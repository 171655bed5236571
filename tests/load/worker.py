"""A design in a process of its own, so that the CPU time of that process is the design's and nobody else's.

python -m tests.load.worker DESIGN takes one JSON line a call on its standard input and answers with one.
"""

import importlib
import json
import os
import subprocess
import sys
import time
from types import TracebackType
from typing import Any, Self


class Worker:
    """The starter's end: `worker.call("turn", …)` is a method of the design, with what it cost."""

    def __init__(self, design: str, **options: Any) -> None:
        self.design = design
        command = [sys.executable, "-m", "tests.load.worker", design, json.dumps(options)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def call(self, method: str, *arguments: Any) -> dict[str, Any]:
        self.begin(method, *arguments)
        return self.result()

    def begin(self, method: str, *arguments: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps([method, arguments]) + "\n")

    def result(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.design}: the process has ended")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()


def main() -> None:
    # What a library prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    name, options = sys.argv[1:]
    design = importlib.import_module(f"tests.load.designs.{name}").Design(**json.loads(options))
    for line in sys.stdin:
        method, arguments = json.loads(line)
        wall, cpu = time.perf_counter(), time.process_time()
        result = getattr(design, method)(*arguments)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        answers.write(json.dumps({"cpu": cpu, "wall": wall, "result": result}) + "\n")
    # The design's event loop, pools and servers are not worth an orderly end.
    os._exit(0)


if __name__ == "__main__":
    main()
