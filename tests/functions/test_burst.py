"""A thousand requests, two hundred at a time, when no environment is running yet."""

import asyncio
import time

import httpx

from local.aws.gateway import Gateway
from local.issuer import Issuer

REQUESTS, CONNECTIONS, USERS = 1_000, 200, 50


def test_a_thousand_requests_to_fresh_environments_are_all_answered(gateway: Gateway, issuer: Issuer) -> None:
    """Nineteen of twenty read, one takes a turn."""
    pools = [gateway.deployment.pools[name] for name in ("ConversationsFunction", "ChatFunction")]
    for pool in pools:
        pool.discard_idle()
    tokens = {f"burst-{number}": issuer.mint(f"burst-{number}") for number in range(USERS)}
    taken: list[float] = []

    numbers = iter(range(REQUESTS))

    async def ask_again_and_again() -> list[int]:
        """On a connection of its own: httpx's pool takes long for many."""
        statuses = []
        async with httpx.AsyncClient(base_url=gateway.url, timeout=130, verify=False) as client:
            for number in numbers:
                user = f"burst-{number % USERS}"
                headers = {"authorization": f"Bearer {tokens[user]}"}
                if number % 20 == 0:
                    sent = client.post(f"/api/{user}/chat", json={"message": "Hello"}, headers=headers)
                else:
                    sent = client.get(f"/api/{user}/conversations", headers=headers)
                reply = await sent
                taken.append(reply.elapsed.total_seconds())
                statuses.append(reply.status_code)
        return statuses

    async def ask_all() -> list[int]:
        asking = await asyncio.gather(*(ask_again_and_again() for _ in range(CONNECTIONS)))
        return [status for statuses in asking for status in statuses]

    started = time.monotonic()
    statuses = asyncio.run(ask_all())
    print(f"{time.monotonic() - started:.1f} s in all, the slowest {max(taken):.1f} s")
    assert statuses == [200] * REQUESTS
    assert all(pool.environments == 2 for pool in pools), "no more than are allowed"
