"""The Lambda functions, called as the runtime calls them, with the HTTP API's events."""

import asyncio
import importlib.util
import json
import os
import random
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from socket import SHUT_RDWR
from types import ModuleType
from typing import Any, get_args
from urllib.parse import urlsplit

import boto3
import httpx
import pytest
import snapshot_restore_py
from moto import mock_aws
from pydantic import SecretStr
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.issuer import Issuer
from local.postgres import Postgres
from local.serving import serve_in_thread
from parley import config
from parley.config import Settings
from parley.database import Database
from parley.errors import ProblemError
from parley.lambda_handler import LambdaHandler
from parley.main import create_light_app
from parley.metrics import Metric
from parley.models.turn import Send
from parley.postgres import Address, CannotConnect
from parley.repositories.turns import Begun, Limits, NewTurn, begin_turn
from parley.services.running_turn import EndStatus
from parley.tracing import configure_tracing
from parley.web_adapter import AFTER_RESTORE, BEFORE_SNAPSHOT, SnapshotApp
from tests.conftest import ApiUser
from tests.otlp import Collector, attributes, collecting
from tests.stack import rendered, transformed

FUNCTIONS = Path(__file__).parents[2] / "functions"


class Context:
    """The part of the runtime's context that a handler may ask."""

    function_name = "parley-chat"
    memory_limit_in_mb = 1769
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:parley-chat"
    aws_request_id = "8e1b9a6e-0000-4000-8000-000000000000"

    def __init__(self, remaining_ms: int = 29_000) -> None:
        self._remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:
        return self._remaining_ms


def event(method: str, path: str, token: str | None, body: Any = None) -> dict[str, Any]:
    """As an HTTP API sends it, payload format 2.0."""
    headers = {"content-type": "application/json", "host": "api.example.com"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.1", "protocol": "HTTP/1.1"},
            "domainName": "api.example.com",
            "requestId": "JKJaXmPLvHcESHA=",
            "stage": "$default",
        },
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The environment's event loop, which Mangum takes as it finds it."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    loop.close()
    asyncio.set_event_loop(None)


