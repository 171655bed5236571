"""The built MCP server behind the gateway, used by the official client."""

import asyncio
import json
from collections.abc import Callable

import pytest

from local.aws.gateway import Gateway
from local.issuer import Issuer
from tests.conftest import ApiUser
from tests.integration.test_mcp import TOOLS, connected, post, rpc, text, use

Through = Callable[[str], ApiUser]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_official_client_lists_and_calls(gateway: Gateway, through: Through, mode: str) -> None:
    alice = through("alice")
    conversation_id = alice.say("Say exactly: the ferry is green").json()["conversation_id"]

    async def talk() -> None:
        async with connected(gateway.url, alice.token, mode) as client:
            assert client.server_info is not None
            assert client.server_info.name == "parley"
            assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
            listed = await client.call_tool("list_recent_conversations")
            assert [each["id"] for each in json.loads(text(listed))] == [conversation_id]
            read = await client.call_tool("read_conversation", {"conversation_id": conversation_id})
            assert "the ferry is green" in text(read)

    asyncio.run(talk())


def test_another_users_conversation_is_refused(gateway: Gateway, through: Through) -> None:
    alice, mallory = through("alice"), through("mallory")
    secret = alice.say("Say exactly: the treasure is under the oak").json()["conversation_id"]
    refused = use(gateway.url, mallory, "read_conversation", conversation_id=secret)
    assert refused.is_error
    assert "oak" not in text(refused)
    assert json.loads(text(use(gateway.url, mallory, "list_recent_conversations"))) == []


@pytest.mark.parametrize("kind", ["none", "malformed", "expired"])
def test_a_bad_token_is_refused_with_the_way_to_a_good_one(
    gateway: Gateway, issuer: Issuer, kind: str
) -> None:
    token = {"none": None, "malformed": "abc", "expired": issuer.mint("alice", ttl=-600)}[kind]
    reply = post(gateway.url, token, rpc("ping"))
    assert reply.status_code == 401
    where = f"{gateway.url}/.well-known/oauth-protected-resource/api/mcp"
    assert f'resource_metadata="{where}"' in reply.headers["www-authenticate"]
