"""Traces, as a collector gets them. The app runs as on Lambda: what is not sent with the reply is lost."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from agents import Agent, GuardrailFunctionOutput, function_tool, input_guardrail
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from pydantic import SecretStr
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from local.ports import free_port
from local.serving import serve_in_thread
from parley.config import Settings
from parley.main import create_app
from parley.otlp import FLUSH_PATIENCE_S
from parley.tools.api_client import ToolError
from parley.tools.remote import RemoteServer
from parley.tracing import configure_tracing
from tests.conftest import ApiUser
from tests.integration.test_chat import events
from tests.integration.test_mcp import use as use_over_mcp
from tests.integration.test_remote_mcp import Docs, remote, serving
from tests.integration.test_tools import use
from tests.otlp import Collector, attributes, collecting, failed

PACKAGES = Path(__file__).parents[2] / "layers" / "parley" / "python"
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
# A turn of the agent of functions/chat/agent.py, with one tool call.
TURN = """
POST /api/{user_id}/chat
  begin_turn
  invoke_workflow turn
    invoke_agent Parley
      apply_guardrail no_private_keys
      chat offline
      execute_tool search_conversations
        GET /api/{user_id}/conversations
          search_conversations
      chat offline
    end_turn
"""


@function_tool
def broken(words: str) -> str:
    """Fail."""
    raise ToolError(f"canary {words}")


@function_tool(needs_approval=True)
def order(what: str) -> str:
    """Order something."""
    return f"ordered {what}"


@input_guardrail(run_in_parallel=False)
def polite(_: Any, __: Any, given: Any) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(output_info="canary", tripwire_triggered="rude" in str(given))


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def traced(
    settings: Settings, collector: Collector, new_user: Callable[..., ApiUser]
) -> Iterator[Callable[..., ApiUser]]:
    """`traced(…)`: somebody on an API that sends traces to the collector."""
    with ExitStack() as stack:

        def make(
            agent: Agent[Any] | None = None, servers: tuple[RemoteServer, ...] = (), **changes: Any
        ) -> ApiUser:
            changes = {
                "otel_exporter_otlp_endpoint": collector.url,
                "aws_lambda_function_name": "parley-chat",
                **changes,
            }
            app = create_app(settings.model_copy(update=changes), agent, servers)
            return new_user(api_url=stack.enter_context(serve_in_thread(lambda _: app)))

        yield make
    configure_tracing(settings)


@pytest.mark.both_transports
@pytest.mark.parametrize("protocol", ["responses", "chat_completions"])
def test_a_turn_is_one_trace_that_goes_on_from_the_clients(
    traced: Callable[..., ApiUser], collector: Collector, protocol: str
) -> None:
    ada = traced(openai_api=protocol)
    said = ada.say('use the tool search_conversations with {"words": "ferry"}', **TRACEPARENT)
    assert said.status_code == 200, said.text
    assert collector.tree() == TURN.strip().splitlines()
    spans = collector.spans()
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    assert spans[0].parent_span_id.hex() == CALLER
    assert {failed(span) for span in spans} == {None}
    assert collector.resource().items() >= {("service.name", "parley"), ("faas.name", "parley-chat")}


def test_the_attributes_are_the_conventions(traced: Callable[..., ApiUser], collector: Collector) -> None:
    said = traced().say('use the tool search_conversations with {"words": "ferry"}')
    body = said.json()
    request, begin, turn, agent, _guardrail, model, tool = collector.spans()[:7]
    ids = {"gen_ai.conversation.id": body["conversation_id"], "gen_ai.request.model": "offline"}
    assert attributes(request) == {
        "http.request.method": "POST",
        "http.route": "/api/{user_id}/chat",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "parley.request_id": said.headers["x-request-id"],
    }
    assert attributes(begin).items() >= {
        ("db.system.name", "postgresql"),
        ("db.query.summary", "begin_turn"),
        ("server.address", "127.0.0.1"),
    }
    assert attributes(turn) == ids | {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.usage.input_tokens": body["usage"]["input_tokens"],
        "gen_ai.usage.output_tokens": body["usage"]["output_tokens"],
        "parley.message_id": body["message_id"],
        "parley.turn.status": "completed",
    }
    assert attributes(agent).items() >= {("gen_ai.operation.name", "invoke_agent"), *ids.items()}
    assert attributes(model).items() >= {
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "openai"),
        *ids.items(),
    }
    models = [attributes(span) for span in collector.spans() if span.name == "chat offline"]
    for side in ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"):
        assert sum(each[side] for each in models) == attributes(turn)[side]
    assert attributes(tool).items() >= {
        ("gen_ai.operation.name", "execute_tool"),
        ("gen_ai.tool.name", "search_conversations"),
        ("gen_ai.tool.call.id", body["tool_calls"][0]["call_id"]),
    }
    kinds = [span.kind for span in (request, begin, turn, agent, model, tool)]
    internal = Span.SPAN_KIND_INTERNAL
    client = Span.SPAN_KIND_CLIENT
    assert kinds == [Span.SPAN_KIND_SERVER, client, internal, internal, client, internal]


def test_a_stream_ends_when_its_spans_are_sent(traced: Callable[..., ApiUser], collector: Collector) -> None:
    reply = traced().say("Hello", Accept="text/event-stream")
    assert [event for event, _ in events(reply)][-1] == "turn.completed"
    assert collector.tree()[0] == "POST /api/{user_id}/chat"
    assert "    end_turn" in collector.tree()


def test_what_fails_is_marked(traced: Callable[..., ApiUser], collector: Collector) -> None:
    ada = traced(Agent(name="Fails", tools=[broken], input_guardrails=[polite]))
    assert ada.say("[offline: status=500] Hello").status_code == 502
    assert failed(collector.one("chat offline")) == "_OTHER"
    assert failed(collector.one("invoke_workflow turn")).endswith("model-failed")  # type: ignore[union-attr]
    assert failed(collector.one("POST /api/{user_id}/chat")) == "502"
    collector.bodies.clear()
    use(ada, "broken", words="again")
    assert failed(collector.one("execute_tool broken")) == "ToolFailure"
    assert failed(collector.one("invoke_workflow turn")) is None
    collector.bodies.clear()
    ada.say("rude")
    assert attributes(collector.one("apply_guardrail polite"))["parley.guardrail.triggered"] is True
    assert failed(collector.one("invoke_workflow turn")).endswith("content-refused")  # type: ignore[union-attr]


def test_a_database_that_is_away_fails_its_statement(
    traced: Callable[..., ApiUser], collector: Collector
) -> None:
    nowhere = SecretStr(f"postgresql://parley:secret@127.0.0.1:{free_port()}/parley")
    ada = traced(database_url=nowhere, database_transport="tcp")
    assert ada.http.get("/conversations").status_code == 503
    (request, statement) = collector.spans()
    assert (failed(request), failed(statement)) == ("503", "DatabaseUnavailable")


def test_a_turn_that_waits_for_approval_goes_on_in_another_trace(
    traced: Callable[..., ApiUser], collector: Collector
) -> None:
    ada = traced(Agent(name="Shop", tools=[order]))
    waiting = ada.say('use the tool order with {"what": "tea"}').json()
    assert attributes(collector.one("invoke_workflow turn"))["parley.turn.status"] == "waiting_approval"
    collector.bodies.clear()
    path = f"/conversations/{waiting['conversation_id']}/messages/{waiting['message_id']}/approval"
    assert ada.http.post(path, json={"approved": True}).json()["status"] == "completed"
    turn = collector.one("invoke_workflow turn")
    tool = collector.one("execute_tool order")
    assert turn.trace_id == tool.trace_id == collector.spans()[0].trace_id
    assert attributes(tool)["gen_ai.conversation.id"] == waiting["conversation_id"]


class Tapped:
    """An MCP server, and what is asked of it."""

    def __init__(self) -> None:
        self.docs = Docs()
        self.calls: list[tuple[str | None, str | None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await Request(scope, receive).body()
        if body:
            asked = json.loads(body)
            if asked["method"] == "tools/call":
                meta = asked["params"].get("_meta", {})
                self.calls.append(
                    (dict(scope["headers"]).get(b"traceparent", b"").decode(), meta["traceparent"])
                )

        async def receive_again() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        await self.docs(scope, receive_again, send)


def test_a_remote_server_can_go_on_with_the_trace(
    traced: Callable[..., ApiUser], collector: Collector
) -> None:
    tapped = Tapped()
    with serving(tapped) as url:
        use(traced(Agent(name="Remote"), (remote(url),)), "docs_search", words="ferries")
    turn, tool = collector.one("invoke_workflow turn"), collector.one("execute_tool docs_search")
    ((header, meta),) = tapped.calls
    # The connection is the turn's, the call the tool's.
    assert header == f"00-{turn.trace_id.hex()}-{turn.span_id.hex()}-03"
    assert meta == f"00-{tool.trace_id.hex()}-{tool.span_id.hex()}-03"


def test_no_span_holds_what_people_models_or_servers_write(
    traced: Callable[..., ApiUser], collector: Collector, settings: Settings
) -> None:
    with serving(Docs()) as url:
        agent = Agent[Any](
            name="Canary", instructions="canary", tools=[broken, order], input_guardrails=[polite]
        )
        ada = traced(agent, (remote(url),), otel_exporter_otlp_headers=SecretStr("x-api-key=canary"))
        client_writes = {
            "traceparent": f"00-{TRACE}-{CALLER}-01",
            "tracestate": "vendor=canary",
            "baggage": "user=canary",
            "User-Agent": "canary",
            "Idempotency-Key": "canary",
            "X-Canary": "canary",
        }
        conversation_id = ada.say("Say exactly: canary", **client_writes).json()["conversation_id"]
        for message in (
            'use the tool broken with {"words": "canary"}',
            'use the tool docs_search with {"words": "canary"}',
            'use the tool docs_fail with {"words": "canary"}',
            'use the tool order with {"what": "canary"}',
            "[offline: tool=canary] canary",
            "[offline: status=500] canary",
            "[offline: error=server_error] canary",
            "[offline: rubbish=json] canary",
            "rude canary",
            "canary\x00",
        ):
            ada.say(message, conversation_id)
        ada.http.get("/conversations", params={"q": "canary"})
        ada.http.get("/canary/canary?canary=canary")
        ada.http.get("/conversations/canary")
        ada.http.request("CANARY", "/conversations")
        ada.http.patch(f"/conversations/{conversation_id}", json={"title": "canary"})
        base = str(ada.http.base_url).split("/api/")[0]
        use_over_mcp(base, ada, "search_conversations", words="canary")
        httpx.get(f"{base}/api/canary/conversations", headers={"Authorization": "Bearer canary"})
    sent = b"".join(collector.bodies)
    assert len(collector.spans()) > 60
    assert b"Canary" in sent, "the agent's name is the operator's word"
    assert b"canary" not in sent
    assert ada.token.encode() not in sent
    assert ada.id.encode() not in sent
    assert settings.jwt_issuer.encode() not in sent
    assert collector.headers[0]["x-api-key"] == "canary"


def test_log_lines_have_the_traces_id(
    traced: Callable[..., ApiUser], capsys: pytest.CaptureFixture[str]
) -> None:
    ada = traced(log_level="INFO")
    ada.say("Hello", **TRACEPARENT)
    lines: list[dict[str, Any]] = []
    deadline = time.monotonic() + 10
    while not {"request", "turn_ended"} <= {line["message"] for line in lines}:
        time.sleep(0.05)  # the request's line is written after the reply
        lines += [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        assert time.monotonic() < deadline
    assert {line["trace_id"] for line in lines} == {TRACE}


def test_a_client_can_ask_not_to_be_traced(traced: Callable[..., ApiUser], collector: Collector) -> None:
    traced().say("Hello", traceparent=f"00-{TRACE}-{CALLER}-00")
    assert collector.bodies == []


@pytest.mark.parametrize("fault", ["dead", "slow", "refuses"])
def test_a_collector_in_trouble_delays_no_answer_for_long_and_fails_none(
    traced: Callable[..., ApiUser], collector: Collector, fault: str
) -> None:
    address = f"http://127.0.0.1:{free_port()}" if fault == "dead" else collector.url
    collector.delay_s = 4 if fault == "slow" else 0
    collector.status = 503 if fault == "refuses" else 200
    ada = traced(otel_exporter_otlp_endpoint=address)
    ada.http.get("/conversations")
    for _ in range(3):
        started = time.monotonic()
        assert ada.http.get("/conversations").status_code == 200
        assert time.monotonic() - started < FLUSH_PATIENCE_S + 0.3
    assert ada.say("Say exactly: onwards").json()["response"] == "onwards"


def test_a_server_that_does_not_freeze_sends_when_it_likes(
    traced: Callable[..., ApiUser], collector: Collector
) -> None:
    collector.delay_s = 4
    ada = traced(aws_lambda_function_name=None)
    started = time.monotonic()
    for _ in range(10):
        assert ada.http.get("/conversations").status_code == 200
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:9"], ids=["off", "on"])
def test_nothing_of_it_is_imported_until_it_is_asked_for(settings: Settings, endpoint: str | None) -> None:
    program = (
        "import sys; from parley.config import Settings; from parley.main import create_app;"
        "create_app(Settings.load());"
        "print(*sys.modules)"
    )
    environment = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "JWT_ISSUER": settings.jwt_issuer,
        "OPENAI_API_KEY": "offline",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint or "",
    }
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=PACKAGES,
        env=environment,
        check=True,
    )
    parts = (
        "opentelemetry.sdk",
        "opentelemetry.exporter",
        "google.protobuf",
        "parley.otlp",
        "parley.services.run_spans",
    )
    imported = {part for part in parts for name in ran.stdout.split() if name.startswith(part)}
    assert imported == (set() if endpoint is None else set(parts))
