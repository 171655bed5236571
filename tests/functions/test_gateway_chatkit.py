"""ChatKit's protocol at the built functions: whole through the gateway, streamed through the Function URL."""

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from local.aws.gateway import Gateway
from local.issuer import Issuer
from tests.chatkit_client import ChatKitClient, events, message, text_of

PROBLEM = "application/problem+json"


class Endpoints:
    """One user's clients: one through the gateway, one through the Function URL."""

    def __init__(self, gateway: Gateway, token: str | None) -> None:
        self.buffered = ChatKitClient(gateway.url, token)
        self.streaming = ChatKitClient(gateway.stream_url, token)
        self.both = {"buffered": self.buffered, "streaming": self.streaming}
        for client in self.both.values():
            client.http.timeout = httpx.Timeout(120)  # a cold start on a busy machine

    def close(self) -> None:
        for client in self.both.values():
            client.http.close()


@pytest.fixture
def endpoints(gateway: Gateway, issuer: Issuer) -> Iterator[Callable[[str | None], Endpoints]]:
    """`endpoints("alice")` is a new user; `endpoints(None)` has no token."""
    made: list[Endpoints] = []

    def make(name: str | None) -> Endpoints:
        token = issuer.mint(f"{name}-{uuid.uuid4().hex[:8]}") if name else None
        made.append(Endpoints(gateway, token))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def alice(endpoints: Callable[[str | None], Endpoints]) -> Endpoints:
    return endpoints("alice")


def outline(received: list[Any]) -> list[Any]:
    """What a turn says, whatever the pace at which it says it: its events, deltas as one, and its items."""
    said: list[Any] = []
    text = ""
    for event in received:
        delta = getattr(getattr(event, "update", None), "delta", None)
        if delta is not None:
            text += delta
        elif hasattr(event, "item"):
            said.append((event.type, event.item.type, event.item.id))
        else:
            said.append((event.type, getattr(getattr(event, "thread", None), "id", None)))
    items = [text_of(event.item) for event in received if event.type == "thread.item.done"]
    return [*said, text, *items]


@pytest.mark.parametrize("endpoint", ["buffered", "streaming"])
def test_a_thread_from_its_beginning_to_its_end(alice: Endpoints, endpoint: str) -> None:
    client = alice.both[endpoint]
    received: list[Any] = client.create("say exactly: one")
    thread = received[0].thread.id
    client.add(thread, "say exactly: two")
    items: list[Any] = client.items(thread)
    assert [text_of(item) for item in items] == ["say exactly: one", "one", "say exactly: two", "two"]
    client.stream("threads.retry_after_item", thread_id=thread, item_id=items[0].id)
    for each in alice.both.values():
        found: list[Any] = each.items(thread)
        assert [text_of(item) for item in found] == ["say exactly: one", "one"]
        assert found[0].id == items[0].id
        assert found[1].id != items[1].id
        assert [listed["id"] for listed in each.read("threads.list")["data"]] == [thread]
    assert client.read("threads.update", thread_id=thread, title="Renamed")["title"] == "Renamed"
    assert client.read("threads.delete", thread_id=thread) == {}
    assert client.send("threads.get_by_id", {"thread_id": thread}).status_code == 404


def test_both_endpoints_return_the_same_turn(alice: Endpoints) -> None:
    """Each operation, sent again with its key to either endpoint, is replayed and does not run again."""
    create = {"input": message("say exactly: one two three")}
    first = events(alice.streaming.send("threads.create", create, "create"))
    created: Any = first[0]
    thread = created.thread.id
    (question, answer) = alice.buffered.items(thread)
    add = {"thread_id": thread, "input": message("say exactly: four five")}
    retry = {"thread_id": thread, "item_id": question.id}
    for kind, params in [
        ("threads.create", create),
        ("threads.add_user_message", add),
        ("threads.retry_after_item", retry),
    ]:
        key = kind.removeprefix("threads.")
        live = events(alice.streaming.send(kind, params, key))
        whole = alice.buffered.send(kind, params, key)
        streamed = alice.streaming.send(kind, params, key)
        assert outline(events(whole)) == outline(events(streamed)) == outline(live)
        for header in ("content-type", "content-location"):
            assert whole.headers[header] == streamed.headers[header]
    shown = [item.id for item in alice.buffered.items(thread)]
    assert shown[0] == question.id
    assert len(shown) == 2
    assert shown[1] != answer.id


