"""Run crash schedules, or one of them again."""

import argparse
import sys
import time

from tests.crash import parallel

PROGRESS_EVERY = 500


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="how many schedules (default: 10000)")
    parser.add_argument("--first", type=int, default=0, help="the seed of the first one (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, help="how many run at once (default: 2)")
    parser.add_argument("--seed", type=int, help="run this one alone, and print what happens")
    parser.add_argument("--http", action="store_true", help="reach the database over HTTP, as at Neon")
    options = parser.parse_args()
    if options.seed is not None:
        (report,) = parallel.run(options.seed, 1, 1, http=options.http)
        print(report)
        return 1 if report.problem else 0
    return 0 if _run_all(options.first, options.count, options.jobs, options.http) else 1


def _run_all(first: int, count: int, jobs: int, http: bool) -> bool:
    """True when everything held in every schedule, and every one was run."""
    done = struck = failed = 0
    started = time.monotonic()
    for report in parallel.run(first, count, jobs, http=http):
        done += 1
        struck += report.struck
        if report.problem:
            failed += 1
            print(report, flush=True)
        if done % PROGRESS_EVERY == 0 or done == count:
            rate = done / (time.monotonic() - started)
            print(
                f"{done} schedules, {struck} crashes, {failed} failed, {rate:.1f} a second",
                flush=True,
            )
    return done == count and not failed


if __name__ == "__main__":
    sys.exit(main())
