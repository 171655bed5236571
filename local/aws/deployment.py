"""A built stack on this machine: its functions in environments, and the AWS services that they call."""

import asyncio
import json
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.aws.build import IN_THE_RUNTIME
from local.aws.environment import Environment, Outcome, Runtime
from local.aws.http_api import INTEGRATION_TIMEOUT_S
from local.aws.pool import Pool, Throttled
from local.aws.template import ACCOUNT, REGION, Function, Template
from local.serving import serve_in_thread

SECRET_ARN = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:parley-local"
# Lambda's Python runtime has these, so layers need not.
RUNTIME_CLIENT = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
NEEDED_BY_BOTO3 = ("dateutil", "six", "urllib3")
# Lambda waits one minute, then two.
RETRY_AFTER_S = (2.0, 4.0)


def runtime_here(folder: Path) -> Runtime:
    """Lambda's runtime for the Python that runs this, with links to the packages that Lambda has too."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*RUNTIME_CLIENT, *IN_THE_RUNTIME, *NEEDED_BY_BOTO3):
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(name)
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        link = folder / source.name
        link.unlink(missing_ok=True)
        link.symlink_to(source)
    return Runtime(Path(sys.executable), folder)


@dataclass(frozen=True)
class Settings:
    """`logs` is a folder, which is emptied. `secret` is the content of the secret in Secrets Manager.

    A function gets at most `environments`. The gateway waits `integration_timeout_s` for an answer.
    """

    logs: Path
    secret: Mapping[str, str]
    environments: int = 4
    retry_after_s: tuple[float, ...] = RETRY_AFTER_S
    integration_timeout_s: float = INTEGRATION_TIMEOUT_S


class Deployment:
    def __init__(self, template: Template, runtime: Runtime, settings: Settings) -> None:
        self.template, self.runtime, self.settings = template, runtime, settings
        self.endpoint_url = ""
        self.pools: dict[str, Pool] = {}
        self._deliveries: set[asyncio.Task[None]] = set()
        shutil.rmtree(settings.logs, ignore_errors=True)
        settings.logs.mkdir(parents=True)

    def start_environment(self, function: Function) -> Environment:
        return Environment.start(function, self.runtime, self.log(function.name), self.endpoint_url)

    def log(self, function: str) -> Path:
        return self.settings.logs / f"{function}.log"

    @property
    def dead_letters(self) -> Path:
        """One JSON line per event whose last attempt failed."""
        return self.settings.logs / "dead-letters.jsonl"

    def open(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url
        for function in self.template.functions.values():
            start = partial(self.start_environment, function)
            self.pools[function.name] = Pool(start, self.settings.environments, function.reserved_concurrency)

    def close(self) -> None:
        for delivery in tuple(self._deliveries):
            delivery.get_loop().call_soon_threadsafe(delivery.cancel)
        for pool in self.pools.values():
            pool.close()

    def submit(self, function: str, event: bytes) -> Future[Outcome]:
        """Raises Throttled."""
        return self.pools[function].submit(event)

    def services(self) -> Starlette:
        """The parts of Lambda and Secrets Manager that functions call."""
        invoke = "/2015-03-31/functions/{name:path}/invocations"
        return Starlette(
            routes=[
                Route(invoke, self._take_invocation, methods=["POST"]),
                Route("/", self._get_secret_value, methods=["POST"]),
            ]
        )

    async def _take_invocation(self, request: Request) -> Response:
        name = re.sub(r"^arn:aws:lambda:.*:function:|:[^:]*$", "", unquote(request.path_params["name"]))
        if name not in self.pools:
            headers = {"X-Amzn-ErrorType": "ResourceNotFoundException"}
            return JSONResponse({"Message": f"Function not found: {name}"}, 404, headers)
        event = await request.body() or b"{}"
        if request.headers.get("x-amz-invocation-type") == "Event":
            delivery = asyncio.create_task(self._deliver(self.template.functions[name], event))
            self._deliveries.add(delivery)
            delivery.add_done_callback(self._deliveries.discard)
            return Response(status_code=202)
        try:
            outcome = await asyncio.wrap_future(self.submit(name, event))
        except Throttled:
            return JSONResponse({"message": "Rate Exceeded."}, 429)
        headers = {"X-Amz-Function-Error": "Unhandled"} if outcome.is_error else {}
        return Response(outcome.payload, headers=headers, media_type="application/json")

    async def _deliver(self, function: Function, event: bytes) -> None:
        """Carry out an asynchronous invocation, with retries. Records it if the last one fails."""
        delays = self.settings.retry_after_s[: function.retries]
        for delay in (*delays, None):
            outcome = await asyncio.wrap_future(self.submit(function.name, event))
            if not outcome.is_error:
                return
            if delay is not None:
                await asyncio.sleep(delay)
        record = {
            "version": "1.0",
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "requestContext": {
                "functionArn": f"{function.arn}:$LATEST",
                "condition": "RetriesExhausted",
                "approximateInvokeCount": len(delays) + 1,
            },
            "requestPayload": json.loads(event),
            "responsePayload": json.loads(outcome.payload),
        }
        with self.dead_letters.open("a") as file:
            file.write(json.dumps(record) + "\n")

    async def _get_secret_value(self, request: Request) -> Response:
        wanted: dict[str, Any] = await request.json()
        if request.headers.get("x-amz-target") != "secretsmanager.GetSecretValue":
            return JSONResponse({"__type": "UnknownOperationException"}, 400)
        if wanted["SecretId"] != SECRET_ARN:
            return JSONResponse({"__type": "ResourceNotFoundException", "Message": "No such secret"}, 400)
        answer = {"ARN": SECRET_ARN, "SecretString": json.dumps(dict(self.settings.secret))}
        return JSONResponse(answer, media_type="application/x-amz-json-1.1")


@contextmanager
def deploy(template: Template, runtime: Runtime, settings: Settings) -> Iterator[Deployment]:
    """The functions, ready to be invoked. No process is left at the end."""
    deployment = Deployment(template, runtime, settings)
    with serve_in_thread(lambda _: deployment.services()) as url:
        try:
            deployment.open(url)
            yield deployment
        finally:
            deployment.close()
