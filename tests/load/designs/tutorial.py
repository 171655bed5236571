"""What tutorials show: SQLModel on stock pg8000, the whole history read, a session held around the model."""

import asyncio
from typing import Any

import psycopg
from agents import Runner
from sqlalchemy import text as sql
from sqlmodel import Field, Session, SQLModel, create_engine, select

from tests.load.conversations import messages, roles
from tests.load.designs.agent import make_agent, run_config


class ChatMessage(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    conversation_id: str = Field(index=True)
    role: str
    content: str


class Design:
    def __init__(self, url: str, direct_url: str, model_url: str, **_: Any) -> None:
        self._url = url.replace("postgresql://", "postgresql+pg8000://")
        self._direct_url = direct_url
        self._loop = asyncio.new_event_loop()
        self._agent = make_agent()
        self._config = run_config(model_url)

    def prepare(self) -> None:
        self._engine = create_engine(self._url)
        SQLModel.metadata.create_all(self._engine)

    def seed(self, conversation: str, count: int) -> None:
        with psycopg.connect(self._direct_url) as connection:
            connection.execute(
                "insert into chatmessage (conversation_id, role, content) "
                "select %s, role, content from unnest(%s::text[], %s::text[]) as given (role, content)",
                [conversation, roles(count), messages(count)],
            )
            if count > 1_000:
                connection.execute("analyze chatmessage")

    def turn(self, conversation: str, text: str) -> str:
        with Session(self._engine) as session:
            query = select(ChatMessage).where(ChatMessage.conversation_id == conversation)
            history = session.exec(query.order_by(sql("id"))).all()
            items: list[Any] = [{"role": each.role, "content": each.content} for each in history]
            question = ChatMessage(conversation_id=conversation, role="user", content=text)
            session.add(question)
            session.commit()
            session.refresh(question)
            items.append({"role": "user", "content": question.content})
            run = Runner.run(self._agent, items, run_config=self._config)
            result = self._loop.run_until_complete(run)
            answer = ChatMessage(
                conversation_id=conversation, role="assistant", content=str(result.final_output)
            )
            session.add(answer)
            session.commit()
            session.refresh(answer)
            return answer.content

    def engine(self) -> None:
        self._probe = create_engine(self._url)

    def connect(self) -> None:
        with self._probe.connect() as connection:
            connection.execute(sql("select 1"))

    def disconnect(self) -> None:
        self._probe.dispose()
