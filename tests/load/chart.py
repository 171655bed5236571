"""The chart for the README: round trips of a turn, and how much more a long conversation costs."""

import math
from dataclasses import dataclass
from xml.sax.saxutils import escape

from tests.load.processes import OURS, PEERS
from tests.load.table import Row

WIDTH, PANEL, LABELS, BAR, GAP, TOP = 900, 430, 144, 20, 12, 72
# The length of the longest bar, which leaves room for its figures.
FULL = PANEL - LABELS - 120

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 14px } .note { fill: #59636e; font-size: 12px }
  .bar { fill: #a9b4c0 } .ours { fill: #0a6e5c } .own { font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .note { fill: #9aa4af } .bar { fill: #57616d } .ours { fill: #3fc1a6 }
  }
"""


@dataclass
class Bar:
    name: str
    value: float
    shown: str


def chart(rows: list[Row]) -> str:
    trips = next(row for row in rows if row.id == "P1" and row.data)
    size, cpu = (next(row for row in rows if row.figure.startswith(name)) for name in ("wire", "CPU, 10 "))
    left = [
        _bar(name, trips.data[name]["round_trips"], f"{trips.data[name]['round_trips']:g}")
        for name in (OURS, *PEERS)
    ]
    right = [
        _bar(name, max(size.data[name], cpu.data[name]), _factors(size.data[name], cpu.data[name]))
        for name in (OURS, *PEERS)
    ]
    height = TOP + len(left) * (BAR + GAP) + 8
    described = "; ".join(
        f"{one.name} {one.shown}, grows {other.shown}" for one, other in zip(left, right, strict=True)
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
            'aria-labelledby="bench-title bench-text">',
            '<title id="bench-title">What a turn costs the database, by design</title>',
            f'<desc id="bench-text">Round trips of one turn, and growth of bytes and CPU from 10 to 10,000 '
            f"messages: {escape(described)}.</desc>",
            f"<style>{STYLE}</style>",
            *_panel(
                16,
                "Database round trips of one turn",
                "each adds the network's delay to every answer",
                left,
                max(b.value for b in left),
            ),
            *_panel(
                WIDTH - PANEL,
                "What a turn costs more in a long conversation",
                "10,000 messages against 10: bytes · CPU (bar: the larger, log scale)",
                [Bar(bar.name, math.log10(max(bar.value, 1.08)), bar.shown) for bar in right],
                math.log10(max(b.value for b in right)),
            ),
            "</svg>\n",
        ]
    )


def _panel(x: int, title: str, note: str, bars: list[Bar], most: float) -> list[str]:
    lines = [
        f'<text class="title" x="{x}" y="28">{escape(title)}</text>',
        f'<text class="note" x="{x}" y="48">{escape(note)}</text>',
    ]
    for number, bar in enumerate(bars):
        y = TOP + number * (BAR + GAP)
        width = max(3, round(bar.value / most * FULL))
        own = bar.name == "Parley"
        text = ' class="own"' if own else ""
        lines += [
            f'<text{text} x="{x + LABELS - 8}" y="{y + 15}" text-anchor="end">{escape(bar.name)}</text>',
            f'<rect class="{"ours" if own else "bar"}" x="{x + LABELS}" y="{y}" width="{width}" '
            f'height="{BAR}" rx="3"/>',
            f'<text{text} x="{x + LABELS + width + 6}" y="{y + 15}">{escape(bar.shown)}</text>',
        ]
    return lines


def _bar(name: str, value: float, shown: str) -> Bar:
    return Bar("Parley" if name == OURS else name, value, shown)


def _factors(size: float, cpu: float) -> str:
    return " · ".join(f"{value:.2f}×" if value < 10 else f"{value:.0f}×" for value in (size, cpu))
