"""The ChatKit Store: the SDK's contract on a real Postgres, and one history for both chats."""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from agents import Agent, function_tool
from chatkit.store import NotFoundError, Store
from chatkit.types import (
    Annotation,
    AssistantMessageContent,
    AssistantMessageItem,
    ClientToolCallItem,
    ClosedStatus,
    CustomSummary,
    CustomTask,
    DurationSummary,
    EndOfTurnItem,
    EntitySource,
    FileAttachment,
    FileSource,
    GeneratedImage,
    GeneratedImageItem,
    HiddenContextItem,
    ImageAttachment,
    InferenceOptions,
    LockedStatus,
    Page,
    SDKHiddenContextItem,
    SearchTask,
    StructuredInputAnswer,
    StructuredInputFreeform,
    StructuredInputItem,
    StructuredInputMultipleChoice,
    StructuredInputMultipleChoiceOption,
    TaskItem,
    ThoughtTask,
    Thread,
    ThreadItem,
    ThreadMetadata,
    ToolChoice,
    URLSource,
    UserMessageItem,
    UserMessageTagContent,
    UserMessageTextContent,
    WidgetItem,
    Workflow,
    WorkflowItem,
)
from pydantic import AnyUrl
from sqlalchemy import text

from local.postgres import Postgres
from parley.chatkit.store import PostgresStore
from parley.database import Database
from tests.conftest import Person
from tests.pgbouncer import pgbouncer
from tests.proxy import Proxy


@dataclass(frozen=True)
class Visitor:
    user_id: str


def now() -> datetime:
    """A naive local time, as the SDK takes it."""
    return datetime.now()  # noqa: DTZ005


class As:
    """The Store as one user has it, each call run to its end."""

    def __init__(self, store: PostgresStore[Visitor], user_id: str) -> None:
        self.store = store
        self.visitor = Visitor(user_id)

    def __getattr__(self, name: str) -> Any:
        return lambda *args: asyncio.run(getattr(self.store, name)(*args, self.visitor))

    def new_thread(self, **fields: Any) -> ThreadMetadata:
        thread_id = self.store.generate_thread_id(self.visitor)
        thread = ThreadMetadata(**{"id": thread_id, "created_at": now(), **fields})
        self.save_thread(thread)
        return thread

    def new_id(self, thread: ThreadMetadata) -> str:
        return self.store.generate_item_id("message", thread, self.visitor)

    def ask(self, thread: ThreadMetadata, words: str, item_id: str | None = None) -> UserMessageItem:
        item = UserMessageItem(
            id=item_id or self.new_id(thread),
            thread_id=thread.id,
            created_at=now(),
            content=[UserMessageTextContent(text=words)],
            inference_options=InferenceOptions(),
        )
        self.add_thread_item(thread.id, item)
        return item

    def answer(self, thread: ThreadMetadata, words: str, item_id: str | None = None) -> AssistantMessageItem:
        item = AssistantMessageItem(
            id=item_id or self.new_id(thread),
            thread_id=thread.id,
            created_at=now(),
            content=[AssistantMessageContent(text=words)],
        )
        self.add_thread_item(thread.id, item)
        return item

    def hide(self, thread: ThreadMetadata, item_id: str) -> HiddenContextItem:
        item = HiddenContextItem(id=item_id, thread_id=thread.id, created_at=now(), content={"seen": item_id})
        self.add_thread_item(thread.id, item)
        return item

    def items(self, thread_id: str, order: str = "asc", limit: int = 100) -> list[ThreadItem]:
        """All of them, page by page."""
        found: list[ThreadItem] = []
        after = None
        while True:
            page = self.load_thread_items(thread_id, after, limit, order)
            assert len(page.data) <= limit
            found += page.data
            assert page.has_more == (page.after is not None)
            assert page.after is None or page.after != after
            after = page.after
            if not page.has_more:
                return found

    def ids(self, thread: ThreadMetadata) -> list[str]:
        return [item.id for item in self.items(thread.id)]


