"""Users strictly apart in the ChatKit protocol: every operation of the SDK's, with whatever is not one's own.

The operations are a table; one that a later SDK adds fails the first test.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

import httpx
import pytest
from agents import Agent, function_tool
from chatkit.types import ChatKitReq

from local.issuer import Issuer
from parley.tools.client_tools import ask_user, client_tool
from tests.chatkit_client import ChatKitClient, message
from tests.conftest import ApiUser

CANARY = "heliotrope"


@dataclass(frozen=True)
class Operation:
    """`params`: with THREAD and ITEM in the places of ids. `on`: what the thread waits for, if anything.

    `others_item`: the status when the item alone is another's.
    """

    kind: str
    params: dict[str, Any]
    on: str = "nothing"
    others_item: int = 403

    def names(self, place: str) -> bool:
        return f'"{place}"' in json.dumps(self.params)

    def about(self, ids: "Ids") -> dict[str, Any]:
        text = json.dumps(self.params)
        text = text.replace('"THREAD"', json.dumps(ids.thread)).replace('"ITEM"', json.dumps(ids.item))
        filled: dict[str, Any] = json.loads(text)
        return filled


@dataclass(frozen=True)
class Ids:
    thread: str
    item: str


ACTION = {"thread_id": "THREAD", "item_id": "ITEM", "action": {"type": "parley.approve", "payload": None}}
OPERATIONS = [
    Operation("threads.get_by_id", {"thread_id": "THREAD"}),
    Operation("threads.list", {"after": "THREAD"}),
    Operation("items.list", {"thread_id": "THREAD", "after": "ITEM"}, others_item=404),
    Operation("items.feedback", {"thread_id": "THREAD", "item_ids": ["ITEM"], "kind": "negative"}, "rating"),
    Operation("threads.update", {"thread_id": "THREAD", "title": "Stolen"}),
    Operation("threads.add_user_message", {"thread_id": "THREAD", "input": message("Let me in")}),
    Operation("threads.retry_after_item", {"thread_id": "THREAD", "item_id": "ITEM"}),
    Operation("threads.custom_action", ACTION, "approval"),
    Operation("threads.sync_custom_action", ACTION, "approval"),
    Operation("threads.add_client_tool_output", {"thread_id": "THREAD", "result": "Here"}, "page"),
    Operation(
        "threads.add_structured_input", {"thread_id": "THREAD", "item_id": "ITEM", "input": {}}, "user"
    ),
    Operation("threads.delete", {"thread_id": "THREAD"}),
]
# What concerns nothing that is there already, and its status.
WITHOUT_THREAD: dict[str, tuple[dict[str, Any], int]] = {
    "threads.create": ({"input": message("Hello")}, 200),
    "attachments.create": ({"name": "a.txt", "size": 3, "mime_type": "text/plain"}, 422),
    "attachments.delete": ({"attachment_id": "a"}, 422),
    "input.transcribe": ({"audio_base64": "AAAA", "mime_type": "audio/webm"}, 422),
}
EVERY = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.kind)
NAMING_AN_ITEM = pytest.mark.parametrize(
    "operation",
    [operation for operation in OPERATIONS if operation.names("ITEM")],
    ids=lambda operation: operation.kind,
)

ordered: list[str] = []


@function_tool(needs_approval=True)
def order(what: str) -> str:
    """Order something. It costs money."""
    ordered.append(what)
    return f"ordered {what}"


find_place = client_tool("find_place", "Tell where the user is.", {"type": "object", "properties": {}})
QUESTIONS = {"questions": [{"question": f"The {CANARY} or the other?", "options": [], "multiple": False}]}
# For each that an operation is `on`: what is said, and which item of the thread is then named.
BEGINNINGS: dict[str, tuple[str, int]] = {
    "nothing": (f"My word is {CANARY}", 0),
    "rating": (f"say exactly: the {CANARY}", -1),
    "approval": (f"use the tool order with {json.dumps({'what': CANARY})}", -1),
    "page": ("use the tool find_place", -1),
    "user": (f"use the tool ask_user with {json.dumps(QUESTIONS)}", -1),
}


class User:
    """Somebody with a thread for each that an operation is `on`."""

    def __init__(self, issuer: Issuer, url: str, name: str) -> None:
        self.user = ApiUser(issuer, url, f"{name}-{uuid.uuid4().hex[:8]}")
        self.chatkit = ChatKitClient(url, self.user.token)
        self.ids = {on: self.begin(on) for on in BEGINNINGS}

    def begin(self, on: str) -> Ids:
        said, place = BEGINNINGS[on]
        received: list[Any] = self.chatkit.create(said)
        thread = received[0].thread.id
        # Renamed, so that no title that comes later changes anything.
        self.chatkit.read("threads.update", thread_id=thread, title=f"{CANARY} {on}")
        return Ids(thread, self.chatkit.items(thread)[place].id)

    def everything(self) -> str:
        """What ChatKit and the API send of it, as bytes."""
        replies = [self.user.http.get("/conversations"), self.chatkit.send("threads.list", {})]
        for ids in self.ids.values():
            replies.append(self.user.http.get(f"/conversations/{ids.thread}/messages"))
            replies.append(self.chatkit.send("threads.get_by_id", {"thread_id": ids.thread}))
            replies.append(self.chatkit.send("items.list", {"thread_id": ids.thread}))
        assert all(reply.status_code == 200 for reply in replies)
        return "\n".join(reply.text for reply in replies)

    def close(self) -> None:
        self.user.http.close()
        self.chatkit.http.close()


@pytest.fixture(scope="module")
def url(serve_api: Callable[..., str]) -> str:
    return serve_api(Agent[Any](name="Guide", tools=[order, find_place, ask_user]))


@pytest.fixture(scope="module")
def user(issuer: Issuer, url: str) -> Iterator[Callable[[str], User]]:
    made: list[User] = []

    def make(name: str) -> User:
        made.append(User(issuer, url, name))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def owner(user: Callable[[str], User]) -> User:
    return user("owner")


@pytest.fixture(scope="module")
def before(owner: User) -> str:
    received = owner.everything()
    assert received.count(CANARY) > 10
    return received


@pytest.fixture
def untouched(owner: User, before: str) -> Iterator[None]:
    """Whatever the test does, the owner's threads stay as they were, byte for byte."""
    ordered.clear()
    yield
    assert owner.everything() == before
    assert ordered == []


