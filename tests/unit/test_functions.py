import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ("layers", "functions", "local", "tests")
MAX_LINES = 50


def functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for source in SOURCES:
        for file in sorted((ROOT / source).rglob("*.py")):
            if "node_modules" in file.parts:
                continue
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield file, node


def test_no_function_is_over_50_lines() -> None:
    """From `def` to the last line, so the functions inside one count as its own lines."""
    sizes = {
        f"{file.relative_to(ROOT)}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for file, node in functions()
    }
    assert len(sizes) > 1_000
    assert {name: size for name, size in sizes.items() if size > MAX_LINES} == {}
