"""`sam local`, as far as it goes without Docker.

The CLI makes the environment from our files, and the emulator in its package runs the built function with it.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import samcli
from samcli.commands.local.cli_common.invoke_context import InvokeContext
from samcli.commands.local.lib.local_lambda import LocalLambdaRunner
from samcli.lib.providers.sam_function_provider import SamFunctionProvider
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider

from local.aws.build import TEMPLATE
from local.aws.environment import Runtime
from local.ports import free_port
from tests.stack import ROOT, VALUES

# The CLI's own use of SAM's transform.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
# Another address of this machine, as a container's view of it is another one.
HOST = "127.0.0.2"
EMULATOR = Path(samcli.__file__).parent / "local" / "rapid" / "aws-lambda-rie-x86_64"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The files of `make sam-env`, which is running."""
    folder = tmp_path_factory.mktemp("sam")
    command = [sys.executable, "-m", "local.sam_env", "--host", HOST, "--out", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        output = ""
        while "Stop:" not in output:
            line = process.stdout.readline()
            assert line, output
            output += line
        yield folder
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0


def variables_of_sam(function: str, env_file: Path) -> dict[str, str]:
    """What the CLI passes to the container."""
    stacks, _ = SamLocalStackProvider.get_stacks(str(TEMPLATE), parameter_overrides=VALUES)
    provider = SamFunctionProvider(stacks)
    no_docker: Any = None
    runner = LocalLambdaRunner(
        local_runtime=no_docker,
        function_provider=provider,
        cwd=str(ROOT),
        real_path=str(ROOT),
        aws_region="eu-central-1",
        env_vars_values=InvokeContext._get_env_vars_value(str(env_file)),
    )
    found: Any = provider.get(function)
    made: Any = runner._make_env_vars(found)
    variables: dict[str, str] = made.resolve()
    return variables


@pytest.fixture
def emulator(built: Path, runtime: Runtime, written: Path) -> Iterator[str]:
    """The address of AWS's emulator, with the built chat function in it."""
    port, api = free_port(), free_port()
    layers = [str(built / layer / "python") for layer in ("DependenciesLayer", "ParleyLayer")]
    environment = {
        **variables_of_sam("ChatFunction", written / "env.json"),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([*layers, str(runtime.packages)]),
        "LAMBDA_TASK_ROOT": str(built / "ChatFunction"),
        "_HANDLER": "app.handler",
    }
    command = [str(EMULATOR), "--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    command += ["--runtime-api-address", f"127.0.0.1:{api}", "--log-level", "error"]
    command += [str(runtime.python), "-S", "-m", "awslambdaric", "app.handler"]
    with subprocess.Popen(command, cwd=built / "ChatFunction", env=environment) as process:
        try:
            yield f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
        finally:
            process.terminate()


def test_every_variable_of_the_file_reaches_every_function(written: Path) -> None:
    """The CLI drops, without a word, what the template does not declare."""
    given = json.loads((written / "env.json").read_text())["Parameters"]
    for function in (
        "ChatFunction",
        "ConversationsFunction",
        "StreamFunction",
        "ToolsFunction",
        "MigrateFunction",
    ):
        seen = variables_of_sam(function, written / "env.json")
        # Only those who invoke it declare its name.
        optional = {"FOLLOWUP_FUNCTION"} - seen.keys()
        assert {name: seen.get(name) for name in given.keys() - optional} == {
            name: given[name] for name in given.keys() - optional
        }
    secret = json.loads(given["SECRET_JSON"])
    assert secret["DATABASE_URL"].endswith("?sslmode=disable"), "it is no loopback address to a container"
    assert "127.0.0.1" not in given["SECRET_JSON"] + given["JWT_JWKS_URL"]


def test_the_event_runs_in_awss_emulator_with_what_sam_would_pass(emulator: str, written: Path) -> None:
    event = (written / "events" / "chat.json").read_bytes()
    assert b"${" not in event
    deadline = time.monotonic() + 60
    while True:
        try:
            answer = httpx.post(emulator, content=event, timeout=60).json()
            break
        except httpx.ConnectError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert answer["statusCode"] == 200, answer
    assert json.loads(answer["body"])["status"] == "completed"


def test_an_address_that_this_machine_does_not_have_is_said(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "local.sam_env", "--host", "192.0.2.1", "--out", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1
    assert "HOST=192.0.2.1" in ended.stderr