@pytest.fixture(scope="module")
def other(user: Callable[[str], User]) -> User:
    """Has threads of the same kinds."""
    return user("other")


@pytest.fixture
def mallory(issuer: Issuer, url: str) -> Iterator[ChatKitClient]:
    """Has nothing."""
    client = ChatKitClient(url, issuer.mint(f"mallory-{uuid.uuid4().hex[:8]}"))
    yield client
    client.http.close()


def assert_refused(reply: httpx.Response, status: int) -> None:
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["status"] == status
    assert CANARY not in reply.text
    assert "content-location" not in reply.headers


def test_every_operation_of_the_sdk_is_in_the_table() -> None:
    requests = get_args(get_args(ChatKitReq)[0])
    assert len(requests) > 10
    kinds = {request.model_fields["type"].default for request in requests}
    assert kinds == {operation.kind for operation in OPERATIONS} | set(WITHOUT_THREAD)
    assert {operation.on for operation in OPERATIONS} == set(BEGINNINGS)


@EVERY
def test_the_owner_is_served(operation: Operation, other: User) -> None:
    """Otherwise the refusals below would prove nothing."""
    reply = other.chatkit.send(operation.kind, operation.about(other.begin(operation.on)))
    assert reply.status_code == 200, reply.text
    assert '"type":"error"' not in reply.text


@EVERY
@pytest.mark.usefixtures("untouched")
def test_anothers_thread_is_forbidden(operation: Operation, owner: User, mallory: ChatKitClient) -> None:
    assert_refused(mallory.send(operation.kind, operation.about(owner.ids[operation.on])), 403)
    assert mallory.read("threads.list")["data"] == []


@EVERY
@pytest.mark.usefixtures("untouched")
def test_an_unknown_thread_is_not_found(operation: Operation, mallory: ChatKitClient) -> None:
    for thread in (str(uuid.uuid4()), "thr_12345678", "../../threads", "%00", "'--"):
        for item in (str(uuid.uuid4()), "msg_12345678"):
            assert_refused(mallory.send(operation.kind, operation.about(Ids(thread, item))), 404)


@EVERY
@pytest.mark.usefixtures("untouched")
def test_other_spellings_of_an_id_open_nothing(
    operation: Operation, owner: User, mallory: ChatKitClient
) -> None:
    ids = owner.ids[operation.on]
    for spell in (str.upper, "{{{}}}".format, lambda thread: thread.replace("-", "")):
        reply = mallory.send(operation.kind, operation.about(Ids(spell(ids.thread), ids.item)))
        assert reply.status_code in (403, 404)
        assert CANARY not in reply.text


@EVERY
def test_a_deleted_thread_is_not_found(operation: Operation, other: User) -> None:
    ids = other.begin(operation.on)
    assert other.chatkit.read("threads.delete", thread_id=ids.thread) == {}
    assert_refused(other.chatkit.send(operation.kind, operation.about(ids)), 404)


@NAMING_AN_ITEM
@pytest.mark.usefixtures("untouched")
def test_anothers_item_in_ones_own_thread_is_refused(operation: Operation, owner: User, other: User) -> None:
    own = other.ids[operation.on]
    before = other.everything()
    ids = Ids(own.thread, owner.ids[operation.on].item)
    assert_refused(other.chatkit.send(operation.kind, operation.about(ids)), operation.others_item)
    assert other.everything() == before


@NAMING_AN_ITEM
@pytest.mark.usefixtures("untouched")
def test_ones_own_item_in_anothers_thread_is_forbidden(
    operation: Operation, owner: User, other: User
) -> None:
    before = other.everything()
    ids = Ids(owner.ids[operation.on].thread, other.ids[operation.on].item)
    assert_refused(other.chatkit.send(operation.kind, operation.about(ids)), 403)
    assert other.everything() == before


