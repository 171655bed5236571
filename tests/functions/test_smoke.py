"""`make smoke` against the built functions, and against a gateway that answers each question wrongly."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from local.aws import smoke, stacks
from local.aws.gateway import Gateway
from local.aws.smoke import Deployed
from local.issuer import Issuer
from local.progress import Problem
from local.serving import serve_in_thread
from tests.fake_account import REGION, account

# Changes a reply, of which the body was read: status, headers and body.
Spoil = Callable[[Request, httpx.Response], Response | None]
KEPT = ("content-type", "www-authenticate", "access-control-allow-origin")


@pytest.fixture(scope="module")
def deployed(gateway: Gateway, issuer: Issuer) -> Deployed:
    # Tokens are minted for a quarter of an hour, and this module takes two minutes.
    token = issuer.mint("smoke-test")
    return Deployed(gateway.url, gateway.stream_url, issuer.url, issuer.url, token, lambda: [])


def wrong(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> set[str]:
    count = smoke.smoke(deployed)
    output = capsys.readouterr().out
    named = {
        line.partition("s  ")[2].partition(": WRONG")[0] for line in output.splitlines() if "WRONG" in line
    }
    assert len(named) == count, output
    return named


def test_a_stage_that_works_is_found_well(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    assert smoke.smoke(deployed) == 0
    output = capsys.readouterr().out
    assert len(re.findall(r"^ +\d+\.\d s  .+: ok$", output, re.MULTILINE)) == 10
    conversations = f"{deployed.api}/api/{deployed.user}/conversations"
    left = httpx.get(conversations, headers={"authorization": f"Bearer {deployed.token}"}).json()["data"]
    assert left == [], "nothing is left behind"


@dataclass
class Spoiled:
    """Hands requests on to the gateway, and spoils its replies."""

    target: str
    spoil: Spoil

    async def __call__(self, request: Request) -> Response:
        url = f"{self.target}{request.url.path}"
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        send = partial(
            httpx.request, request.method, url, headers=headers, content=await request.body(), timeout=60
        )
        reply = await asyncio.to_thread(send)
        kept = {name: value for name, value in reply.headers.items() if name in KEPT}
        return self.spoil(request, reply) or Response(reply.content, reply.status_code, kept)


@pytest.fixture
def spoiled(deployed: Deployed) -> Iterator[Callable[[Spoil], Deployed]]:
    """A deployment between which and us somebody stands. What it sends in pieces still comes in pieces."""
    with ExitStack() as stack:

        def serve(target: str, spoil: Spoil) -> str:
            methods = ["GET", "POST", "DELETE", "OPTIONS"]
            app = Starlette(routes=[Route("/{path:path}", Spoiled(target, spoil).__call__, methods=methods)])
            return stack.enter_context(serve_in_thread(lambda _: app))

        def make(spoil: Spoil) -> Deployed:
            return replace(
                deployed, api=serve(deployed.api, spoil), stream=serve(deployed.stream, in_pieces(spoil))
            )

        yield make


def in_pieces(spoil: Spoil) -> Spoil:
    def stream(request: Request, reply: httpx.Response) -> Response | None:
        changed = spoil(request, reply)
        if changed or not request.url.path.endswith("/chat") or request.method != "POST":
            return changed

        async def pieces() -> AsyncIterator[bytes]:
            for event in reply.content.split(b"\n\n"):
                yield event + b"\n\n"
                await asyncio.sleep(0.005)

        return StreamingResponse(pieces(), reply.status_code, media_type=reply.headers["content-type"])

    return stream


def on(path: str, answer: Callable[[httpx.Response], Response], method: str = "") -> Spoil:
    def spoil(request: Request, reply: httpx.Response) -> Response | None:
        matches = re.search(path, request.url.path) and method in ("", request.method)
        return answer(reply) if matches else None

    return spoil


def changed(**fields: Any) -> Callable[[httpx.Response], Response]:
    return lambda reply: JSONResponse({**reply.json(), **fields}, reply.status_code)


def gone(_: httpx.Response) -> Response:
    return JSONResponse({"message": "Internal Server Error"}, 500)


def let_in(_: httpx.Response) -> Response:
    return JSONResponse({"id": "anybody"})


def whole(reply: httpx.Response) -> Response:
    """What the Function URL sent, not in pieces; the gateway's replies are whole anyway."""
    return Response(reply.content, reply.status_code, {"content-type": reply.headers["content-type"]})


def cut_off(reply: httpx.Response) -> Response:
    if "event-stream" not in reply.headers["content-type"]:
        return whole(reply)
    return Response(reply.content.partition(b"event: turn.completed")[0], media_type="text/event-stream")


PREFLIGHT = "a preflight from the page is allowed"
REFUSED = "no token and a bad token are refused"
STREAM = "a turn through the Function URL, in pieces"
TITLE = "the follow-up's title"
TURN = "a turn through the gateway"
FORBIDDEN = "another user's path is a problem document"
DELETE = "the conversations can be deleted"
MCP = "an MCP call"


