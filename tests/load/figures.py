"""The figures and how each is measured. Counts are medians, times are minima of interleaved runs."""

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from tests.load.cast import BARE, OURS, PEERS, SMALL, Actor, Cost, peers
from tests.load.client import Client
from tests.load.conversations import INSTRUCTIONS, QUESTION
from tests.load.stage import Stage
from tests.load.table import Row

Cast = dict[str, Actor]
SHORT, LONG = 10, 10_000
TOOL_CALLS = 4
MODEL_DELAY_S = 1.0
# Long against what a busy machine adds by itself.
DELAYS_S = (0.0, 0.05, 0.1)


def median(values: list[float]) -> float:
    return statistics.median(values)


def interleaved(actors: list[Actor], runs: int, measure: Callable[[Actor], Cost]) -> dict[str, list[Cost]]:
    """Everybody in turn, and again, so that what disturbs the machine disturbs all alike."""
    costs: dict[str, list[Cost]] = {actor.name: [] for actor in actors}
    for _ in range(runs):
        for actor in actors:
            costs[actor.name].append(measure(actor))
    return costs


def statements_and_round_trips(actors: Cast, runs: int) -> list[Row]:
    plain, tools = (
        interleaved(peers(actors), runs, lambda actor, text=text: actor.fresh_turn(SHORT, text))
        for text in (QUESTION, _with_tools(TOOL_CALLS))
    )
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


def connections_held(actors: Cast, stage: Stage, runs: int) -> list[Row]:
    held = {}
    for actor in peers(actors):
        seen = []
        for _ in range(runs):
            conversation = actor.seeded(SHORT)
            stage.model.forget()
            actor.worker.begin("turn", conversation, f"[offline: slow={MODEL_DELAY_S}] {QUESTION}")
            _wait_for_model(stage)
            time.sleep(MODEL_DELAY_S / 3)
            seen.append(stage.busy_connections(actor.database))
            actor.worker.result()
        held[actor.name] = max(seen)
    shown = {name: str(count) for name, count in held.items()}
    return [_row("P2", "database connections held while the model works", "0", shown, held[OURS] == 0, held)]


def growth(actors: Cast, runs: int) -> list[Row]:
    """Of wire bytes and CPU, from a conversation of 10 messages to one of 10,000."""
    measured = [actors[SMALL], actors[OURS], *(actors[name] for name in PEERS)]
    # A peer's turn in a long conversation takes seconds, and two messages more make no difference to it.
    long_ones = {actor.name: actor.seeded(LONG) for actor in measured}
    short: dict[str, list[Cost]] = {actor.name: [] for actor in measured}
    long: dict[str, list[Cost]] = {actor.name: [] for actor in measured}
    for run in range(runs):
        for actor in measured:
            mine = actor.name in (OURS, SMALL)
            if not mine and run >= 2:
                continue
            for _ in range(2):
                short[actor.name].append(actor.fresh_turn(SHORT))
            if mine:
                long[actor.name].append(actor.fresh_turn(LONG))
            else:
                long[actor.name].append(actor.measure("turn", long_ones[actor.name], QUESTION))
                actor.stage.model.forget()
    size, cpu = {}, {}
    for name in short:
        size[name] = median([c.wire_bytes for c in long[name]]) / median([c.wire_bytes for c in short[name]])
        cpu[name] = min(c.cpu for c in long[name]) / min(c.cpu for c in short[name])
    default_size, default_cpu = size.pop(OURS), cpu.pop(OURS)
    size[OURS], cpu[OURS] = size.pop(SMALL), cpu.pop(SMALL)
    return [
        _row("P3", "wire bytes, 10 to 10,000 messages", "≤ 1.10×", _times(size), size[OURS] <= 1.10, size),
        _row("P3", "CPU, 10 to 10,000 messages", "≤ 1.15×", _times(cpu), cpu[OURS] <= 1.15, cpu),
        Row(
            "P3", "the same with the default HISTORY_TOKENS", "", f"{default_size:.2f}× / {default_cpu:.2f}×"
        ),
    ]