@NAMING_AN_ITEM
def test_an_item_that_the_thread_does_not_have_is_not_found(operation: Operation, other: User) -> None:
    before = other.everything()
    thread = other.ids[operation.on].thread
    elsewhere = next(ids.item for on, ids in other.ids.items() if on != operation.on)
    for item in (elsewhere, str(uuid.uuid4()), "msg_12345678"):
        assert_refused(other.chatkit.send(operation.kind, operation.about(Ids(thread, item))), 404)
    assert other.everything() == before


@pytest.mark.parametrize(
    "operation",
    [operation for operation in OPERATIONS if "item_id" in operation.params],
    ids=lambda operation: operation.kind,
)
def test_another_part_or_spelling_of_an_item_is_refused_before_anything_begins(
    operation: Operation, other: User
) -> None:
    """It belongs to the right message: the turn would begin, and the SDK then not find the item."""
    ordered.clear()
    before = other.everything()
    ids = other.ids[operation.on]
    message_id, _, part = ids.item.partition(":")
    for item in (f"{message_id}:tools", f"{ids.item}:x", ids.item.upper(), f"{{{message_id}}}:{part}"):
        reply = other.chatkit.send(operation.kind, operation.about(Ids(ids.thread, item)))
        assert_refused(reply, 422)
        assert reply.json()["errors"][0]["pointer"] == "/body/params/item_id"
    assert other.everything() == before
    assert ordered == []


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("own_first", [True, False])
def test_feedback_on_anothers_item_among_ones_own_is_refused(
    own_first: bool, owner: User, other: User
) -> None:
    own, theirs = other.ids["rating"], owner.ids["rating"]
    items = [own.item, theirs.item] if own_first else [theirs.item, own.item]
    params = {"thread_id": own.thread, "item_ids": items, "kind": "positive"}
    assert_refused(other.chatkit.send("items.feedback", params), 403)


@pytest.mark.usefixtures("untouched")
def test_feedback_on_nothing_in_anothers_thread_is_refused(owner: User, mallory: ChatKitClient) -> None:
    params = {"thread_id": owner.ids["rating"].thread, "item_ids": [], "kind": "positive"}
    assert_refused(mallory.send("items.feedback", params), 403)
    assert_refused(mallory.send("items.feedback", params | {"thread_id": str(uuid.uuid4())}), 404)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("kind", WITHOUT_THREAD)
def test_what_names_no_thread_tells_nothing_of_anothers(
    kind: str, owner: User, mallory: ChatKitClient
) -> None:
    params, status = WITHOUT_THREAD[kind]
    reply = mallory.send(kind, params)
    assert reply.status_code == status
    assert CANARY not in reply.text
    listed = mallory.send("threads.list", {})
    assert CANARY not in listed.text
    assert len(listed.json()["data"]) == (kind == "threads.create")


@pytest.mark.usefixtures("untouched")
def test_ones_idempotency_key_is_ones_own(owner: User, mallory: ChatKitClient) -> None:
    key = uuid.uuid4().hex
    received: list[Any] = owner.chatkit.create(f"say exactly: {CANARY}", key=key)
    again: list[Any] = mallory.create("say exactly: something else", key=key)
    assert again[0].thread.id != received[0].thread.id
    owner.chatkit.read("threads.delete", thread_id=received[0].thread.id)


TOKENS: dict[str, Callable[[Issuer, str], str]] = {
    "no JWT": lambda *_: "x",
    "malformed": lambda *_: "a.b.c",
    "cut off": lambda issuer, user: issuer.mint(user)[:-20],
    "expired": lambda issuer, user: issuer.mint(user, ttl=-600),
    "for another audience": lambda issuer, user: issuer.mint(user, aud="else"),
    "of another issuer": lambda issuer, user: issuer.mint(user, iss="https://else.example"),
}
BODIES: list[dict[str, Any]] = [{"type": each.kind, "params": each.params} for each in OPERATIONS]
BODIES += [{"type": kind, "params": params} for kind, (params, _) in WITHOUT_THREAD.items()]
BODIES += [{"type": "threads.explode", "params": {}}, {}]


def ask(url: str, body: dict[str, Any], owner: User, token: str | None) -> httpx.Response:
    """As the owner would: with the owner's ids."""
    ids = owner.ids["nothing"]
    text = json.dumps(body).replace("THREAD", ids.thread).replace("ITEM", ids.item)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.post(f"{url}/api/chatkit", content=text, headers=headers)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.get("type", "nothing"))
def test_nobody_is_asked_to_sign_in(body: dict[str, Any], url: str, owner: User) -> None:
    reply = ask(url, body, owner, None)
    assert_refused(reply, 401)
    assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.get("type", "nothing"))
def test_a_bad_token_is_refused(body: dict[str, Any], url: str, owner: User, issuer: Issuer) -> None:
    for make in TOKENS.values():
        reply = ask(url, body, owner, make(issuer, owner.user.id))
        assert_refused(reply, 401)
        assert reply.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
