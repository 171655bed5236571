"""What is built for Lambda: what is in it, that it can be told apart and made again, and how it starts."""

import hashlib
import importlib.util
import json
import os
import shutil
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from samcli.lib.providers.sam_function_provider import SamFunctionProvider
from samcli.lib.providers.sam_layer_provider import SamLayerProvider
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider

from local.aws import build as building
from local.aws.build import IN_THE_RUNTIME, MACHINES, Target, build, build_one, functions
from local.issuer import Issuer
from local.postgres import Postgres
from local.progress import Problem
from parley.config import Settings
from tests import certificates, neon
from tests.built import Function
from tests.stack import VALUES

UNCHECKED_HASH = 0b01
FOLDERS = ("agents", "fastapi", "openai", "pydantic", "sqlalchemy", "uvicorn")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    build(folder, Target.here())
    return folder


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    return {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "JWT_ISSUER": settings.jwt_issuer,
        "OPENAI_API_KEY": "offline",
        "OPENAI_BASE_URL": settings.openai_base_url or "",
        "OPENAI_MODEL": "offline",
        "LOG_LEVEL": "ERROR",
    }


def test_the_built_function_reaches_neon_over_tls(
    built: Path, environment: dict[str, str], postgres: Postgres, issuer: Issuer, tmp_path: Path
) -> None:
    authority, certificate = certificates.make(tmp_path, "localhost")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with neon.serve(tmp_path / "neon", postgres.app_url, tls=tls) as rig:
        reached = {
            **environment,
            "DATABASE_URL": f"{postgres.app_url}?sslrootcert={authority}",
            "DATABASE_TRANSPORT": "http",
            "DATABASE_HTTP_URL": rig.http_url,
        }
        with Function(built, "ChatFunction", reached) as chat:
            said = {"message": "Say exactly: over TLS"}
            turn = chat.invoke(event("POST", "/api/alice/chat", issuer.mint("alice"), said))
        assert turn.reply["statusCode"] == 200, turn.reply
        assert json.loads(turn.reply["body"])["response"] == "over TLS"
        assert (rig.requests, rig.connections) == (2, 1)


def event(method: str, path: str, token: str, body: Any = None) -> dict[str, Any]:
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "authorization": f"Bearer {token}",
            "content-type": "application/json",
            "host": "api.example.com",
        },
        "requestContext": {
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.1", "protocol": "HTTP/1.1"},
            "requestId": "JKJaXmPLvHcESHA=",
            "stage": "$default",
        },
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def files(folder: Path) -> Iterator[Path]:
    """With links followed, as the layer of the dependencies is one."""
    for root, _, names in os.walk(folder, followlinks=True):
        for name in names:
            yield Path(root, name)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files(folder)
    }


def test_everything_in_the_template_is_built(built: Path) -> None:
    assert set(functions()) >= {"ChatFunction", "ConversationsFunction", "StreamFunction", "ToolsFunction"}
    assert {path.name for path in built.iterdir()} >= {"DependenciesLayer", "ParleyLayer", *functions()}
    for name in FOLDERS:
        assert (built / "DependenciesLayer" / "python" / name / "__init__.py").exists()
    assert (built / "ParleyLayer/python/parley/repositories/sql/begin_turn.sql").exists()
    assert (built / "ParleyLayer/python/parley/models/migrations/env.py").exists()
    assert {path.name for path in (built / "ChatFunction").iterdir()} >= {"app.py", "agent.py"}
    stream = built / "StreamFunction"
    assert (stream / "agent.py").read_bytes() == (built / "ChatFunction" / "agent.py").read_bytes()
    assert (stream / "app.py").read_bytes() != (built / "ChatFunction" / "app.py").read_bytes()
    assert stat.S_IMODE((stream / "run.sh").stat().st_mode) & 0o111 == 0o111


def test_nothing_is_built_that_lambda_has_or_does_not_run(built: Path) -> None:
    layer = built / "DependenciesLayer" / "python"
    names = {path.name.partition("-")[0] for path in layer.iterdir()}
    assert not names & {*IN_THE_RUNTIME, "pytest", "moto", "aws_sam_cli", "mypy", "bin"}
    for file in files(built):
        if (built / "runtime") in file.parents:
            continue
        assert "tests" not in file.relative_to(built).parts, file
        assert file.suffix not in (".pyi", ".pyx", ".c"), file
        assert file.name != ".env", file
    kept = {file.name for file in layer.glob("*.dist-info/*")}
    assert kept == {"METADATA", "entry_points.txt"}


def test_leftovers_of_development_stay_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, built: Path
) -> None:
    source = tmp_path / "functions"
    shutil.copytree(building.FUNCTIONS, source)
    for name in (".env", "test_agent.py", "__pycache__/agent.cpython-310.pyc", "skills/search.py"):
        file = source / "chat" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("LEFT = True")
    monkeypatch.setattr(building, "FUNCTIONS", source)
    for name in ("ChatFunction", "StreamFunction"):
        build_one(name, tmp_path / name, Target.here())
        made = {path.name for path in files(tmp_path / name)}
        assert "search.py" in made
        assert not made & {".env", "test_agent.py", "agent.cpython-310.pyc"}


