"""Servers of the ChatKit SDK on the Store: as its quickstart writes them, and the example in docs."""

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from agents import (
    Agent,
    GuardrailFunctionOutput,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunContextWrapper,
    Runner,
    function_tool,
    input_guardrail,
)
from chatkit.agents import AgentContext, ClientToolCall, stream_agent_response
from chatkit.server import ChatKitServer, StreamingResult
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    ClientToolCallItem,
    NoticeEvent,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdatedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    Workflow,
    WorkflowItem,
)
from openai import AsyncOpenAI

from local.ports import free_port
from local.postgres import Postgres
from parley.chatkit.fresh_ids import fresh_ids
from parley.chatkit.store import PostgresStore
from parley.database import Database
from tests.proxy import Proxy

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "chatkit_server.py"


class Visitor:
    def __init__(self) -> None:
        self.user_id = f"visitor-{uuid.uuid4().hex[:8]}"


class Quickstart(ChatKitServer[Visitor]):
    """With the model's input built from the newest items."""

    def __init__(self, store: PostgresStore[Visitor], agent: Agent[Any]) -> None:
        super().__init__(store)
        self.agent = agent

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Visitor
    ) -> AsyncIterator[ThreadStreamEvent]:
        newest = await self.store.load_thread_items(thread.id, None, 40, "desc", context)
        said: Any = [
            {"role": item.type.removesuffix("_message"), "content": item.content[0].text}
            for item in reversed(newest.data)
            if isinstance(item, UserMessageItem | AssistantMessageItem)
        ]
        about = AgentContext(thread=thread, store=self.store, request_context=context)
        events = stream_agent_response(about, Runner.run_streamed(self.agent, said, context=about))
        async for event in fresh_ids(events, lambda: self.store.generate_item_id("message", thread, context)):
            yield event


class Chat:
    """A visitor of a server, by the protocol."""

    def __init__(self, server: Quickstart, loop: asyncio.Runner) -> None:
        self.server = server
        self.loop = loop
        self.visitor = Visitor()
        self.thread = ""

    def send(self, kind: str, **params: Any) -> list[dict[str, Any]]:
        """The events of the reply, or all of it as the only one."""

        async def process() -> list[dict[str, Any]]:
            body = json.dumps({"type": kind, "params": params})
            result = await self.server.process(body, self.visitor)
            if isinstance(result, StreamingResult):
                return [json.loads(event.removeprefix(b"data: ")) async for event in result]
            return [json.loads(result.json)]

        return self.loop.run(process())

    def say(self, words: str) -> list[dict[str, Any]]:
        said = message(words)
        if self.thread:
            return self.send("threads.add_user_message", thread_id=self.thread, input=said)
        events = self.send("threads.create", input=said)
        self.thread = events[0]["thread"]["id"]
        return events

    def items(self) -> list[ThreadItem]:
        store = self.server.store
        return self.loop.run(store.load_thread_items(self.thread, None, 100, "asc", self.visitor)).data

    def add(self, item: ThreadItem) -> None:
        self.loop.run(self.server.store.add_thread_item(self.thread, item, self.visitor))

    def words(self) -> list[str]:
        return [
            item.content[0].text
            for item in self.items()
            if isinstance(item, UserMessageItem | AssistantMessageItem)
        ]


