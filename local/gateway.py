"""`make gateway`: the built functions behind an HTTP API and a Function URL, with a deployment's settings."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from local.aws.build import TEMPLATE
from local.aws.deployment import Settings
from local.aws.gateway import parameters, serve
from local.aws.template import read_template
from local.environment import read_env_file
from local.issuer import AUDIENCE
from local.progress import Problem, step
from local.services import READY_PATH, ROOT
from local.serving import answers

# Settings of parley/config.py that a secret may hold. Others in .env are for functions/chat/agent.py.
SECRET = (
    *("DATABASE_URL", "MIGRATIONS_DATABASE_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"),
    *("OPENAI_API", "TURN_DEADLINE_S", "HISTORY_TOKENS", "QUOTA_TURNS_PER_DAY", "QUOTA_TOKENS_PER_DAY"),
    *("LOG_LEVEL", "SHARING", "DATABASE_TRANSPORT", "DATABASE_HTTP_URL", "API_URL"),
    *("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS"),
)


@contextlib.contextmanager
def serve_built(
    env: Mapping[str, str], built: Path, logs: Path, *, port: int, stream_port: int
) -> Iterator[None]:
    names = (*SECRET, *read_env_file(ROOT / ".env"))
    settings = Settings(logs, {name: env[name] for name in names if env.get(name)})
    given = parameters(env["JWT_ISSUER"], env.get("JWT_AUDIENCE", AUDIENCE))
    with contextlib.ExitStack() as stack:
        with step("gateway"):
            template = read_template(TEMPLATE, built, given)
            gateway = stack.enter_context(serve(template, built, settings, port, stream_port))
            if not answers(gateway.url + READY_PATH):
                raise Problem(f"The functions do not answer: see {logs}")
        yield
