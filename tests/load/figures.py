"""The figures and how each is measured. Counts are medians, times are minima of interleaved runs."""

import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.load.client import Client
from tests.load.conversations import INSTRUCTIONS, QUESTION
from tests.load.processes import BARE, OURS, PEERS, SMALL, Cost, DesignProcess, Designs, ours_and_peers
from tests.load.rig import Rig
from tests.load.table import Row

SHORT, LONG = 10, 10_000
TOOL_CALLS = 4
MODEL_DELAY_S = 1.0
# Long compared with the delays of a busy machine.
DELAYS_S = (0.0, 0.05, 0.1)


def median(values: list[float]) -> float:
    return statistics.median(values)


def interleaved(
    designs: list[DesignProcess], runs: int, measure: Callable[[DesignProcess], Cost]
) -> dict[str, list[Cost]]:
    """Measure the designs in turn, `runs` times, so that what disturbs the machine disturbs all alike."""
    costs: dict[str, list[Cost]] = {design.name: [] for design in designs}
    for _ in range(runs):
        for design in designs:
            costs[design.name].append(measure(design))
    return costs


def statements_and_round_trips(designs: Designs, runs: int) -> list[Row]:
    def costs(text: str) -> dict[str, list[Cost]]:
        return interleaved(ours_and_peers(designs), runs, lambda design: design.fresh_turn(SHORT, text))

    plain, tools = costs(QUESTION), costs(_with_tools(TOOL_CALLS))
    shown, more, data = {}, {}, {}
    for name in plain:
        statements = median([cost.statements for cost in plain[name]])
        trips = median([cost.round_trips for cost in plain[name]])
        added = median([cost.round_trips for cost in tools[name]]) - trips
        settings = median([cost.executed["setting"] for cost in plain[name]])
        shown[name], more[name] = f"{statements:g} / {trips:g}", f"+{added:g}"
        data[name] = {
            "statements": statements,
            "round_trips": trips,
            "settings": settings,
            "round_trips_added_by_tools": added,
        }
    exact = all(cost.statements == cost.round_trips == 2 for cost in plain[OURS])
    none_added = all(cost.statements == cost.round_trips == 2 for cost in tools[OURS])
    return [
        _row("P1", "SQL statements / round trips of a warm turn", "2 / 2", shown, exact, data),
        _row("P1", f"round trips that {TOOL_CALLS} tool calls add", "+0", more, none_added),
    ]


def connections_held(designs: Designs, rig: Rig, runs: int) -> list[Row]:
    held = {}
    for design in ours_and_peers(designs):
        seen = []
        for _ in range(runs):
            conversation = design.seeded(SHORT)
            rig.model.forget()
            design.worker.begin("turn", conversation, f"[offline: slow={MODEL_DELAY_S}] {QUESTION}")
            _wait_for_model(rig)
            time.sleep(MODEL_DELAY_S / 3)
            seen.append(rig.busy_connections(design.database))
            design.worker.result()
        held[design.name] = max(seen)
    shown = {name: str(count) for name, count in held.items()}
    return [_row("P2", "database connections held while the model works", "0", shown, held[OURS] == 0, held)]


def growth(designs: Designs, runs: int) -> list[Row]:
    """Wire bytes and CPU of a turn, in a conversation of 10,000 messages against one of 10."""
    measured = [designs[SMALL], designs[OURS], *(designs[name] for name in PEERS)]
    size, cpu = {}, {}
    for design, costs in _short_and_long(measured, runs).items():
        size[design] = median([c.wire_bytes for c in costs[LONG]]) / median(
            [c.wire_bytes for c in costs[SHORT]]
        )
        cpu[design] = min(c.cpu for c in costs[LONG]) / min(c.cpu for c in costs[SHORT])
    default_size, default_cpu = size.pop(OURS), cpu.pop(OURS)
    size[OURS], cpu[OURS] = size.pop(SMALL), cpu.pop(SMALL)
    return [
        _row("P3", "wire bytes, 10 to 10,000 messages", "≤ 1.10×", _times(size), size[OURS] <= 1.10, size),
        _row("P3", "CPU, 10 to 10,000 messages", "≤ 1.15×", _times(cpu), cpu[OURS] <= 1.15, cpu),
        Row(
            "P3", "the same with the default HISTORY_TOKENS", "", f"{default_size:.2f}× / {default_cpu:.2f}×"
        ),
    ]