@pytest.fixture
def store(database: Database) -> As:
    return As(PostgresStore(database), f"visitor-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def other(store: As) -> As:
    return As(store.store, f"other-{uuid.uuid4().hex[:8]}")


def count(database: Database, user_id: str, statement: str) -> Any:
    return database.rows(user_id, text(statement))[0][0]


# --- Ids ---------------------------------------------------------------------------------------------------


def test_200_000_ids_do_not_collide(store: As, database: Database) -> None:
    """Made by several threads at once, and told apart by a primary key."""
    thread = store.new_thread()
    with ThreadPoolExecutor(8) as threads:
        made = threads.map(lambda _: [store.new_id(thread) for _ in range(25_000)], range(8))
        ids = [item_id for part in made for item_id in part]
    database.rows(
        store.visitor.user_id,
        text("""
            insert into thread_item (conversation_id, id, user_id, seq, item)
            select :conversation, id, :user, number, '{}'
            from unnest(cast(:ids as varchar[])) with ordinality as made (id, number) returning 1
        """),
        {"conversation": uuid.UUID(thread.id), "user": store.visitor.user_id, "ids": ids},
    )
    kept = count(database, store.visitor.user_id, "select count(*) from thread_item where item = '{}'")
    assert kept == len(set(ids)) == 200_000
    store.delete_thread(thread.id)


def test_threads_of_another_store_keep_their_ids(store: As, other: As) -> None:
    for who in (store, other):
        thread = who.new_thread(id="thr_1a2b3c4d", title=who.visitor.user_id)
        who.ask(thread, "Hello", "msg_1")
        assert who.load_thread("thr_1a2b3c4d").title == who.visitor.user_id
        assert [thread.id for thread in who.load_threads(9, None, "desc").data] == ["thr_1a2b3c4d"]
        assert [item.id for item in who.items("thr_1a2b3c4d")] == ["msg_1"]
    store.delete_thread("thr_1a2b3c4d")
    assert other.load_thread("thr_1a2b3c4d").title == other.visitor.user_id


# --- Threads -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {
            "title": "Ünïcode 🙂",
            "metadata": {"previous_response_id": "resp_1", "deep": {"list": [1, 2.5, None]}},
        },
        {"status": LockedStatus(reason="under review")},
        {"status": ClosedStatus(), "allowed_image_domains": ["example.com"]},
        {"title": "t" * 200, "metadata": {"'; drop table": "%(user_id)s :limit $1"}},
    ],
)
def test_a_thread_comes_back_as_it_was_saved(store: As, fields: dict[str, Any]) -> None:
    created_at = datetime.now(UTC) - timedelta(days=400)
    thread = store.new_thread(created_at=created_at, **fields)
    assert store.load_thread(thread.id) == thread
    assert store.load_threads(1, None, "desc").data == [thread]


def test_saving_a_thread_again_updates_it(store: As) -> None:
    thread = store.new_thread()
    for title in (None, "First", "Second", None):
        thread.title = title
        thread.metadata["title"] = title
        store.save_thread(thread)
        assert store.load_thread(thread.id).title == title
        assert store.load_thread(thread.id).metadata == {"title": title}
    assert len(store.load_threads(9, None, "desc").data) == 1


def test_a_long_title_is_cut(store: As) -> None:
    assert store.load_thread(store.new_thread(title="x" * 300).id).title == "x" * 200


def test_of_a_thread_with_items_the_metadata_is_saved(store: As) -> None:
    thread = store.new_thread(title="Mine")
    item = store.ask(thread, "Hello")
    store.save_thread(Thread(**thread.model_dump(), items=Page(data=[item])))
    assert "items" not in store.load_thread(thread.id).model_dump()
    assert store.ids(thread) == [item.id]


def test_saving_a_thread_leaves_the_object_alone(store: As) -> None:
    """The SDK saves whenever it differs from a copy of before, and would save again and again."""
    thread = store.new_thread()
    before = thread.model_copy(deep=True)
    store.save_thread(thread)
    assert thread == before


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 5, 9])
def test_threads_are_listed_by_their_last_activity(store: As, order: str, limit: int) -> None:
    made = [store.new_thread(title=str(number)) for number in range(5)]
    store.ask(made[1], "Hello")
    expected = [made[place].id for place in (0, 2, 3, 4, 1)]
    found: list[str] = []
    after = None
    while True:
        page = store.load_threads(limit, after, order)
        found += [thread.id for thread in page.data]
        if not page.has_more:
            break
        after = page.data[-1].id
        assert page.after == after
    assert page.after is None
    assert found == (expected if order == "asc" else expected[::-1])


