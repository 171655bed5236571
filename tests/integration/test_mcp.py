"""The MCP server, used by the official client over HTTP, and by clients that break the protocol."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from local.issuer import Issuer
from tests.conftest import ApiUser

CHANGING = {"rename_conversation", "delete_conversation"}
TOOLS = {
    "list_recent_conversations",
    "search_conversations",
    "read_conversation",
    "export_conversation",
} | CHANGING
# The two generations of the protocol: with a handshake, and without.
MODES = pytest.mark.parametrize("mode", ["legacy", "auto"])


@asynccontextmanager
async def connected(api_url: str, token: str, mode: str = "auto") -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(f"{api_url}/api/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


def text(result: CallToolResult) -> str:
    (part,) = result.content
    assert part.type == "text"
    return part.text


def use(api_url: str, user: ApiUser, tool: str, mode: str = "auto", **arguments: Any) -> CallToolResult:
    async def call() -> CallToolResult:
        async with connected(api_url, user.token, mode) as client:
            return await client.call_tool(tool, arguments)

    return asyncio.run(call())


def post(api_url: str, token: str | None, body: Any, **headers: str) -> httpx.Response:
    """Raw HTTP, in the generation with a handshake."""
    sent = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(f"{api_url}/api/mcp", content=content, headers=sent | headers, timeout=60)


def rpc(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


@MODES
def test_the_tools_are_listed_with_their_arguments(api_url: str, alice: ApiUser, mode: str) -> None:
    async def look() -> None:
        async with connected(api_url, alice.token, mode) as client:
            assert client.protocol_version == ("2025-11-25" if mode == "legacy" else "2026-07-28")
            assert client.server_info is not None
            assert client.server_info.name == "parley"
            listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert listed.keys() == TOOLS
        for name, tool in listed.items():
            assert tool.annotations is not None
            changes = not tool.annotations.read_only_hint
            assert (changes, tool.annotations.destructive_hint) == (name in CHANGING, name in CHANGING)
        assert "words" in str(listed["search_conversations"].description)
        schema = listed["rename_conversation"].input_schema
        assert schema["required"] == ["conversation_id", "title"]
        assert schema["additionalProperties"] is False
        assert "caller" not in json.dumps([tool.input_schema for tool in listed.values()])

    asyncio.run(look())


@MODES
def test_every_tool_works(api_url: str, alice: ApiUser, mode: str) -> None:
    conversation_id = alice.say("Say exactly: the ferry is green").json()["conversation_id"]

    async def call_all() -> None:
        async with connected(api_url, alice.token, mode) as client:
            listed = await client.call_tool("list_recent_conversations")
            assert [each["id"] for each in json.loads(text(listed))] == [conversation_id]
            found = await client.call_tool("search_conversations", {"words": "green ferry"})
            assert [each["id"] for each in json.loads(text(found))] == [conversation_id]
            read = await client.call_tool("read_conversation", {"conversation_id": conversation_id})
            assert "the ferry is green" in text(read)
            arguments = {"conversation_id": conversation_id, "title": "Ferries"}
            renamed = await client.call_tool("rename_conversation", arguments)
            assert "Ferries" in text(renamed)
            title = alice.http.get(f"/conversations/{conversation_id}").json()["title"]
            deleted = await client.call_tool("delete_conversation", {"conversation_id": conversation_id})
            assert not any(each.is_error for each in (listed, found, read, renamed, deleted))
            assert title == "Ferries"

    asyncio.run(call_all())
    assert alice.http.get(f"/conversations/{conversation_id}").status_code == 404


@MODES
def test_another_users_conversation_is_out_of_reach(
    api_url: str, alice: ApiUser, bob: ApiUser, mode: str
) -> None:
    secret = alice.say("Say exactly: the treasure is under the oak").json()["conversation_id"]
    for tool, arguments in [
        ("read_conversation", {"conversation_id": secret}),
        ("rename_conversation", {"conversation_id": secret, "title": "Stolen"}),
        ("delete_conversation", {"conversation_id": secret}),
        ("read_conversation", {"conversation_id": f"../../{alice.id}/conversations/{secret}"}),
        ("read_conversation", {"conversation_id": secret, "user_id": alice.id}),
        ("read_conversation", {"conversation_id": secret, "caller": {"user_id": alice.id}}),
        ("read_conversation", {"conversation_id": str(uuid.uuid4())}),
        ("export_conversation", {"conversation_id": secret, "start": 0}),
    ]:
        refused = use(api_url, bob, tool, mode, **arguments)
        assert refused.is_error
        assert "oak" not in text(refused)
    assert "oak" not in text(use(api_url, bob, "search_conversations", mode, words="treasure"))
    assert json.loads(text(use(api_url, bob, "list_recent_conversations", mode))) == []
    assert alice.http.get(f"/conversations/{secret}").json()["title"] != "Stolen"


def test_users_at_once_see_their_own(api_url: str, new_user: Callable[..., ApiUser]) -> None:
    people = [new_user(f"user{number}") for number in range(4)]
    own = {each.id: each.say(f"I am {each.id}").json()["conversation_id"] for each in people}

    async def look(each: ApiUser) -> None:
        async with connected(api_url, each.token) as client:
            for _ in range(8):
                listed = json.loads(text(await client.call_tool("list_recent_conversations")))
                assert [found["id"] for found in listed] == [own[each.id]]

    async def look_all() -> None:
        await asyncio.gather(*map(look, people))

    asyncio.run(look_all())


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("search_conversations", {}, "words: Field required"),
        ("search_conversations", {"words": 7}, "words: Input should be a valid string"),
        ("search_conversations", {"words": "\x00"}, "not valid"),
        ("search_conversations", {"words": "x" * 201}, "at most 200"),
        ("read_conversation", {"conversation_id": "nonsense"}, "not the id of a conversation"),
        ("rename_conversation", {"conversation_id": "this", "title": "x"}, "no present conversation"),
        ("list_recent_conversations", {"limit": 3}, "limit: Extra inputs"),
    ],
)
def test_what_is_wrong_with_a_call_is_told_to_the_model(
    api_url: str, alice: ApiUser, tool: str, arguments: dict[str, Any], said: str
) -> None:
    result = use(api_url, alice, tool, **arguments)
    assert result.is_error
    assert said in text(result)


def test_a_tool_that_does_not_exist_is_an_error_of_the_protocol(api_url: str, alice: ApiUser) -> None:
    async def call() -> None:
        async with connected(api_url, alice.token) as client:
            with pytest.raises(MCPError) as caught:
                await client.call_tool("drop_tables")
            assert caught.value.code == -32602

    asyncio.run(call())


def challenge(reply: httpx.Response) -> str:
    assert reply.status_code == 401
    return str(reply.headers["www-authenticate"])


def test_without_a_token_the_client_learns_where_to_get_one(api_url: str, issuer: Issuer) -> None:
    url = f"{api_url}/.well-known/oauth-protected-resource/api/mcp"
    assert challenge(post(api_url, None, rpc("ping"))) == f'Bearer resource_metadata="{url}"'
    expected = {
        "resource": f"{api_url}/api/mcp",
        "resource_name": "Parley",
        "authorization_servers": [issuer.url],
        "bearer_methods_supported": ["header"],
    }
    assert httpx.get(url).json() == expected
    assert httpx.get(url.removesuffix("/api/mcp")).json() == expected


def test_a_bad_token_is_refused_with_the_reason_and_the_way(api_url: str, issuer: Issuer) -> None:
    expired = issuer.mint("alice", ttl=-600)
    said = challenge(post(api_url, expired, rpc("ping")))
    assert 'error="invalid_token"' in said
    assert f', resource_metadata="{api_url}/.well-known/oauth-protected-resource/api/mcp"' in said
    for token in ("nonsense", issuer.mint("alice", aud="another-api")):
        assert 'error="invalid_token"' in challenge(post(api_url, token, rpc("ping")))


def test_the_official_client_is_told_of_a_refused_token(api_url: str) -> None:
    async def connect() -> None:
        async with connected(api_url, "nonsense"):
            raise AssertionError("this must not connect")

    with pytest.raises((MCPError, ExceptionGroup, httpx2.HTTPStatusError)):
        asyncio.run(connect())


def test_requests_need_no_session(api_url: str, alice: ApiUser) -> None:
    """Each is a fresh one, as on another Lambda environment: no handshake came before, or another's did."""
    begun = post(api_url, alice.token, _initialize())
    assert begun.json()["result"]["serverInfo"]["name"] == "parley"
    assert "mcp-session-id" not in begun.headers
    notified = post(api_url, alice.token, {"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert (notified.status_code, notified.content) == (202, b"")
    for headers in ({}, {"Mcp-Session-Id": "somebody-elses"}):
        listed = post(api_url, alice.token, rpc("tools/list"), **headers)
        assert listed.headers["content-type"] == "application/json"
        assert {tool["name"] for tool in listed.json()["result"]["tools"]} == TOOLS


def _initialize() -> dict[str, Any]:
    about = {"name": "test", "version": "1"}
    return rpc("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=about)


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_there_is_no_stream_to_open_and_no_session_to_end(api_url: str, alice: ApiUser, method: str) -> None:
    headers = {"Authorization": f"Bearer {alice.token}", "Accept": "text/event-stream"}
    reply = httpx.request(method, f"{api_url}/api/mcp", headers=headers)
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")


DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (DEEP, -32700),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "\\ud800"}}', -32700),
        ([], -32602),
        ([rpc("ping"), rpc("ping")], -32602),
        ("text", -32602),
        ({"jsonrpc": "2.0", "id": 1}, -32602),
        ({"jsonrpc": "1.0", "id": 1, "method": "ping"}, -32602),
    ],
)
def test_what_is_no_request_is_refused(api_url: str, alice: ApiUser, body: Any, code: int) -> None:
    reply = post(api_url, alice.token, body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, code)


