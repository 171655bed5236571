"""The ChatKit protocol over HTTP: every operation, as its owner."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from agents import Agent, function_tool
from chatkit.types import (
    AssistantMessageItem,
    ClientToolCallItem,
    StructuredInputItem,
    TaskItem,
    ThreadItem,
    UserMessageItem,
    WidgetItem,
    WorkflowItem,
)
from pydantic import SecretStr
from sqlalchemy import text

from local.postgres import Postgres
from parley.database import Database
from parley.repositories.messages import MAX_PAGE_BYTES
from parley.tools.client_tools import ask_user, client_tool
from tests.chatkit_client import THREAD, THREADS, ChatKitClient, message, text_of
from tests.conftest import ApiUser
from tests.load.statements import CountingProxy

Chat = Callable[[ApiUser], ChatKitClient]


@function_tool
def look(what: str) -> str:
    """Look at something."""
    return f"saw {what}"


@function_tool
def stumble() -> str:
    """Fail."""
    raise RuntimeError("the wheel came off")


ordered: list[str] = []


@function_tool(needs_approval=True)
def order(what: str) -> str:
    """Order something. It costs money."""
    ordered.append(what)
    return f"ordered {what}"


find_place = client_tool(
    "find_place", "Tell where the user is.", {"type": "object", "properties": {"exact": {"type": "boolean"}}}
)


@pytest.fixture(scope="module")
def url(serve_api: Callable[..., str]) -> str:
    agent = Agent[Any](name="Guide", tools=[look, stumble, order, find_place, ask_user])
    return serve_api(agent, openai_model="offline,offline:word=1")


@pytest.fixture
def alice(url: str, new_user: Callable[..., ApiUser]) -> ApiUser:
    return new_user("alice", api_url=url)


@pytest.fixture
def chat(url: str) -> Iterator[Chat]:
    with ExitStack() as stack:

        def make(user: ApiUser) -> ChatKitClient:
            client = ChatKitClient(url, user.token)
            stack.callback(client.http.close)
            return client

        yield make


@pytest.fixture
def client(chat: Chat, alice: ApiUser) -> ChatKitClient:
    return chat(alice)


def kinds(received: list[Any]) -> list[str]:
    return [event.type for event in received]


def thread_of(received: list[Any]) -> str:
    return str(received[0].thread.id)


def done(received: list[Any], kind: type[Any]) -> Any:
    """The one item of a kind that a stream says is done, or has another form now."""
    ended = [event.item for event in received if event.type in ("thread.item.done", "thread.item.replaced")]
    (item,) = [item for item in ended if isinstance(item, kind)]
    return item


def only(items: list[ThreadItem], kind: type[Any]) -> Any:
    (item,) = [item for item in items if isinstance(item, kind)]
    return item


def use(tool: str, **arguments: Any) -> str:
    return f"use the tool {tool} with {json.dumps(arguments)}"


# Turns


def test_a_thread_is_a_conversation_and_its_items_are_the_messages(
    client: ChatKitClient, alice: ApiUser
) -> None:
    received = client.create("What is a parley?")
    assert kinds(received)[:5] == [
        "thread.created",
        "thread.item.done",
        "stream_options",
        "thread.item.added",
        "thread.item.updated",
    ]
    assert kinds(received)[-2:] == ["thread.item.done", "thread.updated"]
    question, answer = client.items(thread_of(received))
    assert isinstance(question, UserMessageItem)
    assert isinstance(answer, AssistantMessageItem)
    sent, answered = alice.messages(thread_of(received))
    assert (question.id, text_of(question)) == (sent["id"], "What is a parley?")
    assert (answer.id, text_of(answer)) == (answered["id"], answered["content"])


def test_what_is_streamed_is_what_is_stored(client: ChatKitClient) -> None:
    received = client.create("Tell me a story")
    pieces = [event.update for event in received if event.type == "thread.item.updated"]
    streamed = "".join(piece.delta for piece in pieces if piece.type.endswith("text_delta"))
    assert len(pieces) > 3
    assert streamed == text_of(done(received, AssistantMessageItem))
    items = client.items(thread_of(received))
    assert [item.id for item in items] == [
        event.item.id for event in received if event.type == "thread.item.done"
    ]


def test_every_time_has_a_zone(client: ChatKitClient) -> None:
    """Trap 3: the SDK makes local times without one, which a browser takes for its own."""
    received = client.create("Hello")
    things = [getattr(event, "item", None) or getattr(event, "thread", None) for event in received]
    times = [thing.created_at for thing in things if thing]
    assert received[0].type == "thread.created"
    assert len(times) > 3
    assert all(time.tzinfo is not None for time in times)


def test_a_title_comes_with_the_turn(client: ChatKitClient) -> None:
    received = client.create("Holiday plans for the two of us")
    assert received[-1].type == "thread.updated"
    assert received[-1].thread.title
    assert received[-1].thread.id == thread_of(received)


def test_a_conversation_goes_on_and_the_model_remembers(client: ChatKitClient) -> None:
    thread = thread_of(client.create("My name is Ada"))
    received = client.add(thread, "What is my name?")
    assert kinds(received)[0] == "thread.item.done"
    assert "Ada" in text_of(done(received, AssistantMessageItem))
    assert len(client.items(thread)) == 4


def test_the_model_is_told_the_newest_of_a_long_thread(client: ChatKitClient) -> None:
    """Trap 8: the quickstart tells it the oldest 20 items."""
    thread = thread_of(client.create("My name is Bob"))
    for number in range(10):
        client.add(thread, f"This is number {number}")
    client.add(thread, "My name is Ada")
    received = client.add(thread, "What is my name?")
    assert "Ada" in text_of(done(received, AssistantMessageItem))


def test_a_repeated_request_runs_nothing_twice(client: ChatKitClient, alice: ApiUser) -> None:
    """Trap 9: the protocol has no id for a message; the header is one."""
    first = client.create("Hello", key="k1")
    again = client.create("Hello", key="k1")
    assert thread_of(again) == thread_of(first)
    assert done(again, AssistantMessageItem).id == done(first, AssistantMessageItem).id
    assert len(alice.messages(thread_of(first))) == 2
    other = client.send("threads.create", {"input": message("Something else")}, key="k1")
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")


def test_a_second_turn_at_once_is_refused_with_a_status(client: ChatKitClient) -> None:
    thread = thread_of(client.create("Hello"))
    slow = threading.Thread(target=client.add, args=(thread, "[offline: slow=1.5] Think"))
    slow.start()
    time.sleep(0.5)
    reply = client.send("threads.add_user_message", {"thread_id": thread, "input": message("And?")})
    slow.join()
    assert (reply.status_code, reply.json()["type"]) == (409, "/problems/turn-in-progress")
    assert "retry-after" in reply.headers
    assert len(client.items(thread)) == 4


def test_what_is_quoted_is_said_too(client: ChatKitClient) -> None:
    said = message("What does this mean?") | {"quoted_text": "a truce\nof sorts"}
    received = client.stream("threads.create", input=said)
    (question, _) = client.items(thread_of(received))
    assert text_of(question) == "> a truce\n> of sorts\n\nWhat does this mean?"


def test_a_model_can_be_picked(client: ChatKitClient, alice: ApiUser) -> None:
    listed = client.http.get("/api/models").json()["data"]
    assert listed == [{"id": "offline"}, {"id": "offline:word=1"}]
    received = client.create("Hello", model="offline:word=1")
    assert alice.messages(thread_of(received))[1]["usage"]["model"] == "offline:word=1"
    reply = client.send("threads.create", {"input": message("Hello", model="another")})
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["pointer"] == "/body/params/input/inference_options/model"


def test_the_answers_address_is_told_and_cancels_the_turn(client: ChatKitClient, alice: ApiUser) -> None:
    body = {"type": "threads.create", "params": {"input": message("[offline: slow=8] Take your time")}}
    with client.http.stream("POST", "/api/chatkit", json=body) as reply:
        address = reply.headers["content-location"]
        assert address.startswith(f"/api/{alice.id}/conversations/")
        time.sleep(0.5)
        cancelled = client.http.post(f"{address}/cancel").json()
        rest = reply.read().decode()
    assert cancelled["status"] == "cancelled"
    assert '"title":"Stopped"' in rest
    _, *answer = client.items(cancelled["conversation_id"])
    assert only(answer, TaskItem).task.title == "Stopped"


def test_a_client_that_goes_away_does_not_stop_the_turn(client: ChatKitClient, alice: ApiUser) -> None:
    """Trap 13: what was written so far would be lost."""
    body = {"type": "threads.create", "params": {"input": message("[offline: slow=1] Go on without me")}}
    with client.http.stream("POST", "/api/chatkit", json=body) as reply:
        thread = reply.headers["content-location"].split("/")[4]
    for _ in range(60):
        time.sleep(0.1)
        if (answer := alice.messages(thread)[1])["status"] != "in_progress":
            break
    assert answer["status"] == "completed"
    assert text_of(client.items(thread)[1]) == answer["content"]


def test_a_turn_is_three_statements_of_one_round_trip_each(
    serve_api: Callable[..., str], postgres: Postgres, alice: ApiUser
) -> None:
    """Trap 14: a straightforward store makes 15 to 18 round trips."""
    address = urlsplit(postgres.app_url)
    proxy = CountingProxy((str(address.hostname), int(address.port or 0)))
    with proxy.listen() as port:
        login = address.netloc.rpartition("@")[0]
        url = address._replace(netloc=f"{login}@127.0.0.1:{port}").geturl()
        client = ChatKitClient(serve_api(database_url=SecretStr(url), database_transport="tcp"), alice.token)
        thread = thread_of(client.create("Hello"))
        client.read("threads.update", thread_id=thread, title="Has one")
        client.add(thread, "And now")
        statements, trips = proxy.executed["statement"], proxy.traffic.round_trips
        client.add(thread, "Go on")
        assert proxy.executed["statement"] - statements == 3
        assert proxy.traffic.round_trips - trips == 3
        client.http.close()


# When a turn fails


def test_a_failed_turn_is_an_error_in_the_stream_and_a_note_in_the_thread(client: ChatKitClient) -> None:
    received = client.create("[offline: status=500] Hello")
    error = received[-1]
    assert (error.type, error.allow_retry) == ("error", True)
    assert error.message == "Your message is kept. Please try again."
    question, note = client.items(thread_of(received))
    assert isinstance(question, UserMessageItem)
    assert only([note], TaskItem).task.title == "No answer: The model did not answer"


def test_a_thread_that_is_deleted_meanwhile_ends_its_turn(client: ChatKitClient, alice: ApiUser) -> None:
    body = {"type": "threads.create", "params": {"input": message("[offline: slow=1] Hello")}}
    with client.http.stream("POST", "/api/chatkit", json=body) as reply:
        thread = reply.headers["content-location"].split("/")[4]
        assert alice.http.delete(f"/conversations/{thread}").status_code == 204
        *_, last = reply.read().decode().strip().split("\n\n")
    error = json.loads(last.removeprefix("data: "))
    assert (error["type"], error["message"]) == ("error", "The conversation has been deleted.")


def test_over_the_quota_there_is_a_notice(serve_api: Callable[..., str], alice: ApiUser) -> None:
    client = ChatKitClient(serve_api(quota_turns_per_day=1), alice.token)
    thread = thread_of(client.create("Hello"))
    (notice,) = client.add(thread, "And?")
    assert (notice.type, notice.level) == ("notice", "warning")
    assert notice.title == "Your quota for today is used up"
    assert len(client.items(thread)) == 2
    client.http.close()


# Tools


def test_tool_calls_are_tasks_of_a_workflow(client: ChatKitClient) -> None:
    """Trap 6: they are shown while they run, and there after a reload."""
    received = client.create(use("look", what="the sea"))
    assert "progress_update" in kinds(received)
    added = next(event for event in received if event.type == "thread.item.added")
    assert isinstance(added.item, WorkflowItem)
    assert added.item.workflow.tasks[0].status_indicator == "loading"
    updates = [event.update for event in received if event.type == "thread.item.updated"]
    assert any(update.type == "workflow.task.updated" for update in updates)
    workflow = only(client.items(thread_of(received)), WorkflowItem)
    assert workflow == done(received, WorkflowItem).model_copy(update={"created_at": workflow.created_at})
    (task,) = workflow.workflow.tasks
    assert task.title.startswith("Look: done")
    assert "the sea" in task.content
    assert "saw the sea" in task.content
    assert workflow.workflow.summary.title == "Used Look"


def test_a_tool_that_fails_says_so(client: ChatKitClient) -> None:
    thread = thread_of(client.create(use("stumble")))
    (task,) = only(client.items(thread), WorkflowItem).workflow.tasks
    assert task.title.startswith("Stumble: failed")


def test_two_turns_of_any_model_have_items_of_their_own(
    serve_api: Callable[..., str], alice: ApiUser
) -> None:
    """Traps 2 and 13: outside the Responses API every message has the same id, and a second turn fails."""
    client = ChatKitClient(serve_api(openai_api="chat_completions"), alice.token)
    thread = thread_of(client.create("My name is Ada"))
    client.add(thread, "What is my name?")
    items = client.items(thread)
    assert len({item.id for item in items}) == 4
    assert "Ada" in text_of(items[3])
    client.http.close()


@pytest.mark.parametrize("approved", [True, False])
def test_a_call_that_needs_approval_is_a_widget_with_two_actions(
    client: ChatKitClient, approved: bool
) -> None:
    ordered.clear()
    thread = thread_of(client.create(use("order", what="tea")))
    widget = only(client.items(thread), WidgetItem)
    card = widget.widget.model_dump(exclude_none=True)
    assert card["confirm"]["action"]["type"] == "parley.approve"
    action = card["confirm" if approved else "cancel"]["action"]
    action = {"type": action["type"], "payload": action.get("payload")}
    received = client.stream("threads.custom_action", thread_id=thread, item_id=widget.id, action=action)
    assert kinds(received)[1] == "thread.item.removed"
    assert ordered == (["tea"] if approved else [])
    items = client.items(thread)
    assert not [item for item in items if isinstance(item, WidgetItem)]
    (task,) = only(items, WorkflowItem).workflow.tasks
    assert task.title.startswith("Order: done" if approved else "Order: not made")
    assert text_of(only(items, AssistantMessageItem)) == text_of(done(received, AssistantMessageItem))
    again = client.stream("threads.custom_action", thread_id=thread, item_id=widget.id, action=action)
    assert text_of(done(again, AssistantMessageItem)) == text_of(only(items, AssistantMessageItem))
    assert len(ordered) == approved


@pytest.mark.parametrize("operation", ["threads.custom_action", "threads.sync_custom_action"])
def test_a_decision_is_about_what_was_asked_and_not_about_what_came_after(
    client: ChatKitClient, operation: str
) -> None:
    ordered.clear()
    thread = thread_of(client.create(f"{use('order', what='tea')} then {use('order', what='a car')}"))
    first = only(client.items(thread), WidgetItem)
    action = {"type": "parley.approve", "payload": None}
    params = {"thread_id": thread, "item_id": first.id, "action": action}
    assert client.send(operation, params, "once").status_code == 200
    second = only(client.items(thread), WidgetItem)
    assert (ordered, "a car" in second.model_dump_json()) == (["tea"], True)
    assert second.id != first.id

    for key in ("once", "again"):
        assert client.send(operation, params, key).status_code == 200
        assert only(client.items(thread), WidgetItem).id == second.id
    assert ordered == ["tea"]
    received = client.stream("threads.custom_action", **{**params, "item_id": second.id})
    assert done(received, AssistantMessageItem)
    assert ordered == ["tea", "a car"]


def test_a_decision_without_a_stream_gives_the_widget_as_it_is_then(client: ChatKitClient) -> None:
    ordered.clear()
    thread = thread_of(client.create(use("order", what="tea")))
    widget = only(client.items(thread), WidgetItem)
    action = {"type": "parley.approve", "payload": None}
    reply = client.read("threads.sync_custom_action", thread_id=thread, item_id=widget.id, action=action)
    assert reply["updated_item"]["id"] == widget.id
    assert "Approved" in json.dumps(reply)
    assert "parley.approve" not in json.dumps(reply)
    assert ordered == ["tea"]
    assert only(client.items(thread), AssistantMessageItem)


def test_a_client_tool_is_carried_out_by_the_page(client: ChatKitClient) -> None:
    received = client.create(use("find_place", exact=True))
    thread = thread_of(received)
    call = client.items(thread)[-1]
    assert isinstance(call, ClientToolCallItem)
    assert (call.name, call.arguments, call.status) == ("find_place", {"exact": True}, "pending")
    assert done(received, ClientToolCallItem).id == call.id
    params: dict[str, Any] = {"thread_id": thread, "result": {"city": "Kiel"}}
    received = client.stream("threads.add_client_tool_output", **params)
    assert "Kiel" in text_of(done(received, AssistantMessageItem))
    items = client.items(thread)
    assert not [item for item in items if isinstance(item, ClientToolCallItem)]
    assert '{"city": "Kiel"}' in only(items, WorkflowItem).workflow.tasks[0].content
    again = client.stream("threads.add_client_tool_output", **params)
    assert text_of(done(again, AssistantMessageItem)) == text_of(done(received, AssistantMessageItem))


def test_what_a_page_gives_twice_is_not_given_to_the_next_tool(client: ChatKitClient, alice: ApiUser) -> None:
    request = f"{use('find_place', exact=True)} and {use('find_place', exact=False)}"
    thread = thread_of(client.create(request))

    def give(result: str, key: str) -> int:
        params = {"thread_id": thread, "result": result}
        return client.send("threads.add_client_tool_output", params, key).status_code

    def outputs() -> list[str | None]:
        return [call["output"] for call in alice.messages(thread)[1]["tool_calls"]]

    assert [give("Kiel", "first"), give("Kiel", "first")] == [200, 200]
    assert alice.messages(thread)[1]["status"] == "waiting_approval"
    assert give("Bonn", "first") == 422
    assert give("Bonn", "second") == 200
    assert outputs() == ["Kiel", "Bonn"]


QUESTIONS = [
    {"question": "Where to?", "options": ["Sea", "Hills"], "multiple": False},
    {"question": "With whom?", "options": [], "multiple": False},
]


def test_a_question_is_structured_input(client: ChatKitClient) -> None:
    thread = thread_of(client.create(use("ask_user", questions=QUESTIONS)))
    item = only(client.items(thread), StructuredInputItem)
    assert [each.question for each in item.inputs] == ["Where to?", "With whom?"]
    assert [option.value for option in item.inputs[0].options] == ["Sea", "Hills"]
    answers = {"0": {"values": ["Sea"]}, "1": {"skipped": True}}
    received = client.stream(
        "threads.add_structured_input", thread_id=thread, item_id=item.id, input={"answers": answers}
    )
    replaced = next(event.item for event in received if event.type == "thread.item.replaced")
    assert (replaced.id, replaced.status) == (item.id, "answered")
    output = only(client.items(thread), WorkflowItem).workflow.tasks[0].content
    assert '{"question": "Where to?", "answer": ["Sea"]}' in output
    assert '{"question": "With whom?", "answer": "skipped"}' in output
    assert only(client.items(thread), AssistantMessageItem)


def test_a_question_can_be_skipped(client: ChatKitClient) -> None:
    thread = thread_of(client.create(use("ask_user", questions=QUESTIONS[:1])))
    item = only(client.items(thread), StructuredInputItem)
    client.stream(
        "threads.add_structured_input", thread_id=thread, item_id=item.id, input={"status": "skipped"}
    )
    assert "skipped" in only(client.items(thread), WorkflowItem).workflow.tasks[0].content


def test_what_waits_can_be_left_and_the_conversation_goes_on(client: ChatKitClient) -> None:
    thread = thread_of(client.create(use("ask_user", questions=QUESTIONS)))
    received = client.add(thread, "Never mind. My name is Ada")
    assert done(received, AssistantMessageItem)
    assert not [item for item in client.items(thread) if isinstance(item, StructuredInputItem)]


def test_each_of_several_calls_is_decided_by_itself(client: ChatKitClient, alice: ApiUser) -> None:
    ordered.clear()
    request = " and ".join(
        [use("order", what="tea"), use("ask_user", questions=QUESTIONS[:1]), use("find_place", exact=True)]
    )
    thread = thread_of(client.create(request))
    items = client.items(thread)
    widget, question = only(items, WidgetItem), only(items, StructuredInputItem)
    assert isinstance(items[-1], ClientToolCallItem)

    answers = {"0": {"values": ["Sea"]}}
    client.stream(
        "threads.add_structured_input", thread_id=thread, item_id=question.id, input={"answers": answers}
    )
    assert (ordered, alice.messages(thread)[1]["status"]) == ([], "waiting_approval")
    assert only(client.items(thread), WidgetItem).id == widget.id

    action = {"type": "parley.approve", "payload": None}
    client.stream("threads.custom_action", thread_id=thread, item_id=widget.id, action=action)
    assert (ordered, alice.messages(thread)[1]["status"]) == (["tea"], "waiting_approval")

    received = client.stream("threads.add_client_tool_output", thread_id=thread, result="Kiel")
    assert done(received, AssistantMessageItem)
    outputs = [call["output"] for call in alice.messages(thread)[1]["tool_calls"]]
    assert outputs[0] == "ordered tea"
    assert "Sea" in outputs[1]
    assert outputs[2] == "Kiel"
    assert ordered == ["tea"]


def test_what_a_page_should_do_fails_where_nobody_does_it(client: ChatKitClient, alice: ApiUser) -> None:
    """The built-in chat can only approve it."""
    thread = thread_of(client.create(use("find_place", exact=True)))
    message_id = alice.messages(thread)[1]["id"]
    path = f"/conversations/{thread}/messages/{message_id}/approval"
    (call,) = alice.http.post(path, json={"approved": True}).json()["tool_calls"]
    assert (call["status"], call["output"]) == ("failed", "This could not be done where the user is.")


# Retry


def test_a_retry_gives_a_new_answer_and_keeps_the_old_one(client: ChatKitClient, alice: ApiUser) -> None:
    thread = thread_of(client.create("Tell me something"))
    question, answer = client.items(thread)
    client.add(thread, "And more")
    received = client.stream("threads.retry_after_item", thread_id=thread, item_id=question.id)
    newer = done(received, AssistantMessageItem)
    assert [item.id for item in client.items(thread)] == [question.id, newer.id]
    versions = alice.http.get(f"/conversations/{thread}/messages/{newer.id}/versions").json()["data"]
    assert [version["id"] for version in versions] == [answer.id, newer.id]
    assert versions[0]["content"] == text_of(answer)


def test_a_retry_that_fails_has_not_lost_the_old_answer(
    client: ChatKitClient, serve_api: Callable[..., str], alice: ApiUser
) -> None:
    """Trap 7: the SDK deletes it first."""
    thread = thread_of(client.create("Tell me something"))
    question, answer = client.items(thread)
    broken = ChatKitClient(serve_api(openai_model="offline:status=500"), alice.token)
    received = broken.stream("threads.retry_after_item", thread_id=thread, item_id=question.id)
    broken.http.close()
    assert received[-1].type == "error"
    items = client.items(thread)
    assert text_of(only(items, AssistantMessageItem)) == text_of(answer)
    assert only(items, TaskItem).task.title == "No answer: The model did not answer"
    received = client.stream("threads.retry_after_item", thread_id=thread, item_id=question.id)
    assert [item.id for item in client.items(thread)] == [
        question.id,
        done(received, AssistantMessageItem).id,
    ]


def test_only_what_follows_a_question_can_be_tried_again(client: ChatKitClient) -> None:
    thread = thread_of(client.create("Hello"))
    _, answer = client.items(thread)
    reply = client.send("threads.retry_after_item", {"thread_id": thread, "item_id": answer.id})
    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/body/params/item_id")


# Reading and changing


def test_threads_are_listed_newest_activity_first_and_in_pages(client: ChatKitClient) -> None:
    threads = [thread_of(client.create(f"Thread {number}")) for number in range(3)]
    client.add(threads[0], "More")
    page = THREADS.validate_python(client.read("threads.list", limit=2))
    assert [thread.id for thread in page.data] == [threads[0], threads[2]]
    assert page.has_more
    rest = THREADS.validate_python(client.read("threads.list", limit=2, after=page.after))
    assert [thread.id for thread in rest.data] == [threads[1]]
    assert not rest.has_more


def test_a_thread_comes_with_its_first_items(client: ChatKitClient) -> None:
    thread = thread_of(client.create("Hello"))
    read = THREAD.validate_python(client.read("threads.get_by_id", thread_id=thread))
    assert [item.id for item in read.items.data] == [item.id for item in client.items(thread)]


def pages(client: ChatKitClient, order: str, limit: int, thread: str = "") -> list[list[Any]]:
    """The items of `thread`, or the threads."""
    operation, params = ("items.list", {"thread_id": thread}) if thread else ("threads.list", {})
    found: list[list[Any]] = []
    after: dict[str, Any] = {}
    while True:
        page = client.read(operation, **params, order=order, limit=limit, **after)
        assert len(page["data"]) <= limit
        found.append(page["data"])
        if not page["has_more"]:
            assert "after" not in page
            return found
        assert len(found) < 50, "the list does not end"
        after = {"after": page["after"]}


def test_pages_hold_every_item_once_and_end_between_the_items_of_a_message(client: ChatKitClient) -> None:
    thread = thread_of(client.create(use("look", what="one")))
    client.add(thread, "Two")
    client.add(thread, use("look", what="three"))
    every = [item.id for item in client.items(thread)]
    assert len(every) == 8
    for order, expected in (("asc", every), ("desc", every[::-1])):
        for limit in (1, 2, 3, 4, 8, 100):
            found = pages(client, order, limit, thread)
            assert [item["id"] for page in found for item in page] == expected
            assert all(found)


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_answers_with_nothing_to_show_do_not_end_the_list(
    client: ChatKitClient, alice: ApiUser, database: Database, order: str
) -> None:
    thread = thread_of(client.create("First"))
    for words in ("Second", "Third"):
        client.add(thread, words)
    database.rows(alice.id, text("update message set content = '' where role = 'assistant' returning id"))
    found = [item["content"][0]["text"] for page in pages(client, order, 1, thread) for item in page]
    assert found == (["First", "Second", "Third"] if order == "asc" else ["Third", "Second", "First"])


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_large_messages_make_small_pages_and_do_not_end_the_list(
    client: ChatKitClient, alice: ApiUser, database: Database, order: str
) -> None:
    thread = thread_of(client.create("First"))
    for words in ("Second", "Third"):
        client.add(thread, words)
    every = [item.id for item in client.items(thread)]
    # The middle two are each larger than a page may be.
    grow = text("update message set content = repeat('x', case when seq in (3, 4) then :more else 1 end)"
                " returning id")  # fmt: skip
    database.rows(alice.id, grow, {"more": MAX_PAGE_BYTES + 1})
    found = pages(client, order, 20, thread)
    assert [item["id"] for page in found for item in page] == (every if order == "asc" else every[::-1])
    assert len(found) == 3


def test_a_page_after_what_never_was_is_refused(client: ChatKitClient) -> None:
    thread = thread_of(client.create("Hello"))
    for after in ("nonsense", str(uuid.uuid4()), f"{uuid.uuid4()}:tools"):
        for operation, params in (("items.list", {"thread_id": thread}), ("threads.list", {})):
            assert client.send(operation, params | {"after": after}).status_code == 404


def test_threads_are_listed_either_way_and_in_pages_of_any_size(client: ChatKitClient) -> None:
    threads = [thread_of(client.create(f"Thread {number}")) for number in range(4)]
    for order in ("asc", "desc"):
        for limit in (1, 2, 3, 4, 5):
            found = [thread["id"] for page in pages(client, order, limit) for thread in page]
            assert found == (threads if order == "asc" else threads[::-1])


def test_a_thread_is_renamed_and_deleted(client: ChatKitClient, alice: ApiUser) -> None:
    thread = thread_of(client.create("Hello"))
    renamed = client.read("threads.update", thread_id=thread, title="Another name")
    assert renamed["title"] == "Another name"
    assert alice.http.get(f"/conversations/{thread}").json()["title"] == "Another name"
    assert client.read("threads.delete", thread_id=thread) == {}
    assert client.send("threads.get_by_id", {"thread_id": thread}).status_code == 404
    assert alice.http.get(f"/conversations/{thread}").status_code == 404


def test_feedback_is_the_messages(client: ChatKitClient, alice: ApiUser) -> None:
    thread = thread_of(client.create(use("look", what="it")))
    ids = [item.id for item in client.items(thread)][1:]
    assert client.read("items.feedback", thread_id=thread, item_ids=ids, kind="positive") == {}
    assert alice.messages(thread)[1]["feedback"] == {"rating": "up", "comment": None}
    client.read("items.feedback", thread_id=thread, item_ids=ids[:1], kind="negative")
    assert alice.messages(thread)[1]["feedback"]["rating"] == "down"


# What is refused


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("attachments.create", {"name": "a.txt", "size": 3, "mime_type": "text/plain"}),
        ("attachments.delete", {"attachment_id": "a"}),
        ("input.transcribe", {"audio_base64": "AAAA", "mime_type": "audio/webm"}),
        ("threads.create", {"input": message("Hello") | {"attachments": ["a"]}}),
    ],
)
def test_what_is_not_supported_is_said_to_be(client: ChatKitClient, kind: str, params: Any) -> None:
    reply = client.send(kind, params)
    assert (reply.status_code, reply.json()["type"]) == (422, "/problems/not-supported")
    assert reply.json()["detail"].endswith("supported.")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"threads.list"',
        b"{}",
        b'{"params": {}}',
        b'{"type": "threads.explode", "params": {}}',
        b'{"type": 7, "params": {}}',
        b'\xef\xbb\xbf{"type": "threads.list", "params": {}}',
        '{"type": "threads.list", "params": {}}'.encode("utf-16"),
        b'{"type": "threads.list", "params": {}, "metadata": {"a": ' + b"[" * 300 + b"]" * 300 + b"}}",
        b"\xff\xfe",
    ],
)
def test_what_is_no_operation_is_a_bad_request(client: ChatKitClient, body: bytes) -> None:
    reply = client.http.post("/api/chatkit", content=body)
    assert (reply.status_code, reply.json()["type"]) == (400, "/problems/bad-request")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"type": "threads.get_by_id", "params": {}}, "/body/params/thread_id"),
        ({"type": "threads.create", "params": {"input": message("")}}, "/body/params/input/content"),
        (
            {"type": "threads.create", "params": {"input": message("x" * 32_001)}},
            "/body/params/input/content",
        ),
        ({"type": "threads.create", "params": {"input": message("\x00")}}, "/body"),
        ({"type": "threads.list", "params": {"after": "\ud800"}}, "/body"),
        ({"type": "threads.list", "params": {"limit": 0}}, "/body/params/limit"),
        ({"type": "threads.list", "params": {"limit": 101}}, "/body/params/limit"),
    ],
)
def test_what_is_not_valid_says_where(client: ChatKitClient, body: Any, pointer: str) -> None:
    reply = client.http.post("/api/chatkit", content=json.dumps(body))
    assert reply.status_code == 422, reply.text
    assert reply.json()["errors"][0]["pointer"] == pointer
    assert client.read("threads.list")["data"] == []


def test_what_is_wrong_everywhere_is_told_in_bounds(client: ChatKitClient) -> None:
    def feedback(item_ids: list[Any]) -> httpx.Response:
        params = {"thread_id": str(uuid.uuid4()), "item_ids": item_ids, "kind": "positive"}
        return client.http.post("/api/chatkit", json={"type": "items.feedback", "params": params})

    for item_ids in ([1] * 900, [1] * 100_000, ["a"] * 101):
        reply = feedback(item_ids)
        assert reply.status_code == 422
        assert 1 <= len(reply.json()["errors"]) <= 20
    assert feedback(["a"] * 100).status_code == 404


def test_a_title_has_a_length(client: ChatKitClient) -> None:
    thread = thread_of(client.create("Hello"))
    for title in ("", "x" * 201):
        reply = client.send("threads.update", {"thread_id": thread, "title": title})
        assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/body/params/title")