def test_archived_threads_are_not_listed(store: As, database: Database) -> None:
    thread = store.new_thread()
    count(database, store.visitor.user_id, "update conversation set archived = true returning 1")
    assert store.load_threads(9, None, "desc").data == []
    assert store.load_thread(thread.id).id == thread.id


def test_a_deleted_thread_is_gone_with_everything(store: As, database: Database) -> None:
    thread = store.new_thread()
    store.ask(thread, "Hello")
    store.hide(thread, "hidden")
    store.delete_thread(thread.id)
    for table in ("conversation", "message", "thread_item"):
        assert count(database, store.visitor.user_id, f"select count(*) from {table}") == 0
    with pytest.raises(NotFoundError, match=f"Thread {thread.id} not found"):
        store.load_thread(thread.id)
    with pytest.raises(NotFoundError):
        store.delete_thread(thread.id)


# --- Items -------------------------------------------------------------------------------------------------

CARD = {
    "type": "Card",
    "children": [
        {"type": "Title", "value": "Order?"},
        {
            "type": "Col",
            "padding": {"x": 4},
            "children": [{"type": "Text", "value": "One", "streaming": False}],
        },
    ],
    "confirm": {"label": "Yes", "action": {"type": "go", "payload": {"n": 1}}},
}
SOURCES = [
    URLSource(url="https://example.com", title="Site", attribution="them", timestamp="2026-01-01", group="g"),
    FileSource(filename="a.txt", title="File", description="a file"),
    EntitySource(id="e1", title="Entity", icon="star", label="l", interactive=True, data={"k": [1]}),
]
TASKS = [
    CustomTask(title="Look", icon="search", content="…", status_indicator="complete"),
    SearchTask(title="Search", title_query="q", queries=["a", "b"], sources=[SOURCES[0]]),
    ThoughtTask(title="Think", content="Hm"),
]
ATTACHMENTS = [
    FileAttachment(id="file_1", name="a.txt", mime_type="text/plain", metadata={"bucket": "b"}),
    ImageAttachment(
        id="image_1", name="a.png", mime_type="image/png", preview_url=AnyUrl("https://example.com/a.png")
    ),
]
KINDS: list[tuple[type[Any], dict[str, Any]]] = [
    (
        UserMessageItem,
        {
            "content": [
                UserMessageTextContent(text="Ask "),
                UserMessageTagContent(id="t", text="@Ada", data={"n": 1}, group="people", interactive=True),
            ],
            "attachments": ATTACHMENTS,
            "quoted_text": "as you said",
            "inference_options": InferenceOptions(tool_choice=ToolChoice(id="search"), model="large"),
        },
    ),
    (
        AssistantMessageItem,
        {
            "content": [
                AssistantMessageContent(
                    text="One", annotations=[Annotation(source=source, index=1) for source in SOURCES]
                ),
                AssistantMessageContent(text="Two 🙂"),
            ]
        },
    ),
    (ClientToolCallItem, {"call_id": "c", "name": "n", "arguments": {"a": [None]}, "status": "pending"}),
    (
        ClientToolCallItem,
        {"call_id": "c", "name": "n", "arguments": {}, "status": "completed", "output": [1]},
    ),
    (WidgetItem, {"widget": CARD, "copy_text": "One"}),
    (WidgetItem, {"widget": {"type": "Card", "children": [{"type": "Newest", "of": [1]}]}}),
    (GeneratedImageItem, {"image": GeneratedImage(id="i", url="data:image/png;base64,AAAA")}),
    (
        StructuredInputItem,
        {
            "status": "answered",
            "inputs": [
                StructuredInputMultipleChoice(
                    id="1",
                    question="Which?",
                    options=[StructuredInputMultipleChoiceOption(value="this")],
                    multiple=True,
                    answer=StructuredInputAnswer(values=["this"]),
                ),
                StructuredInputFreeform(
                    id="2", question="Why?", description="d", answer=StructuredInputAnswer(skipped=True)
                ),
            ],
        },
    ),
    (TaskItem, {"task": TASKS[1]}),
    (
        WorkflowItem,
        {
            "workflow": Workflow(
                type="custom", tasks=TASKS, summary=CustomSummary(title="Done"), expanded=True
            )
        },
    ),
    (WorkflowItem, {"workflow": Workflow(type="reasoning", tasks=[], summary=DurationSummary(duration=3))}),
    (HiddenContextItem, {"content": {"anything": [1, "two", None]}}),
    (SDKHiddenContextItem, {"content": "The user cancelled"}),
    (EndOfTurnItem, {}),
]
KIND = pytest.mark.parametrize(("kind", "fields"), KINDS, ids=[kind.__name__ for kind, _ in KINDS])
AT = datetime(2026, 3, 1, 12, 30, 15, 123456, UTC)


