"""`local/aws` can be lifted out: it imports only what its docstring names."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from local import aws

FOLDER = Path(aws.__file__).parent


def imported_modules() -> Iterator[str]:
    for file in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                yield node.module
            elif isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)


def test_it_imports_what_its_docstring_names() -> None:
    modules = set(imported_modules())
    outside = {name for name in modules if name.startswith("local.") and not name.startswith("local.aws")}
    named = re.findall(r"\w+", (aws.__doc__ or "").rpartition(":")[2])
    assert outside == {f"local.{name}" for name in named}
    assert "local" not in modules
    assert {name for name in modules if name.startswith("parley")} == {"parley.config", "parley.prices"}


def test_what_it_imports_of_local_imports_nothing_else_of_local() -> None:
    named = re.findall(r"\w+", (aws.__doc__ or "").rpartition(":")[2])
    for name in named:
        text = (FOLDER.parent / f"{name}.py").read_text()
        assert set(re.findall(r"^from local\.(\w+)", text, re.MULTILINE)) <= set(named)