MODERN = {"Mcp-Protocol-Version": "2026-07-28"}


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{", MODERN),
        (DEEP, MODERN),
        ([rpc("ping"), rpc("ping")], MODERN),
        (rpc("ping"), MODERN),
        (rpc("tools/call", name="\ud800"), MODERN | {"Mcp-Method": "tools/call"}),
        (rpc("ping"), {"Mcp-Protocol-Version": "1999-01-01"}),
        (rpc("ping"), {"Content-Type": "text/plain"}),
        (rpc("ping"), {"Accept": "text/html"}),
        (rpc("subscriptions/listen"), MODERN | {"Mcp-Method": "subscriptions/listen"}),
    ],
)
def test_what_the_newer_protocol_forbids_is_refused(
    api_url: str, alice: ApiUser, body: Any, headers: dict[str, str]
) -> None:
    assert post(api_url, alice.token, body, **headers).status_code in (400, 404, 406)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (rpc("no/such/method"), -32601),
        (rpc("resources/list"), -32601),
        (rpc("tools/call"), -32602),
        (rpc("tools/call", name=7), -32602),
        (rpc("tools/call", name="search_conversations", arguments=[]), -32602),
    ],
)
def test_a_wrong_request_is_an_error_of_the_protocol(
    api_url: str, alice: ApiUser, request_: dict[str, Any], code: int
) -> None:
    reply = post(api_url, alice.token, request_)
    assert (reply.status_code, reply.json()["error"]["code"]) == (200, code)


