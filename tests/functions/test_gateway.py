"""The built functions behind the gateway: its answers, its events, and Parley as it is on AWS."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sqlalchemy import text

from local.aws.deployment import Deployment
from local.aws.environment import Environment, Outcome, Runtime
from local.aws.gateway import Gateway
from local.aws.http_api import HttpApi
from local.aws.pool import Throttled
from local.aws.template import Authorizer, Cors, Function, Route, Template
from local.issuer import Issuer
from local.ports import free_port
from local.postgres import Postgres
from local.serving import serve_in_thread
from parley.database import Database
from parley.web_adapter import AFTER_RESTORE, BEFORE_SNAPSHOT
from tests.conftest import ApiUser

ROOT = Path(__file__).parents[2]
EVENTS = sorted((ROOT / "tests" / "events").glob("*.json"))
Through = Callable[[str], ApiUser]


# --- Routes and who may pass -------------------------------------------------------------------------------


def invocations(gateway: Gateway, function: str) -> int:
    log = gateway.deployment.log(function)
    return log.read_text().count("START RequestId") if log.exists() else 0


def test_every_route_of_the_template_reaches_its_function(gateway: Gateway, through: Through) -> None:
    alice = through("alice")
    routes = gateway.deployment.template.routes
    assert len(routes) > 10
    for route in routes:
        path = re.sub(r"{[^}]+}", "x", route.path).replace("/x/", f"/{alice.id}/", 1)
        before = invocations(gateway, route.function)
        headers = {"authorization": f"Bearer {alice.token}"}
        reply = httpx.request(route.method, gateway.url + path, headers=headers, json={}, timeout=60)
        assert invocations(gateway, route.function) == before + 1, route.key
        assert "apigw-requestid" in reply.headers
        assert reply.status_code < 500, (route.key, reply.text)


def test_only_the_named_routes_are_public(gateway: Gateway) -> None:
    public = {route.key for route in gateway.deployment.template.routes if route.authorizer is None}
    mcp = {f"{method} /api/mcp" for method in ("POST", "GET", "DELETE")}
    metadata = "GET /.well-known/oauth-protected-resource"
    pages = {"/api/health", "/api/health/ready", "/api/openapi.json", "/api/docs", "/api/shared/{token}"}
    assert public == mcp | {metadata, f"{metadata}/api/mcp"} | {f"GET {page}" for page in pages}


def unsigned(issuer: Issuer, algorithm: str, key: Any, **claims: Any) -> str:
    """A token of somebody else's making, which says that it is the issuer's."""
    usual = {"iss": issuer.url, "aud": "parley", "sub": "alice", "exp": int(time.time()) + 600} | claims
    return jwt.encode(usual, key, algorithm=algorithm, headers={"kid": issuer.jwk["kid"]})


def hs256_with_the_public_key(issuer: Issuer) -> str:
    """By hand: PyJWT refuses to sign with a public key."""
    pem = jwt.PyJWK(issuer.jwk).key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header, body, _ = unsigned(issuer, "HS256", "x" * 32).split(".")
    signature = jwt.get_algorithm_by_name("HS256").sign(f"{header}.{body}".encode(), pem)
    return f"{header}.{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


BAD_TOKENS: dict[str, tuple[Callable[[Issuer], str | None], str]] = {
    "none at all": (lambda _: None, "Bearer"),
    "malformed": (lambda _: "abc", "the token is malformed"),
    "expired": (lambda issuer: issuer.mint("alice", ttl=-600), "the token has expired"),
    "for another audience": (lambda issuer: issuer.mint("alice", aud="else"), "a valid audience"),
    "of another issuer": (lambda issuer: issuer.mint("alice", iss="https://else.example"), "a valid issuer"),
    "without algorithm": (lambda issuer: unsigned(issuer, "none", None), "signing method none is invalid"),
    "HS256 with the public key": (hs256_with_the_public_key, "signing method HS256 is invalid"),
    "ES256": (
        lambda issuer: unsigned(issuer, "ES256", ec.generate_private_key(ec.SECP256R1())),
        "signing method ES256 is invalid",
    ),
    "RS256 of another key": (
        lambda issuer: unsigned(issuer, "RS256", rsa.generate_private_key(65537, 2048)),
        "the token is not valid",
    ),
}


@pytest.mark.parametrize("kind", BAD_TOKENS)
def test_a_bad_token_is_answered_by_the_gateway(gateway: Gateway, issuer: Issuer, kind: str) -> None:
    make, challenge = BAD_TOKENS[kind]
    token = make(issuer)
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    before = invocations(gateway, "ConversationsFunction")
    reply = httpx.get(f"{gateway.url}/api/me", headers=headers)
    assert (reply.status_code, reply.json()) == (401, {"message": "Unauthorized"})
    assert challenge in reply.headers["www-authenticate"]
    assert invocations(gateway, "ConversationsFunction") == before


def test_the_verified_user_reaches_the_function(gateway: Gateway, through: Through) -> None:
    alice = through("alice")
    reply = httpx.get(f"{gateway.url}/api/me", headers={"authorization": f"Bearer {alice.token}"}, timeout=60)
    assert reply.json()["id"] == alice.id


# --- What the gateway makes of requests and results ---------------------------------------------------------

ECHO = """
import time
def handler(event, context):
    answer = event.get("queryStringParameters", {}).get("answer")
    if answer == "sleep":
        time.sleep(2)
    if answer == "crash":
        raise ValueError("a bug")
    return {
        None: event,
        "sleep": "late",
        "binary": {"statusCode": 200, "body": "AAEC/w==", "isBase64Encoded": True,
                   "headers": {"Content-Type": "image/png"}},
        "cookies": {"statusCode": 201, "cookies": ["a=1; Secure", "b=2"]},
        "plain": {"statusCode": 200, "body": "text"},
        "cors": {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*"}},
        "number": {"statusCode": 200, "body": 7},
        "crash": None,
    }[answer]
"""


@pytest.fixture(scope="module")
def echo(
    runtime: Runtime, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., str]]:
    """`echo(cors=…, timeout_s=…)` serves an HTTP API whose function returns, or obeys, its event."""
    folder = tmp_path_factory.mktemp("echo")
    (folder / "app.py").write_text(ECHO)
    function = Function("Echo", folder, (), "app.handler", 20, 128, {}, "Text", "INFO", False, None, 2)
    environment = Environment.start(function, runtime, folder / "log", "http://127.0.0.1:9")
    environment.initialise()
    authorizer = Authorizer(issuer.url, ("parley",))
    routes = (
        Route("GET", "/pets/{id}", "Echo", None, ()),
        Route("ANY", "/pets/{id}", "Echo", None, ()),
        Route("GET", "/pets/dog", "Echo", None, ()),
        Route("ANY", "/pets/{proxy+}", "Echo", None, ()),
        Route("GET", "/mine", "Echo", authorizer, ()),
        Route("GET", "/scoped", "Echo", authorizer, ("write",)),
        Route("GET", "/busy", "Busy", None, ()),
    )
    with ThreadPoolExecutor(1) as thread:

        def invoke(name: str, event: bytes) -> Future[Outcome]:
            if name == "Busy":
                raise Throttled
            return thread.submit(environment.invoke, event)

        servers = []

        def serve(cors: Cors | None = None, **more: Any) -> str:
            app = HttpApi(routes, cors, invoke, lambda _: None, **more)
            servers.append(serve_in_thread(lambda _: app))
            return servers[-1].__enter__()

        yield serve
        for server in servers:
            server.__exit__(None, None, None)
    environment.stop()


@pytest.mark.parametrize(
    ("method", "path", "key", "parameters"),
    [
        ("GET", "/pets/dog", "GET /pets/dog", None),
        ("GET", "/pets/cat", "GET /pets/{id}", {"id": "cat"}),
        ("PUT", "/pets/cat", "ANY /pets/{id}", {"id": "cat"}),
        ("GET", "/pets/cat/1", "ANY /pets/{proxy+}", {"proxy": "cat/1"}),
        ("GET", "/pets/a%2Fb%20c", "GET /pets/{id}", {"id": "a/b c"}),
    ],
)
def test_the_most_specific_route_is_taken(
    echo: Callable[..., str], method: str, path: str, key: str, parameters: dict[str, str] | None
) -> None:
    event = httpx.request(method, echo() + path).json()
    assert event["routeKey"] == event["requestContext"]["routeKey"] == key
    assert event.get("pathParameters") == parameters


def test_a_request_becomes_an_event_of_payload_2(echo: Callable[..., str], issuer: Issuer) -> None:
    token = issuer.mint("alice", roles=["a", "b"], admin=True, nothing=None)
    event = httpx.get(
        echo() + "/mine?a=1&a=2&empty=&s=x%20y",
        headers=[
            ("Authorization", f"Bearer {token}"),
            ("X-Two", "1"),
            ("X-Two", "2"),
            ("Cookie", "c=1; d=2"),
        ],
    ).json()
    assert event["version"] == "2.0"
    assert (event["rawPath"], event["rawQueryString"]) == ("/mine", "a=1&a=2&empty=&s=x%20y")
    assert event["queryStringParameters"] == {"a": "1,2", "empty": "", "s": "x y"}
    assert event["cookies"] == ["c=1", "d=2"]
    assert event["headers"]["x-two"] == "1,2"
    assert "cookie" not in event["headers"]
    assert event["headers"]["x-forwarded-proto"] == "http"
    assert event["isBase64Encoded"] is False
    assert "body" not in event
    context = event["requestContext"]
    assert context["http"]["method"] == "GET"
    assert context["http"]["sourceIp"] == "127.0.0.1"
    assert context["stage"] == "$default"
    claims = context["authorizer"]["jwt"]["claims"]
    assert claims["sub"] == "alice"
    assert claims["roles"] == "[a b]"
    assert claims["admin"] == "true"
    assert claims["exp"].isdecimal()
    assert "nothing" not in claims


@pytest.mark.parametrize(
    ("content_type", "encoded"),
    [
        ("application/json; charset=utf-8", False),
        ("text/plain", False),
        ("application/x-www-form-urlencoded", True),
        ("application/octet-stream", True),
        ("", True),
    ],
)
def test_a_body_is_text_for_few_types_only(
    echo: Callable[..., str], content_type: str, encoded: bool
) -> None:
    headers = {"content-type": content_type} if content_type else {}
    event = httpx.post(echo() + "/pets/1", content="Grüße".encode(), headers=headers).json()
    assert event["isBase64Encoded"] is encoded
    assert (base64.b64decode(event["body"]).decode() if encoded else event["body"]) == "Grüße"


def test_a_result_becomes_a_response(echo: Callable[..., str]) -> None:
    url = echo() + "/pets/1?answer="
    binary = httpx.get(url + "binary")
    assert (binary.content, binary.headers["content-type"]) == (b"\x00\x01\x02\xff", "image/png")
    cookies = httpx.get(url + "cookies")
    assert cookies.status_code == 201
    assert cookies.headers.get_list("set-cookie") == ["a=1; Secure", "b=2"]
    plain = httpx.get(url + "plain")
    assert (plain.text, plain.headers["content-type"]) == ("text", "text/plain;charset=utf-8")
    for broken in ("number", "crash"):
        reply = httpx.get(url + broken)
        assert (reply.status_code, reply.json()) == (500, {"message": "Internal Server Error"})


def test_what_the_gateway_refuses_itself(echo: Callable[..., str], issuer: Issuer) -> None:
    url = echo()
    token = {"authorization": f"Bearer {issuer.mint('alice', scope='read')}"}
    long = {"x-long": "x" * 10_300}
    for reply, status, message in [
        (httpx.get(f"{url}/nowhere"), 404, "Not Found"),
        (httpx.delete(f"{url}/mine"), 404, "Not Found"),
        (httpx.get(f"{url}/scoped", headers=token), 403, "Forbidden"),
        (httpx.get(f"{url}/busy"), 503, "Service Unavailable"),
        (httpx.get(f"{url}/pets/1", headers=long), 431, "Request Header Fields Too Large"),
        (httpx.post(f"{url}/pets/1", content=b"x" * 11_000_000), 413, "Request Entity Too Large"),
        (httpx.post(f"{url}/pets/1", content=b"x" * 6_000_000), 413, "Request Entity Too Large"),
    ]:
        assert (reply.status_code, reply.json()) == (status, {"message": message})


def test_the_gateway_does_not_wait_for_ever(echo: Callable[..., str]) -> None:
    started = time.monotonic()
    reply = httpx.get(echo(timeout_s=0.5) + "/pets/1?answer=sleep")
    assert (reply.status_code, reply.json()) == (503, {"message": "Service Unavailable"})
    assert time.monotonic() - started < 1.9


def test_cors_is_the_gateways(echo: Callable[..., str]) -> None:
    cors = Cors(("https://app.example",), ("GET", "POST"), ("authorization",), ("x-request-id",), 600)
    url = echo(cors=cors)
    origin = {"origin": "https://app.example"}
    preflight = httpx.options(f"{url}/mine", headers=origin | {"access-control-request-method": "POST"})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "https://app.example"
    assert preflight.headers["access-control-allow-methods"] == "GET,POST"
    assert preflight.headers["access-control-max-age"] == "600"
    refused = httpx.get(f"{url}/mine", headers=origin)
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "https://app.example", "a page can read why"
    foreign = httpx.get(f"{url}/pets/1?answer=cors", headers={"origin": "https://else.example"})
    assert "access-control-allow-origin" not in foreign.headers, "the backend's own are ignored"


# --- Parley, built -----------------------------------------------------------------------------------------


def test_a_turn_and_what_follows_it(gateway: Gateway, through: Through) -> None:
    alice = through("alice")
    said = "Tell me of ferries, please"
    path = f"/conversations/{alice.say(said).json()['conversation_id']}"
    deadline = time.monotonic() + 60
    while alice.http.get(path).json()["title"] == said:
        assert time.monotonic() < deadline, gateway.deployment.log("FollowUpFunction").read_text()
        time.sleep(0.1)


def test_no_log_of_a_function_holds_what_is_said_or_what_is_secret(
    gateway: Gateway, through: Through, postgres: Postgres
) -> None:
    """Whatever the template lets through: the runtime client logs for every library."""
    alice = through("alice")
    alice.say("a-canary-in-a-message")
    httpx.get(
        f"{gateway.url}/api/{alice.id}/conversations",
        params={"q": "a-canary-in-a-search"},
        headers={"authorization": f"Bearer {alice.token}"},
    )
    logs = "".join(file.read_text() for file in gateway.deployment.settings.logs.glob("*.log"))
    assert '"message":"turn_ended"' in logs
    for word in ("a-canary", alice.token, str(urlsplit(postgres.app_url).password)):
        assert word not in logs


def test_users_in_environments_side_by_side_never_mix(through: Through) -> None:
    people = {name: through(name) for name in ("Ada", "Bob")}

    def talk(name: str) -> list[str]:
        user = people[name]
        conversation_id = user.say(f"My name is {name}").json()["conversation_id"]
        answers = [user.say("What is my name?", conversation_id).json()["response"] for _ in range(8)]
        listed = user.http.get("/conversations").json()["data"]
        assert [each["id"] for each in listed] == [conversation_id]
        return answers

    with ThreadPoolExecutor(2) as threads:
        answers = dict(zip(people, threads.map(talk, people), strict=True))
    assert answers == {name: [f"Your name is {name}."] * 8 for name in people}


def test_another_users_conversation_is_forbidden(through: Through) -> None:
    alice, mallory = through("alice"), through("mallory")
    conversation_id = alice.say("Hello").json()["conversation_id"]
    assert mallory.http.get(f"/conversations/{conversation_id}").status_code == 403
    assert mallory.say("And now?", conversation_id).status_code == 403


@pytest.fixture(scope="module")
def chat(gateway: Gateway, template: Template) -> Iterator[Environment]:
    """An environment of the chat function, whose Timeout is short."""
    function = replace(template.functions["ChatFunction"], timeout_s=8)
    environment = gateway.deployment.start_environment(function)
    environment.initialise()
    yield environment
    environment.stop()


def turn(user: ApiUser, said: str) -> bytes:
    made: dict[str, Any] = json.loads((ROOT / "tests" / "events" / "chat.json").read_text())
    made["pathParameters"] = {"user_id": user.id}
    made["headers"]["authorization"] = f"Bearer {user.token}"
    return json.dumps(made | {"body": json.dumps({"message": said})}).encode()


def test_a_frozen_environment_goes_on_when_its_connections_were_closed(
    chat: Environment, through: Through, postgres: Postgres
) -> None:
    alice = through("alice")
    outcome = chat.invoke(turn(alice, "Hello"))
    assert json.loads(outcome.payload)["statusCode"] == 200
    assert "Restore Duration" in outcome.report, "it came from a snapshot"
    owner = Database(postgres.owner_url, pool_size=1)
    ended = "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'parley_app'"
    assert owner.rows(None, text(ended))[0][0] > 0
    owner.close()
    assert json.loads(chat.invoke(turn(alice, "Still there?")).payload)["statusCode"] == 200


def test_a_turn_ends_by_itself_before_the_platform_kills_it(chat: Environment, through: Through) -> None:
    alice = through("alice")
    reply = json.loads(chat.invoke(turn(alice, "[offline: hang=8] Tell me more")).payload)
    assert reply["statusCode"] == 504
    assert chat.alive
    conversation_id = alice.http.get("/conversations").json()["data"][0]["id"]
    answer = alice.messages(conversation_id)[1]
    assert (answer["status"], bool(answer["content"])) == ("failed", True)


@pytest.mark.parametrize("file", EVENTS, ids=lambda file: file.stem)
def test_the_example_events_are_right(gateway: Gateway, issuer: Issuer, file: Path) -> None:
    functions = {name.lower(): name for name in gateway.deployment.pools}
    event = file.read_text().replace("${TOKEN}", issuer.mint("alice"))
    event = event.replace("${CONVERSATION_ID}", "00000000-0000-0000-0000-000000000000")
    outcome = gateway.deployment.submit(functions[f"{file.stem}function"], event.encode()).result()
    assert not outcome.is_error, outcome.payload
    answer = json.loads(outcome.payload)
    assert answer is None or answer.get("statusCode") == 200 or answer.get("Status") == "SUCCESS"


def test_what_fails_asynchronously_is_tried_again_and_then_told_of(deployment: Deployment) -> None:
    client = lambda_client(deployment)
    reply = client.invoke(
        FunctionName="FollowUpFunction", InvocationType="Event", Payload=b'{"user_id": "x"}'
    )
    assert reply["StatusCode"] == 202
    deadline = time.monotonic() + 60
    while not deployment.dead_letters.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (letter,) = map(json.loads, deployment.dead_letters.read_text().splitlines())
    assert letter["requestPayload"] == {"user_id": "x"}
    assert letter["requestContext"]["approximateInvokeCount"] == 3
    assert letter["responsePayload"]["errorType"] == "KeyError"


def test_functions_are_invoked_by_name_or_arn(deployment: Deployment) -> None:
    client = lambda_client(deployment)
    arn = deployment.template.functions["MigrateFunction"].arn
    for name in ("MigrateFunction", arn, f"{arn}:live"):
        reply = client.invoke(FunctionName=name, Payload=b"{}")
        assert json.load(reply["Payload"])["Status"] == "SUCCESS"
        assert "FunctionError" not in reply
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="NoFunction")


@pytest.fixture
def deployment(gateway: Gateway) -> Deployment:
    return gateway.deployment


def lambda_client(deployment: Deployment) -> Any:
    return boto3.client(
        "lambda",
        endpoint_url=deployment.endpoint_url,
        region_name="eu-central-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


# --- The Function URL --------------------------------------------------------------------------------------


def test_the_function_url_streams(gateway: Gateway, issuer: Issuer, through: Through) -> None:
    alice = through("alice")
    headers = {
        "authorization": f"Bearer {alice.token}",
        "accept": "text/event-stream",
        "origin": issuer.url,
    }
    said = {"message": "[offline: slow=1,word=50] Tell me something"}
    url = f"{gateway.stream_url}/api/{alice.id}/chat"
    arrived: list[float] = []
    with httpx.stream("POST", url, headers=headers, json=said, timeout=60) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert reply.headers.get_list("access-control-allow-origin") == [issuer.url]
        body = ""
        for part in reply.iter_text():
            arrived.append(time.monotonic())
            body += part
    assert body.startswith("id: 1\nevent: turn.created\n")
    assert "event: turn.completed\n" in body
    assert arrived[-1] - arrived[0] > 1, "not all at once"


def test_the_function_url_checks_tokens_itself_and_answers_preflights(
    gateway: Gateway, issuer: Issuer
) -> None:
    url = f"{gateway.stream_url}/api/me"
    refused = httpx.get(url, timeout=60)
    assert refused.status_code == 401
    assert refused.headers["content-type"] == "application/problem+json"
    headers = {"origin": issuer.url, "access-control-request-method": "POST"}
    preflight = httpx.options(url, headers=headers)
    assert preflight.headers["access-control-allow-origin"] == issuer.url
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    foreign = httpx.options(url, headers=headers | {"origin": "https://else.example"})
    assert "access-control-allow-origin" not in foreign.headers


def test_a_streaming_environment_comes_from_a_snapshot_and_nobody_else_may_say_so(gateway: Gateway) -> None:
    for path in (BEFORE_SNAPSHOT, AFTER_RESTORE):
        assert httpx.post(f"{gateway.stream_url}{path}", timeout=60).status_code == 403
    assert httpx.get(f"{gateway.stream_url}/api/health/ready", timeout=60).status_code == 200
    assert gateway.deployment.template.functions["StreamFunction"].snap_start


def test_a_problem_of_the_function_url_keeps_its_body_and_retry_after(
    gateway: Gateway, through: Through
) -> None:
    alice = through("alice")
    url = f"{gateway.stream_url}/api/{alice.id}/chat"
    said = {"message": "[offline: status=429]"}
    refused = httpx.post(url, json=said, headers={"authorization": f"Bearer {alice.token}"}, timeout=60)
    assert refused.status_code == 503
    assert refused.headers["content-type"] == "application/problem+json"
    assert int(refused.headers["retry-after"]) > 0


# --- The command -------------------------------------------------------------------------------------------


def test_make_gateway_leaves_no_process(tmp_path: Path) -> None:
    port, issuer_port, stream_port = free_port(), free_port(), free_port()
    command = [sys.executable, "-m", "local.dev", "--api", "--gateway", "--state", str(tmp_path)]
    command += ["--port", str(port), "--issuer-port", str(issuer_port), "--stream-port", str(stream_port)]
    env = {**os.environ, "OPENAI_API_KEY": "", "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        output = ""
        while "Stop:" not in output:
            line = process.stdout.readline()
            assert line, output
            output += line
        assert f"http://localhost:{stream_port}" in output
        minted = Issuer(f"http://127.0.0.1:{issuer_port}", tmp_path / "issuer.pem").mint("alice")
        url = f"http://127.0.0.1:{port}/api/alice/conversations"
        reply = httpx.get(url, headers={"authorization": f"Bearer {minted}"}, timeout=60)
        assert reply.json()["data"] == []
        assert len(processes(str(tmp_path))) > 3
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 0
    deadline = time.monotonic() + 15
    while processes(str(tmp_path)):
        assert time.monotonic() < deadline, processes(str(tmp_path))
        time.sleep(0.1)


def processes(mark: str) -> list[str]:
    output = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in output.splitlines() if mark in line]
