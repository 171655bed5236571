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

from local import services
from local.aws.build import Target, build
from local.environment import read_env_file
from local.gateway import serve_built
from local.issuer import AUDIENCE, DEFAULT_PORT, issuer_url
from local.mail import serve_mail
from local.ports import check_port, free_port
from local.postgres import Postgres, PostgresError
from local.progress import Problem, exit_code, step
from local.secret import kept_secret
from local.serving import answers
from local.state import State
from local.supervisor import Service, Supervisor

E2E_TESTS = services.ROOT / "tests" / "e2e"
# The same API, with an agent that has more tools: some stop, some fail, some are slow.
DEMO_API = "local.demo:create_app"
E2E_API = "tests.e2e.api:create_app"
# The tests need a domain key, a choice of two models and links to conversations, and say where a request
# comes from.
E2E_SETTINGS = {
    "CHATKIT_DOMAIN_KEY": "local",
    "CLIENT_IP_HEADER": "x-tests-address",
    "EMAIL_VERIFICATION": "on",
    "OPENAI_MODEL": "offline,offline-2",
    "SHARING": "on",
    "SMOKE_PASSWORD": "made by the migration",
}
# People watch the words appear; tests need not wait for them.
WORD_DELAY_MS, E2E_WORD_DELAY_MS = 25, 1
CHECK_EVERY_S = 0.5
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Ports:
    api: int
    web: int
    issuer: int
    # The port of the Function URL. With one, a gateway replaces the API.
    stream: int | None = None

    @property
    def api_url(self) -> str:
        return f"http://localhost:{self.api}"

    @property
    def web_url(self) -> str:
        return f"http://localhost:{self.web}"


@dataclass
class Stack:
    """What is running, and with which settings."""

    state: State
    ports: Ports
    env: dict[str, str]
    postgres: Postgres
    supervisor: Supervisor
    running: contextlib.ExitStack

    @property
    def mail(self) -> Path:
        return self.state.data / "mail"

    def set_up_auth(self) -> None:
        self.env |= {
            "AUTH_DATABASE_URL": self.postgres.url("parley_auth"),
            "BETTER_AUTH_SECRET": kept_secret(self.state.data / "better-auth.secret"),
            "BETTER_AUTH_URL": self.ports.web_url,
            "JWT_AUDIENCE": AUDIENCE,
            "PARLEY_API_URL": self.ports.api_url,
        }
        if self.ports.stream:
            self.env["PARLEY_STREAM_URL"] = f"http://localhost:{self.ports.stream}"
        with step("Tables of the front end"):
            services.migrate_auth(self.env, self.postgres)

    def start_neon(self) -> None:
        port = free_port()
        self.supervisor.start(services.neon({**self.env, "DATABASE_URL": self.postgres.app_url}, port))
        self.env["DATABASE_HTTP_URL"] = f"http://127.0.0.1:{port}/sql"

    def start_mail(self, *, prints: bool) -> None:
        """Print mail, unless there is a server that sends it."""
        if not self.env.get("SMTP_URL"):
            self.env["SMTP_URL"] = self.running.enter_context(serve_mail(self.mail, prints=prints))

    def start_offline_model(self, word_delay_ms: float) -> None:
        port = free_port()
        self.supervisor.start(services.offline_model(self.env, port, word_delay_ms))
        self.env |= services.offline_model_environment(port)

    def use_model(self) -> str:
        """The real model if there is a key, else the offline model. Returns what to tell the user."""
        if self.env.get("OPENAI_API_KEY"):
            return "the real one, with your OPENAI_API_KEY"
        self.start_offline_model(WORD_DELAY_MS)
        return "the offline model; set OPENAI_API_KEY, in .env for example, for the real one"

    def start_api_and_frontend(self, *, built: bool, factory: str = services.API) -> None:
        self.env["CORS_ORIGINS"] = self.ports.web_url
        frontend = services.frontend(self.env, self.ports.web, built=built)
        self.start_api(frontend, self.ports.web_url, factory)

    def start_api(self, issuer: Service, issuer_url: str, factory: str = services.API) -> None:
        """Start the API as one process or, with a port for the stream, built and run as on AWS.

        It reads the keys of the issuer when it starts, so it comes second.
        """
        addresses = {"DATABASE_URL": self.postgres.app_url, "JWT_ISSUER": issuer_url}
        env = {**self.env, **addresses, "API_URL": self.ports.api_url}
        if self.ports.stream is None:
            self.supervisor.start(issuer, services.api(env, self.ports.api, factory))
            return
        build(self.state.built, Target.here())
        if factory == E2E_API:
            install_e2e_agent(self.state.built)
        self.supervisor.start(issuer)
        built, logs = self.state.built, self.state.function_logs
        self.running.enter_context(
            serve_built(env, built, logs, port=self.ports.api, stream_port=self.ports.stream)
        )

    def watch(self, process: subprocess.Popen[bytes] | None = None) -> None:
        """Until the process ends; without one, until a signal."""
        while process is None or process.poll() is None:
            self.postgres.check()
            self.supervisor.check()
            time.sleep(CHECK_EVERY_S)


@contextlib.contextmanager
def start(state: State, ports: Ports, env: dict[str, str], *, durable: bool) -> Iterator[Stack]:
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
        with Supervisor(state.logs) as supervisor, contextlib.ExitStack() as running:
            stack = Stack(state, ports, dict(env), postgres, supervisor, running)
            if env.get("DATABASE_TRANSPORT") == "http":
                stack.start_neon()
            yield stack


