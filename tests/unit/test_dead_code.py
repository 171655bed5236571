"""Nothing is kept that nothing uses. Vulture finds names that the code never mentions again."""

from pathlib import Path

from vulture.core import Vulture

ROOT = Path(__file__).parents[2]
SOURCES = ("layers/parley/python", "functions", "local", "tests")
EXCLUDED = ["node_modules", "*/migrations/versions/*"]
DECORATORS = ["@app.*", "@router.*", "@pytest.fixture", "@field_validator", "@model_validator"]
# Libraries call these by name.
CALLED = [
    *("on_*_start", "on_*_end", "initialize", "execute_simple", "Dialect", "redirect_request", "fetch_data"),
    "is_disconnect",
    *("on_*_start", "on_*_end", "initialize", "execute_simple", "Dialect", "redirect_request", "fetch_data"),
    "is_disconnect",
    *(
        "__instancecheck__",
        "__init_subclass__",
        "_make_sse_decoder",
        "_should_retry",
        "_decode_lines",
        "aiter_bytes",
    ),
    *("generate_span_id", "generate_trace_id", "is_trace_id_random"),
    # pytest, and the bench's parent process (tests/load/worker.py)
    *("pytest_*", "pytestmark", "prepare", "disconnect", "streamed_turn"),
    # Offered to functions/chat/agent.py
    "read_secret",
]


def is_field(file: Path, line: int) -> bool:
    """A table, a reply or a base class may need a field no code reads. A constant is there to be read."""
    return file.read_text().splitlines()[line - 1].startswith(" ")


def test_everything_is_used() -> None:
    vulture = Vulture(ignore_names=CALLED, ignore_decorators=DECORATORS)
    vulture.scavenge([ROOT / source for source in SOURCES], exclude=EXCLUDED)
    unused = [
        f"{item.filename.relative_to(ROOT)}:{item.first_lineno}: {item.message}"
        for item in vulture.get_unused_code(min_confidence=60)
        if item.typ != "attribute"
        # The bench's designs fill in the interfaces of other projects.
        and "designs" not in item.filename.parts
        and not (item.typ == "variable" and is_field(item.filename, item.first_lineno))
    ]
    assert unused == []