def test_every_type_of_item_is_among_those_that_are_tried() -> None:
    assert {kind for kind, _ in KINDS} == set(get_args(get_args(ThreadItem)[0]))


@KIND
@pytest.mark.parametrize("item_id", [None, "msg_68a1", "wf_1:part", "0199D1A2-7C1E-7CC3-9A55-5F0A3F9F8A10"])
def test_an_item_comes_back_as_it_was_saved(
    store: As, kind: type[Any], fields: dict[str, Any], item_id: str | None
) -> None:
    thread = store.new_thread()
    item = kind(id=item_id or store.new_id(thread), thread_id=thread.id, created_at=AT, **fields)
    store.add_thread_item(thread.id, item)
    assert store.load_item(thread.id, item.id) == item
    assert store.items(thread.id) == [item]
    store.delete_thread_item(thread.id, item.id)
    assert store.items(thread.id) == []


@KIND
def test_an_item_that_is_saved_again_keeps_its_place(
    store: As, kind: type[Any], fields: dict[str, Any], database: Database
) -> None:
    thread = store.new_thread()
    item = kind(id=store.new_id(thread), thread_id=thread.id, created_at=AT, **fields)
    store.add_thread_item(thread.id, item)
    later = store.ask(thread, "Later")
    messages = count(database, store.visitor.user_id, "select message_count from conversation")
    changed = item.model_copy(update={"created_at": AT + timedelta(days=1)})
    for save in (store.add_thread_item, store.save_item, store.add_thread_item):
        save(thread.id, changed)
    assert store.items(thread.id) == [changed, later]
    assert count(database, store.visitor.user_id, "select message_count from conversation") == messages


def test_an_item_can_be_replaced_by_one_of_another_type(store: As, database: Database) -> None:
    thread = store.new_thread()
    first = store.answer(thread, "Looking …")
    store.hide(thread, "between")
    for kind, fields in (KINDS[4], KINDS[1], KINDS[4]):
        store.save_item(thread.id, kind(id=first.id, thread_id=thread.id, created_at=AT, **fields))
        assert store.ids(thread) == [first.id, "between"]
        assert type(store.load_item(thread.id, first.id)) is kind
        expected = 1 if kind is AssistantMessageItem else 0
        assert count(database, store.visitor.user_id, "select message_count from conversation") == expected


def test_items_are_in_the_order_in_which_they_came_whatever_their_clocks_say(store: As) -> None:
    thread = store.new_thread()
    ids = []
    for number in range(6):
        item = store.ask(thread, str(number)) if number % 2 else store.hide(thread, f"hidden-{number}")
        item.created_at = AT - timedelta(hours=number)
        store.save_item(thread.id, item)
        ids.append(item.id)
    assert store.ids(thread) == ids


@pytest.fixture
def in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_new_york")
def test_a_naive_time_becomes_an_aware_one_in_the_item_itself(store: As) -> None:
    """The SDK sends the very object to the client after it was saved."""
    before = datetime.now(UTC)
    thread = store.new_thread()
    item = store.ask(thread, "Hello")
    assert before <= item.created_at <= datetime.now(UTC)
    assert item.created_at.utcoffset() == timedelta(0)
    assert store.load_item(thread.id, item.id).created_at == item.created_at
    assert before <= store.load_thread(thread.id).created_at <= item.created_at


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_hold_every_item_once(store: As, order: str, limit: int) -> None:
    thread = store.new_thread()
    ids = []
    for number in range(7):
        item = store.hide(thread, f"hidden-{number}") if number % 3 else store.ask(thread, str(number))
        ids.append(item.id)
    found = [item.id for item in store.items(thread.id, order, limit)]
    assert found == (ids if order == "asc" else ids[::-1])


def test_a_page_after_what_never_was_is_refused(store: As) -> None:
    thread = store.new_thread()
    store.ask(thread, "Hello")
    for after in ("nonsense", str(uuid.uuid4())):
        with pytest.raises(NotFoundError):
            store.load_thread_items(thread.id, after, 5, "asc")
        with pytest.raises(NotFoundError):
            store.load_threads(5, after, "asc")


