"""The results: a table whose rows compare one of our figures with its goal and with the peers' figures."""

from dataclasses import asdict, dataclass, field
from typing import Any

from tests.load.processes import PEERS


@dataclass
class Row:
    """`met` is None where the figure has no goal. Values are as shown; `data` has them as numbers."""

    id: str
    figure: str
    goal: str
    ours: str
    met: bool | None = None
    peers: dict[str, str] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)


def as_text(rows: list[Row], notes: list[str]) -> str:
    header = ["", "figure", "goal", "Parley", "", *PEERS]
    lines = [header]
    for row in rows:
        verdict = {True: "met", False: "MISSED", None: ""}[row.met]
        others = [row.peers.get(name, "") for name in PEERS]
        lines.append([row.id, row.figure, row.goal, row.ours, verdict, *others])
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    shown.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*(line.rstrip() for line in shown), "", *notes, ""])


def as_data(rows: list[Row], notes: list[str]) -> dict[str, Any]:
    return {"rows": [asdict(row) for row in rows], "notes": notes}
