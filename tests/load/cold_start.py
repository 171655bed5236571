"""Cold starts: the built functions in fresh processes, compared with what `sam build` alone would make."""

import os
import platform
import shutil
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

from local.aws.build import LAMBDA_PYTHON, MACHINES, Target, build, find_python
from local.issuer import JWKS_PATH
from tests.built import Cost, Function
from tests.load.conversations import QUESTION
from tests.load.designs.ours import gateway_event
from tests.load.rig import USER, Rig
from tests.load.table import Row

CHAT, LIGHT = "ChatFunction", "ConversationsFunction"
# In plain packaging nothing stops the Agents SDK from importing the MCP SDK.
PLAIN_FIRST = "import agents"
STEADY = slice(5, None)
# Priming is measured separately: it is work of the first turn, done early.
UNPRIMED = "import parley.priming; parley.priming.prime = lambda app: None"


@dataclass(frozen=True)
class BuiltFunctions:
    folder: Path
    plain: Path
    python: str
    settings: dict[str, str]

    def start(self, name: str) -> Function:
        return Function(self.folder, name, self.settings, python=self.python)

    def import_cpu(self, folder: Path, name: str, first: str) -> float:
        with Function(folder, name, self.settings, python=self.python, first=first) as function:
            return function.start.cpu


def build_functions(folder: Path, rig: Rig) -> BuiltFunctions:
    """Built for Lambda's Python if this is a Linux machine that has it, else for the running Python."""
    target, python = Target.here(), sys.executable
    lambdas = find_python(LAMBDA_PYTHON)
    machines = {machine: architecture for architecture, machine in MACHINES.items()}
    if lambdas and sys.platform == "linux" and platform.machine() in machines:
        target, python = Target(LAMBDA_PYTHON, machines[platform.machine()]), lambdas
    built, plain = folder / "built", folder / "plain"
    build(built, target)
    shutil.copytree(built, plain, ignore=shutil.ignore_patterns("__pycache__"))
    return BuiltFunctions(built, plain, python, _settings(rig))


def _settings(rig: Rig) -> dict[str, str]:
    return {
        "DATABASE_URL": rig.postgres.app_url,
        "JWT_ISSUER": rig.issuer_url,
        "JWT_JWKS_URL": f"{rig.issuer_url}{JWKS_PATH}",
        "OPENAI_API_KEY": "offline",
        "OPENAI_BASE_URL": f"{rig.model.url}/v1",
        "OPENAI_MODEL": "offline",
        "LOG_LEVEL": "ERROR",
    }


def imports(built: BuiltFunctions, runs: int) -> list[Row]:
    """CPU to import a function and make its app, against the chat function in plain packaging."""
    least: dict[str, float] = {}
    for _ in range(runs):
        for name, folder, function, first in (
            ("plain", built.plain, CHAT, f"{PLAIN_FIRST}; {UNPRIMED}"),
            ("chat", built.folder, CHAT, UNPRIMED),
            ("light", built.folder, LIGHT, UNPRIMED),
            ("primed", built.folder, CHAT, ""),
        ):
            cpu = built.import_cpu(folder, function, first)
            least[name] = min(cpu, least.get(name, cpu))
    plain = least["plain"]
    chat, light, primed = (least[name] / plain for name in ("chat", "light", "primed"))
    return [
        Row(
            "P4",
            "import of the chat function, against plain packaging",
            "≤ 0.35",
            f"{chat:.2f}",
            chat <= 0.35,
            data=least,
        ),
        Row("P4", "… of the light function", "≤ 0.15", f"{light:.2f}", light <= 0.15),
        Row("P4", "… of the chat function, primed", "", f"{primed:.2f}"),
    ]


def first_turn(built: BuiltFunctions, rig: Rig, runs: int) -> list[Row]:
    firsts, steady, imported = [], [], 0
    for _ in range(runs):
        with built.start(CHAT) as chat:
            costs = [_turn(chat, rig) for _ in range(20)]
        firsts.append(costs[0].cpu)
        steady.append(statistics.median(cost.cpu for cost in costs[STEADY]))
        imported = max(imported, len(costs[0].imported))
    ratio = min(firsts) / min(steady)
    data = {"first_ms": [cpu * 1000 for cpu in firsts], "steady_ms": [cpu * 1000 for cpu in steady]}
    return [
        Row(
            "P5",
            "CPU of the first turn against a steady one",
            "≤ 1.5×",
            f"{ratio:.2f}×",
            ratio <= 1.5,
            data=data,
        ),
        Row("P5", "modules that the first turn imports", "0", str(imported), imported == 0),
    ]


def size(built: BuiltFunctions, rig: Rig) -> list[Row]:
    parts = [built.folder / name for name in (CHAT, "DependenciesLayer", "ParleyLayer")]
    unzipped = sum(_bytes(part) for part in parts) / 1_048_576
    with built.start(CHAT) as chat:
        rss = [_turn(chat, rig) for _ in range(20)][-1].rss_mb
    return [
        Row("P11", "unzipped package with byte code", "≤ 200 MB", f"{unzipped:.0f} MB", unzipped <= 200),
        Row(
            "P11", "memory (RSS) of the chat function after 20 turns", "≤ 110 MB", f"{rss:.0f} MB", rss <= 110
        ),
    ]


def _turn(chat: Function, rig: Rig) -> Cost:
    cost = chat.invoke(gateway_event(USER, rig.token, {"message": QUESTION}))
    if cost.reply["statusCode"] != 200:
        raise RuntimeError(cost.reply["body"])
    return cost


def _bytes(folder: Path) -> int:
    return sum(
        Path(root, name).stat().st_size
        for root, _, names in os.walk(folder, followlinks=True)
        for name in names
    )