@pytest.mark.parametrize("limit", [-1, 0, 101, 10**9])
def test_no_page_is_empty_or_endless(store: As, limit: int) -> None:
    thread = store.new_thread()
    for number in range(102):
        store.hide(thread, f"hidden-{number}")
    page = store.load_thread_items(thread.id, None, limit, "desc")
    assert len(page.data) == max(1, min(limit, 100))
    assert page.has_more
    assert page.data[0].id == "hidden-101"


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_large_items_make_small_pages(store: As, order: str) -> None:
    thread = store.new_thread()
    large = "x" * 1_300_000
    ids = []
    for number in range(4):
        item = store.ask(thread, large) if number % 2 else store.answer(thread, large, f"answer-{number}")
        ids.append(item.id)
    page = store.load_thread_items(thread.id, None, 20, order)
    assert len(page.data) == 2
    assert page.has_more
    found = [item.id for item in store.items(thread.id, order)]
    assert found == (ids if order == "asc" else ids[::-1])


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_an_item_larger_than_a_page_does_not_end_the_list(store: As, order: str) -> None:
    thread = store.new_thread()
    ids = [store.ask(thread, "x" * size).id for size in (1, 2_600_000, 2_600_000, 1)]
    found = [item.id for item in store.items(thread.id, order)]
    assert found == (ids if order == "asc" else ids[::-1])


def test_what_postgres_cannot_hold_is_replaced_and_the_rest_kept(store: As) -> None:
    thread = store.new_thread(title="a\x00b", metadata={"\x00": "\x00"})
    assert store.load_thread(thread.id).title == "a\ufffdb"
    store.ask(thread, "nul \x00, half \ud83d, whole 🙂, \\u0000")
    [item] = store.items(thread.id)
    assert item.content[0].text == "nul \ufffd, half \ufffd, whole 🙂, \\u0000"


def test_a_missing_item_is_not_found_and_deleting_it_is_no_error(store: As) -> None:
    """The SDK removes what a guardrail stopped, whether or not it had been stored."""
    thread = store.new_thread()
    for item_id in ("nonsense", str(uuid.uuid4()), f"{uuid.uuid4()}:tools"):
        with pytest.raises(NotFoundError):
            store.load_item(thread.id, item_id)
        store.delete_thread_item(thread.id, item_id)


@pytest.mark.parametrize("attachment", ATTACHMENTS, ids=lambda each: each.type)
def test_attachments_come_back_as_they_were_saved(store: As, other: As, attachment: Any) -> None:
    with pytest.raises(NotFoundError):
        store.load_attachment(attachment.id)
    store.save_attachment(attachment)
    moved = attachment.model_copy(update={"thread_id": "thr"})
    store.save_attachment(moved)
    assert store.load_attachment(attachment.id) == moved
    with pytest.raises(NotFoundError):
        other.load_attachment(attachment.id)
    other.delete_attachment(attachment.id)
    assert store.load_attachment(attachment.id) == moved
    store.delete_attachment(attachment.id)
    with pytest.raises(NotFoundError):
        store.load_attachment(attachment.id)


def test_a_message_counts_and_another_item_does_not(store: As, database: Database) -> None:
    thread = store.new_thread()
    question, _ = store.ask(thread, "Hello"), store.answer(thread, "Hi")
    store.hide(thread, "hidden")

    def counted() -> Any:
        return count(database, store.visitor.user_id, "select message_count from conversation")

    assert counted() == 2
    store.delete_thread_item(thread.id, "hidden")
    assert counted() == 2
    for _ in range(2):
        store.delete_thread_item(thread.id, question.id)
        assert counted() == 1


# --- Users -------------------------------------------------------------------------------------------------


