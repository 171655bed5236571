"""An execution environment: one process of the real runtime client, which takes one invocation at a time.

It is frozen between invocations, sees no variable of this machine, and is killed when an invocation takes
longer than the function's Timeout. The memory limit, its share of a processor and the read-only file system
are not imitated.
"""

import contextlib
import json
import os
import queue
import signal
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from local.aws.runtime_api import Answer, Failed, Ready, ReadyForSnapshot, Report, RuntimeApi
from local.aws.sandbox import Sandbox
from local.aws.template import REGION, Function

# Lambda's limit is 10 s, on a whole vCPU for each environment.
INIT_TIMEOUT_S = 60.0
CHECK_EVERY_S = 0.05


@dataclass(frozen=True)
class Runtime:
    """What Lambda provides: an interpreter, and its runtime client and boto3 (/var/runtime)."""

    python: Path
    packages: Path


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended. An error's payload is Lambda's error object, `report` Lambda's log line."""

    payload: bytes
    is_error: bool
    report: str


class InitError(Exception):
    """The function did not start. `error` is Lambda's error object."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(f"{error.get('errorType')}: {error.get('errorMessage')}")
        self.error = error


class Environment:
    """`Environment.start(…)`, then `initialise`, `invoke` any number of times, and `stop`."""

    def __init__(self, function: Function, sandbox: Sandbox, api: RuntimeApi, log: Path) -> None:
        self.sandbox = sandbox
        self._function = function
        self._api = api
        self._log = log
        # Part of the first report.
        self._cold_start = ""

    @classmethod
    def start(cls, function: Function, runtime: Runtime, log: Path, endpoint_url: str) -> Self:
        api = RuntimeApi()
        # -S hides this machine's packages.
        command = [str(runtime.python), "-S", "-m", "awslambdaric", function.handler]
        env = {**variables(function, runtime, endpoint_url), "AWS_LAMBDA_RUNTIME_API": api.address}
        kill = signal.SIGKILL
        sandbox = Sandbox.start(command, log=log, env=env, cwd=function.folder, stop_with=kill)
        return cls(function, sandbox, api, log)

    @property
    def alive(self) -> bool:
        return self.sandbox.exit_code is None

    def initialise(self) -> None:
        """Blocks until the function can be invoked. Raises InitError."""
        started = time.monotonic()
        report = self._expect(started + INIT_TIMEOUT_S)
        self._cold_start = f"\tInit Duration: {(time.monotonic() - started) * 1000:.2f} ms"
        if isinstance(report, ReadyForSnapshot):
            # Lambda would take its snapshot now.
            self.sandbox.freeze()
            restored = time.monotonic()
            self.sandbox.thaw()
            self._api.restored.set()
            report = self._expect(restored + INIT_TIMEOUT_S)
            self._cold_start += f"\tRestore Duration: {(time.monotonic() - restored) * 1000:.2f} ms"
        if isinstance(report, Failed):
            raise InitError(report.error)
        if not isinstance(report, Ready):
            raise InitError(self._ended("Init"))
        self.sandbox.freeze()

    def invoke(self, event: bytes) -> Outcome:
        """Blocks until the function has answered or was killed. If killed, it is no longer `alive`."""
        request_id = str(uuid.uuid4())
        timeout_s = self._function.timeout_s
        deadline_ms = int((time.time() + timeout_s) * 1000)
        self._write(f"START RequestId: {request_id} Version: $LATEST")
        started = time.monotonic()
        self.sandbox.thaw()
        self._api.invoke(self._function.arn, request_id, event, deadline_ms)
        answer = self._answer(request_id, started + timeout_s)
        report = self._report(request_id, (time.monotonic() - started) * 1000)
        self.sandbox.freeze()
        return Outcome(answer.payload, answer.is_error, report)

    def stop(self) -> None:
        self.sandbox.stop()
        self._api.close()

    def _answer(self, request_id: str, deadline: float) -> Answer:
        """The answer, or Lambda's error object in its place. Kills a function that is late."""
        answer: Answer | None = None
        while report := self._expect(deadline):
            if isinstance(report, Answer):
                answer = report
            elif answer is not None:
                return answer  # and ready for the next one
        if not self.alive:
            return answer or _error(request_id, self._ended(f"RequestId: {request_id} Error:"))
        what = f"Task timed out after {self._function.timeout_s:.2f} seconds"
        self._write(f"{request_id} {what}")
        self.stop()
        error = {"errorType": "Sandbox.Timedout", "errorMessage": f"RequestId: {request_id} Error: {what}"}
        return _error(request_id, error)

    def _expect(self, deadline: float) -> Report | None:
        """The client's next report; None when the process has ended or the deadline has passed."""
        while time.monotonic() < deadline:
            has_ended = not self.alive
            with contextlib.suppress(queue.Empty):
                return self._api.reports.get(timeout=CHECK_EVERY_S)
            if has_ended:
                break
        return None

    def _ended(self, prefix: str) -> dict[str, str]:
        code = self.sandbox.exit_code
        how = "was too slow to start" if code is None else f"exited with error: exit status {code}"
        return {"errorType": "Runtime.ExitError", "errorMessage": f"{prefix} Runtime {how}"}

    def _report(self, request_id: str, duration_ms: float) -> str:
        memory = self.sandbox.peak_memory_mb()
        line = (
            f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms"
            f"\tMemory Size: {self._function.memory_mb} MB"
            + ("" if memory is None else f"\tMax Memory Used: {memory} MB")
            + self._cold_start
        )
        self._cold_start = ""
        self._write(f"END RequestId: {request_id}\n{line}")
        return line

    def _write(self, text: str) -> None:
        with self._log.open("a") as log:
            log.write(f"{text}\n")


def _error(request_id: str, error: Mapping[str, str]) -> Answer:
    return Answer(request_id, json.dumps(error).encode(), is_error=True)


def variables(function: Function, runtime: Runtime, endpoint_url: str) -> dict[str, str]:
    """The variables of the template and of Lambda, and none of this machine."""
    python_path = [*(str(layer / "python") for layer in function.layers), str(runtime.packages)]
    return {
        **function.variables,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TZ": ":UTC",
        "PYTHONPATH": os.pathsep.join(python_path),
        # The function's folder is read-only on Lambda.
        "PYTHONDONTWRITEBYTECODE": "1",
        "LAMBDA_TASK_ROOT": str(function.folder),
        "LAMBDA_RUNTIME_DIR": str(runtime.packages),
        "_HANDLER": function.handler,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start" if function.snap_start else "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{time.strftime('%Y/%m/%d')}/[$LATEST]{uuid.uuid4().hex}",
        "AWS_LAMBDA_LOG_FORMAT": function.log_format,
        **({"AWS_LAMBDA_LOG_LEVEL": function.log_level} if function.log_format == "JSON" else {}),
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        # These credentials and this endpoint cannot reach an account.
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": endpoint_url,
    }