def _short_and_long(measured: list[DesignProcess], runs: int) -> dict[str, dict[int, list[Cost]]]:
    """The same number of turns in short and in long conversations, taking turns at going first.

    Everything is seeded beforehand. Seeding 10,000 messages leaves a process with cold caches, which the
    next turn would pay for; and a minimum of more runs is a lower minimum.
    """
    conversations: dict[str, list[tuple[str, str]]] = {}
    for design in measured:
        short = [design.seeded(SHORT) for _ in range(_turns(design, runs))]
        # A peer uses one long conversation: its turns take seconds, and two messages more change nothing.
        fresh = design.name in (OURS, SMALL)
        long = [design.seeded(LONG) for _ in short] if fresh else [design.seeded(LONG)] * len(short)
        conversations[design.name] = list(zip(short, long, strict=True))
    costs: dict[str, dict[int, list[Cost]]] = {design.name: {SHORT: [], LONG: []} for design in measured}
    for design in measured:
        design.fresh_turn(SHORT)
    for run in range(runs):
        for design in measured:
            if run >= len(conversations[design.name]):
                continue
            pair = list(zip((SHORT, LONG), conversations[design.name][run], strict=True))
            for count, conversation in pair if run % 2 else reversed(pair):
                costs[design.name][count].append(design.measure("turn", conversation, QUESTION))
                design.rig.model.forget()
    return costs


def _turns(design: DesignProcess, runs: int) -> int:
    return runs if design.name in (OURS, SMALL) else min(runs, 4)


def cpu_against_bare(designs: Designs, runs: int) -> list[Row]:
    """The answer has about 40 words. We read it as a stream, because a broken-off answer has to be kept."""
    rows = []
    for count in (2, 50):
        plain: dict[str, list[float]] = {
            design.name: [] for design in [designs[BARE], *ours_and_peers(designs)]
        }
        streamed = []
        for _ in range(runs):
            for name, values in plain.items():
                values.append(designs[name].fresh_turn(count).cpu)
            streamed.append(designs[BARE].fresh_turn(count, method="streamed_turn").cpu)
        least = {name: min(values) for name, values in plain.items()}
        bare = least.pop(BARE)
        ratios = {name: value / bare for name, value in least.items()}
        against_streamed = least[OURS] / min(streamed)
        data = ratios | {"against_run_streamed": against_streamed, "bare_ms": bare * 1000}
        figure = f"CPU against bare Runner.run, {count} messages before"
        rows += [
            _row("P6", figure, "≤ 1.6×", _times(ratios), ratios[OURS] <= 1.6, data),
            Row("P6", "… against bare Runner.run_streamed", "", f"{against_streamed:.2f}×"),
        ]
    return rows


def wall_time(designs: Designs, rig: Rig, runs: int) -> list[Row]:
    """The slope of a turn's wall time over the injected delay of a round trip."""
    least: dict[str, dict[float, float]] = {design.name: {} for design in ours_and_peers(designs)}
    for _ in range(runs):
        for delay in DELAYS_S:
            for design in ours_and_peers(designs):
                conversation = design.seeded(SHORT)
                rig.proxy.delay_s = delay
                wall = design.measure("turn", conversation, QUESTION).wall
                rig.proxy.delay_s = 0
                least[design.name][delay] = min(wall, least[design.name].get(delay, wall))
    slopes = {
        name: statistics.linear_regression(list(walls), list(walls.values())).slope
        for name, walls in least.items()
    }
    shown = {name: f"base + {slope:.1f}d" for name, slope in slopes.items()}
    met = abs(slopes[OURS] - 2) <= 0.3
    return [_row("P7", "wall time with d added to each round trip", "base + 2d", shown, met, slopes)]