def test_the_gateway_checks_the_token_before_the_function_does(
    endpoints: Callable[[str | None], Endpoints], gateway: Gateway, issuer: Issuer
) -> None:
    nobody = endpoints(None)
    refused = nobody.buffered.send("threads.list", {})
    assert (refused.status_code, refused.json()) == (401, {"message": "Unauthorized"})
    assert refused.headers["www-authenticate"].startswith("Bearer")
    refused = nobody.streaming.send("threads.list", {})
    assert (refused.status_code, refused.headers["content-type"]) == (401, PROBLEM)
    assert refused.headers["www-authenticate"] == "Bearer"
    expired = {"authorization": f"Bearer {issuer.mint('alice', ttl=-600)}"}
    for url in (gateway.url, gateway.stream_url):
        reply = httpx.post(
            f"{url}/api/chatkit", json={"type": "threads.list", "params": {}}, headers=expired, timeout=120
        )
        assert reply.status_code == 401
        assert 'error="invalid_token"' in reply.headers["www-authenticate"]


def test_anothers_thread_is_forbidden_at_both_endpoints(
    alice: Endpoints, endpoints: Callable[[str | None], Endpoints]
) -> None:
    received: list[Any] = alice.buffered.create("My word is heliotrope")
    thread, question = received[0].thread.id, received[1].item.id
    before = alice.buffered.send("items.list", {"thread_id": thread}).text
    mallory = endpoints("mallory")
    for client in mallory.both.values():
        for kind, params in [
            ("threads.get_by_id", {}),
            ("items.list", {}),
            ("threads.add_user_message", {"input": message("Let me in")}),
            ("threads.retry_after_item", {"item_id": question}),
            ("threads.delete", {}),
        ]:
            reply = client.send(kind, {"thread_id": thread, **params})
            assert (reply.status_code, reply.headers["content-type"]) == (403, PROBLEM)
            assert "heliotrope" not in reply.text
    assert alice.buffered.send("items.list", {"thread_id": thread}).text == before


def test_the_function_url_streams_events_as_they_happen(alice: Endpoints) -> None:
    """The model waits a second between its first words and its last ones: they do not come together."""
    body = {
        "type": "threads.create",
        "params": {"input": message("[offline: word=100] say exactly: " + "word " * 20)},
    }
    arrived: list[tuple[float, str]] = []
    with alice.streaming.http.stream("POST", "/api/chatkit", json=body) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        for line in reply.iter_lines():
            if line:
                arrived.append((time.monotonic(), line))
    kinds = [next(kind for kind in ("text_delta", "item.done", "") if kind in line) for _, line in arrived]
    deltas = [at for (at, _), kind in zip(arrived, kinds, strict=True) if kind == "text_delta"]
    assert len(deltas) > 10
    assert arrived[0][1].startswith('data: {"type":"thread.created"')
    assert deltas[-1] - arrived[0][0] > 1
    assert deltas[0] < deltas[len(deltas) // 2] < deltas[-1]


def test_the_function_url_allows_the_front_ends_origin(alice: Endpoints, issuer: Issuer) -> None:
    headers = {"origin": issuer.url}
    body = {"type": "threads.list", "params": {}}
    reply = alice.streaming.http.post("/api/chatkit", json=body, headers=headers)
    assert reply.headers.get_list("access-control-allow-origin") == [issuer.url]
    request = headers | {
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type, idempotency-key",
    }
    for client in alice.both.values():
        preflight = client.http.options("/api/chatkit", headers=request)
        assert preflight.status_code in (200, 204)
        allowed = preflight.headers["access-control-allow-headers"].lower()
        assert "idempotency-key" in allowed