@pytest.fixture
def load_function(
    settings: Settings, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], ModuleType]]:
    """`load_function("chat")` loads functions/chat/app.py in an environment like the deployed one."""
    values = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "JWT_ISSUER": settings.jwt_issuer,
        "OPENAI_API_KEY": "offline",
        "OPENAI_BASE_URL": settings.openai_base_url or "",
        "OPENAI_MODEL": "offline",
        "AWS_LAMBDA_FUNCTION_NAME": "parley-chat",
        "LOG_LEVEL": "ERROR",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    opened: list[ModuleType] = []

    def load(name: str) -> ModuleType:
        folder = FUNCTIONS / name
        monkeypatch.syspath_prepend(str(folder))
        sys.modules.pop("agent", None)
        spec = importlib.util.spec_from_file_location(f"{name}_app", folder / "app.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        opened.append(module)
        return module

    yield load
    for module in opened:
        close(module, loop)


def close(module: ModuleType, loop: asyncio.AbstractEventLoop) -> None:
    """What the end of an environment would: drop connections, on the loop that made them."""
    if hasattr(module, "handler") and isinstance(module.handler, LambdaHandler):
        loop.run_until_complete(module.handler.app.state.services.close())
    elif hasattr(module, "follow_ups"):
        module.follow_ups._database.close()
        module.loop.run_until_complete(module.follow_ups._agent_service.close())
        module.loop.close()
    elif hasattr(module, "clean_up"):
        module.clean_up._database.close()


def test_a_turn_goes_through_the_chat_function(
    load_function: Callable[[str], ModuleType], alice: ApiUser
) -> None:
    handler = load_function("chat").handler
    said = event("POST", f"/api/{alice.id}/chat", alice.token, {"message": "My name is Ada"})
    first = handler(said, Context())
    assert first["statusCode"] == 200, first
    conversation_id = json.loads(first["body"])["conversation_id"]
    body = {"message": "What is my name?", "conversation_id": conversation_id}
    second = handler(event("POST", f"/api/{alice.id}/chat", alice.token, body), Context())
    assert "Ada" in json.loads(second["body"])["response"]
    assert len(alice.messages(conversation_id)) == 4


def test_a_stream_arrives_whole_through_the_buffered_function(
    load_function: Callable[[str], ModuleType], alice: ApiUser
) -> None:
    said = event("POST", f"/api/{alice.id}/chat", alice.token, {"message": "Hello"})
    said["headers"]["accept"] = "text/event-stream"
    reply = load_function("chat").handler(said, Context())
    assert reply["headers"]["content-type"].startswith("text/event-stream")
    assert reply["isBase64Encoded"] is False
    assert reply["body"].startswith("id: 1\nevent: turn.created\n")
    assert "event: turn.completed\n" in reply["body"]


@pytest.mark.parametrize("name", ["chat", "conversations"])
def test_a_problem_is_text_and_carries_the_gateways_request_id(
    load_function: Callable[[str], ModuleType], name: str
) -> None:
    reply = load_function(name).handler(event("GET", "/api/alice/conversations", None), Context())
    assert reply["statusCode"] == 401
    assert reply["isBase64Encoded"] is False
    assert reply["headers"]["content-type"] == "application/problem+json"
    assert reply["headers"]["www-authenticate"] == "Bearer"
    assert json.loads(reply["body"])["request_id"] == "JKJaXmPLvHcESHA="


def test_the_light_function_lists_and_knows_no_turns(
    load_function: Callable[[str], ModuleType], alice: ApiUser
) -> None:
    conversation_id = alice.say("Hello").json()["conversation_id"]
    handler = load_function("conversations").handler
    listed = handler(event("GET", f"/api/{alice.id}/conversations", alice.token), Context())
    assert [each["id"] for each in json.loads(listed["body"])["data"]] == [conversation_id]
    turn = event("POST", f"/api/{alice.id}/chat", alice.token, {"message": "Hello"})
    assert handler(turn, Context())["statusCode"] == 404


def test_another_users_conversation_is_forbidden_at_the_function(
    load_function: Callable[[str], ModuleType], alice: ApiUser, issuer: Issuer
) -> None:
    conversation_id = alice.say("Hello").json()["conversation_id"]
    path = f"/api/mallory/conversations/{conversation_id}"
    reply = load_function("conversations").handler(event("GET", path, issuer.mint("mallory")), Context())
    assert reply["statusCode"] == 403


def test_a_turn_ends_before_the_platform_cuts_it_off(
    load_function: Callable[[str], ModuleType], alice: ApiUser
) -> None:
    said = event("POST", f"/api/{alice.id}/chat", alice.token, {"message": "[offline: hang=8] Tell me more"})
    reply = load_function("chat").handler(said, Context(remaining_ms=3_000))
    assert reply["statusCode"] == 504
    listed = alice.http.get("/conversations").json()["data"][0]
    answer = alice.messages(listed["id"])[1]
    assert answer["status"] == "failed"
    assert answer["content"], "what was written so far is kept"


def run_hooks(hooks: list[Any]) -> None:
    """As the runtime client does; the registry holds those of every function that this process has loaded."""
    function, args, kwargs = hooks[-1]
    function(*args, **kwargs)


def test_an_environment_made_from_a_snapshot_has_nothing_of_its_model(
    load_function: Callable[[str], ModuleType],
    alice: ApiUser,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The secret was changed meanwhile, and the old one must be of no use."""
    right = settings.database_url.get_secret_value()
    with mock_aws():
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        secrets = boto3.client("secretsmanager")
        old = json.dumps({"DATABASE_URL": "postgresql://old:old@127.0.0.1:1/old"})
        arn = secrets.create_secret(Name="parley", SecretString=old)["ARN"]
        monkeypatch.delenv("DATABASE_URL")
        monkeypatch.setenv("SECRET_ARN", arn)
        module = load_function("conversations")
        before = module.handler.app
        listing = event("GET", f"/api/{alice.id}/conversations", alice.token)
        assert module.handler(listing, Context())["statusCode"] == 503
        run_hooks(snapshot_restore_py.get_before_snapshot())
        secrets.put_secret_value(SecretId=arn, SecretString=json.dumps({"DATABASE_URL": right}))
        run_hooks(snapshot_restore_py.get_after_restore())
        assert module.handler.app is not before
        assert module.handler(listing, Context())["statusCode"] == 200


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """`stored(DATABASE_URL=…)` makes this the secret that functions read, and those variables go."""
    with mock_aws():
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        secrets = boto3.client("secretsmanager")
        arn = secrets.create_secret(Name="parley", SecretString="{}")["ARN"]
        monkeypatch.setenv("SECRET_ARN", arn)
        monkeypatch.setattr(config, "_read_again_at", 0.0)
        config.forget_secret()

        def store(**content: str) -> None:
            for name in content:
                monkeypatch.delenv(name, raising=False)
            secrets.put_secret_value(SecretId=arn, SecretString=json.dumps(content))

        yield store
        config.forget_secret()
        monkeypatch.setattr(config, "_suspected", False)


def test_a_secret_is_read_again_once_when_the_database_refuses_its_password(
    load_function: Callable[[str], ModuleType],
    alice: ApiUser,
    settings: Settings,
    stored: Callable[..., None],
) -> None:
    right = settings.database_url.get_secret_value()
    wrong = right.replace(urlsplit(right).password or "", "replaced", 1)
    stored(DATABASE_URL=wrong)
    handler = load_function("conversations").handler
    listing = event("GET", f"/api/{alice.id}/conversations", alice.token)
    apps = [handler.app]
    statuses = []
    for secret in (wrong, wrong, right, right):
        stored(DATABASE_URL=secret)
        statuses.append(handler(listing, Context())["statusCode"])
        apps.append(handler.app)
    assert statuses == [503, 503, 503, 503], "a wrong secret is read again once a minute"
    assert len({id(app) for app in apps}) == 2
    config._read_again_at = 0.0
    assert handler(listing, Context())["statusCode"] == 200
    assert handler(listing, Context())["statusCode"] == 200
    assert len({id(app) for app in (*apps, handler.app)}) == 3


def test_a_secret_is_read_again_when_the_model_refuses_its_key(
    load_function: Callable[[str], ModuleType], alice: ApiUser, stored: Callable[..., None]
) -> None:
    stored(OPENAI_API_KEY="old")
    handler = load_function("chat").handler
    before = handler.app
    chat = f"/api/{alice.id}/chat"
    refused = handler(event("POST", chat, alice.token, {"message": "[offline: status=401] Hello"}), Context())
    assert refused["statusCode"] == 502
    assert handler.app is before
    stored(OPENAI_API_KEY="new")
    assert handler(event("POST", chat, alice.token, {"message": "Hello"}), Context())["statusCode"] == 200
    assert handler.app is not before
    assert handler.app.state.services.settings.openai_api_key.get_secret_value() == "new"


def test_no_connection_is_in_a_snapshot(load_function: Callable[[str], ModuleType], alice: ApiUser) -> None:
    handler = load_function("conversations").handler
    listing = event("GET", f"/api/{alice.id}/conversations", alice.token)
    assert handler(listing, Context())["statusCode"] == 200
    pool = handler.app.state.services.database._engine.pool
    assert pool.checkedin() == 1
    run_hooks(snapshot_restore_py.get_before_snapshot())
    assert handler.app.state.services.database._engine.pool.checkedin() == 0


async def asked(app: SnapshotApp, path: str, token: str = "") -> int:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        if path in (BEFORE_SNAPSHOT, AFTER_RESTORE):
            return (await client.post(path)).status_code
        return (await client.get(path, headers={"authorization": f"Bearer {token}"})).status_code


def test_the_streaming_app_is_made_again_after_a_snapshot(settings: Settings, alice: ApiUser) -> None:
    gone = settings.model_copy(update={"database_url": SecretStr("postgresql://old:old@127.0.0.1:1/old")})
    versions = iter([gone, settings])
    app = SnapshotApp(lambda: create_light_app(next(versions)))
    listing = f"/api/{alice.id}/conversations"

    async def restored() -> list[int]:
        paths = (listing, BEFORE_SNAPSHOT, AFTER_RESTORE, listing, BEFORE_SNAPSHOT)
        return [await asked(app, path, alice.token) for path in paths]

    assert asyncio.run(restored()) == [503, 204, 204, 200, 204]
    assert app._app.state.services.database._engine.pool.checkedin() == 0


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[Collector]:
    """Where the functions that are loaded send traces."""
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        yield collector
        configure_tracing(settings)


def test_traces_are_sent_before_the_freeze(
    load_function: Callable[[str], ModuleType], alice: ApiUser, collector: Collector
) -> None:
    handler = load_function("chat").handler
    said = event("POST", f"/api/{alice.id}/chat", alice.token, {"message": "Hello"})
    assert handler(said, Context())["statusCode"] == 200
    request = collector.one("POST /api/{user_id}/chat")
    assert attributes(request)["parley.request_id"] == "JKJaXmPLvHcESHA="
    assert {span.trace_id for span in collector.spans()} == {request.trace_id}, "no rehearsal"


def test_environments_from_one_snapshot_trace_with_ids_of_their_own(
    load_function: Callable[[str], ModuleType], alice: ApiUser, collector: Collector
) -> None:
    handler = load_function("conversations").handler
    listing = event("GET", f"/api/{alice.id}/conversations", alice.token)
    for _ in range(2):
        run_hooks(snapshot_restore_py.get_before_snapshot())
        run_hooks(snapshot_restore_py.get_after_restore())
        random.seed(7)  # its state is in the snapshot
        assert handler(listing, Context())["statusCode"] == 200
    spans = [span for span in collector.spans() if span.name == "GET /api/{user_id}/conversations"]
    assert len({span.trace_id for span in spans}) == len({span.span_id for span in spans}) == 2


def test_a_follow_up_is_traced(
    load_function: Callable[[str], ModuleType], database: Database, collector: Collector
) -> None:
    # Not said to the API of the tests: that runs in this process, and its own follow-up would be traced too.
    turn = NewTurn(
        f"ada-{uuid.uuid4().hex[:8]}", Send(None, "Hello"), None, "h", "offline", "Hello", tokens=3
    )
    begun = begin_turn(database, turn, Limits(1_000, None, None))
    assert isinstance(begun, Begun)
    conversation_id = str(begun.conversation_id)
    ids = {
        "user_id": turn.user_id,
        "conversation_id": conversation_id,
        "accepted_id": str(begun.answer_id),
    }
    load_function("followup").handler(ids, Context())
    (span,) = [
        each
        for each in collector.spans()
        if each.name == "invoke_workflow follow_up"
        and attributes(each)["gen_ai.conversation.id"] == conversation_id
    ]
    steps = [each.name for each in collector.spans() if each.parent_span_id == span.span_id]
    assert (steps[0], steps[-1]) == ("read_pending", "store_title")


SCHEDULED = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


@pytest.mark.parametrize("days", ["", "0", "10"])
def test_the_nightly_function_deletes_what_nobody_touched_for_so_many_days(
    days: str,
    load_function: Callable[[str], ModuleType],
    alice: ApiUser,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    conversation_id = alice.say("Hello").json()["conversation_id"]
    aged = "update conversation set updated_at = now() - interval '11 days' returning 1"
    database.rows(alice.id, text(aged))
    monkeypatch.setenv("RETENTION_DAYS", days)
    handler = load_function("retention").handler
    handler(SCHEDULED, Context(remaining_ms=1_000))
    assert len(alice.http.get("/conversations").json()["data"]) == 1, "no time"
    handler(SCHEDULED, Context())
    status = alice.http.get(f"/conversations/{conversation_id}").status_code
    assert status == (404 if days == "10" else 200)


def test_one_environment_holds_one_connection(
    load_function: Callable[[str], ModuleType], alice: ApiUser
) -> None:
    module = load_function("chat")
    assert os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    assert module.handler.app.state.services.database._engine.pool.size() == 1


class LambdaApi:
    """Takes invocations over HTTP, as the service does."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, dict[str, Any]]] = []

    def app(self) -> Starlette:
        async def invoke(request: Request) -> Response:
            kind = request.headers["x-amz-invocation-type"]
            self.taken.append((request.path_params["name"], kind, await request.json()))
            return Response(status_code=202)

        return Starlette(routes=[Route("/2015-03-31/functions/{name}/invocations", invoke, methods=["POST"])])


def test_what_follows_a_reply_is_handed_on_with_ids_only(
    load_function: Callable[[str], ModuleType], alice: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = LambdaApi()
    with serve_in_thread(lambda _: service.app()) as url:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", url)
        monkeypatch.setenv("FOLLOWUP_FUNCTION", "parley-followup")
        said = event("POST", f"/api/{alice.id}/chat", alice.token, {"message": "Tell me of ferries, please"})
        reply = json.loads(load_function("chat").handler(said, Context())["body"])
    ids = {
        "user_id": alice.id,
        "conversation_id": reply["conversation_id"],
        "accepted_id": reply["message_id"],
    }
    assert service.taken == [("parley-followup", "Event", ids)]
    path = f"/conversations/{reply['conversation_id']}"
    before = alice.http.get(path).json()["title"]
    followup = load_function("followup")
    followup.handler(ids, Context())
    after = alice.http.get(path).json()["title"]
    assert after != before
    followup.handler(ids, Context())
    assert alice.http.get(path).json()["title"] == after, "twice does no harm"


def rpc(method: str, token: str | None, **params: Any) -> dict[str, Any]:
    """An HTTP API's event with a request to the MCP server."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    request = event("POST", "/api/mcp", token, body)
    request["headers"]["accept"] = "application/json, text/event-stream"
    return request


@pytest.mark.parametrize("name", ["tools", "chat"])
def test_one_environment_serves_mcp_again_and_again(
    load_function: Callable[[str], ModuleType], name: str, alice: ApiUser, bob: ApiUser
) -> None:
    conversations = {each: each.say("Hello").json()["conversation_id"] for each in (alice, bob)}
    handler = load_function(name).handler
    for user in (alice, bob, alice):
        call = rpc("tools/call", user.token, name="list_recent_conversations", arguments={})
        reply = handler(call, Context())
        assert (reply["statusCode"], reply["isBase64Encoded"]) == (200, False), reply
        (content,) = json.loads(reply["body"])["result"]["content"]
        assert [each["id"] for each in json.loads(content["text"])] == [conversations[user]]
        assert handler(event("GET", "/api/mcp", user.token), Context())["statusCode"] == 405


def test_a_newer_client_is_served_at_the_function(
    load_function: Callable[[str], ModuleType], alice: ApiUser
) -> None:
    """Without a handshake, and refused the stream of events that would never end here."""
    handler = load_function("tools").handler
    meta = {"protocolVersion": "2026-07-28", "clientCapabilities": {}}
    about = {"_meta": {f"io.modelcontextprotocol/{name}": value for name, value in meta.items()}}
    for method, status in [("server/discover", 200), ("tools/list", 200), ("subscriptions/listen", 404)]:
        request = rpc(method, alice.token, notifications={}, **about)
        request["headers"] |= {"mcp-protocol-version": "2026-07-28", "mcp-method": method}
        reply = handler(request, Context())
        assert reply["statusCode"] == status, reply["body"]


def test_the_mcp_function_says_where_to_get_a_token(
    load_function: Callable[[str], ModuleType], issuer: Issuer
) -> None:
    """At the name that the gateway has, and never at one that a client sends."""
    handler = load_function("tools").handler
    request = rpc("ping", None)
    request["headers"]["host"] = "evil.example.com"
    refused = handler(request, Context())
    url = "https://api.example.com/.well-known/oauth-protected-resource/api/mcp"
    assert refused["statusCode"] == 401
    assert refused["headers"]["www-authenticate"] == f'Bearer resource_metadata="{url}"'
    metadata = handler(event("GET", url.removeprefix("https://api.example.com"), None), Context())
    document = json.loads(metadata["body"])
    assert document["resource"] == "https://api.example.com/api/mcp"
    assert document["authorization_servers"] == [issuer.url]


LOADED = """
import json, runpy, sys
class Context:
    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "any"
    def get_remaining_time_in_millis(self):
        return 20_000
reply = runpy.run_path(sys.argv[1])["handler"](json.load(sys.stdin), Context())
print(reply["statusCode"], *sorted({"agents", "mcp", "mcp_types"} & sys.modules.keys()))
"""


def loaded_by(function: str, invoked_with: dict[str, Any], settings: Settings) -> list[str]:
    """The status, and which of the large packages a process of its own has loaded after one request."""
    folder = FUNCTIONS / function
    environment = {name.upper(): str(value) for name, value in settings if isinstance(value, str)}
    environment |= {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "OPENAI_API_KEY": "offline",
        "AWS_LAMBDA_FUNCTION_NAME": f"parley-{function}",
        "PYTHONPATH": f"{folder}:{FUNCTIONS.parent / 'layers' / 'parley' / 'python'}",
    }
    output = subprocess.run(
        [sys.executable, "-c", LOADED, str(folder / "app.py")],
        input=json.dumps(invoked_with),
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return output.stdout.splitlines()[-1].split()  # after the metrics


def test_a_turn_without_mcp_never_loads_it(settings: Settings, alice: ApiUser) -> None:
    said = event("POST", f"/api/{alice.id}/chat", alice.token, {"message": "Hello"})
    assert loaded_by("chat", said, settings) == ["200", "agents"]


def test_the_mcp_function_never_loads_the_agents_sdk(settings: Settings, alice: ApiUser) -> None:
    call = rpc("tools/call", alice.token, name="list_recent_conversations", arguments={})
    assert loaded_by("tools", call, settings) == ["200", "mcp", "mcp_types"]


def emitted(stdout: str) -> set[tuple[str, ...]]:
    """The metrics of the lines that CloudWatch reads: name, then each dimension with its value."""
    found = set()
    for line in stdout.splitlines():
        if not line.startswith('{"_aws"'):
            continue
        written = json.loads(line)
        for directive in written["_aws"]["CloudWatchMetrics"]:
            assert directive["Namespace"] == "Parley/test"
            for dimensions in directive["Dimensions"]:
                named = sorted((name, written[name]) for name in dimensions)
                found |= {(metric["Name"], *chain(*named)) for metric in directive["Metrics"]}
    return found


def requests_counted(stdout: str) -> set[str]:
    """The ids in the lines that count turns and answers."""
    lines = [json.loads(line) for line in stdout.splitlines() if line.startswith('{"_aws"')]
    return {line["request_id"] for line in lines if "Responses" in line or "Turns" in line}


def metrics_of_dashboard_and_alarms() -> set[tuple[str, ...]]:
    """Our own metrics that an alarm watches or the dashboard shows."""
    found = set()

    def add(namespace: str, name: str, dimensions: dict[str, str]) -> None:
        if namespace == "Parley/test":
            found.add((name, *chain(*sorted(dimensions.items()))))
        else:
            assert name in THEIRS[namespace], name

    for alarm in (each["Properties"] for each in transformed().values() if "Alarm" in each["Type"]):
        stats = [each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
        for metric in stats or [alarm]:
            namespace = metric["Namespace"]
            namespace = namespace if isinstance(namespace, str) else rendered(namespace["Fn::Sub"])
            add(
                namespace,
                metric["MetricName"],
                {each["Name"]: each["Value"] for each in metric["Dimensions"]},
            )
    body = transformed()["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    for widget in json.loads(rendered(body))["widgets"]:
        line: list[str] = []
        for metric in widget["properties"].get("metrics", []):
            if not (parts := [part for part in metric if isinstance(part, str)]):
                continue  # an expression
            if parts[0] == "...":
                line = line[: len(line) - len(parts[1:])] + parts[1:]
            else:
                line = [line[at] if part == "." else part for at, part in enumerate(parts)]
            namespace, name, *dimensions = line
            add(namespace, name, dict(zip(dimensions[::2], dimensions[1::2], strict=True)))
    return found


# Of AWS's own, as its documentation names them.
THEIRS = {
    "AWS/ApiGateway": {"4xx", "5xx", "Latency"},
    "AWS/Lambda": {"ConcurrentExecutions", "Duration", "Errors", "Throttles"},
    "AWS/SQS": {"ApproximateNumberOfMessagesVisible"},
}


def test_what_alarms_and_dashboard_ask_for_is_written(
    load_function: Callable[[str], ModuleType],
    alice: ApiUser,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    settings: Settings,
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Parley/test")
    for name in ("ChatFunction", "ConversationsFunction", "ToolsFunction"):
        handler = load_function(name.removesuffix("Function").lower()).handler
        context = Context()
        context.function_name = name
        handler(event("GET", f"/api/{alice.id}/conversations", alice.token), context)
    handler = load_function("chat").handler
    chat = f"/api/{alice.id}/chat"
    for message in ("Hello", "[offline: status=500] Hello"):
        handler(event("POST", chat, alice.token, {"message": message}), Context())
    handler(event("POST", chat, None, {"message": "Hello"}), Context())
    handler(event("POST", "/api/mallory/chat", alice.token, {"message": "Hello"}), Context())
    handler(event("POST", chat, alice.token, {}), Context())
    # A connection that the server has closed, and then a server that is gone.
    alice_lists = event("GET", f"/api/{alice.id}/conversations", alice.token)
    database = handler.app.state.services.database
    with database._engine.connect() as connection:
        socket = connection.connection.dbapi_connection._usock
    socket.shutdown(SHUT_RDWR)
    assert handler(alice_lists, Context())["statusCode"] == 200
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody:none@127.0.0.1:1/none")
    assert load_function("chat").handler(alice_lists, Context())["statusCode"] == 503

    output = capsys.readouterr()
    assert requests_counted(output.out) == {"JKJaXmPLvHcESHA="}, "the gateway's id, as in its access log"
    assert '"request_id":"JKJaXmPLvHcESHA="' in output.err
    written = emitted(output.out)
    queried = metrics_of_dashboard_and_alarms()
    # Each end of a turn, and each status of a problem, is the same line of code with another word in it.
    ends = {*get_args(EndStatus), "lost"}
    statuses = {str(each.status) for each in all_problems(ProblemError)}
    for name, *dimensions in queried:
        words = dict(zip(dimensions[::2], dimensions[1::2], strict=True))
        if name in ("Turns", "Responses"):
            assert words.pop("status") in (ends if name == "Turns" else statuses)
        # CloudWatch knows a metric by all of its dimensions, no fewer and no more.
        assert any(
            line[0] == name and {*line[1::2]} == {*dimensions[::2]} and {*words.items()} <= {*pairs(line)}
            for line in written
        ), (name, words)
    names = {line[0] for line in written}
    assert names == {*get_args(Metric)}, "each metric of ours is written"
    assert {name for name, *_ in queried} == names, "and looked at"


def pairs(line: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    yield from zip(line[1::2], line[2::2], strict=True)


def all_problems(kind: type[ProblemError]) -> Iterator[type[ProblemError]]:
    for each in kind.__subclasses__():
        yield each
        yield from all_problems(each)


@pytest.fixture
def cloudformation() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address that a custom resource answers to, and what it received there."""
    received: list[dict[str, Any]] = []

    async def take(request: Request) -> Response:
        assert request.headers.get("content-type", "") == ""
        received.append(await request.json())
        return Response()

    app = Starlette(routes=[Route("/answer", take, methods=["PUT"])])
    with serve_in_thread(lambda _: app) as url:
        yield f"{url}/answer", received


def resource_event(kind: str, url: str) -> dict[str, str]:
    return {
        "RequestType": kind,
        "ResponseURL": url,
        "StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/parley/1",
        "RequestId": "1",
        "LogicalResourceId": "Migration",
    }


def test_a_deployment_migrates_and_tells_cloudformation(
    load_function: Callable[[str], ModuleType],
    cloudformation: tuple[str, list[dict[str, Any]]],
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MIGRATIONS_DATABASE_URL", postgres.owner_url)
    url, received = cloudformation
    handler = load_function("migrate").handler
    for kind in ("Create", "Update", "Delete"):
        handler(resource_event(kind, url), Context())
    assert [each["Status"] for each in received] == ["SUCCESS"] * 3
    assert {each["PhysicalResourceId"] for each in received} == {"migration"}
    assert handler({}, Context())["Status"] == "SUCCESS", "by hand"


def test_a_changed_password_reaches_the_role_and_only_then_the_functions(
    load_function: Callable[[str], ModuleType],
    cloudformation: tuple[str, list[dict[str, Any]]],
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also backwards: CloudFormation takes a failed deployment back with the version before."""
    url, received = cloudformation
    old = postgres.app_url.replace(urlsplit(postgres.app_url).username or "", "role_of_a_changed_password", 1)
    urls = [old.replace(urlsplit(old).password or "", password, 1) for password in ("first", "second")]
    with mock_aws():
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        secrets = boto3.client("secretsmanager")
        contents = [{"DATABASE_URL": each, "MIGRATIONS_DATABASE_URL": postgres.owner_url} for each in urls]
        made = secrets.create_secret(Name="parley", SecretString=json.dumps(contents[0]))
        waiting = secrets.put_secret_value(
            SecretId="parley", SecretString=json.dumps(contents[1]), VersionStages=["AWSPENDING"]
        )
        for name in ("DATABASE_URL", "MIGRATIONS_DATABASE_URL"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("SECRET_ARN", made["ARN"])
        handler = load_function("migrate").handler
        versions = [made["VersionId"], waiting["VersionId"]]
        for now in (0, 1, 1, 0, 1):
            event = resource_event("Update", url)
            handler({**event, "ResourceProperties": {"SecretVersion": versions[now]}}, Context())
            assert received[-1]["Status"] == "SUCCESS"
            Address(urls[now]).connect().close()
            with pytest.raises(CannotConnect):
                Address(urls[1 - now]).connect()
            current = secrets.get_secret_value(SecretId="parley", VersionStage="AWSCURRENT")
            assert current["VersionId"] == versions[now]


def test_a_migration_that_fails_stops_the_deployment(
    load_function: Callable[[str], ModuleType],
    cloudformation: tuple[str, list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MIGRATIONS_DATABASE_URL", "postgresql://owner:secret@127.0.0.1:1/none")
    url, received = cloudformation
    load_function("migrate").handler(resource_event("Update", url), Context())
    assert received[0]["Status"] == "FAILED"
    assert received[0]["Reason"].startswith("MIGRATIONS_DATABASE_URL: the migration failed")
    assert "secret" not in received[0]["Reason"]