def message(words: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": words}]
    return {"content": content, "attachments": [], "inference_options": {}}


@function_tool
def look(what: str) -> str:
    """Look at something."""
    return f"saw {what}"


class Chats:
    """Makes servers and a visitor for each; all run in one loop, as the model's client needs it."""

    def __init__(self, model_url: str, loop: asyncio.Runner, protocol: str) -> None:
        self.client = AsyncOpenAI(api_key="offline", base_url=f"{model_url}/v1")
        self.loop = loop
        self.protocol = protocol

    def __call__(self, database: Database, **agent: Any) -> Chat:
        kind = OpenAIResponsesModel if self.protocol == "responses" else OpenAIChatCompletionsModel
        made = Agent[Any](name="Assistant", model=kind("offline", self.client), **agent)
        return Chat(Quickstart(PostgresStore(database), made), self.loop)


@pytest.fixture(params=["responses", "chat_completions"])
def new_chat(request: pytest.FixtureRequest, model_url: str) -> Iterator[Chats]:
    with asyncio.Runner() as loop:
        chats = Chats(model_url, loop, request.param)
        yield chats
        loop.run(chats.client.close())


@pytest.fixture
def chat(database: Database, new_chat: Chats) -> Chat:
    return new_chat(database, tools=[look])


def test_every_message_of_every_turn_is_kept(chat: Chat) -> None:
    """Outside the Responses API all of the model's messages have one id (openai/chatkit-python#36)."""
    chat.say("My name is Ada.")
    events = chat.say("What is my name?")
    streamed = {each["item"]["id"] for each in events if each["type"] == "thread.item.done"}
    assert {each["item_id"] for each in events if each["type"] == "thread.item.updated"} <= streamed
    words = chat.words()
    assert len(words) == 4
    assert words[0::2] == ["My name is Ada.", "What is my name?"]
    assert words[3] == "Your name is Ada."
    assert len({item.id for item in chat.items()}) == 4
    assert streamed == {item.id for item in chat.items()[2:]}


def test_a_turn_with_a_tool_is_kept(chat: Chat) -> None:
    chat.say("[offline: tool=look] Look at the sea")
    chat.say("And thank you")
    assert len(chat.words()) == 4


def test_a_retry_answers_anew(chat: Chat) -> None:
    chat.say("First")
    chat.say("Second")
    question = chat.items()[2]
    chat.send("threads.retry_after_item", thread_id=chat.thread, item_id=question.id)
    assert [type(item) for item in chat.items()] == [UserMessageItem, AssistantMessageItem] * 2
    assert chat.items()[2] == question


def test_a_workflow_that_goes_on_from_the_turn_before(chat: Chat) -> None:
    """The SDK takes the time that it began from a naive one, and would fail on an aware one."""
    chat.say("Hello")
    store = chat.server.store
    at = chat.items()[0].created_at
    begun = WorkflowItem(
        id=str(uuid.uuid4()), thread_id=chat.thread, created_at=at, workflow=Workflow(type="custom", tasks=[])
    )
    chat.add(begun)

    async def respond(
        thread: ThreadMetadata, _: UserMessageItem | None, context: Visitor
    ) -> AsyncIterator[ThreadStreamEvent]:
        about = AgentContext(thread=thread, store=store, request_context=context)
        events = stream_agent_response(about, Runner.run_streamed(chat.server.agent, "Go on"))
        async for event in fresh_ids(events, lambda: str(uuid.uuid4())):
            yield event

    chat.server.respond = respond  # type: ignore[method-assign]
    # A client tool's output, for which nothing is said by the user.
    call = ClientToolCallItem(
        id="call", thread_id=chat.thread, created_at=at, call_id="c", name="n", arguments={}
    )
    chat.add(call)
    events = chat.send("threads.add_client_tool_output", thread_id=chat.thread, result={"ok": True})
    assert "error" not in {event["type"] for event in events}
    workflow, done, answer = chat.items()[2:]
    assert (workflow.id, done.id, type(answer)) == (begun.id, "call", AssistantMessageItem)
    assert isinstance(workflow, WorkflowItem)
    assert workflow.workflow.summary is not None
    assert isinstance(done, ClientToolCallItem)
    assert done.output == {"ok": True}


def test_a_client_tools_call_is_kept_and_answered(database: Database, new_chat: Chats) -> None:
    @function_tool
    async def find_place(context: RunContextWrapper[Any]) -> str:
        """Tell where the user is."""
        context.context.client_tool_call = ClientToolCall(name="find_place", arguments={"exact": True})
        return "asked"

    chat = new_chat(database, tools=[find_place], tool_use_behavior={"stop_at_tool_names": ["find_place"]})
    chat.say("[offline: tool=find_place] Where am I?")
    for place in ("here", "there"):  # told where, the model asks again
        chat.send("threads.add_client_tool_output", thread_id=chat.thread, result={"place": place})
    calls = [item for item in chat.items() if isinstance(item, ClientToolCallItem)]
    assert [call.output for call in calls] == [{"place": "here"}, {"place": "there"}, None]
    assert [call.status for call in calls] == ["completed", "completed", "pending"]


def test_what_a_guardrail_stops_is_taken_back(database: Database, new_chat: Chats) -> None:
    """The SDK removes items that were begun and never stored."""

    @input_guardrail
    async def no_secrets(_context: Any, _agent: Agent[Any], said: Any) -> GuardrailFunctionOutput:
        await asyncio.sleep(1.5)
        return GuardrailFunctionOutput(None, tripwire_triggered="secret" in str(said))

    chat = new_chat(database, input_guardrails=[no_secrets])
    events = chat.say("[offline: words=100, word=30] A secret")
    removed = {event["item_id"] for event in events if event["type"] == "thread.item.removed"}
    assert removed == {e["item"]["id"] for e in events if e["type"] == "thread.item.added"} != set()
    assert len(chat.items()) == 1


def test_a_turn_is_five_round_trips(postgres: Postgres, new_chat: Chats) -> None:
    """Load the thread, store the question, read the history, look for a workflow, store the answer."""
    proxy = Proxy(("127.0.0.1", postgres.port))
    with proxy.listen() as port:
        database = Database(postgres.app_url.replace(f":{postgres.port}/", f":{port}/"), pool_size=1)
        chat = new_chat(database)
        chat.say("Hello")
        before = proxy.traffic.round_trips
        chat.say("Again")
        assert proxy.traffic.round_trips - before == 5
        assert len(chat.words()) == 4
        database.close()


# --- fresh_ids by itself -----------------------------------------------------------------------------------


def renamed(events: list[ThreadStreamEvent]) -> list[ThreadStreamEvent]:
    """With the ids `new-1`, `new-2`, …"""
    made = (f"new-{number}" for number in range(1, 100))

    async def collect() -> list[ThreadStreamEvent]:
        async def source() -> AsyncIterator[ThreadStreamEvent]:
            for event in events:
                yield event

        return [event async for event in fresh_ids(source(), lambda: next(made))]

    return asyncio.run(collect())


def said(item_id: str) -> AssistantMessageItem:
    return AssistantMessageItem(
        id=item_id,
        thread_id="t",
        created_at="2026-01-01T00:00:00Z",  # type: ignore[arg-type]
        content=[AssistantMessageContent(text="x")],
    )


def part(item_id: str) -> ThreadItemUpdatedEvent:
    update = {"type": "assistant_message.content_part.text_delta", "content_index": 0, "delta": "x"}
    return ThreadItemUpdatedEvent.model_validate({"item_id": item_id, "update": update})


def ids(events: list[ThreadStreamEvent]) -> list[str]:
    return [each.item_id if hasattr(each, "item_id") else each.item.id for each in events]  # type: ignore[union-attr]


def test_items_under_one_id_become_items_of_their_own() -> None:
    one = [ThreadItemAddedEvent(item=said("same")), part("same"), ThreadItemDoneEvent(item=said("same"))]
    whole = ThreadItemDoneEvent(item=said("same"))
    assert ids(renamed([*one, *one, whole])) == ["new-1"] * 3 + ["new-2"] * 3 + ["new-3"]


def test_an_item_keeps_its_new_id_in_every_event() -> None:
    events = renamed(
        [
            ThreadItemAddedEvent(item=said("a")),
            ThreadItemAddedEvent(item=said("b")),
            part("a"),
            ThreadItemReplacedEvent(item=said("a")),
            ThreadItemDoneEvent(item=said("b")),
            ThreadItemDoneEvent(item=said("a")),
        ]
    )
    assert ids(events) == ["new-1", "new-2", "new-1", "new-1", "new-2", "new-1"]


def test_what_is_removed_is_everything_under_that_id() -> None:
    one = [ThreadItemAddedEvent(item=said("same")), ThreadItemDoneEvent(item=said("same"))]
    events = renamed([*one, *one, ThreadItemRemovedEvent(item_id="same")])
    assert ids(events)[4:] == ["new-1", "new-2"]


def test_ids_of_the_store_and_other_events_stay_as_they_are() -> None:
    own = str(uuid.uuid4())
    events = [ThreadItemAddedEvent(item=said(own)), part(own), ThreadItemDoneEvent(item=said(own))]
    assert renamed(list(events)) == events
    assert renamed([part("elsewhere")]) == [part("elsewhere")]
    notice = NoticeEvent(level="info", message="m")
    assert renamed([notice]) == [notice]


# --- The example -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """Empty: the example makes everything itself."""
    with Postgres.start(tmp_path_factory.mktemp("example"), durable=False) as server:
        yield server


class Client:
    def __init__(self, url: str, user: str) -> None:
        self.http = httpx.Client(base_url=url, headers={"X-User": user}, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def send(self, kind: str, **params: Any) -> httpx.Response:
        return self.http.post("/chatkit", json={"type": kind, "params": params})

    def stream(self, kind: str, **params: Any) -> list[dict[str, Any]]:
        reply = self.send(kind, **params)
        assert reply.headers["content-type"].startswith("text/event-stream")
        return [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: ")]

    def items(self, thread: str) -> list[dict[str, Any]]:
        return list(self.send("items.list", thread_id=thread, order="asc").json()["data"])


@pytest.fixture
def run_example(own_postgres: Postgres, model_url: str) -> Callable[[], Any]:
    @contextmanager
    def run() -> Iterator[str]:
        port = free_port()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "PYTHONPATH": str(ROOT / "layers" / "parley" / "python"),
            "PORT": str(port),
            "DATABASE_URL": own_postgres.app_url,
            "MIGRATIONS_DATABASE_URL": own_postgres.owner_url,
            "OPENAI_API_KEY": "offline",
            "OPENAI_BASE_URL": f"{model_url}/v1",
            "OPENAI_DEFAULT_MODEL": "offline",
            "OPENAI_AGENTS_DISABLE_TRACING": "1",
        }
        with subprocess.Popen(
            [sys.executable, str(EXAMPLE)], env=environment, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stderr
                lines: list[str] = []
                for line in process.stderr:
                    lines.append(line)
                    if "Uvicorn running" in line:
                        break
                else:
                    pytest.fail("".join(lines))
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()
                print(process.communicate(timeout=20)[1])

    return run


def test_the_example_keeps_everything(run_example: Callable[[], Any]) -> None:
    with run_example() as url, Client(url, "ada") as ada, Client(url, "bob") as bob:
        created = ada.stream("threads.create", input=message("My name is Ada."))
        thread = created[0]["thread"]["id"]
        added = ada.stream("threads.add_user_message", thread_id=thread, input=message("What is my name?"))
        assert added[-1]["item"]["content"][0]["text"] == "Your name is Ada."
        ada.send("threads.update", thread_id=thread, title="Names").raise_for_status()
        other = ada.stream("threads.create", input=message("Something else"))[0]["thread"]["id"]
        assert bob.send("threads.list").json()["data"] == []
        assert bob.send("threads.get_by_id", thread_id=thread).status_code == 404
        assert bob.send("threads.delete", thread_id=thread).status_code == 404
    with run_example() as url, Client(url, "ada") as ada:
        listed = ada.send("threads.list").json()["data"]
        assert [(each["id"], each.get("title")) for each in listed] == [(other, None), (thread, "Names")]
        items = ada.items(thread)
        assert [item["type"] for item in items] == ["user_message", "assistant_message"] * 2
        assert ada.send("threads.get_by_id", thread_id=thread).json()["items"]["data"] == items
        again = ada.stream("threads.retry_after_item", thread_id=thread, item_id=items[2]["id"])
        assert again[-1]["item"]["content"][0]["text"] == "Your name is Ada."
        assert ada.items(thread)[:3] == items[:3]
        assert len(ada.items(thread)) == 4
        assert ada.send("threads.delete", thread_id=thread).json() == {}
        assert ada.send("threads.get_by_id", thread_id=thread).status_code == 404
        assert [each["id"] for each in ada.send("threads.list").json()["data"]] == [other]


def test_the_example_is_short() -> None:
    assert len(EXAMPLE.read_text().splitlines()) < 60


def test_the_store_needs_nothing_of_the_app_around_it() -> None:
    """And no package beside the SDK and those that docs/chatkit-store.md names."""
    program = """
import sys
for name in ("fastapi", "aws_lambda_powertools", "boto3", "botocore", "mangum"):
    sys.modules[name] = None
import parley.chatkit.fresh_ids, parley.chatkit.store, parley.migrate
print(*sorted({m for m in sys.modules if m.startswith(("parley.api", "parley.main", "parley.services."))}))
"""
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "layers" / "parley" / "python")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["parley.services.history"]