def run_dev(state: State, ports: Ports, env: dict[str, str]) -> None:
    check_port(ports.api, "PORT")
    check_port(ports.web, "WEB_PORT")
    with start(state, ports, env, durable=True) as stack:
        stack.set_up_auth()
        stack.start_mail(prints=True)
        model = stack.use_model()
        is_offline = stack.env["OPENAI_API_KEY"] == services.OFFLINE_KEY
        stack.start_api_and_frontend(built=False, factory=DEMO_API if is_offline else services.API)
        print(f"\n  Model: {model}\n  Stop:  Ctrl-C\n\n  {ports.web_url}\n", flush=True)
        # The chat page is compiled now, while the user signs in.
        threading.Thread(target=answers, args=[f"{ports.web_url}/chat"], daemon=True).start()
        stack.watch()


def run_api(state: State, ports: Ports, env: dict[str, str]) -> None:
    check_port(ports.api, "PORT")
    check_port(ports.issuer, "ISSUER_PORT")
    if ports.stream:
        check_port(ports.stream, "STREAM_PORT")
    with start(state, ports, env, durable=True) as stack:
        model = stack.use_model()
        issuer = services.issuer(stack.env, ports.issuer, state.issuer_key)
        stack.start_api(issuer, issuer_url(ports.issuer))
        token = "make token USER=alice"  # noqa: S105 (a command)
        if ports.issuer != DEFAULT_PORT:
            token += f" ISSUER_PORT={ports.issuer}"
        if ports.stream:
            print(
                f"\n  Stream: the Function URL is http://localhost:{ports.stream}"
                f"\n  Logs:  a file for each function in {state.function_logs}"
            )
        print(
            f"\n  Model: {model}\n"
            f"  Token: {token}\n"
            f'  Try:   curl -H "Authorization: Bearer $({token})" '
            "-H 'Content-Type: application/json' "
            f'-d \'{{"message": "Hello"}}\' {ports.api_url}/api/alice/chat\n'
            f"  Stop:  Ctrl-C\n\n  {ports.api_url}/api/docs\n",
            flush=True,
        )
        stack.watch()


def run_e2e(
    state: State, env: dict[str, str], command: list[str], *, gateway: bool, development: bool
) -> int:
    ports = Ports(free_port(), free_port(), issuer=0, stream=free_port() if gateway else None)
    state.reset()
    with start(state, ports, env, durable=False) as stack:
        stack.start_offline_model(E2E_WORD_DELAY_MS)
        stack.env |= E2E_SETTINGS
        stack.set_up_auth()
        stack.start_mail(prints=False)
        if development:
            stack.env["NEXT_DIST_DIR"] = ".next/tests"
            stack.env["EMAIL_VERIFICATION"] = "off"
        else:
            with step("Build of the front end"):
                services.build_frontend(stack.env)
        stack.start_api_and_frontend(built=not development, factory=E2E_API)
        tests_env = {**stack.env, "PARLEY_URL": ports.web_url, "MAIL": str(stack.mail)}
        # For looking whether anything is left of a user.
        tests_env |= {"OWNER_DATABASE_URL": stack.postgres.owner_url, "LOGS": str(state.logs)}
        with subprocess.Popen(command, cwd=E2E_TESTS, env=tests_env) as tests:
            try:
                stack.watch(tests)
            finally:
                tests.terminate()
        return tests.returncode


def install_e2e_agent(built: Path) -> None:
    """Put the tests' agent into the built functions, and those that it extends where it looks for them."""
    for function in ("ChatFunction", "StreamFunction"):
        folder = built / function
        extended, demo = folder / "functions" / "chat", folder / "local" / "demo"
        for each in (extended, demo):
            each.mkdir(parents=True)
        (folder / "agent.py").rename(extended / "agent.py")
        shutil.copy(services.ROOT / "local" / "demo" / "agent.py", demo)
        for compiled in (folder / "__pycache__").glob("agent.*"):
            compiled.unlink()
        shutil.copy(E2E_TESTS / "agent.py", folder)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.dev", description="Run Parley on this machine.")
    add = parser.add_argument
    add("--api", action="store_true", help="only the API, with an issuer of tokens")
    add("--e2e", nargs=argparse.REMAINDER, help="a built copy with new data, while this command runs")
    add("--gateway", action="store_true", help="with --api or --e2e: the built functions, as on AWS")
    add("--development", action="store_true", help="with --e2e: Next's development server, not a build")
    add("--port", type=int, default=8000, help="port of the API (default: 8000)")
    add("--web-port", type=int, default=3000, help="port of the front end (default: 3000)")
    add("--issuer-port", type=int, default=DEFAULT_PORT, help="port of the issuer (default: 8001)")
    add("--stream-port", type=int, default=8002, help="port of the Function URL (default: 8002)")
    add("--state", type=Path, default=services.ROOT / ".parley", help="folder of data and logs")
    add("--reset", action="store_true", help="start afresh; the old data is put aside")
    return parser.parse_args()


def _interrupt(number: int, frame: object) -> None:
    # A second signal must not disturb the stopping.
    for other in STOP_SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt


def run(given: argparse.Namespace) -> int:
    env = services.base_environment(read_env_file(services.ROOT / ".env"))
    state = State(given.state / "e2e" if given.e2e else given.state)
    stream = given.stream_port if given.gateway else None
    ports = Ports(given.port, given.web_port, given.issuer_port, stream)
    with state.lock():
        if given.e2e:
            return run_e2e(state, env, given.e2e, gateway=given.gateway, development=given.development)
        if given.reset:
            state.reset()
        run_api(state, ports, env) if given.api else run_dev(state, ports, env)
        return 0


def main() -> int:
    given = parse()
    for number in STOP_SIGNALS:
        signal.signal(number, _interrupt)
    try:
        return run(given)
    except KeyboardInterrupt:
        print("\n  Stopped.")
        return 130 if given.e2e else 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
