"""`make gateway`: the built functions behind an HTTP API and a Function URL, as on AWS, on this machine.

Started by local/dev.py, which gives it the settings that a deployment has in its secret.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from local.aws.build import TEMPLATE
from local.aws.deployment import SECRET_ARN, Deployment, Settings, deploy, runtime_here
from local.aws.function_url import FunctionUrl, WebEnvironment
from local.aws.http_api import HttpApi
from local.aws.template import Template, read_template
from local.environment import read_env_file
from local.issuer import AUDIENCE
from local.progress import Problem, tell
from local.services import ROOT
from local.serving import serve_in_thread

# Settings of parley/config.py that a secret may hold. What .env has beside them is functions/chat/agent.py's.
SECRET = (
    *("DATABASE_URL", "MIGRATIONS_DATABASE_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"),
    *("OPENAI_API", "TURN_DEADLINE_S", "HISTORY_TOKENS", "QUOTA_TURNS_PER_DAY", "QUOTA_TOKENS_PER_DAY"),
    "LOG_LEVEL",
)


@dataclass(frozen=True)
class Gateway:
    """Addresses of loopback. `stream_url` is the Function URL's."""

    deployment: Deployment
    url: str
    stream_url: str


def parameters(issuer: str, audience: str = AUDIENCE) -> dict[str, str]:
    """Of template.yaml: what a deployment on this machine has."""
    return {"FrontendUrl": issuer, "JwtAudience": audience, "SecretArn": SECRET_ARN}


@contextmanager
def serve(
    template: Template, folder: Path, settings: Settings, port: int = 0, stream_port: int = 0
) -> Iterator[Gateway]:
    """On free ports, unless they are given. `folder` is that of the build."""
    runtime = runtime_here(folder / "runtime")
    [url] = template.urls
    streamed = template.functions[url.function]
    with ExitStack() as stack:
        deployment = stack.enter_context(deploy(template, runtime, settings))
        http_api = HttpApi(
            template.routes, template.cors, deployment.submit, _print, settings.integration_timeout_s
        )
        start = partial(
            WebEnvironment.start, streamed, runtime, deployment.log(streamed.name), deployment.endpoint_url
        )
        function_url = FunctionUrl(start, url.cors, streamed.timeout_s, settings.environments)
        stack.callback(function_url.close)
        yield Gateway(
            deployment,
            stack.enter_context(serve_in_thread(lambda _: http_api, port)),
            stack.enter_context(serve_in_thread(lambda _: function_url, stream_port)),
        )


def _print(line: str) -> None:
    print(line, flush=True)


def secret(env: Mapping[str, str]) -> dict[str, str]:
    names = (*SECRET, *read_env_file(ROOT / ".env"))
    return {name: env[name] for name in names if env.get(name)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.aws.gateway", description=__doc__)
    parser.add_argument("--built", type=Path, required=True, help="folder of what local.aws.build made")
    parser.add_argument("--port", type=int, required=True, help="of the HTTP API")
    parser.add_argument("--stream-port", type=int, default=0, help="of the Function URL")
    parser.add_argument("--environments", type=int, default=4, help="of a function, at most (default: 4)")
    parser.add_argument("--logs", type=Path, required=True, help="folder, a file for each function")
    options = parser.parse_args()
    # Not to be disturbed by whoever started this: it is told to end by SIGTERM.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    env = os.environ
    try:
        issuer, audience = env["JWT_ISSUER"], env.get("JWT_AUDIENCE", AUDIENCE)
        template = read_template(TEMPLATE, options.built, parameters(issuer, audience))
        settings = Settings(options.logs, secret(env), options.environments)
        with serve(template, options.built, settings, options.port, options.stream_port) as gateway:
            print(f"HTTP API {gateway.url}\nFunction URL {gateway.stream_url}", flush=True)
            threading.Event().wait()
    except Problem as problem:
        tell(problem)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
