"""The start of an environment: the built functions in fresh processes, beside what `sam build` makes."""

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
from tests.load.stage import USER, Stage
from tests.load.table import Row

CHAT, LIGHT = "ChatFunction", "ConversationsFunction"
# In plain packaging nothing keeps the Agents SDK from importing the MCP SDK.
PLAIN_FIRST = "import agents"
STEADY = slice(5, None)
# Priming is told apart: it is what the first turn would cost, not import.
UNPRIMED = "import parley.priming; parley.priming.prime = lambda app: None"


@dataclass(frozen=True)
class Artefact:
    folder: Path
    plain: Path
    python: str
    settings: dict[str, str]

    def start(self, name: str) -> Function:
        return Function(self.folder, name, self.settings, python=self.python)

    def import_cpu(self, folder: Path, name: str, first: str) -> float:
        with Function(folder, name, self.settings, python=self.python, first=first) as function:
            return function.start.cpu


def artefact(folder: Path, stage: Stage) -> Artefact:
    """For Lambda's Python where this machine has one and runs Linux, else for this Python."""
    target, python = Target.here(), sys.executable
    lambdas = find_python(LAMBDA_PYTHON)
    machines = {machine: architecture for architecture, machine in MACHINES.items()}
    if lambdas and sys.platform == "linux" and platform.machine() in machines:
        target, python = Target(LAMBDA_PYTHON, machines[platform.machine()]), lambdas
    built, plain = folder / "built", folder / "plain"
    build(built, target)
    shutil.copytree(built, plain, ignore=shutil.ignore_patterns("__pycache__"))
    return Artefact(built, plain, python, _settings(stage))


def _settings(stage: Stage) -> dict[str, str]:
    return {
        "DATABASE_URL": stage.postgres.app_url,
        "JWT_ISSUER": stage.issuer_url,
        "JWT_JWKS_URL": f"{stage.issuer_url}{JWKS_PATH}",
        "OPENAI_API_KEY": "offline",
        "OPENAI_BASE_URL": f"{stage.model.url}/v1",
        "OPENAI_MODEL": "offline",
        "LOG_LEVEL": "ERROR",
    }


def imports(built: Artefact, runs: int) -> list[Row]:
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


def first_turn(built: Artefact, stage: Stage, runs: int) -> list[Row]:
    firsts, steady, imported = [], [], 0
    for _ in range(runs):
        with built.start(CHAT) as chat:
            costs = [_turn(chat, stage) for _ in range(20)]
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


def size(built: Artefact, stage: Stage) -> list[Row]:
    parts = [built.folder / name for name in (CHAT, "DependenciesLayer", "ParleyLayer")]
    unzipped = sum(_bytes(part) for part in parts) / 1_048_576
    with built.start(CHAT) as chat:
        rss = [_turn(chat, stage) for _ in range(20)][-1].rss_mb
    return [
        Row("P11", "unzipped package with byte code", "≤ 200 MB", f"{unzipped:.0f} MB", unzipped <= 200),
        Row(
            "P11", "memory (RSS) of the chat function after 20 turns", "≤ 110 MB", f"{rss:.0f} MB", rss <= 110
        ),
    ]


def _turn(chat: Function, stage: Stage) -> Cost:
    cost = chat.invoke(gateway_event(USER, stage.token, {"message": QUESTION}))
    if cost.reply["statusCode"] != 200:
        raise RuntimeError(cost.reply["body"])
    return cost


def _bytes(folder: Path) -> int:
    return sum(
        Path(root, name).stat().st_size
        for root, _, names in os.walk(folder, followlinks=True)
        for name in names
    )