def test_another_user_has_none_of_it(store: As, other: As, database: Database) -> None:
    thread = store.new_thread(title="Secret")
    items = [store.ask(thread, "Secret"), store.hide(thread, "hidden")]
    theirs = other.new_thread()
    assert other.items(thread.id) == []
    assert [each.id for each in other.load_threads(9, None, "desc").data] == [theirs.id]
    for attempt in (
        lambda: other.load_thread(thread.id),
        lambda: other.save_thread(thread),
        lambda: other.delete_thread(thread.id),
        lambda: other.load_threads(9, thread.id, "desc"),
        lambda: other.load_item(thread.id, items[0].id),
        lambda: other.load_item(theirs.id, items[0].id),
        lambda: other.load_thread_items(theirs.id, items[0].id, 9, "asc"),
        lambda: other.add_thread_item(thread.id, items[0]),
        lambda: other.add_thread_item(theirs.id, items[0]),
        lambda: other.save_item(thread.id, items[1]),
        lambda: other.delete_thread_item(thread.id, items[0].id),
    ):
        with pytest.raises(NotFoundError):
            attempt()
    other.delete_thread_item(theirs.id, items[0].id)
    other.set_feedback(thread.id, [items[0].id], "negative")
    other.add_thread_item(theirs.id, items[1])
    assert store.load_thread(thread.id).title == "Secret"
    assert store.items(thread.id) == items
    assert count(database, other.visitor.user_id, "select count(*) from message") == 0


def test_a_message_stays_in_its_own_thread(store: As) -> None:
    first, second = store.new_thread(), store.new_thread()
    item = store.ask(first, "Hello")
    with pytest.raises(NotFoundError):
        store.save_item(second.id, item)
    store.delete_thread_item(second.id, item.id)
    assert (store.ids(first), store.ids(second)) == ([item.id], [])


# --- Many at once, and far away ----------------------------------------------------------------------------


def test_many_writers_behind_a_pooler_lose_nothing(
    postgres: Postgres, tmp_path: Path, database: Database
) -> None:
    """Each statement is one transaction for PgBouncer; two servers for eight writers."""
    with pgbouncer(tmp_path / "pooler", postgres.app_url, servers=2) as url:
        pooled = Database(url, pool_size=8)
        store = As(PostgresStore(pooled), f"visitor-{uuid.uuid4().hex[:8]}")
        thread = store.new_thread()
        twice = store.new_id(thread)

        def write(number: int) -> list[str]:
            said = store.ask(thread, str(number)).id
            store.answer(thread, str(number), twice)
            return [said, store.hide(thread, f"hidden-{number}").id]

        with ThreadPoolExecutor(8) as threads:
            written = [item_id for ids in threads.map(write, range(40)) for item_id in ids]
        found = store.ids(thread)
        pooled.close()
    assert sorted(found) == sorted([*written, twice])
    counts = database.rows(store.visitor.user_id, text("select message_count, last_seq from conversation"))
    assert counts == [(41, 81)]


@pytest.fixture
def distant(postgres: Postgres) -> Iterator[tuple[Proxy, As]]:
    proxy = Proxy(("127.0.0.1", postgres.port))
    with proxy.listen() as port:
        database = Database(postgres.app_url.replace(f":{postgres.port}/", f":{port}/"), pool_size=1)
        yield proxy, As(PostgresStore(database), f"visitor-{uuid.uuid4().hex[:8]}")
        database.close()


def test_every_call_is_one_round_trip(distant: tuple[Proxy, As]) -> None:
    proxy, store = distant
    thread = store.new_thread()
    item = store.ask(thread, "Hello")
    hidden = store.hide(thread, "hidden")
    calls: list[Callable[[], object]] = [
        lambda: store.save_thread(thread),
        lambda: store.load_thread(thread.id),
        lambda: store.load_threads(20, None, "desc"),
        lambda: store.load_thread_items(thread.id, None, 20, "asc"),
        lambda: store.load_thread_items(thread.id, item.id, 20, "asc"),
        lambda: store.load_item(thread.id, item.id),
        lambda: store.add_thread_item(thread.id, item),
        lambda: store.save_item(thread.id, hidden),
        lambda: store.delete_thread_item(thread.id, "hidden"),
        lambda: store.save_attachment(ATTACHMENTS[0]),
        lambda: store.load_attachment(ATTACHMENTS[0].id),
        lambda: store.delete_attachment(ATTACHMENTS[0].id),
        lambda: store.set_feedback(thread.id, [item.id], "positive"),
        lambda: store.delete_thread(thread.id),
    ]
    for call in calls:
        before = proxy.traffic.round_trips
        call()
        assert proxy.traffic.round_trips == before + 1


def test_a_slow_database_holds_up_nothing_else(distant: tuple[Proxy, As]) -> None:
    proxy, store = distant
    thread = store.new_thread()
    proxy.delay_s = 0.5

    async def longest_pause() -> float:
        loading = asyncio.ensure_future(store.store.load_thread(thread.id, store.visitor))
        longest = 0.0
        while not loading.done():
            started = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - started)
        return longest

    assert asyncio.run(longest_pause()) < 0.4


