"""A model may say anything: every turn ends in time, and its conversation goes on.

`python -m tests.integration.test_arbitrary_model --count 5000` runs more cases than the suite does.
"""

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from agents import Agent, function_tool

from local.issuer import Issuer
from tests.arbitrary_model import SANE, WORDS, ArbitraryModel, serve_arbitrary_model
from tests.integration.test_chat import events

COUNT = 150
DEADLINE_S = 4.0
# The promise. Two cores that run eight turns and their clients at once are themselves late by a moment.
LATE_S = 2.0
LAST = {"turn.completed", "turn.failed", "turn.cancelled", "turn.waiting_approval"}


@function_tool
def look_up(word: str) -> str:
    """Look a word up, in a dictionary that anybody may have written."""
    if word == "x":
        return "".join(WORDS)
    raise ValueError("\x00 is not in it")


@function_tool(needs_approval=True)
def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


HELPER = Agent[Any](name="Helper", instructions="Help.", tools=[look_up, pay])
AGENT = Agent[Any](
    name="Parley", instructions="Answer.", tools=[look_up, pay, HELPER.as_tool("ask", "Ask the helper")]
)


@dataclass
class Client:
    """A user who talks to servers of both protocols by turns, about one case."""

    seed: int
    http: dict[str, httpx.Client]
    draw: random.Random = field(init=False)
    found: list[str] = field(default_factory=list)
    conversation_id: str | None = None

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)

    def run(self) -> "Client":
        try:
            for number in range(2):
                self.turn(f"case {self.seed + number * 1_000_000}")
            ended = self.turn("Be sane")
            if ended.get("response") != SANE:
                self.found.append(f"the sane turn ended as {ended}")
        except Exception as error:
            self.found.append(repr(error))
        finally:
            for http in self.http.values():
                http.close()
        return self

    def turn(self, message: str) -> dict[str, Any]:
        """Ask, look at how it ends, decide about calls that wait, and return the last reply."""
        body: dict[str, Any] = {"message": message}
        if self.conversation_id:
            body["conversation_id"] = self.conversation_id
        ended = self.post("/chat", body, cancel=self.draw.random() < 0.1)
        while ended.get("status") == "waiting_approval" and self.draw.random() < 0.7:
            path = f"/conversations/{self.conversation_id}/messages/{ended['message_id']}/approval"
            ended = self.post(path, {"approved": self.draw.random() < 0.6})
        return ended

    def post(self, path: str, body: dict[str, Any], cancel: bool = False) -> dict[str, Any]:
        http = self.http[self.draw.choice(["chat_completions", "responses"])]
        streamed = self.draw.random() < 0.5
        headers = {"Accept": "text/event-stream"} if streamed else {}
        canceller = threading.Timer(0.2, self.cancel, [http])
        if cancel:
            canceller.start()
        started = time.monotonic()
        reply = http.post(path, json=body, headers=headers)
        took_s = time.monotonic() - started
        canceller.cancel()
        if cancel:
            canceller.join()
        if took_s > DEADLINE_S + LATE_S:
            self.found.append(f"{path} took {took_s:.1f} s")
        if reply.status_code == 500 or '"/problems/internal-error"' in reply.text:
            self.found.append(f"{path}: {reply.text[-400:]}")
        ended = self.read(reply)
        self.check_messages(http)
        return ended

    def read(self, reply: httpx.Response) -> dict[str, Any]:
        if not reply.headers["content-type"].startswith("text/event-stream"):
            return dict(reply.json())
        sent = events(reply)
        if [name in LAST for name, _ in sent] != [False] * (len(sent) - 1) + [True]:
            self.found.append(f"a stream of {[name for name, _ in sent]}")
        text = "".join(data["delta"] for name, data in sent if name == "turn.output_text.delta")
        name, data = sent[-1]
        if name == "turn.completed" and not data["response"].endswith(text):
            self.found.append(f"the stream said {text!r}, the reply {data['response']!r}")
        return data

    def cancel(self, http: httpx.Client) -> None:
        for conversation in http.get("/conversations").json()["data"]:
            path = f"/conversations/{conversation['id']}/messages"
            for message in http.get(path).json()["data"]:
                if message["status"] == "in_progress":
                    http.post(f"{path}/{message['id']}/cancel")

    def check_messages(self, http: httpx.Client) -> None:
        listed = http.get("/conversations").json()["data"]
        if len(listed) != 1:
            self.found.append(f"{len(listed)} conversations")
            return
        self.conversation_id = listed[0]["id"]
        reply = http.get(f"/conversations/{self.conversation_id}/messages")
        messages = reply.json()["data"] if reply.status_code == 200 else []
        if [message["role"] for message in messages] != ["user", "assistant"] * (len(messages) // 2):
            self.found.append(f"the messages are {reply.status_code} {reply.text[:400]}")
        if any(message["status"] in ("in_progress", "interrupted") for message in messages):
            self.found.append("a message is still in progress after its turn has ended")
        if len(reply.content) > 5_000_000:
            self.found.append(f"the messages have {len(reply.content)} bytes")


@contextmanager
def serve_both(serve_api: Callable[..., str]) -> Iterator[tuple[dict[str, str], ArbitraryModel]]:
    """One server for each protocol, with one database and one model."""
    with serve_arbitrary_model() as (url, model):
        changes = {"openai_base_url": url, "turn_deadline_s": DEADLINE_S}
        apis = {
            protocol: serve_api(AGENT, openai_api=protocol, **changes)
            for protocol in ("chat_completions", "responses")
        }
        for api in apis.values():
            # FastAPI makes routes when they are needed, and silences warnings for all threads meanwhile.
            httpx.get(f"{api}/api/openapi.json")
        yield apis, model


def run_cases(apis: dict[str, str], issuer: Issuer, seeds: range) -> dict[int, list[str]]:
    """What is wrong, by the seed of its case."""

    def run(seed: int) -> Client:
        user_id = f"user-{uuid.uuid4().hex[:8]}"
        headers = {"Authorization": f"Bearer {issuer.mint(user_id)}"}
        clients = {
            protocol: httpx.Client(base_url=f"{url}/api/{user_id}", headers=headers, timeout=40)
            for protocol, url in apis.items()
        }
        return Client(seed, clients).run()

    with ThreadPoolExecutor(8) as threads:
        return {client.seed: client.found for client in threads.map(run, seeds) if client.found}


@pytest.fixture(scope="module")
def both(serve_api: Callable[..., str]) -> Iterator[tuple[dict[str, str], ArbitraryModel]]:
    with serve_both(serve_api) as served:
        yield served


def test_whatever_a_model_says_every_turn_ends_and_the_next_one_works(
    both: tuple[dict[str, str], ArbitraryModel], issuer: Issuer
) -> None:
    apis, model = both
    first = random.SystemRandom().randrange(900_000)
    print(f"cases {first} to {first + COUNT}")
    found = run_cases(apis, issuer, range(first, first + COUNT))
    assert not found, "\n".join(f"{seed}: {problems}" for seed, problems in found.items())
    assert model.refused == []
