"""Runs one design in its own process, so that the CPU time of that process is the design's alone.

`python -m tests.load.worker DESIGN OPTIONS` reads one JSON line per call and answers with one.
"""

import importlib
import json
import os
import subprocess
import sys
import time
from typing import Any, Self


class Worker:
    """The parent's side: `worker.call("turn", …)` calls a method of the design and returns what it cost."""

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

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()


def main() -> None:
    # Anything that a library prints goes to stderr, so that it cannot mix with the answers.
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
    # Skip the orderly end of the design's event loop, pools and servers.
    os._exit(0)


if __name__ == "__main__":
    main()
