"""`make smoke STAGE=dev`: asks a deployment the questions that decide whether people can use it.

    python -m local.aws.smoke --stage dev                          the deployed stage, as a user of its own
    python -m local.aws.smoke --api URL --stream URL --issuer URL --token TOKEN
                                                               any other, such as `make gateway`

It prints a line for each question, and ends with 1 if one was answered wrongly. It takes a minute and two
short turns of the model, and removes its conversations.
"""

import argparse
import hashlib
import hmac
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import httpx
import jwt

from local.aws import issuer_check, preflight, stacks
from local.aws.build import ROOT
from local.environment import read_env_file
from local.progress import Problem, exit_code

# A cold start and a turn.
TIMEOUT_S = 60
TITLE_PATIENCE_S = 60
# Between the first event and the last one, if they were not held back and sent together.
IN_PIECES_S = 0.01
SAID = "Count from one to thirty, in words."


class Wrong(Exception):
    """The text says what was answered."""


@dataclass(frozen=True)
class Deployed:
    """`alarms` names those that ring; None where there are none to ask."""

    api: str
    stream: str
    issuer: str
    origin: str
    token: str
    alarms: Callable[[], list[str]] | None = None

    @property
    def user(self) -> str:
        return str(jwt.decode(self.token, options={"verify_signature": False})["sub"])


class Smoke:
    """Every method below `checks` asks one question. Raises Wrong."""

    def __init__(self, deployed: Deployed, client: httpx.Client) -> None:
        self._at = deployed
        self._client = client
        self._signed_in = {"authorization": f"Bearer {deployed.token}"}
        self._conversations: list[str] = []

    def checks(self) -> Iterator[tuple[str, Callable[[], None]]]:
        yield "discovery and keys, as fast as API Gateway demands", self._discovery
        yield "no token and a bad token are refused", self._refused
        yield "a preflight from the page is allowed", self._preflight
        yield "a turn through the gateway", self._turn
        yield "a turn through the Function URL, in pieces", self._stream
        yield "an MCP call", self._mcp
        yield "the follow-up's title", self._title
        yield "another user's path is a problem document", self._forbidden
        if self._at.alarms:
            yield "no alarm rings", self._quiet
        yield "the conversations can be deleted", self._delete

    def _discovery(self) -> None:
        if found := issuer_check.trouble(self._at.issuer):
            raise Wrong(found)

    def _refused(self) -> None:
        bad = self._at.token[:-8] + "AAAAAAAA"
        for base in (self._at.api, self._at.stream):
            for headers in ({}, {"authorization": f"Bearer {bad}"}):
                reply = _expect(self._client.get(f"{base}/api/me", headers=headers), 401)
                if "bearer" not in reply.headers.get("www-authenticate", "").lower():
                    raise Wrong(f"{reply.url}: 401 without www-authenticate")

    def _preflight(self) -> None:
        asked = {"origin": self._at.origin, "access-control-request-method": "POST"}
        asked["access-control-request-headers"] = "authorization,content-type"
        for base in (self._at.api, self._at.stream):
            reply = self._client.options(f"{base}/api/{self._at.user}/chat", headers=asked)
            allowed = reply.headers.get("access-control-allow-origin")
            if allowed != self._at.origin:
                raise Wrong(f"{base} allows the origin {allowed}, not {self._at.origin}")

    def _turn(self) -> None:
        reply = self._client.post(self._chat(self._at.api), json={"message": SAID}, headers=self._signed_in)
        turn = _expect(reply, 200).json()
        self._conversations.append(turn["conversation_id"])
        if turn["status"] != "completed" or not turn["response"]:
            raise Wrong(f"the turn ended as {turn['status']}")

    def _stream(self) -> None:
        headers = {**self._signed_in, "accept": "text/event-stream"}
        url, said = self._chat(self._at.stream), {"message": SAID}
        body, began = "", 0.0
        with self._client.stream("POST", url, json=said, headers=headers) as reply:
            if reply.status_code != 200:
                reply.read()
            _expect(reply, 200)
            for piece in reply.iter_text():
                body += piece
                began = began or time.monotonic()
        reply_line = body.partition("event: turn.completed\ndata: ")[2].partition("\n")[0]
        if not reply_line:
            raise Wrong(f"the stream ended with {body[-200:]!r}")
        if time.monotonic() - began < IN_PIECES_S:
            raise Wrong("all events came at once: something holds them back")
        self._conversations.append(json.loads(reply_line)["conversation_id"])

    def _mcp(self) -> None:
        arguments = {"name": "list_recent_conversations", "arguments": {}}
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": arguments}
        headers = {**self._signed_in, "accept": "application/json, text/event-stream"}
        reply = _expect(self._client.post(f"{self._at.api}/api/mcp", json=call, headers=headers), 200).json()
        if reply.get("result", {}).get("isError", True):
            raise Wrong(f"the tool said {str(reply)[:200]}")

    def _title(self) -> None:
        deadline = time.monotonic() + TITLE_PATIENCE_S
        while self._conversation()["title"] in ("", SAID):
            if time.monotonic() > deadline:
                raise Wrong(f"after {TITLE_PATIENCE_S} s the title is still the question")
            time.sleep(0.5)

    def _forbidden(self) -> None:
        url = f"{self._at.api}/api/somebody-else/conversations"
        reply = _expect(self._client.get(url, headers=self._signed_in), 403)
        problem = reply.json()
        if not reply.headers["content-type"].startswith("application/problem+json"):
            raise Wrong(f"{url}: {reply.headers['content-type']} is no problem document")
        if missing := {"type", "title", "status", "detail", "request_id"} - problem.keys():
            raise Wrong(f"{url}: its problem document lacks {', '.join(sorted(missing))}")

    def _quiet(self) -> None:
        if self._at.alarms and (ringing := self._at.alarms()):
            raise Wrong(f"ringing: {', '.join(ringing)} (docs/operations.md)")

    def _delete(self) -> None:
        for each in self._conversations:
            _expect(self._client.delete(f"{self._list()}/{each}", headers=self._signed_in), 204)

    def _conversation(self) -> dict[str, Any]:
        if not self._conversations:
            raise Wrong("there is no conversation")
        reply = self._client.get(f"{self._list()}/{self._conversations[0]}", headers=self._signed_in)
        return dict(_expect(reply, 200).json())

    def _list(self) -> str:
        return f"{self._at.api}/api/{self._at.user}/conversations"

    def _chat(self, base: str) -> str:
        return f"{base}/api/{self._at.user}/chat"


