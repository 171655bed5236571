"""chatkit-python with a simple Store on psycopg's pool: one jsonb row per thread and one per item."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import psycopg
from agents import Agent, Runner
from chatkit.agents import AgentContext, simple_to_agent_input, stream_agent_response
from chatkit.server import ChatKitServer, StreamingResult
from chatkit.store import NotFoundError, Store
from chatkit.types import Page, ThreadItem, ThreadMetadata, ThreadStreamEvent, UserMessageItem
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool
from pydantic import TypeAdapter

from tests.load.conversations import messages, roles
from tests.load.designs.agent import make_agent, run_config

SCHEMA = """
    create table threads (id text primary key, data jsonb not null);
    create table items (
        seq bigserial primary key, id text not null unique, thread_id text not null references threads,
        data jsonb not null);
    create index on items (thread_id, seq);
"""
ITEM: TypeAdapter[Any] = TypeAdapter(ThreadItem)
# The window that the documentation's examples give to the model.
WINDOW = 20


class PostgresStore(Store[None]):
    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    async def load_thread(self, thread_id: str, context: None) -> ThreadMetadata:
        rows = await self._run("select data from threads where id = %s", thread_id)
        if not rows:
            raise NotFoundError(thread_id)
        return ThreadMetadata.model_validate(rows[0][0])

    async def save_thread(self, thread: ThreadMetadata, context: None) -> None:
        await self._run(
            "insert into threads (id, data) values (%s, %s) "
            "on conflict (id) do update set data = excluded.data",
            thread.id,
            Jsonb(thread.model_dump(mode="json", exclude={"items"})),
        )

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: None
    ) -> Page[ThreadItem]:
        newest_first = order == "desc"
        rows = await self._run(
            "select data from items where thread_id = %s and (%s::text is null or seq "
            f"{'<' if newest_first else '>'} (select seq from items where id = %s)) "
            f"order by seq {'desc' if newest_first else 'asc'} limit %s",
            thread_id,
            after,
            after,
            limit + 1,
        )
        data = [ITEM.validate_python(row[0]) for row in rows]
        has_more = len(data) > limit
        data = data[:limit]
        return Page(data=data, has_more=has_more, after=data[-1].id if has_more else None)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: None) -> None:
        await self.save_item(thread_id, item, context)

    async def save_item(self, thread_id: str, item: ThreadItem, context: None) -> None:
        await self._run(
            "insert into items (id, thread_id, data) values (%s, %s, %s) "
            "on conflict (id) do update set data = excluded.data",
            item.id,
            thread_id,
            Jsonb(item.model_dump(mode="json")),
        )

    async def load_item(self, thread_id: str, item_id: str, context: None) -> ThreadItem:
        raise NotImplementedError

    async def load_threads(self, limit: int, after: str | None, order: str, context: None) -> Any:
        raise NotImplementedError

    async def delete_thread(self, thread_id: str, context: None) -> None:
        raise NotImplementedError

    async def delete_thread_item(self, thread_id: str, item_id: str, context: None) -> None:
        raise NotImplementedError

    async def save_attachment(self, attachment: Any, context: None) -> None:
        raise NotImplementedError

    async def load_attachment(self, attachment_id: str, context: None) -> Any:
        raise NotImplementedError

    async def delete_attachment(self, attachment_id: str, context: None) -> None:
        raise NotImplementedError

    async def _run(self, query: Any, *params: Any) -> list[Any]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query, params)
            return await cursor.fetchall() if cursor.description else []


class Server(ChatKitServer[None]):
    def __init__(self, store: PostgresStore, model_url: str) -> None:
        super().__init__(store)
        self._agent = make_agent()
        self._config = run_config(model_url)

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: None
    ) -> AsyncIterator[ThreadStreamEvent]:
        page = await self.store.load_thread_items(thread.id, None, WINDOW, "desc", context)
        items = await simple_to_agent_input(page.data[::-1])
        agent_context = AgentContext(thread=thread, store=self.store, request_context=context)
        # The shared agent declares no context type.
        agent: Agent[Any] = self._agent
        result = Runner.run_streamed(agent, items, context=agent_context, run_config=self._config)
        async for event in stream_agent_response(agent_context, result):
            yield event


class Design:
    def __init__(self, url: str, direct_url: str, model_url: str, **_: Any) -> None:
        self._url, self._direct_url = url, direct_url
        self._model_url = model_url
        self._loop = asyncio.new_event_loop()

    def prepare(self) -> None:
        with psycopg.connect(self._direct_url) as connection:
            connection.execute(SCHEMA)
        pool = self._loop.run_until_complete(self._make_pool())
        self._loop.run_until_complete(pool.open(wait=True))
        self._server = Server(PostgresStore(pool), self._model_url)

    def seed(self, conversation: str, count: int) -> None:
        now = datetime.now(UTC).isoformat()
        thread = {"id": conversation, "created_at": now}
        items = [
            _item(f"{conversation}-{number}", conversation, now, role, content)
            for number, (role, content) in enumerate(zip(roles(count), messages(count), strict=True))
        ]
        with psycopg.connect(self._direct_url) as connection:
            connection.execute("insert into threads values (%s, %s)", [conversation, Jsonb(thread)])
            connection.execute(
                "insert into items (id, thread_id, data) select data ->> 'id', %s, data "
                "from jsonb_array_elements(%s) as data",
                [conversation, Jsonb(items)],
            )
            if count > 1_000:
                connection.execute("analyze items")

    def turn(self, conversation: str, text: str) -> str:
        return self._loop.run_until_complete(self._turn(conversation, text))

    def engine(self) -> None:
        self._probe = self._loop.run_until_complete(self._make_pool())

    def connect(self) -> None:
        async def ask() -> None:
            if self._probe.closed:
                await self._probe.open(wait=True)
            async with self._probe.connection() as connection:
                await connection.execute("select 1")

        self._loop.run_until_complete(ask())

    def disconnect(self) -> None:
        self._loop.run_until_complete(self._probe.close())

    async def _make_pool(self) -> AsyncConnectionPool:
        return AsyncConnectionPool(self._url, min_size=1, max_size=1, open=False)

    async def _turn(self, conversation: str, text: str) -> str:
        request = {
            "type": "threads.add_user_message",
            "params": {
                "thread_id": conversation,
                "input": {
                    "content": [{"type": "input_text", "text": text}],
                    "attachments": [],
                    "inference_options": {},
                },
            },
        }
        result = await self._server.process(json.dumps(request), None)
        assert isinstance(result, StreamingResult)
        return "".join([frame.decode() async for frame in result])


def _item(name: str, thread: str, now: str, role: str, content: str) -> dict[str, Any]:
    item = {"id": name, "thread_id": thread, "created_at": now}
    if role == "user":
        said = [{"type": "input_text", "text": content}]
        return item | {"type": "user_message", "content": said, "inference_options": {}}
    return item | {
        "type": "assistant_message",
        "content": [{"type": "output_text", "text": content, "annotations": []}],
    }
