"""No design at all: `Runner.run` with the history in memory. Nothing is stored."""

import asyncio
from typing import Any

from agents import Runner

from tests.load.conversations import messages, roles
from tests.load.designs.agent import make_agent, run_config


class Design:
    def __init__(self, model_url: str, **_: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._agent = make_agent()
        self._config = run_config(model_url)
        self._history: dict[str, list[Any]] = {}

    def prepare(self) -> None:
        pass

    def seed(self, conversation: str, count: int) -> None:
        pairs = zip(roles(count), messages(count), strict=True)
        self._history[conversation] = [{"role": role, "content": content} for role, content in pairs]

    def turn(self, conversation: str, text: str) -> str:
        items = [*self._history[conversation], {"role": "user", "content": text}]
        result = self._loop.run_until_complete(Runner.run(self._agent, items, run_config=self._config))
        return str(result.final_output)

    def streamed_turn(self, conversation: str, text: str) -> str:
        return self._loop.run_until_complete(self._stream(conversation, text))

    async def _stream(self, conversation: str, text: str) -> str:
        items = [*self._history[conversation], {"role": "user", "content": text}]
        result = Runner.run_streamed(self._agent, items, run_config=self._config)
        async for _ in result.stream_events():
            pass
        return str(result.final_output)