def smoke(deployed: Deployed) -> int:
    """Ask all questions and print the answers. Returns how many were wrong."""
    with httpx.Client(timeout=TIMEOUT_S) as client:
        return sum(not _ask(name, check) for name, check in Smoke(deployed, client).checks())


def _ask(name: str, check: Callable[[], None]) -> bool:
    started = time.monotonic()
    wrong = ""
    try:
        check()
    except Wrong as error:
        wrong = f"WRONG: {error}"
    except (httpx.HTTPError, LookupError, ValueError, TypeError) as error:
        wrong = f"WRONG: {type(error).__name__} {error}"
    print(f"  {time.monotonic() - started:5.1f} s  {name}: {wrong or 'ok'}", flush=True)
    return not wrong


def deployed_stage(stage: str) -> Deployed:
    """Raises Problem."""
    preflight.use_region()
    api, web = stacks.outputs(f"parley-{stage}"), stacks.outputs(f"parley-{stage}-web")
    if not api or not web:
        raise Problem(
            f"The stage {stage} is not deployed in this account and region: make deploy STAGE={stage}"
        )
    secret = read_env_file(ROOT / f".env.{stage}").get("BETTER_AUTH_SECRET")
    if not secret:
        raise Problem(
            f".env.{stage} does not name: BETTER_AUTH_SECRET. The user of this test signs in with it"
        )

    def ringing() -> list[str]:
        found = boto3.client("cloudwatch").describe_alarms(
            AlarmNamePrefix=f"parley-{stage}-", StateValue="ALARM"
        )
        return [each["AlarmName"] for each in found["MetricAlarms"]]

    token = sign_in(web["Url"], password_of(secret))
    return Deployed(api["ApiUrl"], api["StreamUrl"].rstrip("/"), web["Url"], web["Url"], token, ringing)


def password_of(secret: str) -> str:
    """Of the account that only this test uses. The front end's migration makes it."""
    return hmac.new(secret.encode(), b"smoke", hashlib.sha256).hexdigest()


def sign_in(url: str, password: str) -> str:
    """A token. Raises Problem."""
    account = {"email": "smoke-test@example.com", "password": password}
    with httpx.Client(timeout=TIMEOUT_S, headers={"origin": url}) as client:
        reply = client.post(f"{url}/api/auth/sign-in/email", json=account)
        if reply.is_success:
            reply = client.get(f"{url}/api/auth/token")
        if not reply.is_success:
            raise Problem(f"{reply.url} answered {reply.status_code}: {reply.text[:200]}")
        return str(reply.json()["token"])


def _expect(reply: httpx.Response, status: int) -> httpx.Response:
    if reply.status_code != status:
        raise Wrong(f"{reply.request.method} {reply.url} answered {reply.status_code}: {reply.text[:200]}")
    return reply


def way_back(stage: str) -> str:
    return (
        "The way back: check out what was deployed before, then\n"
        f"  make deploy STAGE={stage} NOW=1\n"
        "It migrates nothing back, and the older code runs on the newer schema. docs/operations.md says more."
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.aws.smoke", description=__doc__)
    parser.add_argument("--stage", help="a deployed stage")
    for name in ("api", "stream", "issuer", "token"):
        parser.add_argument(f"--{name}", default="")
    options = parser.parse_args()
    if options.stage:
        deployed = deployed_stage(options.stage)
    else:
        deployed = Deployed(options.api, options.stream, options.issuer, options.issuer, options.token)
    wrong = smoke(deployed)
    print(f"{wrong} answered wrongly" if wrong else "All is well.")
    if wrong and options.stage:
        print(way_back(options.stage))
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(exit_code(main))
