"""Small functions on Lambda's own runtime client: what the imitation of the platform promises."""

import json
import os
import signal
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.aws.environment import Environment, InitError, Outcome, Runtime
from local.aws.pool import Pool, Throttled
from local.aws.template import Function

Start = Callable[..., Environment]


@pytest.fixture
def function(tmp_path: Path) -> Callable[..., Function]:
    """`function("def handler(event, context): …")`; more arguments change it."""

    def make(code: str, **changes: Any) -> Function:
        folder = tmp_path / "function"
        folder.mkdir(exist_ok=True)
        (folder / "app.py").write_text(textwrap.dedent(code))
        plain = Function(
            name="SmallFunction",
            folder=folder,
            layers=(),
            handler="app.handler",
            timeout_s=20,
            memory_mb=256,
            variables={"FROM_TEMPLATE": "yes"},
            log_format="Text",
            log_level="INFO",
            snap_start=False,
            reserved_concurrency=None,
            retries=2,
        )
        return replace(plain, **changes)

    return make


@pytest.fixture
def launch(runtime: Runtime, tmp_path: Path) -> Iterator[Callable[[Function], Environment]]:
    """Starts an environment, which has yet to be initialised."""
    with ExitStack() as stack:

        def launch(function: Function) -> Environment:
            environment = Environment.start(function, runtime, tmp_path / "log", "http://127.0.0.1:9")
            stack.callback(environment.stop)
            return environment

        yield launch


@pytest.fixture
def start(function: Callable[..., Function], launch: Callable[[Function], Environment]) -> Start:
    def start(code: str, **changes: Any) -> Environment:
        environment = launch(function(code, **changes))
        environment.initialise()
        return environment

    return start


def result(outcome: Outcome) -> Any:
    assert not outcome.is_error, outcome.payload
    return json.loads(outcome.payload)


def error(outcome: Outcome) -> dict[str, Any]:
    assert outcome.is_error, outcome.payload
    return dict(json.loads(outcome.payload))


