"""How each part of Parley is started on this machine, and with which settings."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from local.issuer import JWKS_PATH, issuer_url
from local.postgres import Postgres
from local.progress import run
from local.supervisor import Service

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "layers" / "parley" / "python"
FRONTEND = ROOT / "frontend"
OFFLINE_KEY = "offline"
API = "parley.main:create_app"
READY_PATH = "/api/health/ready"
# The first two switch off Better Auth's origin check. The others point to a deployment and its secrets.
NOT_FOR_THIS_MACHINE = ("TEST", "NODE_ENV", "SECRET_ARN", "JWT_JWKS_URL", "FOLLOWUP_FUNCTION")
ISSUER_PATHS = ("/.well-known/openid-configuration", JWKS_PATH)

Environment = Mapping[str, str]


def base_environment(env_file: Environment) -> dict[str, str]:
    """The environment of every part. The shell's settings win over the file's."""
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
    run(command, cwd=PACKAGE, env={**env, **addresses, "PYTHONPATH": str(PACKAGE)})


def migrate_auth(env: Environment, postgres: Postgres) -> None:
    own = {"AUTH_MIGRATIONS_DATABASE_URL": postgres.owner_url}
    run(["node", "scripts/migrate.mjs"], cwd=FRONTEND, env={**env, **own})


def build_frontend(env: Environment) -> None:
    run(["npm", "run", "build"], cwd=FRONTEND, env=env)


def offline_model(env: Environment, port: int, word_delay_ms: float) -> Service:
    command = ["local.offline_model", "--port", str(port), "--word-delay-ms", f"{word_delay_ms:g}"]
    return _python("offline model", command, env, f"http://127.0.0.1:{port}/v1/models")


def offline_model_environment(port: int) -> Environment:
    return {
        "OPENAI_API_KEY": OFFLINE_KEY,
        "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "OPENAI_MODEL": "offline",
    }


def neon(env: Environment, port: int) -> Service:
    """A stand-in for Neon's proxy, in front of the database of DATABASE_URL."""
    env = {**env, "PYTHONPATH": f"{ROOT}:{PACKAGE}"}
    return _python("Neon", ["tests.neon", "--port", str(port)], env, f"http://127.0.0.1:{port}/")


def issuer(env: Environment, port: int, key: Path) -> Service:
    command = ["local.issuer", "--port", str(port), "--key", str(key), "serve"]
    return _python("issuer", command, env, f"{issuer_url(port)}{JWKS_PATH}")


def api(env: Environment, port: int, factory: str = API) -> Service:
    command = ["uvicorn", factory, "--factory", "--app-dir", str(PACKAGE), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--timeout-graceful-shutdown", "3"]
    command += ["--http", "parley.web_server:Protocol"]
    return _python("API", command, env, f"http://127.0.0.1:{port}{READY_PATH}", restarts=True)


def _python(
    name: str, module_and_options: list[str], env: Environment, ready_url: str, *, restarts: bool = False
) -> Service:
    return Service(name, [sys.executable, "-m", *module_and_options], env, ROOT, [ready_url], restarts)


def frontend(env: Environment, port: int, *, built: bool) -> Service:
    next_dev = ["node", "node_modules/next/dist/bin/next", "dev", "--hostname", "127.0.0.1"]
    command = ["node", ".next/standalone/server.js"] if built else next_dev
    # The built server listens on HOSTNAME, which many shells set to the machine's name.
    own = {"PORT": str(port), "HOSTNAME": "127.0.0.1"}
    # The development server compiles a page when it is first requested, longer than the API waits for keys.
    pages = [f"http://127.0.0.1:{port}{path}" for path in ("/", *ISSUER_PATHS)]
    return Service("front end", command, {**env, **own}, FRONTEND, pages)
