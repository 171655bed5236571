"""The bench: what a turn costs, beside the goals and beside the peers. See --help."""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

from local.progress import step
from tests.load import cold, figures
from tests.load.cast import SMALL_WINDOW, cast, served
from tests.load.chart import chart
from tests.load.stage import stage
from tests.load.table import Row, as_data, as_text

DOCS = Path(__file__).parents[2] / "docs"
# Figures of the built functions, which need no design.
COLD = {"P4", "P5", "P11"}
PACKAGES = (
    "openai-agents",
    "openai",
    "langgraph-checkpoint-postgres",
    "sqlmodel",
    "pg8000",
    "openai-chatkit",
)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="Measure a turn beside its goals and beside the peers, all on one PostgreSQL and one "
        "offline model. Writes docs/bench.txt, docs/bench.json and docs/bench.svg. Exits with 1 if a goal "
        "is missed.",
    )
    parser.add_argument("--quick", action="store_true", help="fewer runs, and nothing is written")
    parser.add_argument("--no-fail", action="store_true", help="exit with 0 even if a goal is missed")
    parser.add_argument("--only", metavar="P1,P3", help="only these figures, and nothing is written")
    options = parser.parse_args()
    only = set(options.only.split(",")) if options.only else None
    started, load = time.monotonic(), os.getloadavg()[0]
    rows = measure(quick=options.quick, only=only)
    notes = _notes(load, time.monotonic() - started)
    text = as_text(rows, notes)
    print(f"\n{text}")
    if not options.quick and only is None:
        (DOCS / "bench.txt").write_text(text)
        (DOCS / "bench.json").write_text(json.dumps(as_data(rows, notes), indent=1) + "\n")
        (DOCS / "bench.svg").write_text(chart(rows))
        print("Written: docs/bench.txt, docs/bench.json, docs/bench.svg")
    missed = sum(row.met is False for row in rows)
    print(f"Goals missed: {missed}" if missed else "All goals met.")
    return 1 if missed and not options.no_fail else 0


def measure(*, quick: bool, only: set[str] | None) -> list[Row]:
    rows: list[Row] = []

    def figure(identifier: str, name: str, make: Callable[[], list[Row]]) -> None:
        if only is None or identifier in only:
            with step(f"{identifier}: {name}"):
                rows.extend(make())

    def runs(usual: int) -> int:
        return max(1, usual // 3) if quick else usual

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="parley-bench-")))
        folder.chmod(0o755)  # PostgreSQL runs as nobody where this runs as root
        with step("PostgreSQL, the offline model, an issuer"):
            there = stack.enter_context(stage(folder))
        if only is None or only & COLD:
            built = cold.artefact(folder, there)
        figure("P4", "imports of the built functions", lambda: cold.imports(built, runs(5)))
        figure("P5", "the first turn", lambda: cold.first_turn(built, there, runs(5)))
        figure("P11", "size", lambda: cold.size(built, there))
        if only is not None and only <= COLD:
            return rows
        with step("every design in a process of its own, warmed up"):
            actors = stack.enter_context(cast(there))
            server, client = stack.enter_context(served(there))
        figure(
            "P1", "statements and round trips", lambda: figures.statements_and_round_trips(actors, runs(9))
        )
        figure("P2", "connections held", lambda: figures.connections_held(actors, there, runs(3)))
        figure("P3", "growth", lambda: figures.growth(actors, runs(9)))
        figure("P6", "CPU against bare Runner.run", lambda: figures.cpu_against_bare(actors, runs(24)))
        figure("P7", "wall time", lambda: figures.wall_time(actors, there, runs(6)))
        figure("P7", "first token", lambda: figures.first_token(client, there, server, runs(9)))
        figure("P8", "a new connection", lambda: figures.new_connection(actors, runs(12)))
        figure("P9", "stable prefix", lambda: figures.stable_prefix(actors, client, server, there, runs(200)))
    return rows


def _notes(load: float, seconds: float) -> list[str]:
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return [
        "Parley is its whole Lambda handler: a gateway event through Mangum, the app and back, with its",
        "token verified; first token and P9 are taken over HTTP under uvicorn. The peers are called as",
        "functions, with no HTTP, no sign-in, no quota and no idempotency around them.",
        "P1: executions in PostgreSQL's protocol, BEGIN and COMMIT included. Each of ours carries the",
        "setting that row-level security reads in its flush, so 2 set_config() more run in the same 2 trips.",
        f"P3: HISTORY_TOKENS={SMALL_WINDOW}, which 10 messages fill already: both conversations are in the",
        "state that follow-ups leave behind: a summary, and the newest turns. With the default of 8,000, 10",
        "messages are sent whole and grow to a window of 4,000 to 8,000 tokens, and no further.",
        "CPU is process time of the design's own process, minima of interleaved runs; the model, PostgreSQL",
        "and the proxy are other processes. ChatKit keeps a window of 20 items.",
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f} before.",
        f"{versions}.",
        f"Took {seconds / 60:.1f} minutes.",
    ]


if __name__ == "__main__":
    sys.exit(main())