def test_a_function_sees_lambdas_environment_and_nothing_of_this_machines(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "the developer's own")
    seen = result(
        start(
            """
            import os, sys
            def handler(event, context):
                return {
                    "environment": dict(os.environ), "path": sys.path,
                    "client": "awslambdaric" in sys.modules,
                    "name": context.function_name, "memory": context.memory_limit_in_mb,
                    "arn": context.invoked_function_arn,
                    "remaining": context.get_remaining_time_in_millis(),
                }
            """
        ).invoke(b"{}")
    )
    environment = seen["environment"]
    allowed = ("AWS_", "LAMBDA_", "_", "LC_CTYPE", "PWD", "OLDPWD", "SHLVL")
    given = {"FROM_TEMPLATE", "PATH", "LANG", "TZ", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
    assert [name for name in environment if not name.startswith(allowed) and name not in given] == []
    assert environment["FROM_TEMPLATE"] == "yes"
    assert environment["AWS_ACCESS_KEY_ID"] == "local"
    assert not any("site-packages" in each for each in seen["path"])
    assert seen["client"]
    assert (seen["name"], seen["memory"]) == ("SmallFunction", "256")
    assert seen["arn"].endswith(":function:SmallFunction")
    assert 15_000 < seen["remaining"] <= 20_000


def test_a_warm_environment_is_the_same_process_and_tells_of_its_start_once(start: Start) -> None:
    environment = start(
        """
        import os
        count = 0
        def handler(event, context):
            global count
            count += 1
            return [os.getpid(), count, event]
        """
    )
    first, second = (environment.invoke(json.dumps("Grüße, 你好").encode()) for _ in range(2))
    assert result(first) == [environment.sandbox.pid, 1, "Grüße, 你好"]
    assert result(second) == [environment.sandbox.pid, 2, "Grüße, 你好"]
    assert "Init Duration" in first.report
    assert "Init Duration" not in second.report
    assert "Max Memory Used" in second.report


def test_an_exception_is_an_error_and_the_environment_goes_on(start: Start) -> None:
    environment = start(
        """
        def handler(event, context):
            if event:
                raise LookupError("nothing there")
            return "fine"
        """
    )
    failure = error(environment.invoke(b"1"))
    assert (failure["errorType"], failure["errorMessage"]) == ("LookupError", "nothing there")
    assert "app.py" in failure["stackTrace"][0]
    assert result(environment.invoke(b"0")) == "fine"


@pytest.mark.parametrize(
    ("code", "kind", "cause"),
    [
        ("import missing_package", "Runtime.ImportModuleError", "No module named 'missing_package'"),
        ("raise ValueError('DATABASE_URL: is not set')", "ValueError", "DATABASE_URL: is not set"),
        ("def other(event, context): pass", "Runtime.HandlerNotFound", "Handler 'handler' missing"),
        ("import os; os._exit(3)", "Runtime.ExitError", "exit status 3"),
    ],
)
def test_a_function_that_does_not_start_says_why(start: Start, code: str, kind: str, cause: str) -> None:
    with pytest.raises(InitError) as caught:
        start(code)
    assert caught.value.error["errorType"] == kind
    assert cause in caught.value.error["errorMessage"]


def test_a_process_that_ends_is_noticed(start: Start) -> None:
    environment = start("import os\ndef handler(event, context): os._exit(7)")
    failure = error(environment.invoke(b"{}"))
    assert failure["errorType"] == "Runtime.ExitError"
    assert "exit status 7" in failure["errorMessage"]
    assert not environment.alive


def test_what_is_late_is_killed_and_the_next_invocation_gets_a_fresh_environment(
    function: Callable[..., Function], launch: Callable[[Function], Environment]
) -> None:
    late = function(
        """
        import os, time
        def handler(event, context):
            time.sleep(event)
            return os.getpid()
        """,
        timeout_s=2,
    )
    pool = Pool(lambda: launch(late), 1, None)
    pid = result(pool.submit(b"0").result())
    started = time.monotonic()
    failure = error(pool.submit(b"60").result())
    assert failure["errorType"] == "Sandbox.Timedout"
    assert failure["errorMessage"].endswith("Error: Task timed out after 2.00 seconds")
    assert 1.9 < time.monotonic() - started < 10
    assert not Path(f"/proc/{pid}").exists()
    assert result(pool.submit(b"0").result()) != pid
    pool.close()


def test_between_invocations_everything_stands_still(start: Start) -> None:
    environment = start(
        """
        import threading, time
        ticks = 0
        def tick():
            global ticks
            while True:
                time.sleep(0.01)
                ticks += 1
        threading.Thread(target=tick, daemon=True).start()
        def handler(event, context):
            time.sleep(event)
            return ticks
        """
    )
    before = result(environment.invoke(b"0"))
    time.sleep(1)
    assert result(environment.invoke(b"0")) - before < 20
    assert result(environment.invoke(b"1")) - before > 20


HOOKS = """
from snapshot_restore_py import register_after_restore, register_before_snapshot
happened = ["init"]
def note(what):
    happened.append(what)
    if what == FAILS:
        raise RuntimeError("the hook failed")
register_before_snapshot(note, "before snapshot")
register_after_restore(note, "after restore")
def handler(event, context):
    return happened
"""


def test_the_hooks_of_a_snapshot_run_before_it_and_after_it_is_restored(start: Start) -> None:
    environment = start("FAILS = None\n" + HOOKS, snap_start=True)
    outcome = environment.invoke(b"{}")
    assert result(outcome) == ["init", "before snapshot", "after restore"]
    assert "Restore Duration" in outcome.report


def test_without_snapshots_no_hook_runs(start: Start) -> None:
    assert result(start("FAILS = None\n" + HOOKS).invoke(b"{}")) == ["init"]


@pytest.mark.parametrize(
    ("hook", "kind"),
    [("before snapshot", "Runtime.BeforeSnapshotError"), ("after restore", "Runtime.AfterRestoreError")],
)
def test_a_hook_that_fails_keeps_the_function_from_starting(start: Start, hook: str, kind: str) -> None:
    with pytest.raises(InitError) as caught:
        start(f"FAILS = {hook!r}\n" + HOOKS, snap_start=True)
    assert caught.value.error["errorMessage"] == "the hook failed"
    assert kind in caught.value.error["errorType"]


def test_a_result_over_6_mb_is_an_error(start: Start) -> None:
    environment = start("def handler(event, context): return 'x' * event")
    assert len(result(environment.invoke(str(6_000_000).encode()))) == 6_000_000
    failure = error(environment.invoke(str(7_000_000).encode()))
    assert failure["errorType"] == "Function.ResponseSizeTooLarge"


WAITING = """
import os, time
def handler(event, context):
    time.sleep(event)
    return os.getpid()
"""


def test_what_comes_at_once_gets_an_environment_each_up_to_the_limit(
    function: Callable[..., Function], launch: Callable[[Function], Environment]
) -> None:
    pool = Pool(lambda: launch(function(WAITING)), 2, None)
    outcomes = [pool.submit(b"0.5") for _ in range(4)]
    pids = [result(each.result()) for each in outcomes]
    assert len(set(pids)) == 2
    last = result(pool.submit(b"0").result())
    assert [result(pool.submit(b"0").result()) for _ in range(3)] == [last] * 3, "the one used last first"
    pool.close()


def test_over_the_reserved_concurrency_it_is_throttled(
    function: Callable[..., Function], launch: Callable[[Function], Environment]
) -> None:
    pool = Pool(lambda: launch(function(WAITING)), 2, reserved_concurrency=1)
    running = pool.submit(b"0.5")
    with pytest.raises(Throttled):
        pool.submit(b"0")
    result(running.result())
    result(pool.submit(b"0").result())
    pool.close()


def test_closing_does_not_wait_for_what_runs_or_starts(
    function: Callable[..., Function], launch: Callable[[Function], Environment]
) -> None:
    started: list[Environment] = []

    def start_noted() -> Environment:
        started.append(launch(function(WAITING + "\ntime.sleep(30)")))
        return started[0]

    pool = Pool(start_noted, 1, None)
    outcome = pool.submit(b"0")
    while not started:
        time.sleep(0.01)
    closing = time.monotonic()
    pool.close()
    assert time.monotonic() - closing < 5
    assert outcome.result().is_error
    assert not started[0].alive


def test_a_process_killed_while_idle_is_replaced(
    function: Callable[..., Function], launch: Callable[[Function], Environment]
) -> None:
    started: list[Environment] = []

    def start_noted() -> Environment:
        started.append(launch(function(WAITING)))
        return started[-1]

    pool = Pool(start_noted, 1, None)
    pid = result(pool.submit(b"0").result())
    os.kill(pid, signal.SIGKILL)
    while started[0].alive:
        time.sleep(0.01)
    assert result(pool.submit(b"0").result()) != pid
    pool.close()
