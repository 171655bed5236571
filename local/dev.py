"""Runs Parley on this machine: `make dev`, `make api`, and the copy that the end-to-end tests use."""

import argparse
import contextlib
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from local import services
from local.aws.build import Target, build
from local.environment import read_env_file
from local.issuer import AUDIENCE, DEFAULT_PORT, issuer_url
from local.ports import check_port, free_port
from local.postgres import Postgres, PostgresError
from local.progress import Problem, not_allowed, step, tell
from local.secret import kept_secret
from local.services import Environment
from local.state import State
from local.supervisor import Service, Supervisor, answers

E2E_TESTS = services.ROOT / "tests" / "e2e"
# The same API, with an agent that also has tools that stop, fail and dawdle.
E2E_API = "tests.e2e.api:create_app"
# Something to show and to pick: a domain key, and two models.
CHATKIT_IN_TESTS = {"CHATKIT_DOMAIN_KEY": "local", "OPENAI_MODEL": "offline,offline-2"}
# A person watches the words come; a test has no time to.
PERSONS_WORD_DELAY_MS, TESTS_WORD_DELAY_MS = 25, 1
CHECK_EVERY_S = 0.5
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Ports:
    api: int
    web: int
    issuer: int
    # Of the Function URL: with one, there is a gateway in place of the API.
    stream: int | None = None

    @property
    def api_url(self) -> str:
        return f"http://localhost:{self.api}"

    @property
    def web_url(self) -> str:
        return f"http://localhost:{self.web}"


def run_dev(state: State, ports: Ports, env: Environment) -> NoReturn:
    check_port(ports.api, "PORT")
    check_port(ports.web, "WEB_PORT")
    with database(state, env, durable=True) as postgres, Supervisor(state.logs) as supervisor:
        env = {**env, **auth_environment(state, ports, postgres)}
        migrate_auth(env, postgres)
        if not has_key(env):
            env = {**env, **start_offline_model(supervisor, env, PERSONS_WORD_DELAY_MS)}
        start_api_and_frontend(supervisor, state, ports, env, postgres, built=False)
        print(f"\n  Model: {model_in(env)}\n  Stop:  Ctrl-C\n\n  {ports.web_url}\n", flush=True)
        # Compiled while the person signs in, instead of when they are waiting for it.
        threading.Thread(target=answers, args=[f"{ports.web_url}/chat"], daemon=True).start()
        watch(supervisor, postgres)


def run_api(state: State, ports: Ports, env: Environment) -> NoReturn:
    check_port(ports.api, "PORT")
    check_port(ports.issuer, "ISSUER_PORT")
    if ports.stream:
        check_port(ports.stream, "STREAM_PORT")
    with database(state, env, durable=True) as postgres, Supervisor(state.logs) as supervisor:
        if not has_key(env):
            env = {**env, **start_offline_model(supervisor, env, PERSONS_WORD_DELAY_MS)}
        issuer = issuer_url(ports.issuer)
        mint = "make token USER=alice"
        if ports.issuer != DEFAULT_PORT:
            mint += f" ISSUER_PORT={ports.issuer}"
        own = {"DATABASE_URL": postgres.app_url, "JWT_ISSUER": issuer}
        supervisor.start(
            services.issuer(env, ports.issuer, state.issuer_key), server(state, ports, {**env, **own})
        )
        if ports.stream:
            print(
                f"\n  Stream: the Function URL is http://localhost:{ports.stream}"
                f"\n  Logs:  a file for each function in {function_logs(state)}"
            )
        print(
            f"\n  Model: {model_in(env)}\n"
            f"  Token: {mint}\n"
            f'  Try:   curl -H "Authorization: Bearer $({mint})" '
            "-H 'Content-Type: application/json' "
            f'-d \'{{"message": "Hello"}}\' {ports.api_url}/api/alice/chat\n'
            f"  Stop:  Ctrl-C\n\n  {ports.api_url}/api/docs\n",
            flush=True,
        )
        watch(supervisor, postgres)


def run_e2e(state: State, env: Environment, command: list[str], *, gateway: bool) -> int:
    stream = free_port() if gateway else None
    ports = Ports(api=free_port(), web=free_port(), issuer=0, stream=stream)
    state.reset()
    with database(state, env, durable=False) as postgres, Supervisor(state.logs) as supervisor:
        env = {**env, **auth_environment(state, ports, postgres)}
        migrate_auth(env, postgres)
        env = {**env, **start_offline_model(supervisor, env, TESTS_WORD_DELAY_MS), **CHATKIT_IN_TESTS}
        with step("Build of the front end"):
            services.build_frontend(env)
        start_api_and_frontend(supervisor, state, ports, env, postgres, built=True, factory=E2E_API)
        with subprocess.Popen(command, cwd=E2E_TESTS, env={**env, "PARLEY_URL": ports.web_url}) as tests:
            try:
                while tests.poll() is None:
                    supervisor.check()
                    time.sleep(CHECK_EVERY_S)
            except BaseException:
                tests.terminate()
                raise
        return tests.returncode


@contextlib.contextmanager
def database(state: State, env: Environment, *, durable: bool) -> Iterator[Postgres]:
    try:
        with step("PostgreSQL"):
            postgres = Postgres.start(state.data / "postgres", durable=durable)
    except PostgresError as error:
        raise Problem(
            f"{error}\nTo start afresh, with the old data put aside, run the same with RESET=1"
        ) from None
    with postgres:
        with step("Tables of the API"):
            services.migrate_api(env, postgres)
        yield postgres