def test_python_takes_the_byte_code_without_a_look_at_the_source(built: Path) -> None:
    for source in files(built):
        if source.suffix == ".py" and (built / "runtime") not in source.parents:
            cached = Path(importlib.util.cache_from_source(str(source)))
            assert cached.exists(), source
            assert int.from_bytes(cached.read_bytes()[4:8], "little") == UNCHECKED_HASH, source


def test_the_same_is_built_from_the_same(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = tmp_path / "again"
    for name in ("ParleyLayer", *functions()):
        build_one(name, again / name, Target.here())
        assert digests(again / name) == digests(built / name), name
    # The largest part is kept between builds; compiled once more, it is the same.
    kept = built / "DependenciesLayer" / "python"
    copy = tmp_path / "python"
    for name in ("fastapi", "jwt", "pg8000", "sqlmodel"):
        shutil.copytree(kept / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    building._compile(copy, "/opt/python", Target.here())
    before = digests(kept)
    assert digests(copy).items() <= before.items()


def test_a_change_in_a_layer_changes_every_function(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SAM publishes a version of a function when its files have changed, and looks at no layer."""
    package = tmp_path / "package"
    shutil.copytree(building.PACKAGE, package)
    with (package / "parley" / "ids.py").open("a") as file:
        file.write("\n")
    monkeypatch.setattr(building, "PACKAGE", package)
    for name in functions():
        build_one(name, tmp_path / name, Target.here())
        assert digests(tmp_path / name) != digests(built / name), name


def test_a_function_without_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="no folder functions/other"):
        build_one("OtherFunction", tmp_path / "out", Target.here())


def test_the_makefiles_of_sam_build_the_same(built: Path, tmp_path: Path) -> None:
    """As `sam build` calls them: the folder of template.yaml is the working directory."""
    for name in ("StreamFunction", "ParleyLayer"):
        command = ["make", "--makefile", "layers/x86_64/Makefile", f"build-{name}"]
        environment = {**os.environ, "ARTIFACTS_DIR": str(tmp_path / name), "PYTHON": sys.executable}
        subprocess.run(command, cwd=building.ROOT, env=environment, check=True, capture_output=True)
        made = {path.relative_to(tmp_path / name) for path in files(tmp_path / name) if path.suffix == ".py"}
        expected = {path.relative_to(built / name) for path in files(built / name) if path.suffix == ".py"}
        assert made == expected


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("architecture", MACHINES)
def test_sam_calls_the_makefile_of_the_architecture(architecture: str) -> None:
    """`sam build` tells make nothing: what it resolves itself has to lead to the right wheels."""
    values = {**VALUES, "Architecture": architecture}
    stacks, _ = SamLocalStackProvider.get_stacks(str(building.TEMPLATE), parameter_overrides=values)
    parts: list[Any] = [*SamFunctionProvider(stacks).get_all(), *SamLayerProvider(stacks).get_all()]
    assert len(parts) == len(functions()) + 2
    for part in parts:
        folder = building.ROOT / part.metadata["ContextPath"]
        called = subprocess.run(
            ["make", "--dry-run", "--makefile", str(folder / "Makefile"), f"build-{part.name}"],
            cwd=building.ROOT / part.metadata["WorkingDirectory"],
            check=True,
            capture_output=True,
            text=True,
        )
        assert called.stdout.strip().endswith(f"--architecture {architecture}")


def test_the_first_turn_loads_no_module(built: Path, environment: dict[str, str], issuer: Issuer) -> None:
    token = issuer.mint("ada")
    with Function(built, "ChatFunction", environment) as chat:
        assert "agents" in chat.start.imported
        assert "mcp" not in chat.start.imported
        turn = chat.invoke(event("POST", "/api/ada/chat", token, {"message": "Hello"}))
        assert turn.reply["statusCode"] == 200, turn.reply
        assert turn.imported == []


def test_the_light_function_loads_no_agent_and_its_first_request_nothing(
    built: Path, environment: dict[str, str], issuer: Issuer
) -> None:
    with Function(built, "ConversationsFunction", environment) as light:
        assert not {"agents", "openai", "mcp", "boto3"} & set(light.start.imported)
        listed = light.invoke(event("GET", "/api/ada/conversations", issuer.mint("ada")))
        assert listed.reply["statusCode"] == 200, listed.reply
        assert listed.imported == []


def test_the_first_call_of_a_tool_loads_no_module(
    built: Path, environment: dict[str, str], issuer: Issuer
) -> None:
    with Function(built, "ToolsFunction", environment) as tools:
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
        request = event("POST", "/api/mcp", issuer.mint("ada"), call)
        request["headers"]["accept"] = "application/json, text/event-stream"
        listed = tools.invoke(request)
        assert listed.reply["statusCode"] == 200, listed.reply
        assert listed.imported == []


def test_priming_needs_neither_network_nor_database(built: Path, environment: dict[str, str]) -> None:
    nowhere = "http://127.0.0.1:9"
    away = {"JWT_ISSUER": nowhere, "OPENAI_BASE_URL": nowhere, "LOG_LEVEL": "INFO"}
    away["DATABASE_URL"] = "postgresql://a:b@127.0.0.1:9/c"
    for api in ("responses", "chat_completions"):
        with Function(built, "ChatFunction", {**environment, **away, "OPENAI_API": api}) as chat:
            assert "anyio._backends._asyncio" in chat.start.imported
            assert chat.start.logged == []
