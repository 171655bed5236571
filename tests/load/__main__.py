"""The bench: what a turn costs, compared with the goals and with other designs. See --help."""

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
from tests.load import cold_start, figures, search, transports
from tests.load.chart import chart
from tests.load.processes import SMALL_WINDOW, start_designs, start_served
from tests.load.rig import start_rig
from tests.load.table import Row, as_data, as_text

DOCS = Path(__file__).parents[2] / "docs"
# Figures of the built functions. They need none of the designs.
COLD = {"P4", "P5", "P11"}
PACKAGES = (
    "openai-agents",
    "openai",
    "langgraph-checkpoint-postgres",
    "sqlmodel",
    "pg8000",
    "openai-chatkit",
)
# Above this 1-minute load average per core the figures say more about the machine than about the code.
MAX_LOAD_PER_CORE = 0.5


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="Measure a turn and compare it with its goals and with other designs, all on one "
        "PostgreSQL and one offline model. Writes docs/bench.txt, docs/bench.json and docs/bench.svg, and "
        "therefore runs on an idle machine only. Exits with 1 if a goal is missed.",
    )
    parser.add_argument("--quick", action="store_true", help="fewer runs, and nothing is written")
    parser.add_argument("--no-fail", action="store_true", help="exit with 0 even if a goal is missed")
    parser.add_argument("--only", metavar="P1,P3", help="only these figures, and nothing is written")
    options = parser.parse_args()
    only = set(options.only.split(",")) if options.only else None
    writes = not options.quick and only is None
    started, load, cores = time.monotonic(), os.getloadavg()[0], os.cpu_count() or 1
    if writes and load > MAX_LOAD_PER_CORE * cores:
        print(
            f"The load average is {load:.1f} on {cores} cores, above {MAX_LOAD_PER_CORE} a core: "
            "docs/bench.* would hold the figures of a busy machine. Wait until `uptime` shows less and run "
            "it again, or measure without writing: make bench ARGS=--quick",
            file=sys.stderr,
        )
        return 1
    rows = measure(quick=options.quick, only=only)
    notes = _notes(load, time.monotonic() - started)
    text = as_text(rows, notes)
    print(f"\n{text}")
    if writes:
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
            rig = stack.enter_context(start_rig(folder))
        if only is None or only & COLD:
            built = cold_start.build_functions(folder, rig)
        figure("P4", "imports of the built functions", lambda: cold_start.imports(built, runs(5)))
        figure("P5", "the first turn", lambda: cold_start.first_turn(built, rig, runs(5)))
        figure("P11", "size", lambda: cold_start.size(built, rig))
        figure("P12", "TCP and HTTP", lambda: transports.compare(folder / "transports", rig, runs(6)))
        figure("P13", "search", lambda: search.measure(rig.postgres, runs(6)))
        if only is not None and only <= COLD | {"P12", "P13"}:
            return rows
        with step("every design in its own process, warmed up"):
            designs = stack.enter_context(start_designs(rig))
            served, client = stack.enter_context(start_served(rig))
        figure(
            "P1", "statements and round trips", lambda: figures.statements_and_round_trips(designs, runs(9))
        )
        figure("P2", "connections held", lambda: figures.connections_held(designs, rig, runs(3)))
        figure("P3", "growth", lambda: figures.growth(designs, runs(12)))
        figure("P6", "CPU against bare Runner.run", lambda: figures.cpu_against_bare(designs, runs(24)))
        figure("P7", "wall time", lambda: figures.wall_time(designs, rig, runs(6)))
        figure("P7", "first token", lambda: figures.first_token(client, rig, served, runs(9)))
        figure("P8", "a new connection", lambda: figures.new_connection(designs, runs(12)))
        figure("P9", "stable prefix", lambda: figures.stable_prefix(designs, client, served, rig, runs(200)))
    return rows


def _notes(load: float, seconds: float) -> list[str]:
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return [
        "Parley is measured as its whole Lambda handler: a gateway event goes through Mangum and the app,",
        "and its token is verified. First token and P9 are measured over HTTP under uvicorn. The peers are",
        "called as functions, without HTTP, sign-in, quotas or idempotency.",
        "P1 counts executions in PostgreSQL's protocol, BEGIN and COMMIT included. Each of our statements",
        "also sends the setting that row-level security reads: 2 set_config() more in the same round trips.",
        f"P3 runs with HISTORY_TOKENS={SMALL_WINDOW}, which 10 messages fill. Both conversations are as",
        "follow-ups leave them: a summary and the newest turns, the same four messages, so both requests",
        "have the same size. All are seeded before the first is measured, short and long take turns at",
        "going first, and there are as many of each. With the default of 8,000 tokens, 10 messages are sent",
        "whole; a window grows to 4,000 to 8,000 tokens, no more.",
        "P12 is Parley alone, over TLS 1.3: TCP with SCRAM through PgBouncer, HTTP through a stand-in for",
        "Neon's proxy. Its CPU is that of the client's thread.",
        "P13 is the execution time of search_conversations() in PostgreSQL for a page of 20: words in every",
        "message down to words in none, beginnings of words, phrases, Japanese (tests/load/search.py).",
        "CPU is the process time of the design's own process, the minimum of interleaved runs. The model,",
        "PostgreSQL and the proxy are other processes. ChatKit keeps a window of 20 items.",
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load average {load:.1f} at the start.",
        f"{versions}.",
        f"Took {seconds / 60:.1f} minutes.",
    ]


if __name__ == "__main__":
    sys.exit(main())
