"""A ChatKit server that keeps everything in Postgres: see docs/chatkit-store.md."""

import os
from collections.abc import AsyncIterator
from typing import Annotated, NamedTuple

import uvicorn
from agents import Agent, Runner
from chatkit.agents import AgentContext, stream_agent_response
from chatkit.server import ChatKitServer, StreamingResult
from chatkit.store import NotFoundError
from chatkit.types import ThreadMetadata, ThreadStreamEvent, UserMessageItem
from fastapi import FastAPI, Header, Request, Response
from fastapi.responses import StreamingResponse

from parley import migrate
from parley.chatkit.fresh_ids import fresh_ids
from parley.chatkit.store import PostgresStore
from parley.database import Database


class Visitor(NamedTuple):
    user_id: str


class Server(ChatKitServer[Visitor]):
    agent = Agent(name="Assistant", model=os.environ.get("OPENAI_MODEL", "gpt-5-mini"))

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Visitor
    ) -> AsyncIterator[ThreadStreamEvent]:
        newest = await self.store.load_thread_items(thread.id, None, 40, "desc", context)
        said = [
            {"role": item.type.removesuffix("_message"), "content": "".join(p.text for p in item.content)}
            for item in reversed(newest.data)
            if item.type in ("user_message", "assistant_message")
        ]
        about = AgentContext(thread=thread, store=self.store, request_context=context)
        events = stream_agent_response(about, Runner.run_streamed(self.agent, said))
        async for event in fresh_ids(events, lambda: self.store.generate_item_id("message", thread, context)):
            yield event


app = FastAPI(exception_handlers={NotFoundError: lambda *_: Response(status_code=404)})
server = Server(PostgresStore[Visitor](Database(os.environ["DATABASE_URL"], pool_size=10)))


@app.post("/chatkit")
async def chatkit(request: Request, x_user: Annotated[str, Header()]) -> Response:
    visitor = Visitor(x_user)  # REPLACE THIS: take the user from what your sign-in has verified
    result = await server.process(await request.body(), visitor)
    if isinstance(result, StreamingResult):
        return StreamingResponse(result, media_type="text/event-stream")
    return Response(result.json, media_type="application/json")


if __name__ == "__main__":
    migrate.run()
    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
