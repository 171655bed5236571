"""One user's flood leaves the others their share: of turns, and of requests for data."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import text
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from local.issuer import Issuer
from local.ports import free_port
from local.postgres import Postgres
from parley.api.middleware import MAX_AT_ONCE, RequestScope
from parley.config import Settings
from parley.database import Database
from parley.errors import TooManyRequests
from parley.main import create_app
from parley.services.shares import Shares
from tests.conftest import ApiUser
from tests.integration.test_resilience import worker

TURNS = 300
REQUESTS = 500
# Of the model.
SLOW_S = 2


def test_each_user_has_places_and_a_line_of_their_own() -> None:
    async def run() -> tuple[int, Counter[str]]:
        shares, most, now = Shares(2, 3, TooManyRequests), 0, 0
        ended: Counter[str] = Counter()

        async def take(user_id: str) -> None:
            nonlocal most, now
            try:
                async with shares.hold(user_id):
                    now += user_id == "alice"
                    most = max(most, now)
                    await asyncio.sleep(0.01)
                    now -= user_id == "alice"
                ended[user_id] += 1
            except TooManyRequests:
                ended[f"{user_id} refused"] += 1

        await asyncio.gather(*(take("alice") for _ in range(9)), *(take("bob") for _ in range(5)))
        await take("alice")
        assert shares._lines == {}, "a user who is gone is remembered"
        return most, ended

    most, ended = asyncio.run(run())
    assert most == 2
    assert ended == {"alice": 6, "alice refused": 4, "bob": 5}


def test_one_token_has_fifty_places_at_the_door() -> None:
    async def run() -> None:
        arrived, go_on = asyncio.Semaphore(0), asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            arrived.release()
            await go_on.wait()
            await Response()(scope, receive, send)

        transport = httpx.ASGITransport(RequestScope(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:

            def ask(token: str) -> asyncio.Task[httpx.Response]:
                return asyncio.create_task(http.get("/", headers={"Authorization": f"Bearer {token}"}))

            served = [ask("alice") for _ in range(MAX_AT_ONCE)]
            for _ in served:
                await arrived.acquire()
            refused = await ask("alice")
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
            assert refused.json()["type"] == "/problems/too-many-requests"
            served.append(ask("bob"))
            await arrived.acquire()
            go_on.set()
            assert {reply.status_code for reply in await asyncio.gather(*served)} == {200}
            assert (await ask("alice")).status_code == 200

    asyncio.run(run())


@pytest.fixture
def api(settings: Settings, tmp_path: Path) -> Iterator[str]:
    """An API in a process of its own: what the clients cost does not count."""
    port = free_port()
    with worker(settings.model_copy(update={"log_level": "ERROR"}), port, tmp_path / "log"):
        yield f"http://127.0.0.1:{port}"


class Requests:
    """Of one user, all sent at once, on connections that are there already: this hardly costs the client."""

    def __init__(self, user: ApiUser, method: str, path: str, body: str = "") -> None:
        url = urlsplit(str(user.http.base_url))
        self._address = (url.hostname, url.port)
        head = (
            f"{method} {url.path.rstrip('/')}{path} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n"
        )
        head += f"Authorization: Bearer {user.token}\r\nContent-Type: application/json\r\n"
        self._request = f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
        self.statuses: Counter[int] = Counter()
        self.times: list[float] = []

    async def send(self, number: int) -> list[asyncio.Task[None]]:
        connections = [await asyncio.open_connection(*self._address) for _ in range(number)]
        started = time.monotonic()
        for _, writer in connections:
            writer.write(self._request)
        return [asyncio.create_task(self._receive(*each, started)) for each in connections]

    async def _receive(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, started: float
    ) -> None:
        try:
            reply = await reader.read()
            self.times.append(time.monotonic() - started)
            self.statuses[int(reply.split(b" ", 2)[1])] += 1
        finally:
            writer.close()
            await writer.wait_closed()

    async def once(self) -> float:
        await asyncio.gather(*await self.send(1))
        return self.times[-1]


async def median_of(requests: Requests, times: int) -> float:
    return sorted([await requests.once() for _ in range(times)])[times // 2]


def test_three_hundred_slow_turns_of_one_leave_anothers_answer_its_time(
    api: str, new_user: Callable[..., ApiUser]
) -> None:
    alice, bob = new_user("alice", api_url=api), new_user("bob", api_url=api)
    slow = Requests(alice, "POST", "/chat", '{"message": "[offline: slow=20] Hello"}')
    mine = Requests(bob, "POST", "/chat", f'{{"message": "[offline: slow={SLOW_S}] Hello"}}')

    async def run() -> tuple[float, float, float]:
        await mine.once()
        alone = await mine.once()
        flood = await slow.send(TURNS)
        amid = await mine.once()
        beside = await mine.once()
        for each in flood:
            each.cancel()
        await asyncio.gather(*flood, return_exceptions=True)
        return alone, amid, beside

    alone, amid, beside = asyncio.run(run())
    print(f"alone {alone:.3f} s, amid {TURNS} at once {amid:.3f} s, beside those that run {beside:.3f} s")
    assert slow.statuses == {429: TURNS - 4}
    assert mine.statuses == {200: 4}
    # Printed for the goal of 10 %. A turn that waits for one of the others' takes ten times as long.
    assert beside < 2 * alone


def test_anothers_list_does_not_wait_for_five_hundred_requests_of_one(
    api: str, new_user: Callable[..., ApiUser], database: Database, postgres: Postgres
) -> None:
    alice, bob = new_user("alice", api_url=api), new_user("bob", api_url=api)
    conversation_id = uuid.uuid4()
    insert = text("insert into conversation (id, user_id, title) values (:id, :user_id, 'Straw') returning 1")
    database.rows(alice.id, insert, {"id": conversation_id, "user_id": alice.id})
    rename = Requests(alice, "PATCH", f"/conversations/{conversation_id}", '{"title": "Hay"}')
    mine = Requests(bob, "GET", "/conversations")

    async def run(release: Callable[[], object]) -> tuple[float, float]:
        alone = await median_of(mine, 5)
        flood = await rename.send(REQUESTS)
        amid = await mine.once()
        assert rename.statuses[200] == 0
        pending = set(flood)
        async with asyncio.timeout(30):
            while len(pending) > MAX_AT_ONCE:
                _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        release()
        await asyncio.gather(*flood)
        return alone, amid

    # Hers wait for the row, so that they last until the list has been answered.
    with closing(postgres.connect()) as owner:
        owner.run("begin")
        lock = "select 1 from conversation where id = :id for update"
        assert owner.run(lock, id=conversation_id) == [[1]]
        alone, amid = asyncio.run(run(lambda: owner.run("commit")))
    print(f"a list {alone:.3f} s, amid {REQUESTS} requests of another user {amid:.3f} s")
    assert rename.statuses == {200: MAX_AT_ONCE, 429: REQUESTS - MAX_AT_ONCE}
    assert mine.statuses == {200: 6}


def test_mcp_clients_with_many_tokens_have_the_places_of_one_user(settings: Settings, issuer: Issuer) -> None:
    """As many requests with as many tokens: the door lets all of them in."""
    app = create_app(settings)
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}

    async def run() -> Counter[int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as http:

            async def ask(number: int) -> int:
                token = issuer.mint("alice", jti=str(number))
                authorization = {"Authorization": f"Bearer {token}"}
                return (await http.post("/api/mcp", json=body, headers=headers | authorization)).status_code

            found = Counter(await asyncio.gather(*(ask(number) for number in range(80))))
        await app.state.services.close()
        return found

    assert asyncio.run(run()) == {200: 50, 429: 30}