def first_token(client: Client, rig: Rig, design: DesignProcess, runs: int) -> list[Row]:
    """How long after the model's first token the client gets it, over HTTP under uvicorn."""
    delay = 0.3
    late = []
    for _ in range(runs):
        conversation = design.seeded(SHORT)
        rig.model.forget()
        seen = client.first_token_at(conversation, f"[offline: slow={delay}] {QUESTION}")
        requested_at = rig.model.log()[0]["at"]
        late.append((seen - requested_at - delay) * 1000)
    value = median(late)
    met = value <= 50
    return [Row("P7", "first token after the model's", "≤ 50 ms", f"{value:.0f} ms", met, data={"ms": late})]


def new_connection(designs: Designs, runs: int) -> list[Row]:
    """An engine's first connection, without the cost of the statement that opened it."""
    trips, probes, cpu = {}, {}, {}
    for design in ours_and_peers(designs):
        first, again = [], []
        for _ in range(runs):
            design.worker.call("engine")
            first.append(design.measure("connect"))
            again.append(design.measure("connect"))
            design.worker.call("disconnect")
        name = design.name
        trips[name] = median([c.round_trips for c in first]) - median([c.round_trips for c in again])
        executed = (median([sum(c.executed.values()) for c in costs]) for costs in (first, again))
        probes[name] = next(executed) - next(executed)
        cpu[name] = (min(c.cpu for c in first) - min(c.cpu for c in again)) * 1000
    times = {name: f"{value:.1f} ms" for name, value in cpu.items()}
    figure = "a new connection: round trips, without TLS"
    return [
        _row("P8", figure, "≤ 4", _plain(trips), trips[OURS] <= 4, trips),
        _row("P8", "… statements that the dialect asks", "0", _plain(probes), probes[OURS] == 0, probes),
        _row("P8", "… CPU", "≤ 10 ms", times, cpu[OURS] <= 10, cpu),
    ]


def stable_prefix(designs: Designs, client: Client, served: DesignProcess, rig: Rig, turns: int) -> list[Row]:
    """The share of turns whose request begins with at least 0.9 of the request before it."""
    shares = {OURS: _prefix_share(rig, turns, served.seeded(2), client.say)}
    for name in PEERS:
        turn = partial(designs[name].worker.call, "turn")
        shares[name] = _prefix_share(rig, turns, designs[name].seeded(2), turn)
    shown = {name: f"{share:.1%}" for name, share in shares.items()}
    return [_row("P9", f"stable prefix over {turns} turns", "≥ 90 %", shown, shares[OURS] >= 0.9, shares)]


def _prefix_share(rig: Rig, turns: int, conversation: str, say: Callable[[str, str], Any]) -> float:
    stable, previous = 0, ""
    for number in range(turns + 1):
        rig.model.forget()
        say(conversation, f"On page {number:05}: {QUESTION}")
        # Follow-ups have instructions of their own.
        bodies = [request["body"] for request in rig.model.log()]
        [request] = [_wire(body) for body in bodies if body["instructions"] == INSTRUCTIONS]
        if previous:
            common = next(
                (at for at, (one, other) in enumerate(zip(request, previous, strict=False)) if one != other),
                min(len(request), len(previous)),
            )
            stable += common >= 0.9 * len(previous)
        previous = request
    return stable / turns


def _wire(body: dict[str, Any]) -> str:
    """The request in prompt order, without the closing bracket, which moves as the prompt grows."""
    return json.dumps([body.get("tools"), body["instructions"], *body["input"]])[:-1]


def _with_tools(calls: int) -> str:
    return " and ".join('use the tool page_count with {"book": "ledger"}' for _ in range(calls))


def _wait_for_model(rig: Rig) -> None:
    deadline = time.monotonic() + 30
    while not rig.model.log():
        if time.monotonic() > deadline:
            raise TimeoutError("the model was not asked")
        time.sleep(0.01)


def _times(values: dict[str, float]) -> dict[str, str]:
    return {name: f"{value:.2f}×" if value < 10 else f"{value:.0f}×" for name, value in values.items()}


def _plain(values: dict[str, float]) -> dict[str, str]:
    return {name: f"{value:g}" for name, value in values.items()}


def _row(
    identifier: str,
    figure: str,
    goal: str,
    shown: dict[str, str],
    met: bool | None,
    data: dict[str, Any] | None = None,
) -> Row:
    others = {name: value for name, value in shown.items() if name != OURS}
    return Row(identifier, figure, goal, shown[OURS], met, others, data or {})