def cpu_against_bare(actors: Cast, runs: int) -> list[Row]:
    """With an answer of about 40 words, which we read as a stream, because half of it has to be kept."""
    rows = []
    for count in (2, 50):
        plain: dict[str, list[float]] = {actor.name: [] for actor in [actors[BARE], *peers(actors)]}
        streamed = []
        for _ in range(runs):
            for name, values in plain.items():
                values.append(actors[name].fresh_turn(count).cpu)
            streamed.append(actors[BARE].fresh_turn(count, method="streamed_turn").cpu)
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


def wall_time(actors: Cast, stage: Stage, runs: int) -> list[Row]:
    """The slope of a turn's wall time over the injected delay of a round trip."""
    least: dict[str, dict[float, float]] = {actor.name: {} for actor in peers(actors)}
    for _ in range(runs):
        for delay in DELAYS_S:
            for actor in peers(actors):
                conversation = actor.seeded(SHORT)
                stage.proxy.delay_s = delay
                wall = actor.measure("turn", conversation, QUESTION).wall
                stage.proxy.delay_s = 0
                least[actor.name][delay] = min(wall, least[actor.name].get(delay, wall))
    slopes = {
        name: statistics.linear_regression(list(walls), list(walls.values())).slope
        for name, walls in least.items()
    }
    shown = {name: f"base + {slope:.1f}d" for name, slope in slopes.items()}
    met = abs(slopes[OURS] - 2) <= 0.3
    return [_row("P7", "wall time with d added to each round trip", "base + 2d", shown, met, slopes)]


def first_token(client: Client, stage: Stage, actor: Actor, runs: int) -> list[Row]:
    """How long after the model's first token ours is with the client, over HTTP under uvicorn."""
    delay = 0.3
    late = []
    for _ in range(runs):
        conversation = actor.seeded(SHORT)
        stage.model.forget()
        seen = client.first_token_at(conversation, f"[offline: slow={delay}] {QUESTION}")
        asked = stage.model.log()[0]["at"]
        late.append((seen - asked - delay) * 1000)
    value = median(late)
    met = value <= 50
    return [Row("P7", "first token after the model's", "≤ 50 ms", f"{value:.0f} ms", met, data={"ms": late})]


def new_connection(actors: Cast, runs: int) -> list[Row]:
    """The first connection of an engine, apart from the statement that asked for it."""
    trips, probes, cpu = {}, {}, {}
    for actor in peers(actors):
        first, again = [], []
        for _ in range(runs):
            actor.worker.call("engine")
            first.append(actor.measure("connect"))
            again.append(actor.measure("connect"))
            actor.worker.call("disconnect")
        name = actor.name
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


def stable_prefix(actors: Cast, client: Client, served: Actor, stage: Stage, turns: int) -> list[Row]:
    """The share of turns whose request begins with at least 0.9 of the request before it."""
    shares = {OURS: _prefix_share(stage, turns, served.seeded(2), client.say)}
    for name in PEERS:
        worker = actors[name].worker
        shares[name] = _prefix_share(
            stage, turns, actors[name].seeded(2), lambda where, text, w=worker: w.call("turn", where, text)
        )
    shown = {name: f"{share:.1%}" for name, share in shares.items()}
    return [_row("P9", f"stable prefix over {turns} turns", "≥ 90 %", shown, shares[OURS] >= 0.9, shares)]


def _prefix_share(stage: Stage, turns: int, conversation: str, say: Callable[[str, str], Any]) -> float:
    stable, previous = 0, ""
    for number in range(turns + 1):
        stage.model.forget()
        say(conversation, f"On page {number:05}: {QUESTION}")
        # Follow-ups have instructions of their own.
        bodies = [asked["body"] for asked in stage.model.log()]
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
    """In the order in which a prompt is made of it, without the brackets that a longer one has elsewhere."""
    return json.dumps([body.get("tools"), body["instructions"], *body["input"]])[:-1]


def _with_tools(calls: int) -> str:
    return " and ".join('use the tool page_count with {"book": "ledger"}' for _ in range(calls))


def _wait_for_model(stage: Stage) -> None:
    deadline = time.monotonic() + 30
    while not stage.model.log():
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