@pytest.mark.parametrize(
    ("spoil", "questions"),
    [
        (on("/api/me$", let_in), {REFUSED}),
        (on("/api/me$", lambda _: JSONResponse({"message": "Unauthorized"}, 401)), {REFUSED}),
        (on(".*", lambda _: Response(status_code=204), "OPTIONS"), {PREFLIGHT}),
        (on("/chat$", gone, "POST"), {TURN, STREAM, TITLE}),
        (on("/chat$", whole, "POST"), {STREAM}),
        (on("/chat$", cut_off, "POST"), {STREAM}),
        (on("/api/mcp$", changed(result={"isError": True})), {MCP}),
        (on("/api/mcp$", lambda _: Response("<html>", 502)), {MCP}),
        (on("/conversations/[^/]+$", changed(title=smoke.SAID), "GET"), {TITLE}),
        (on("somebody-else", let_in), {FORBIDDEN}),
        (on("somebody-else", lambda _: JSONResponse({"message": "Forbidden"}, 403)), {FORBIDDEN}),
        (on("/conversations/[^/]+$", gone, "DELETE"), {DELETE}),
    ],
)
def test_each_wrong_answer_is_found(
    spoiled: Callable[[Spoil], Deployed],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    spoil: Spoil,
    questions: set[str],
) -> None:
    monkeypatch.setattr(smoke, "TITLE_PATIENCE_S", 2 if TITLE in questions else 60)
    assert wrong(spoiled(spoil), capsys) == questions


def test_a_turn_that_failed_is_none(
    spoiled: Callable[[Spoil], Deployed], capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(reply: httpx.Response) -> Response:
        if "event-stream" in reply.headers["content-type"]:
            return StreamingResponse(iter([reply.content]), media_type="text/event-stream")
        return JSONResponse({**reply.json(), "status": "failed"})

    assert TURN in wrong(spoiled(on("/chat$", fail, "POST")), capsys)


def test_the_issuer_and_the_alarms_are_asked_too(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = replace(deployed, issuer="http://127.0.0.1:9", alarms=lambda: ["parley-dev-CrashesAlarm"])
    assert wrong(nowhere, capsys) == {"discovery and keys, as fast as API Gateway demands", "no alarm rings"}


def test_the_command_says_the_way_back(
    deployed: Deployed, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["smoke", "--stage", "dev"])
    monkeypatch.setattr(smoke, "deployed_stage", lambda _: replace(deployed, alarms=lambda: ["CrashesAlarm"]))
    assert smoke.main() == 1
    assert "make deploy STAGE=dev NOW=1" in capsys.readouterr().out
    here = ["smoke", "--api", deployed.api, "--stream", deployed.stream]
    monkeypatch.setattr("sys.argv", [*here, "--issuer", deployed.issuer, "--token", deployed.token])
    assert smoke.main() == 0
    assert "All is well." in capsys.readouterr().out


# --- The addresses and the user of a deployed stage -------------------------------------------------------


def front_end(accounts: dict[str, str], token: str) -> Starlette:
    async def sign(request: Request) -> Response:
        given = await request.json()
        known = accounts.get(given["email"]) == given["password"]
        return JSONResponse({}, 200 if known else 401, {"set-cookie": "session=1; Path=/"} if known else {})

    def tell(request: Request) -> Response:
        return JSONResponse({"token": token}, 200 if request.cookies else 401)

    routes = [Route("/api/auth/sign-in/email", sign, methods=["POST"]), Route("/api/auth/token", tell)]
    return Starlette(routes=routes)


def test_a_stage_is_found_by_its_stacks_and_its_user_signs_in(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    password = smoke.password_of("not-guessable")
    accounts = {"smoke-test@example.com": password}
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setattr(smoke, "ROOT", tmp_path)
    with account() as here, serve_in_thread(lambda _: front_end(accounts, deployed.token)) as url:
        with pytest.raises(Problem, match="make deploy STAGE=dev"):
            smoke.deployed_stage("dev")
        here.make(
            "parley-dev", "UPDATE_COMPLETE", {"ApiUrl": deployed.api, "StreamUrl": f"{deployed.stream}/"}
        )
        here.make("parley-dev-web", "UPDATE_COMPLETE", {"Url": url})
        assert stacks.outputs("parley-dev-web") == {"Url": url}
        with pytest.raises(Problem, match="BETTER_AUTH_SECRET"):
            smoke.deployed_stage("dev")
        (tmp_path / ".env.dev").write_text("BETTER_AUTH_SECRET=not-guessable")
        first = smoke.deployed_stage("dev")
        assert (first.api, first.stream, first.origin) == (deployed.api, deployed.stream, url)
        assert first.token == smoke.deployed_stage("dev").token
        assert "not-guessable" not in password
        assert len(password) == 64
        assert first.alarms
        assert first.alarms() == []
