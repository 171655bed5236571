"""The Agents SDK's own storage of a conversation: SQLAlchemySession on asyncpg, with a warm engine."""

import asyncio
import json
from typing import Any

import psycopg
from agents import Runner
from agents.extensions.memory import SQLAlchemySession
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import create_async_engine

from tests.load.conversations import messages, roles
from tests.load.designs.agent import make_agent, run_config


class Design:
    def __init__(self, url: str, direct_url: str, model_url: str, **_: Any) -> None:
        self._url = url.replace("postgresql://", "postgresql+asyncpg://")
        self._direct_url = direct_url
        self._loop = asyncio.new_event_loop()
        self._agent = make_agent()
        self._config = run_config(model_url)

    def prepare(self) -> None:
        self._engine = create_async_engine(self._url)
        self._loop.run_until_complete(self._session("first", create_tables=True).get_items())

    def seed(self, conversation: str, count: int) -> None:
        pairs = zip(roles(count), messages(count), strict=True)
        items = [json.dumps({"role": role, "content": content}) for role, content in pairs]
        with psycopg.connect(self._direct_url) as connection:
            connection.execute("insert into agent_sessions (session_id) values (%s)", [conversation])
            connection.execute(
                "insert into agent_messages (session_id, message_data) select %s, unnest(%s::text[])",
                [conversation, items],
            )
            if count > 1_000:
                connection.execute("analyze agent_messages")

    def turn(self, conversation: str, text: str) -> str:
        run = Runner.run(self._agent, text, session=self._session(conversation), run_config=self._config)
        return str(self._loop.run_until_complete(run).final_output)

    def engine(self) -> None:
        self._probe = create_async_engine(self._url)

    def connect(self) -> None:
        self._loop.run_until_complete(self._ask())

    def disconnect(self) -> None:
        self._loop.run_until_complete(self._probe.dispose())

    async def _ask(self) -> None:
        async with self._probe.connect() as connection:
            await connection.execute(sql("select 1"))

    def _session(self, conversation: str, *, create_tables: bool = False) -> SQLAlchemySession:
        return SQLAlchemySession(conversation, engine=self._engine, create_tables=create_tables)
