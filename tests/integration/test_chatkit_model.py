"""Random operations of ChatKit's protocol against a model, and ChatKit beside the chat API."""

import asyncio
import itertools
import random
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from agents import Agent, function_tool
from fastapi import FastAPI
from sqlalchemy import text
from starlette.types import Receive, Scope, Send

from local.issuer import Issuer
from local.postgres import Postgres
from local.serving import serve_in_thread
from parley.config import Settings
from parley.database import Database
from parley.main import LOCAL_POOL_SIZE, create_app
from parley.tools.client_tools import ask_user, client_tool
from tests.chatkit_client import ChatKitClient, message, text_of
from tests.chatkit_model import Actor, RandomOperations
from tests.conftest import ApiUser

SEEDS = (1, 2, 3, 101)


@function_tool
def look(what: str) -> str:
    """Look at something."""
    return f"saw {what}"


@function_tool(needs_approval=True)
def order(what: str) -> str:
    """Order something. It costs money."""
    return f"ordered {what}"


find_place = client_tool(
    "find_place", "Tell where the user is.", {"type": "object", "properties": {"near": {"type": "string"}}}
)


class Served:
    """The API, with a view of the tasks of its event loop."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._loop = asyncio.get_running_loop()
        await self._app(scope, receive, send)

    def tasks(self) -> int:
        assert self._loop
        return len(asyncio.all_tasks(self._loop))


@pytest.fixture(scope="module")
def served(settings: Settings) -> Served:
    agent = Agent[Any](name="Guide", tools=[look, order, find_place, ask_user])
    return Served(create_app(settings, agent))


@pytest.fixture(scope="module")
def url(served: Served) -> Iterator[str]:
    with serve_in_thread(lambda _: served) as url:
        yield url


@pytest.fixture
def actor(issuer: Issuer, url: str) -> Iterator[Callable[[str], Actor]]:
    made: list[Actor] = []

    def make(name: str) -> Actor:
        user = ApiUser(issuer, url, f"{name}-{uuid.uuid4().hex[:8]}")
        made.append(Actor(user, ChatKitClient(url, user.token)))
        return made[-1]

    yield make
    for each in made:
        each.client.http.close()
        each.user.http.close()


def pg_connections(postgres: Postgres) -> int:
    owner = Database(postgres.owner_url, pool_size=1)
    rows = owner.rows(None, text("select count(*) from pg_stat_activity where usename = 'parley_app'"))
    owner.close()
    return int(rows[0][0])


def test_a_thousand_random_operations_of_two_users_are_answered_as_they_must_be(
    actor: Callable[[str], Actor], served: Served, postgres: Postgres
) -> None:
    statuses: dict[str, set[int]] = {}
    count = 0
    actor("somebody").client.read("threads.list")
    tasks, connections = served.tasks(), pg_connections(postgres)
    for seed in SEEDS:
        operations = RandomOperations(seed, [actor("alice"), actor("bob")])
        operations.run(1_000 // len(SEEDS))
        operations.check_everything()
        count += operations.count
        for kind, seen in operations.statuses.items():
            statuses.setdefault(kind, set()).update(seen)
    assert count >= 1_000
    # Otherwise little has been tried.
    assert len(statuses) == 13
    for kind, seen in statuses.items():
        assert 200 in seen, kind
        assert seen & {403, 404, 422}, kind
    wait_until(lambda: served.tasks() <= tasks)
    assert pg_connections(postgres) <= connections + LOCAL_POOL_SIZE


def test_users_at_once_see_what_must_be_true_of_each(actor: Callable[[str], Actor]) -> None:
    stranger = actor("stranger")
    made = RandomOperations(0, [stranger])
    made.run(30)
    runs = [RandomOperations(seed, [actor("alice")], [stranger]) for seed in (11, 12, 13, 14)]
    with ThreadPoolExecutor(len(runs)) as threads:
        for running in [threads.submit(operations.run, 40) for operations in runs]:
            running.result()
    for operations in [*runs, made]:
        operations.check_everything()


def wait_until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# ChatKit and the chat API at one conversation


class BothApis:
    """One conversation, used through ChatKit and the chat API at once. `acknowledged`: what was stored."""

    def __init__(self, actor: Actor) -> None:
        self.chatkit, self.user = actor.client, actor.user
        received: list[Any] = self.chatkit.create("say exactly: first")
        self.thread = str(received[0].thread.id)
        self.acknowledged = ["say exactly: first"]
        self.statuses: dict[int, int] = {}
        self._words = itertools.count(1)

    def _said(self, api: str) -> str:
        pace = random.choice(["", "[offline: slow=0.05] ", "[offline: word=20] "])
        return f"{pace}say exactly: by {api} {next(self._words)}"

    def tried(self) -> bool:
        """That both stored messages, and that some were refused because another turn was running."""
        through = [sum(api in said for said in self.acknowledged) for api in ("REST", "ChatKit")]
        return min(through) >= 4 and self.statuses.get(409, 0) > 0

    def _note(self, reply: httpx.Response, said: str | None = None) -> None:
        assert reply.status_code in (200, 409, 404), reply.text
        if reply.status_code == 409:
            kind = reply.json()["type"].removeprefix("/problems/")
            assert kind in ("turn-in-progress", "message-superseded")
            assert kind != "turn-in-progress" or "retry-after" in reply.headers
        self.statuses[reply.status_code] = self.statuses.get(reply.status_code, 0) + 1
        if said and reply.status_code == 200:
            self.acknowledged.append(said)

    def _one(self, role: str) -> str:
        return str(random.choice([each["id"] for each in self.messages() if each["role"] == role]))

    def messages(self) -> list[dict[str, Any]]:
        """A snapshot, in which one answer at most is being written."""
        received: list[dict[str, Any]] = self.user.http.get(
            f"/conversations/{self.thread}/messages", params={"limit": 100}
        ).json()["data"]
        assert [each["status"] for each in received].count("in_progress") <= 1
        return received

    def chat(self) -> None:
        said = self._said("REST")
        self._note(self.user.say(said, self.thread), said)

    def add(self) -> None:
        said = self._said("ChatKit")
        params = {"thread_id": self.thread, "input": message(said)}
        self._note(self.chatkit.send("threads.add_user_message", params), said)

    def rename(self) -> None:
        title = f"Title {next(self._words)}"
        self._note(self.chatkit.send("threads.update", {"thread_id": self.thread, "title": title}))
        self._note(self.user.http.patch(f"/conversations/{self.thread}", json={"title": title}))

    def cancel(self) -> None:
        self._note(
            self.user.http.post(f"/conversations/{self.thread}/messages/{self._one('assistant')}/cancel")
        )

    def retry(self) -> None:
        params = {"thread_id": self.thread, "item_id": self._one("user")}
        self._note(self.chatkit.send("threads.retry_after_item", params))

    def regenerate(self) -> None:
        answer = self._one("assistant")
        self._note(self.user.http.post(f"/conversations/{self.thread}/messages/{answer}/regenerate"))

    def edit(self) -> None:
        said, question = self._said("REST"), self._one("user")
        path = f"/conversations/{self.thread}/messages/{question}/edit"
        self._note(self.user.http.post(path, json={"message": said}), said)

    def read(self) -> None:
        self._note(self.chatkit.send("items.list", {"thread_id": self.thread, "limit": 100}))

    def both_views(self) -> list[tuple[str, str]]:
        """Ids and texts, the same through both."""
        items = [
            (each.id, text_of(each))
            for each in self.chatkit.items(self.thread, limit=100)
            if each.type in ("user_message", "assistant_message")
        ]
        messages = self.messages()
        assert items == [(each["id"], each["content"]) for each in messages if each["content"]]
        assert [each["role"] for each in messages] == ["user", "assistant"] * (len(messages) // 2)
        assert [each["seq"] for each in messages] == sorted({each["seq"] for each in messages})
        return items


def at_once(*work: Callable[[], None], until: Callable[[], bool]) -> None:
    """Not a number of times each: how many are refused is a matter of the machine."""
    deadline = time.monotonic() + 60

    def repeat(each: Callable[[], None]) -> None:
        while not until():
            assert time.monotonic() < deadline
            each()

    with ThreadPoolExecutor(len(work)) as threads:
        for running in [threads.submit(repeat, each) for each in work]:
            running.result()


@pytest.fixture
def both(actor: Callable[[str], Actor]) -> BothApis:
    return BothApis(actor("alice"))


def test_what_both_apis_acknowledge_is_in_both_views_once(both: BothApis) -> None:
    work = (both.chat, both.add, both.chat, both.add, both.rename, both.cancel, both.read)
    at_once(*work, until=both.tried)
    texts = [said for _, said in both.both_views() if "say exactly" in said]
    assert sorted(texts) == sorted(both.acknowledged)


def test_what_is_replaced_meanwhile_is_stored_once_all_the_same(both: BothApis, database: Database) -> None:
    work = (both.chat, both.add, both.retry, both.regenerate, both.edit, both.cancel, both.rename)
    at_once(*work, until=both.tried)
    both.both_views()
    rows = database.rows(
        both.user.id,
        text("select seq, role, content from message where conversation_id = :id order by seq"),
        {"id": uuid.UUID(both.thread)},
    )
    assert [seq for seq, _, _ in rows] == [*range(1, len(rows) + 1)]
    assert sorted(content for _, role, content in rows if role == "user") == sorted(both.acknowledged)


def test_a_rename_does_not_bring_back_what_is_deleted_meanwhile(both: BothApis, database: Database) -> None:
    """The SDK reads a thread before it stores it: here it is deleted in between."""
    deleted = text("""
        with gone as (delete from conversation where id = :id returning pg_sleep(1)) select count(*) from gone
    """)
    params = {"id": uuid.UUID(both.thread)}
    with ThreadPoolExecutor(1) as threads:
        deleting = threads.submit(database.rows, both.user.id, deleted, params)
        time.sleep(0.4)
        renamed = both.chatkit.send("threads.update", {"thread_id": both.thread, "title": "Back again"})
        assert deleting.result()[0][0] == 1
    assert renamed.status_code == 404
    assert both.chatkit.read("threads.list")["data"] == []
