"""One process of several that run schedules side by side. Reads its task as JSON, writes a report a line."""

import asyncio
import json
import logging
import sys
from dataclasses import asdict

from tests.crash.harness import Report, run_schedules


def _report(report: Report) -> None:
    print(json.dumps(asdict(report)), flush=True)


def main() -> None:
    # Which says of every connection that a killed worker leaves behind that it is gone.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    task = json.loads(sys.stdin.readline())
    seeds = range(task["first"], task["end"], task["step"])
    urls = (task["owner_url"], task["app_url"], task["neon_port"])
    asyncio.run(run_schedules(*urls, seeds, _report))


if __name__ == "__main__":
    main()