def test_a_large_body_is_refused_before_it_is_read(api_url: str, alice: ApiUser) -> None:
    large = json.dumps(rpc("ping", padding="x" * 300_000)).encode()

    def chunks() -> Any:
        for start in range(0, len(large), 10_000):
            yield large[start : start + 10_000]

    assert post(api_url, alice.token, large).status_code == 413
    headers = {"Authorization": f"Bearer {alice.token}", "Content-Type": "application/json"}
    streamed = httpx.post(f"{api_url}/api/mcp", content=chunks(), headers=headers)
    assert (streamed.status_code, streamed.json()["type"]) == (413, "/problems/payload-too-large")


def test_only_known_pages_may_call(
    serve_api: Callable[..., str], new_user: Callable[..., ApiUser], api_url: str
) -> None:
    url = serve_api(cors_origins=("https://chat.example.com",))
    someone = new_user(api_url=url)
    assert post(url, someone.token, rpc("ping"), Origin="https://chat.example.com").status_code == 200
    for origin in ("https://evil.example.com", url, "null", ""):
        assert post(url, someone.token, rpc("ping"), Origin=origin).status_code == 403
    assert post(api_url, someone.token, rpc("ping"), Origin=api_url).status_code == 403
    assert post(url, someone.token, rpc("ping")).status_code == 200


@pytest.mark.parametrize("host", ["api.example.com", "api.example.com:8443", "[::1]", 'a"b', "[", "?"])
def test_no_host_that_a_client_names_is_taken_for_the_apis(api_url: str, host: str) -> None:
    metadata = f"{api_url}/.well-known/oauth-protected-resource/api/mcp"
    reply = httpx.get(metadata, headers={"Host": host})
    assert reply.status_code == 400 or reply.json()["resource"] == f"{api_url}/api/mcp"
    refused = post(api_url, None, rpc("ping"), Host=host)
    assert refused.status_code == 400 or challenge(refused) == f'Bearer resource_metadata="{metadata}"'


def test_an_api_that_does_not_know_its_address_names_none(serve_api: Callable[..., str]) -> None:
    url = serve_api(api_url=None)
    assert challenge(post(url, None, rpc("ping"))) == "Bearer"
    assert httpx.get(f"{url}/.well-known/oauth-protected-resource").status_code == 404
