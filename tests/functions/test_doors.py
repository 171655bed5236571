"""The Lambda doors, called as the runtime calls them, with the HTTP API's events."""

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.issuer import Issuer
from local.serving import serve_in_thread
from parley.config import Settings
from parley.door import Door
from tests.conftest import Person

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
def door(
    settings: Settings, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], ModuleType]]:
    """`door("chat")` loads functions/chat/app.py in an environment like the deployed one."""
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

    def open_door(name: str) -> ModuleType:
        folder = FUNCTIONS / name
        monkeypatch.syspath_prepend(str(folder))
        sys.modules.pop("agent", None)
        spec = importlib.util.spec_from_file_location(f"{name}_door", folder / "app.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        opened.append(module)
        return module

    yield open_door
    for module in opened:
        close(module, loop)


def close(module: ModuleType, loop: asyncio.AbstractEventLoop) -> None:
    """What the end of an environment would: drop connections, on the loop that made them."""
    if hasattr(module, "handler") and isinstance(module.handler, Door):
        state = module.handler.app.state
        state.database.close()
        if hasattr(state, "turns"):
            loop.run_until_complete(state.turns.close())
    else:
        module.follow_ups._database.close()
        module.loop.run_until_complete(module.follow_ups._service.close())
        module.loop.close()


def test_a_turn_goes_through_the_chat_door(door: Callable[[str], ModuleType], alice: Person) -> None:
    handler = door("chat").handler
    said = event("POST", f"/api/{alice.id}/chat", alice.token, {"message": "My name is Ada"})
    first = handler(said, Context())
    assert first["statusCode"] == 200, first
    conversation_id = json.loads(first["body"])["conversation_id"]
    body = {"message": "What is my name?", "conversation_id": conversation_id}
    second = handler(event("POST", f"/api/{alice.id}/chat", alice.token, body), Context())
    assert "Ada" in json.loads(second["body"])["response"]
    assert len(alice.messages(conversation_id)) == 4


def test_a_stream_arrives_whole_through_the_buffered_door(
    door: Callable[[str], ModuleType], alice: Person
) -> None:
    said = event("POST", f"/api/{alice.id}/chat", alice.token, {"message": "Hello"})
    said["headers"]["accept"] = "text/event-stream"
    reply = door("chat").handler(said, Context())
    assert reply["headers"]["content-type"].startswith("text/event-stream")
    assert reply["isBase64Encoded"] is False
    assert reply["body"].startswith("id: 1\nevent: turn.created\n")
    assert "event: turn.completed\n" in reply["body"]


@pytest.mark.parametrize("name", ["chat", "conversations"])
def test_a_problem_is_text_and_carries_the_gateways_request_id(
    door: Callable[[str], ModuleType], name: str
) -> None:
    reply = door(name).handler(event("GET", "/api/alice/conversations", None), Context())
    assert reply["statusCode"] == 401
    assert reply["isBase64Encoded"] is False
    assert reply["headers"]["content-type"] == "application/problem+json"
    assert reply["headers"]["www-authenticate"] == "Bearer"
    assert json.loads(reply["body"])["request_id"] == "JKJaXmPLvHcESHA="


def test_the_light_door_lists_and_knows_no_turns(door: Callable[[str], ModuleType], alice: Person) -> None:
    conversation_id = alice.say("Hello").json()["conversation_id"]
    handler = door("conversations").handler
    listed = handler(event("GET", f"/api/{alice.id}/conversations", alice.token), Context())
    assert [each["id"] for each in json.loads(listed["body"])["data"]] == [conversation_id]
    turn = event("POST", f"/api/{alice.id}/chat", alice.token, {"message": "Hello"})
    assert handler(turn, Context())["statusCode"] == 404


def test_another_users_conversation_is_forbidden_at_the_door(
    door: Callable[[str], ModuleType], alice: Person, issuer: Issuer
) -> None:
    conversation_id = alice.say("Hello").json()["conversation_id"]
    path = f"/api/mallory/conversations/{conversation_id}"
    reply = door("conversations").handler(event("GET", path, issuer.mint("mallory")), Context())
    assert reply["statusCode"] == 403


def test_a_turn_ends_before_the_platform_cuts_it_off(
    door: Callable[[str], ModuleType], alice: Person
) -> None:
    said = event("POST", f"/api/{alice.id}/chat", alice.token, {"message": "[offline: hang=8] Tell me more"})
    reply = door("chat").handler(said, Context(remaining_ms=3_000))
    assert reply["statusCode"] == 504
    listed = alice.http.get("/conversations").json()["data"][0]
    answer = alice.messages(listed["id"])[1]
    assert answer["status"] == "failed"
    assert answer["content"], "what was written so far is kept"


def test_one_environment_holds_one_connection(door: Callable[[str], ModuleType], alice: Person) -> None:
    module = door("chat")
    assert os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    assert module.handler.app.state.database._engine.pool.size() == 1


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
    door: Callable[[str], ModuleType], alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = LambdaApi()
    with serve_in_thread(lambda _: service.app()) as url:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", url)
        monkeypatch.setenv("FOLLOWUP_FUNCTION", "parley-followup")
        said = event("POST", f"/api/{alice.id}/chat", alice.token, {"message": "Tell me of ferries, please"})
        reply = json.loads(door("chat").handler(said, Context())["body"])
    ids = {"user_id": alice.id, "conversation_id": reply["conversation_id"]}
    assert service.taken == [("parley-followup", "Event", ids)]
    path = f"/conversations/{reply['conversation_id']}"
    before = alice.http.get(path).json()["title"]
    followup = door("followup")
    followup.handler(ids, Context())
    after = alice.http.get(path).json()["title"]
    assert after != before
    followup.handler(ids, Context())
    assert alice.http.get(path).json()["title"] == after, "twice does no harm"


def rpc(method: str, token: str | None, **params: Any) -> dict[str, Any]:
    """An HTTP API's event with a request to the MCP server."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    asked = event("POST", "/api/mcp", token, body)
    asked["headers"]["accept"] = "application/json, text/event-stream"
    return asked


@pytest.mark.parametrize("name", ["tools", "chat"])
def test_one_environment_serves_mcp_again_and_again(
    door: Callable[[str], ModuleType], name: str, alice: Person, bob: Person
) -> None:
    conversations = {each: each.say("Hello").json()["conversation_id"] for each in (alice, bob)}
    handler = door(name).handler
    for person in (alice, bob, alice):
        call = rpc("tools/call", person.token, name="list_recent_conversations", arguments={})
        reply = handler(call, Context())
        assert (reply["statusCode"], reply["isBase64Encoded"]) == (200, False), reply
        (content,) = json.loads(reply["body"])["result"]["content"]
        assert [each["id"] for each in json.loads(content["text"])] == [conversations[person]]
        assert handler(event("GET", "/api/mcp", person.token), Context())["statusCode"] == 405


def test_a_newer_client_is_served_at_the_door(door: Callable[[str], ModuleType], alice: Person) -> None:
    """Without a handshake, and refused the stream of events that would never end here."""
    handler = door("tools").handler
    meta = {"protocolVersion": "2026-07-28", "clientCapabilities": {}}
    about = {"_meta": {f"io.modelcontextprotocol/{name}": value for name, value in meta.items()}}
    for method, status in [("server/discover", 200), ("tools/list", 200), ("subscriptions/listen", 404)]:
        asked = rpc(method, alice.token, notifications={}, **about)
        asked["headers"] |= {"mcp-protocol-version": "2026-07-28", "mcp-method": method}
        reply = handler(asked, Context())
        assert reply["statusCode"] == status, reply["body"]


def test_the_mcp_door_says_where_to_get_a_token(door: Callable[[str], ModuleType], issuer: Issuer) -> None:
    handler = door("tools").handler
    refused = handler(rpc("ping", None), Context())
    url = "https://api.example.com/.well-known/oauth-protected-resource/api/mcp"
    assert refused["statusCode"] == 401
    assert refused["headers"]["www-authenticate"] == f'Bearer resource_metadata="{url}"'
    metadata = handler(event("GET", url.removeprefix("https://api.example.com"), None), Context())
    told = json.loads(metadata["body"])
    assert told["resource"] == "https://api.example.com/api/mcp"
    assert told["authorization_servers"] == [issuer.url]


LOADED = """
import json, runpy, sys
class Context:
    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "any"
    def get_remaining_time_in_millis(self):
        return 20_000
reply = runpy.run_path(sys.argv[1])["handler"](json.load(sys.stdin), Context())
print(reply["statusCode"], *sorted({"agents", "mcp", "mcp_types"} & sys.modules.keys()))
"""


def loaded_by(door: str, invoked_with: dict[str, Any], settings: Settings) -> list[str]:
    """The status, and which of the large packages a process of its own has loaded after one request."""
    folder = FUNCTIONS / door
    environment = {name.upper(): str(value) for name, value in settings if isinstance(value, str)}
    environment |= {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "OPENAI_API_KEY": "offline",
        "AWS_LAMBDA_FUNCTION_NAME": f"parley-{door}",
        "PYTHONPATH": f"{folder}:{FUNCTIONS.parent / 'layers' / 'parley' / 'python'}",
    }
    told = subprocess.run(
        [sys.executable, "-c", LOADED, str(folder / "app.py")],
        input=json.dumps(invoked_with),
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return told.stdout.splitlines()[-1].split()  # after the metrics


def test_a_turn_without_mcp_never_loads_it(settings: Settings, alice: Person) -> None:
    said = event("POST", f"/api/{alice.id}/chat", alice.token, {"message": "Hello"})
    assert loaded_by("chat", said, settings) == ["200", "agents"]


def test_the_mcp_door_never_loads_the_agents_sdk(settings: Settings, alice: Person) -> None:
    call = rpc("tools/call", alice.token, name="list_recent_conversations", arguments={})
    assert loaded_by("tools", call, settings) == ["200", "mcp", "mcp_types"]
