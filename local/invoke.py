"""`make invoke EVENT=tests/events/chat.json`: one invocation of a built function in a new environment.

It starts PostgreSQL, the issuer and the offline model. Their data stays in .parley/invoke, so that a second
invocation finds the conversation of the first. In the event, `${TOKEN}` becomes a token for the user alice,
and `${CONVERSATION_ID}` her latest conversation.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from local import offline_model, services
from local.aws.build import TEMPLATE, Target, build
from local.aws.deployment import Deployment, Settings, deploy, runtime_here
from local.aws.gateway import parameters
from local.aws.template import read_template
from local.environment import read_env_file
from local.issuer import Issuer, serve_issuer
from local.postgres import Postgres
from local.progress import Problem, exit_code, step
from local.state import State

USER = "alice"
NO_CONVERSATION = "00000000-0000-0000-0000-000000000000"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.invoke", description=__doc__)
    parser.add_argument("event", type=Path, help="a JSON file, such as tests/events/chat.json")
    parser.add_argument("--function", help="a function of template.yaml (default: named like the file)")
    options = parser.parse_args()
    text = _read(options.event)
    state = State(services.ROOT / ".parley" / "invoke")
    with state.lock(), running_services(state) as (postgres, issuer, model_url):
        build(state.built, Target.here())
        template = read_template(TEMPLATE, state.built, parameters(issuer.url))
        function = _function_named(options.function or options.event.stem, list(template.functions))
        event = filled_in(text, issuer.mint(USER), postgres)
        secret = {
            "DATABASE_URL": postgres.app_url,
            "MIGRATIONS_DATABASE_URL": postgres.owner_url,
            **services.offline_model_environment(urlsplit(model_url).port or 0),
        }
        settings = Settings(state.logs, secret)
        with deploy(template, runtime_here(state.built / "runtime"), settings) as deployment:
            return _invoke(deployment, function, event.encode())


def _invoke(deployment: Deployment, name: str, event: bytes) -> int:
    """Prints the log and the result. Returns 1 if the function failed."""
    print(f"  {name} is started and invoked", flush=True)
    try:
        outcome = deployment.submit(name, event).result()
    finally:
        print(f"\n{deployment.log(name).read_text().strip()}\n", flush=True)
    print(_readable(outcome.payload))
    return int(outcome.is_error)


@contextmanager
def running_services(state: State) -> Iterator[tuple[Postgres, Issuer, str]]:
    env = services.base_environment(read_env_file(services.ROOT / ".env"))
    with step("PostgreSQL"):
        postgres = Postgres.start(state.data / "postgres", durable=False)
    with postgres, offline_model.serve() as model_url, serve_issuer(state.issuer_key) as issuer:
        with step("Tables of the API"):
            services.migrate_api(env, postgres)
        yield postgres, issuer, model_url


def _function_named(name: str, functions: list[str]) -> str:
    for function in functions:
        if name.lower() in {function.lower(), function.lower().removesuffix("function")}:
            return function
    raise Problem(
        f"template.yaml has no function {name}: choose one with FUNCTION=, of {', '.join(functions)}"
    )


def _read(file: Path) -> str:
    try:
        text = file.read_text()
        json.loads(text)
    except (OSError, ValueError) as error:
        raise Problem(f"{file} cannot be read as an event: {error}") from None
    return text


def filled_in(event: str, token: str, postgres: Postgres) -> str:
    return event.replace("${TOKEN}", token).replace("${CONVERSATION_ID}", _latest_conversation(postgres))


def _latest_conversation(postgres: Postgres) -> str:
    newest = "select id from conversation where user_id = :user order by updated_at desc limit 1"
    with closing(postgres.connect()) as connection:
        rows = connection.run(newest, user=USER)
    return str(rows[0][0]) if rows else NO_CONVERSATION


def _readable(payload: bytes) -> str:
    """The result, with a JSON body decoded."""
    result = json.loads(payload)
    if isinstance(result, dict) and isinstance(result.get("body"), str):
        with suppress(ValueError):
            result["body"] = json.loads(result["body"])
    return json.dumps(result, indent=2, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(exit_code(main))
