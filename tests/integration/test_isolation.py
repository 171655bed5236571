"""Users strictly apart: every route against no token, a bad one, the owner and somebody else.

The matrix is a table; a route that is not in it fails the first test.
"""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from parley.api.dependencies import current_user, owner
from parley.config import Settings
from parley.main import create_app
from parley.tools.api_client import ApiClient
from tests.conftest import ApiUser

pytestmark = pytest.mark.both_transports

PUBLIC = {
    "/api/health",
    "/api/health/ready",
    "/api/openapi.json",
    "/api/docs",
    "/api/shared/{token}",
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/api/mcp",
}


@dataclass(frozen=True)
class Row:
    """A route and how to call it. `{user}` and `{conversation}` are the owner's."""

    method: str
    route: str
    body: dict[str, object] | None = None
    owners: int = 200
    others: int = 403


MESSAGE = "/api/{user_id}/conversations/{conversation_id}/messages/{message_id}"
RECORD = {
    "kind": "conversation",
    "id": "elsewhere",
    "title": "Boats",
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
}
MATRIX = [
    Row("GET", "/api/me", others=200),
    Row("GET", "/api/models", others=200),
    # What its operations name is tried in test_chatkit_isolation.py.
    Row("POST", "/api/chatkit", {"type": "threads.list", "params": {}}, others=200),
    Row("POST", "/api/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, others=200),
    Row("POST", "/api/{user_id}/chat", {"message": "hi"}),
    Row("GET", "/api/{user_id}/usage"),
    Row("GET", "/api/{user_id}/settings"),
    Row("PATCH", "/api/{user_id}/settings", {"instructions": "Call me Alice."}),
    Row("POST", "/api/{user_id}/conversations/batch", {"ids": [str(uuid.uuid4())], "action": "delete"}),
    Row("GET", "/api/{user_id}/conversations"),
    Row("GET", "/api/{user_id}/conversations/{conversation_id}"),
    Row("PATCH", "/api/{user_id}/conversations/{conversation_id}", {"title": "stolen"}),
    Row("GET", "/api/{user_id}/conversations/{conversation_id}/messages"),
    Row("GET", f"{MESSAGE}/versions"),
    Row("PUT", f"{MESSAGE}/feedback", {"rating": "up"}),
    Row("DELETE", f"{MESSAGE}/feedback", owners=204),
    Row("POST", f"{MESSAGE}/cancel"),
    Row("POST", f"{MESSAGE}/regenerate"),
    Row("POST", f"{MESSAGE}/approval", {"approved": True}),
    Row("POST", f"{MESSAGE}/edit", {"message": "hi"}, owners=422),
    Row("GET", "/api/{user_id}/conversations/{conversation_id}/export"),
    Row("GET", "/api/{user_id}/export"),
    Row("POST", "/api/{user_id}/import", {"source": "parley", "version": 1, "records": [RECORD]}),
    Row("POST", "/api/{user_id}/conversations/{conversation_id}/share", {}, owners=201),
    Row("GET", "/api/{user_id}/shares"),
    Row("DELETE", "/api/{user_id}/shares/{share_id}", owners=404),
    # Last: what it deletes is gone.
    Row("DELETE", "/api/{user_id}/conversations/{conversation_id}", owners=204),
    Row("DELETE", "/api/{user_id}/data", owners=204),
]
ROWS = pytest.mark.parametrize("row", MATRIX, ids=lambda row: f"{row.method} {row.route}")


@pytest.fixture(scope="module")
def app(settings: Settings) -> Iterator[FastAPI]:
    made = create_app(settings)
    yield made
    asyncio.run(made.state.services.close())


def calls(dependant: Dependant) -> set[object]:
    return {dependant.call}.union(*(calls(inner) for inner in dependant.dependencies))


def test_every_route_is_in_the_matrix_or_public(app: FastAPI) -> None:
    # app.routes itself is a tree: a plain loop over it finds no route and proves nothing.
    found = {
        (method, context.path)
        for context in iter_route_contexts(app.routes)
        for method in (context.methods or set()) - {"HEAD"}
    }
    assert len(found) > 10
    assert {(row.method, row.route) for row in MATRIX} == {each for each in found if each[1] not in PUBLIC}


def test_every_route_that_is_not_public_asks_for_the_user(app: FastAPI) -> None:
    private = [context for context in iter_route_contexts(app.routes) if context.path not in PUBLIC]
    assert len(private) == len(MATRIX)
    for context in private:
        needed = calls(context.dependant)
        assert current_user in needed, context.path
        assert owner in needed or "{user_id}" not in str(context.path), context.path


@dataclass(frozen=True)
class Ids:
    conversation: str
    answer: str


NOBODYS = Ids(str(uuid.uuid4()), str(uuid.uuid4()))


@pytest.fixture
def alices(alice: ApiUser) -> Ids:
    reply = alice.say("Mine alone").json()
    return Ids(reply["conversation_id"], reply["message_id"])


def call(row: Row, api_url: str, user_id: str, ids: Ids, token: str | None) -> httpx.Response:
    # httpx would resolve a segment of dots.
    user = quote(user_id, safe="").replace(".", "%2E")
    path = row.route.format(
        user_id=user, conversation_id=ids.conversation, message_id=ids.answer, share_id=uuid.uuid4()
    )
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    return httpx.request(row.method, api_url + path, json=row.body, headers=headers, timeout=30)


@ROWS
def test_the_owner_is_served(row: Row, api_url: str, alice: ApiUser, alices: Ids) -> None:
    assert call(row, api_url, alice.id, alices, alice.token).status_code == row.owners


@ROWS
def test_nobody_is_asked_to_sign_in(row: Row, api_url: str, alice: ApiUser, alices: Ids) -> None:
    reply = call(row, api_url, alice.id, alices, None)
    assert reply.status_code == 401
    scheme, _, _ = reply.headers["www-authenticate"].partition(" ")
    assert scheme == "Bearer"
    assert "error" not in reply.headers["www-authenticate"]


@ROWS
@pytest.mark.parametrize("token", ["x", "a.b.c", "null", "Bearer"])
def test_a_bad_token_is_refused(row: Row, token: str, api_url: str, alice: ApiUser, alices: Ids) -> None:
    reply = call(row, api_url, alice.id, alices, token)
    assert reply.status_code == 401
    assert reply.json()["type"] == "/problems/unauthorized"


@ROWS
def test_the_others_path_is_forbidden(
    row: Row, api_url: str, alice: ApiUser, bob: ApiUser, alices: Ids
) -> None:
    reply = call(row, api_url, alice.id, alices, bob.token)
    assert reply.status_code == row.others
    assert alice.id not in reply.text


@ROWS
@pytest.mark.parametrize("conversation", ["alice's", "bob's", "nobody's"])
def test_the_others_ids_under_ones_own_path_are_forbidden(
    row: Row, conversation: str, api_url: str, alice: ApiUser, bob: ApiUser, alices: Ids
) -> None:
    """Alice's conversation and message, or her message in a conversation of Bob's or of nobody's."""
    ids = alices
    if "{message_id}" in row.route and conversation != "alice's":
        other = bob.say("Hi").json()["conversation_id"] if conversation == "bob's" else NOBODYS.conversation
        ids = Ids(other, alices.answer)
    elif "{conversation_id}" not in row.route or conversation != "alice's":
        return
    reply = call(row, api_url, bob.id, ids, bob.token)
    assert reply.status_code in ((403, 404) if conversation == "nobody's" else (403,))
    assert "Mine alone" not in reply.text
    assert alice.messages(alices.conversation)[0]["content"] == "Mine alone"


@ROWS
def test_a_conversation_of_nobody_is_not_found(row: Row, api_url: str, bob: ApiUser) -> None:
    if "{conversation_id}" not in row.route:
        return
    assert call(row, api_url, bob.id, NOBODYS, bob.token).status_code == 404


@pytest.mark.parametrize("user_id", ["%", "..", "alice%00", "ALICE", "alice ", "*", "'--"])
def test_no_spelling_of_a_user_id_reaches_anothers_data(
    user_id: str, api_url: str, new_user: Callable[..., ApiUser]
) -> None:
    mallory = new_user("mallory")
    reply = httpx.get(
        f"{api_url}/api/{user_id}/conversations", headers={"Authorization": f"Bearer {mallory.token}"}
    )
    assert reply.status_code in (403, 404)


ODD_IDS = ["a/b", "/", "a%2Fb", "%", "%2e%2e", "..", ".", "a b?c#d;e", "auth0|Ünïcode+🦜", "{user_id}", "\\"]


@pytest.mark.parametrize("user_id", ODD_IDS)
def test_a_user_with_an_odd_id_is_served_on_every_route(
    user_id: str, api_url: str, new_user: Callable[..., ApiUser]
) -> None:
    odd = new_user(user_id=user_id)
    said = call(MATRIX[4], api_url, user_id, NOBODYS, odd.token).json()
    ids = Ids(said["conversation_id"], said["message_id"])
    for row in MATRIX:
        reply = call(row, api_url, user_id, ids, odd.token)
        # 409: an earlier row has replaced the message.
        assert reply.status_code in (row.owners, 409), (row, reply.text)


@pytest.mark.parametrize("user_id", ODD_IDS)
def test_the_tools_of_a_user_with_an_odd_id_find_the_way(
    user_id: str, app: FastAPI, new_user: Callable[..., ApiUser]
) -> None:
    odd = new_user(user_id=user_id)
    tools = ApiClient(app, user_id, odd.token)
    listed = asyncio.run(tools.get("/conversations", limit=1))
    assert listed == odd.http.get("/conversations", params={"limit": 1}).json()


def test_the_public_routes_tell_nothing(api_url: str) -> None:
    assert httpx.get(f"{api_url}/api/health").json() == {"status": "ok"}
    assert httpx.get(f"{api_url}/api/health/ready").json() == {"status": "ok"}
    assert httpx.get(f"{api_url}/api/openapi.json").status_code == 200
    assert httpx.get(f"{api_url}/api/docs").status_code == 200
