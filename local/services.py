"""What runs on a laptop: how each part is started, and what it is told."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.issuer import JWKS_PATH, issuer_url
from local.postgres import Postgres
from local.progress import Problem, last_lines
from local.supervisor import Service

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "layers" / "parley" / "python"
FRONTEND = ROOT / "frontend"
OFFLINE_KEY = "offline"
API = "parley.main:create_app"
# The first two switch Better Auth's origin check off, the others lead to a deployment and its secrets.
NOT_FOR_THIS_MACHINE = ("TEST", "NODE_ENV", "SECRET_ARN", "JWT_JWKS_URL", "FOLLOWUP_FUNCTION")
ISSUER_PATHS = ("/.well-known/openid-configuration", JWKS_PATH)

Environment = Mapping[str, str]


def base_environment(env_file: Environment) -> dict[str, str]:
    """What every part is started with: the file's settings beneath those of the shell."""
    env = {**env_file, **os.environ}
    for name in NOT_FOR_THIS_MACHINE:
        env.pop(name, None)
    own = ("localhost", "127.0.0.1", env.get("NO_PROXY", ""))
    env["NO_PROXY"] = env["no_proxy"] = ",".join(filter(None, own))
    env["NEXT_TELEMETRY_DISABLED"] = "1"
    env["PYTHONPATH"] = str(ROOT)
    return env


def migrate_api(env: Environment, postgres: Postgres) -> None:
    addresses = {"DATABASE_URL": postgres.app_url, "MIGRATIONS_DATABASE_URL": postgres.owner_url}
    command = [sys.executable, "-m", "parley.migrate"]
    _run(command, {**env, **addresses, "PYTHONPATH": str(PACKAGE)}, PACKAGE)


def migrate_auth(env: Environment, postgres: Postgres) -> None:
    _run(
        ["node", "scripts/migrate.mjs"], {**env, "AUTH_MIGRATIONS_DATABASE_URL": postgres.owner_url}, FRONTEND
    )


def build_frontend(env: Environment) -> None:
    _run(["npm", "run", "build"], env, FRONTEND)


def _run(command: Sequence[str], env: Environment, folder: Path) -> None:
    result = subprocess.run(
        command,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise Problem(f"{last_lines(result.stdout)}\n`{' '.join(command)}` in {folder} failed, as said above")


def offline_model(env: Environment, port: int, word_delay_ms: float) -> Service:
    options = ["--port", str(port), "--word-delay-ms", f"{word_delay_ms:g}"]
    return Service(
        "offline model",
        [sys.executable, "-m", "local.offline_model", *options],
        env,
        ROOT,
        [f"http://127.0.0.1:{port}/v1/models"],
    )


def offline_model_environment(port: int) -> Environment:
    return {
        "OPENAI_API_KEY": OFFLINE_KEY,
        "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "OPENAI_MODEL": "offline",
    }


def issuer(env: Environment, port: int, key: Path) -> Service:
    return Service(
        "issuer",
        [sys.executable, "-m", "local.issuer", "--port", str(port), "--key", str(key), "serve"],
        env,
        ROOT,
        [f"{issuer_url(port)}{JWKS_PATH}"],
    )


def api(env: Environment, port: int, factory: str = API) -> Service:
    server = ["uvicorn", factory, "--factory", "--app-dir", str(PACKAGE)]
    options = ["--host", "127.0.0.1", "--port", str(port), "--timeout-graceful-shutdown", "3"]
    return Service(
        "API",
        [sys.executable, "-m", *server, *options],
        env,
        ROOT,
        [f"http://127.0.0.1:{port}/api/health/ready"],
        starts_again=True,
    )


def gateway(env: Environment, built: Path, port: int, stream_port: int, logs: Path) -> Service:
    """The functions in the folder `built`, behind an HTTP API and a Function URL."""
    options = ["--built", str(built), "--port", str(port), "--stream-port", str(stream_port)]
    options += ["--logs", str(logs)]
    return Service(
        "gateway",
        [sys.executable, "-m", "local.aws.gateway", *options],
        env,
        ROOT,
        [f"http://127.0.0.1:{port}/api/health/ready"],
        starts_again=True,
    )


def frontend(env: Environment, port: int, *, built: bool) -> Service:
    next_dev = ["node", "node_modules/next/dist/bin/next", "dev", "--hostname", "127.0.0.1"]
    command = ["node", ".next/standalone/server.js"] if built else next_dev
    # The built server listens where HOSTNAME says, which many shells set to the machine's name.
    own = {"PORT": str(port), "HOSTNAME": "127.0.0.1"}
    # The development server compiles a page when it is first asked for, and the API does not wait so long.
    pages = [f"http://127.0.0.1:{port}{path}" for path in ("/", *ISSUER_PATHS)]
    return Service("front end", command, {**env, **own}, FRONTEND, pages)
