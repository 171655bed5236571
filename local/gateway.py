"""`make gateway`: serves the built functions behind an HTTP API and a Function URL, as on AWS.

local/dev.py starts it, with the settings that a deployment has in its secret.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from local.aws.build import TEMPLATE
from local.aws.deployment import Settings
from local.aws.gateway import parameters, serve
from local.aws.template import read_template
from local.environment import read_env_file
from local.issuer import AUDIENCE
from local.progress import exit_code
from local.services import ROOT

# Settings of parley/config.py that a secret may hold. Others in .env are for functions/chat/agent.py.
SECRET = (
    *("DATABASE_URL", "MIGRATIONS_DATABASE_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"),
    *("OPENAI_API", "TURN_DEADLINE_S", "HISTORY_TOKENS", "QUOTA_TURNS_PER_DAY", "QUOTA_TOKENS_PER_DAY"),
    "LOG_LEVEL",
)


def secret(env: Mapping[str, str]) -> dict[str, str]:
    names = (*SECRET, *read_env_file(ROOT / ".env"))
    return {name: env[name] for name in names if env.get(name)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.gateway", description=__doc__)
    parser.add_argument("--built", type=Path, required=True, help="folder that local.aws.build has made")
    parser.add_argument("--port", type=int, required=True, help="port of the HTTP API")
    parser.add_argument("--stream-port", type=int, default=0, help="port of the Function URL")
    parser.add_argument("--environments", type=int, default=4, help="most per function (default: 4)")
    parser.add_argument("--logs", type=Path, required=True, help="folder, with one file per function")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    env = os.environ
    given = parameters(env["JWT_ISSUER"], env.get("JWT_AUDIENCE", AUDIENCE))
    template = read_template(TEMPLATE, options.built, given)
    settings = Settings(options.logs, secret(env), options.environments)
    with serve(template, options.built, settings, options.port, options.stream_port) as gateway:
        print(f"HTTP API {gateway.url}\nFunction URL {gateway.stream_url}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    sys.exit(exit_code(main))
