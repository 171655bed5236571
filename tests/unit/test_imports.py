"""Imports point one way, the agents' tools cannot reach the database, the light function stays light."""

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "layers" / "parley" / "python" / "parley"

# A layer may import the layers after it, the infrastructure and the base.
LAYERS = [
    "lambda_handler",
    "web_adapter",
    "web_server",
    "priming",
    "main",
    "api",
    "chatkit",
    "services",
    "repositories",
    "models",
    "tools",
]
BASE = {"config", "errors", "ids", "logs", "metrics", "otlp", "paths", "prices", "text", "tracing"}
# Imports the base, and each other. The tools may not import it.
INFRASTRUCTURE = {"database", "neon", "postgres", "security", "migrate"}


def layer(module: str) -> str:
    return module.split(".")[1]


def imports() -> list[tuple[str, str]]:
    found = []
    for file in PACKAGE.rglob("*.py"):
        if "migrations" in file.parts or file == PACKAGE / "__init__.py":
            continue
        name = "parley." + ".".join(file.relative_to(PACKAGE).with_suffix("").parts)
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found += [(name, alias.name) for alias in node.names if alias.name.startswith("parley.")]
            elif isinstance(node, ast.ImportFrom) and node.module == "parley":
                found += [(name, f"parley.{alias.name}") for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("parley."):
                found.append((name, str(node.module)))
    return found


def allowed(importer: str, imported: str) -> bool:
    if importer == imported or imported in BASE:
        return True
    if importer in LAYERS and imported in LAYERS:
        return LAYERS.index(importer) < LAYERS.index(imported)
    return importer not in BASE | {"tools"} and imported in INFRASTRUCTURE


def test_imports_point_one_way() -> None:
    found = imports()
    assert len(found) > 50
    wrong = [pair for pair in found if not allowed(*map(layer, pair))]
    assert wrong == []


def test_repositories_know_no_problems_of_http() -> None:
    assert [
        pair for pair in imports() if layer(pair[0]) == "repositories" and layer(pair[1]) == "errors"
    ] == []


def test_every_module_has_its_place() -> None:
    there = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert there - {"__init__", "__pycache__", "recordings"} <= {*LAYERS, *BASE, *INFRASTRUCTURE}


def test_the_light_function_never_imports_the_agents_sdk_or_mcp() -> None:
    program = (
        "import sys, parley.main, parley.api.messages, parley.api.mcp;"
        "print(bool({'agents', 'mcp', 'mcp_types'} & sys.modules.keys()))"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=PACKAGE.parent, check=True
    )
    assert process.stdout.strip() == "False"
