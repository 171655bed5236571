"""Many schedules on one PostgreSQL, in several processes at once."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

from local.postgres import Postgres
from parley import migrate
from tests.crash import LAYER, ROOT
from tests.crash.harness import Report
from tests.neon import serve_apart


def run(first: int, count: int, jobs: int, *, http: bool = False) -> Iterator[Report]:
    """The reports of `count` schedules from seed `first` on, as they come. `http`: through a Neon of ours."""
    with tempfile.TemporaryDirectory() as folder, Postgres.start(Path(folder), durable=False) as server:
        migrate.upgrade(server.owner_url, server.app_url)
        reports: Queue[Report | None] = Queue()
        with contextlib.ExitStack() as stack:
            neon_port = (
                stack.enter_context(serve_apart(Path(folder) / "neon", server.app_url)) if http else None
            )
            for number in range(jobs):
                task: dict[str, object] = {
                    "owner_url": server.owner_url,
                    "app_url": server.app_url,
                    "neon_port": neon_port,
                    "first": first + number,
                    "end": first + count,
                    "step": jobs,
                }
                stack.enter_context(_job(task, reports))
            left = jobs
            while left:
                report = reports.get()
                if report is None:
                    left -= 1
                else:
                    yield report


@contextlib.contextmanager
def _job(task: dict[str, object], reports: "Queue[Report | None]") -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.job"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(LAYER)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(task) + "\n")
    process.stdin.flush()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            reports.put(Report(**json.loads(line)))
        reports.put(None)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdin.close()
        process.stdout.close()