def test_a_lost_reply_stores_nothing_twice(distant: tuple[Proxy, As]) -> None:
    proxy, store = distant
    thread = store.new_thread()
    proxy.cut_reply, proxy.cut_after = True, 0
    question = store.ask(thread, "Hello")
    proxy.cut_after = 0
    store.hide(thread, "hidden")
    assert store.ids(thread) == [question.id, "hidden"]


# --- One history for both chats ----------------------------------------------------------------------------


@function_tool
def look(what: str) -> str:
    """Look at something."""
    return f"saw {what}"


@pytest.fixture(scope="module")
def looking_url(serve_api: Callable[..., str]) -> str:
    return serve_api(Agent(name="Looker", tools=[look]))


@pytest.fixture
def looker(person: Callable[..., Person], looking_url: str) -> Person:
    return person("looker", api_url=looking_url)


def chatkit_of(someone: Person, database: Database) -> As:
    return As(PostgresStore(database), someone.id)


def test_a_turn_of_the_built_in_chat_is_there_in_chatkit(looker: Person, database: Database) -> None:
    reply = looker.say("[offline: tool=look] Look at the sea").json()
    store = chatkit_of(looker, database)
    thread = store.load_thread(reply["conversation_id"])
    assert thread.title == looker.http.get("/conversations").json()["data"][0]["title"]
    question, tools, answer = store.items(thread.id)
    assert isinstance(question, UserMessageItem)
    assert isinstance(tools, WorkflowItem)
    assert isinstance(answer, AssistantMessageItem)
    assert answer.id == reply["message_id"]
    assert answer.content[0].text == reply["response"]
    for item in (question, tools, answer):
        assert store.load_item(thread.id, item.id) == item


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_end_between_the_items_of_one_message(
    looker: Person, database: Database, order: str, limit: int
) -> None:
    conversation = looker.say("[offline: tool=look] One").json()["conversation_id"]
    looker.say("Two", conversation)
    looker.say("[offline: tool=look] Three", conversation)
    store = chatkit_of(looker, database)
    everything = store.items(conversation, order)
    assert len(everything) == 8
    assert store.items(conversation, order, limit) == everything


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_answers_without_anything_to_show_do_not_end_the_list(
    alice: Person, database: Database, order: str
) -> None:
    conversation = alice.say("First").json()["conversation_id"]
    for words in ("Second", "Third", "Last"):
        alice.say(words, conversation)
    store = chatkit_of(alice, database)
    _, *between, _ = [item.id for item in store.items(conversation) if isinstance(item, UserMessageItem)]
    for item_id in between:
        store.delete_thread_item(conversation, item_id)
    database.rows(alice.id, text("update message set content = '' where role = 'assistant' returning id"))
    words = [item.content[0].text for item in store.items(conversation, order, limit=1)]
    assert words == (["First", "Last"] if order == "asc" else ["Last", "First"])


def test_what_chatkit_stored_is_there_in_the_built_in_chat(alice: Person, database: Database) -> None:
    store = chatkit_of(alice, database)
    thread = store.new_thread(title="From ChatKit")
    store.ask(thread, "My name is Ada.")
    store.hide(thread, "hidden")
    answer = store.answer(thread, "Hello Ada.")
    [listed] = alice.http.get("/conversations").json()["data"]
    assert (listed["id"], listed["title"], listed["message_count"]) == (thread.id, "From ChatKit", 2)
    shown = alice.messages(thread.id)
    assert [(each["role"], each["content"], each["status"]) for each in shown] == [
        ("user", "My name is Ada.", "completed"),
        ("assistant", "Hello Ada.", "completed"),
    ]
    assert shown[1]["id"] == answer.id
    assert alice.http.get("/conversations", params={"q": "Ada"}).json()["data"]
    reply = alice.say("What is my name?", thread.id).json()
    assert reply["response"] == "Your name is Ada."
    assert len(store.items(thread.id)) == 5
    assert store.load_thread(thread.id).title == "From ChatKit"