def auth_environment(state: State, ports: Ports, postgres: Postgres) -> Environment:
    return {
        "AUTH_DATABASE_URL": postgres.url("parley_auth"),
        "BETTER_AUTH_SECRET": kept_secret(state.data / "better-auth.secret"),
        "BETTER_AUTH_URL": ports.web_url,
        "JWT_AUDIENCE": AUDIENCE,
        "PARLEY_API_URL": ports.api_url,
        **({"PARLEY_STREAM_URL": f"http://localhost:{ports.stream}"} if ports.stream else {}),
    }


def migrate_auth(env: Environment, postgres: Postgres) -> None:
    with step("Tables of the front end"):
        services.migrate_auth(env, postgres)


def has_key(env: Environment) -> bool:
    return bool(env.get("OPENAI_API_KEY"))


def model_in(env: Environment) -> str:
    if env["OPENAI_API_KEY"] != services.OFFLINE_KEY:
        return "the real one, with your OPENAI_API_KEY"
    return "the offline model; set OPENAI_API_KEY, in .env for example, for the real one"


def start_offline_model(supervisor: Supervisor, env: Environment, word_delay_ms: float) -> Environment:
    """Gives the settings that lead to it."""
    port = free_port()
    supervisor.start(services.offline_model(env, port, word_delay_ms))
    return services.offline_model_environment(port)


def start_api_and_frontend(
    supervisor: Supervisor,
    state: State,
    ports: Ports,
    env: Environment,
    postgres: Postgres,
    *,
    built: bool,
    factory: str = services.API,
) -> None:
    own = {"DATABASE_URL": postgres.app_url, "JWT_ISSUER": ports.web_url, "CORS_ORIGINS": ports.web_url}
    # The API is ready when it can read the front end's keys, and it asks for them seldom: it goes second.
    supervisor.start(
        services.frontend(env, ports.web, built=built),
        server(state, ports, {**env, **own}, factory),
    )


def server(state: State, ports: Ports, env: Environment, factory: str = services.API) -> Service:
    """The API: as one process, or, when that is asked for, as on AWS, built."""
    if ports.stream is None:
        return services.api(env, ports.api, factory)
    build(state.built, Target.here())
    if factory == E2E_API:
        put_tests_agent(state.built)
    return services.gateway(env, state.built, ports.api, ports.stream, function_logs(state))


def put_tests_agent(built: Path) -> None:
    """Where a Lambda finds its agent, that of the tests, and where that one finds the agent it extends."""
    for door in ("ChatFunction", "StreamFunction"):
        folder = built / door
        extended = folder / "functions" / "chat"
        extended.mkdir(parents=True)
        (folder / "agent.py").rename(extended / "agent.py")
        for compiled in (folder / "__pycache__").glob("agent.*"):
            compiled.unlink()
        shutil.copy(E2E_TESTS / "agent.py", folder)


def function_logs(state: State) -> Path:
    return state.logs / "functions"


def watch(supervisor: Supervisor, postgres: Postgres) -> NoReturn:
    while True:
        postgres.check()
        supervisor.check()
        time.sleep(CHECK_EVERY_S)


def run(given: argparse.Namespace) -> int:
    env = services.base_environment(read_env_file(services.ROOT / ".env"))
    state = State(given.state / "e2e" if given.e2e else given.state)
    stream = given.stream_port if given.gateway else None
    ports = Ports(given.port, given.web_port, given.issuer_port, stream)
    with state.lock():
        if given.e2e:
            return run_e2e(state, env, given.e2e, gateway=given.gateway)
        if given.reset:
            state.reset()
        if given.api:
            run_api(state, ports, env)
        run_dev(state, ports, env)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.dev", description="Run Parley on this machine.")
    parser.add_argument("--api", action="store_true", help="the API alone, with an issuer of tokens")
    parser.add_argument(
        "--e2e", nargs="+", metavar="COMMAND", help="a built copy on new data, while COMMAND runs"
    )
    parser.add_argument(
        "--gateway",
        action="store_true",
        help="with --api or --e2e: the built functions behind a gateway, as on AWS, in place of the API",
    )
    parser.add_argument("--port", type=int, default=8000, help="of the API (default: 8000)")
    parser.add_argument("--web-port", type=int, default=3000, help="of the front end (default: 3000)")
    parser.add_argument("--issuer-port", type=int, default=DEFAULT_PORT, help="of the issuer (default: 8001)")
    parser.add_argument(
        "--stream-port", type=int, default=8002, help="of the gateway's Function URL (default: 8002)"
    )
    parser.add_argument(
        "--state", type=Path, default=services.ROOT / ".parley", help="folder of data and logs"
    )
    parser.add_argument("--reset", action="store_true", help="start afresh; the old data is put aside")
    return parser.parse_args()


def _interrupt(number: int, frame: object) -> None:
    for other in STOP_SIGNALS:
        signal.signal(other, signal.SIG_IGN)  # stopping is not to be disturbed
    raise KeyboardInterrupt


def main() -> int:
    given = parse()
    for number in STOP_SIGNALS:
        signal.signal(number, _interrupt)
    try:
        return run(given)
    except Problem as problem:
        tell(problem)
        return 1
    except PermissionError as error:
        tell(not_allowed(error))
        return 1
    except KeyboardInterrupt:
        print("\n  Stopped.")
        return 130 if given.e2e else 0


if __name__ == "__main__":
    sys.exit(main())