def test_a_turn_of_the_built_in_chat_cannot_be_written_over(looker: Person, database: Database) -> None:
    reply = looker.say("[offline: tool=look] Look").json()
    store = chatkit_of(looker, database)
    before = store.items(reply["conversation_id"])
    for item in before:
        changed = item.model_copy(update={"created_at": AT})
        if isinstance(changed, AssistantMessageItem):
            changed.content = [AssistantMessageContent(text="forged")]
        store.save_item(reply["conversation_id"], changed)
        store.add_thread_item(reply["conversation_id"], changed)
    assert store.items(reply["conversation_id"]) == before


def test_deleting_an_answer_of_the_built_in_chat_keeps_it(looker: Person, database: Database) -> None:
    """As the SDK does before a retry, item by item: should the new run fail, nothing is lost."""
    reply = looker.say("[offline: tool=look] Look").json()
    conversation = reply["conversation_id"]
    store = chatkit_of(looker, database)
    question, *answer = store.items(conversation)
    for item in reversed(answer):
        store.delete_thread_item(conversation, item.id)
    assert store.items(conversation) == [question]
    assert len(looker.messages(conversation)) == 1
    assert looker.http.get(f"/conversations/{conversation}").json()["message_count"] == 1
    path = f"/conversations/{conversation}/messages/{reply['message_id']}/versions"
    assert looker.http.get(path).json()["data"][0]["content"] == reply["response"]


def test_a_part_of_a_turn_that_goes_on_cannot_be_taken_out(looker: Person, database: Database) -> None:
    reply = looker.say("[offline: tool=look] Look").json()
    conversation, tools = reply["conversation_id"], f"{reply['message_id']}:tools"
    store = chatkit_of(looker, database)
    database.rows(
        looker.id,
        text("update message set status = 'waiting_approval' where role = 'assistant' returning id"),
    )
    store.delete_thread_item(conversation, tools)
    assert store.load_item(conversation, tools).id == tools


def test_what_is_deleted_is_no_longer_in_the_summary(alice: Person, database: Database) -> None:
    store = chatkit_of(alice, database)
    thread = store.new_thread()
    first = store.ask(thread, "A secret")
    second = store.ask(thread, "No secret")
    summary = "update conversation set summary = 'A secret', summary_seq = 2, window_seq = 2 returning 1"
    database.rows(alice.id, text(summary))
    store.delete_thread_item(thread.id, second.id)
    read = text("select summary, summary_seq, window_seq from conversation")
    assert database.rows(alice.id, read) == [("A secret", 2, 2)]
    store.delete_thread_item(thread.id, first.id)
    assert database.rows(alice.id, read) == [(None, 0, 0)]


def test_an_edit_in_the_built_in_chat_replaces_what_chatkit_had_after_it(
    alice: Person, database: Database
) -> None:
    store = chatkit_of(alice, database)
    thread = store.new_thread()
    before = store.hide(thread, "before")
    question = store.ask(thread, "Hello")
    store.answer(thread, "Hi")
    store.hide(thread, "after")
    edited = alice.http.post(
        f"/conversations/{thread.id}/messages/{question.id}/edit", json={"message": "Good morning"}
    )
    assert edited.status_code == 200
    shown = store.items(thread.id)
    assert shown[0] == before
    assert [type(item) for item in shown[1:]] == [UserMessageItem, AssistantMessageItem]
    assert shown[1].content[0].text == "Good morning"
    with pytest.raises(NotFoundError):
        store.load_item(thread.id, "after")


def test_an_answer_to_nothing_cannot_be_regenerated(alice: Person, database: Database) -> None:
    store = chatkit_of(alice, database)
    thread = store.new_thread()
    greeting = store.answer(thread, "Welcome!")
    again = f"/conversations/{thread.id}/messages/{greeting.id}/regenerate"
    assert alice.http.post(again).status_code == 422
    assert store.items(thread.id) == [greeting]


def test_feedback_of_chatkit_is_the_built_in_chats(looker: Person, database: Database) -> None:
    reply = looker.say("[offline: tool=look] Look").json()
    conversation = reply["conversation_id"]
    store = chatkit_of(looker, database)
    ids = [item.id for item in store.items(conversation)]
    for kind, rating in (("positive", "up"), ("negative", "down")):
        store.set_feedback(conversation, [*ids, "nonsense"], kind)
        shown = [message["feedback"] for message in looker.messages(conversation)]
        assert shown == [None, {"rating": rating, "comment": None}]


def test_the_store_is_one_of_the_sdks() -> None:
    assert issubclass(PostgresStore, Store)
    assert not PostgresStore.__abstractmethods__
