"""What must be true of ChatKit's protocol, as a small model, and random operations that are held against it.

Every operation's reply is predicted from the model alone. The first that differs raises Difference, with the
seed and the operations that led there.
"""

import itertools
import json
import random
import re
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from local.offline_model.commands import without_commands
from tests.chatkit_client import ITEMS, THREAD, ChatKitClient, events, message, text_of
from tests.conftest import ApiUser

Json = dict[str, Any]
# An item's id, its type, and what it says.
Shape = tuple[str, str, str]

MAX_TURNS = 12
QUESTION = "Sea or hills?"
QUESTIONS = {"questions": [{"question": QUESTION, "options": ["Sea", "Hills"], "multiple": False}]}
# What is said, by how the answer comes about. Of `fail` there is none.
SAYINGS: dict[str, Callable[[str], str]] = {
    "say": lambda word: f"say exactly: {word}",
    "look": lambda word: f"use the tool look with {json.dumps({'what': word})}",
    "fail": lambda word: f"[offline: status=400] {word}",
    "order": lambda word: f"use the tool order with {json.dumps({'what': word})}",
    "find_place": lambda word: f"use the tool find_place with {json.dumps({'near': word})}",
    "ask_user": lambda _: f"use the tool ask_user with {json.dumps(QUESTIONS)}",
}
WAITING = {"order": "widget", "find_place": "client_tool_call", "ask_user": "structured_input"}
# What is no operation, or none that is supported or valid, and its status.
MALFORMED: list[tuple[bytes, int]] = [
    (b"", 400),
    (b"{", 400),
    (b"[]", 400),
    (b"\xff", 400),
    (b'{"type": "threads.explode", "params": {}}', 400),
    (b'{"type": "threads.list"}', 422),
    (b'{"type": "threads.get_by_id", "params": {}}', 422),
    (b'{"type": "threads.list", "params": {"limit": 0}}', 422),
    (b'{"type": "items.list", "params": {"thread_id": "x", "limit": 101}}', 422),
    (b'{"type": "threads.update", "params": {"thread_id": "x", "title": ""}}', 422),
    (b'{"type": "items.feedback", "params": {"thread_id": "x", "item_ids": [], "kind": "meh"}}', 422),
    (b'{"type": "attachments.delete", "params": {"attachment_id": "a"}}', 422),
    (b'{"type": "input.transcribe", "params": {"audio_base64": "AAAA", "mime_type": "audio/ogg"}}', 422),
    (b'{"type": "threads.list", "params": {"after": "' + b"x" * 300_000 + b'"}}', 413),
]


class Difference(AssertionError):
    pass


@dataclass
class Question:
    id: str
    seq: int
    kind: str
    word: str

    @property
    def text(self) -> str:
        return SAYINGS[self.kind](self.word)

    def items(self) -> list[Shape]:
        return [(self.id, "user_message", self.text)]


@dataclass
class Answer:
    """`call`: its tool call as (id, name, state)."""

    id: str
    seq: int
    question: Question
    status: str = "completed"
    text: str = ""
    call: tuple[str, str, str] | None = None
    rating: str | None = None

    def items(self) -> list[Shape]:
        shown: list[Shape] = []
        if self.call:
            _, name, state = self.call
            shown.append((f"{self.id}:tools", "workflow", f"{_title(name)}: {state}"))
        if self.text:
            shown.append((self.id, "assistant_message", self.text))
        if self.status == "failed":
            shown.append((f"{self.id}:state", "task", "No answer: The model did not answer"))
        if self.status == "cancelled":
            shown.append((f"{self.id}:state", "task", "Stopped"))
        if self.status == "waiting_approval":
            shown.append(self.request())
        return shown

    def request(self) -> Shape:
        """What asks the user."""
        assert self.call
        call_id, name, _ = self.call
        said = {"order": "", "find_place": name, "ask_user": "pending"}[name]
        return f"{self.id}:{call_id}", WAITING[name], said

    def end(self, state: str, output: str) -> None:
        assert self.call
        call_id, name, _ = self.call
        self.call = (call_id, name, state)
        self.status = "completed"
        self.text = f"The tool {name} says: {output}"


@dataclass
class Conversation:
    """`turns`: those that are shown. `answers`, `questions`: all that ever were, by id.

    `titles`: those that it may have, the last one at the end of all.
    """

    id: str
    titles: list[str]
    last_seq: int = 0
    touched: int = 0
    turns: list[tuple[Question, Answer]] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    questions: dict[str, Question] = field(default_factory=dict)
    item_ids: dict[str, None] = field(default_factory=dict)

    def items(self) -> list[Shape]:
        return [shape for turn in self.turns for part in turn for shape in part.items()]

    def next_seq(self) -> int:
        self.last_seq += 1
        return self.last_seq

    def turn_of(self, question: Question) -> int | None:
        return next((place for place, turn in enumerate(self.turns) if turn[0] is question), None)

    def seq_of(self, item_id: str) -> int:
        message_id = item_id.partition(":")[0]
        return (self.answers.get(message_id) or self.questions[message_id]).seq


@dataclass
class Sent:
    """What was sent under an idempotency key. `conversation` is None for a new one."""

    conversation: Conversation | None
    question: Question
    answer: Answer


class Actor:
    """A user, with the model of what they have."""

    def __init__(self, user: ApiUser, client: ChatKitClient) -> None:
        self.user = user
        self.client = client
        self.conversations: list[Conversation] = []
        self.deleted: list[str] = []
        self.sent: dict[str, Sent] = {}

    def listed(self, order: str = "desc") -> list[Conversation]:
        return sorted(self.conversations, key=lambda each: each.touched, reverse=order == "desc")


class RandomOperations:
    """Random operations of `actors`, who reach for each other's threads too, and for `strangers`'."""

    def __init__(self, seed: int, actors: Sequence[Actor], strangers: Sequence[Actor] = ()) -> None:
        self.count = 0
        self.statuses: dict[str, set[int]] = {}
        self._seed = seed
        self._random = random.Random(seed)
        self._actors = actors
        self._strangers = strangers
        self._clock = itertools.count(1)
        self._words = itertools.count(1)
        self._done: list[tuple[str, str]] = []
        self._operations: dict[Callable[[Actor], None], int] = {
            self._create: 8,
            self._add: 16,
            self._again: 5,
            self._retry: 8,
            self._act: 8,
            self._act_at_once: 3,
            self._give_output: 5,
            self._answer_question: 5,
            self._get: 6,
            self._list: 9,
            self._list_items: 16,
            self._rename: 4,
            self._delete: 3,
            self._rate: 7,
            self._malformed: 3,
        }

    def run(self, operations: int) -> None:
        while self.count < operations:
            (operation,) = self._random.choices([*self._operations], [*self._operations.values()])
            operation(self._random.choice(self._actors))

    # Begin, go on

    def _create(self, actor: Actor) -> None:
        kind, word = self._saying()
        key = self._key()
        params = {"input": message(SAYINGS[kind](word))}
        reply = self._send(actor, "", "threads.create", params, key)
        self._begun(actor, reply, None, kind, word, key)

    def _add(self, actor: Actor) -> None:
        conversation, thread, status = self._thread(actor)
        kind, word = self._saying()
        if conversation and len(conversation.turns) >= MAX_TURNS:
            return self._delete(actor, conversation)
        key = self._key()
        params = {"thread_id": thread, "input": message(SAYINGS[kind](word))}
        reply = self._send(actor, thread, "threads.add_user_message", params, key)
        if conversation is None:
            return self._refused(thread, reply, status)
        return self._begun(actor, reply, conversation, kind, word, key)

    def _begun(
        self,
        actor: Actor,
        reply: httpx.Response,
        conversation: Conversation | None,
        kind: str,
        word: str,
        key: str | None,
    ) -> None:
        received = self._events_of(conversation.id if conversation else "", reply)
        new = conversation is None
        if conversation is None:
            self._same("", "thread.created", received[0].type)
            conversation = self._new_conversation(received.pop(0).thread.id, kind, word)
            self._done[-1] = (conversation.id, self._done[-1][1])
            actor.conversations.append(conversation)
        question = Question(received[0].item.id, conversation.next_seq(), kind, word)
        conversation.questions[question.id] = question
        self._cancel_waiting(conversation)
        answer = self._new_answer(conversation, question, received)
        conversation.turns.append((question, answer))
        self._check_stream(conversation, received, [*question.items(), *answer.items()], answer)
        self._touch(conversation)
        if key:
            actor.sent[key] = Sent(None if new else conversation, question, answer)

    def _again(self, actor: Actor) -> None:
        """A key once more: with the same body, or with another."""
        if not actor.sent:
            return None
        key, sent = self._random.choice([*actor.sent.items()])
        params: Json = {"input": message(sent.question.text)}
        kind = "threads.create"
        thread = self._conversation_of(actor, sent)
        if sent.conversation:
            kind = "threads.add_user_message"
            params["thread_id"] = sent.conversation.id
        if self._random.random() < 0.3:
            params["input"] = message("something else")
            reply = self._send(actor, thread.id, kind, params, key)
            return self._refused(thread.id, reply, 422)
        received = self._events_of(thread.id, self._send(actor, thread.id, kind, params, key))
        if kind == "threads.create":
            self._same(thread.id, thread.id, received.pop(0).thread.id)
        shown = (sent.question, sent.answer) in thread.turns
        if sent.answer.status == "failed" and shown:
            self._cancel_waiting(thread)  # it runs again, and fails again
            self._touch(thread)
        return self._check_stream(
            thread, received, [*sent.question.items(), *sent.answer.items()], sent.answer
        )

    def _retry(self, actor: Actor) -> None:
        conversation, thread, item, status = self._item(actor, "user_message")
        key = self._key()
        params = {"thread_id": thread, "item_id": item}
        reply = self._send(actor, thread, "threads.retry_after_item", params, key)
        if conversation is None or item not in conversation.item_ids:
            return self._refused(thread, reply, status)
        question = conversation.questions.get(item)
        if question is None:
            return self._refused(thread, reply, 422)
        place = conversation.turn_of(question)
        if place is None:
            return self._refused(thread, reply, 404)
        received = self._events_of(thread, reply)
        self._cancel_waiting(conversation)
        answer = self._new_answer(conversation, question, received)
        conversation.turns[place:] = [(question, answer)]
        self._check_stream(conversation, received, answer.items(), answer)
        self._touch(conversation)
        if key:
            received = self._events_of(
                thread, self._send(actor, thread, "threads.retry_after_item", params, key)
            )
            self._check_stream(conversation, received, answer.items(), answer)
            if answer.status == "failed":
                self._touch(conversation)
        return None

    # Decide, answer

    def _act(self, actor: Actor) -> None:
        self._decide(actor, "threads.custom_action")

    def _act_at_once(self, actor: Actor) -> None:
        self._decide(actor, "threads.sync_custom_action")

    def _decide(self, actor: Actor, kind: str) -> None:
        conversation, thread, item, status = self._item(actor, "widget")
        approved = self._random.random() < 0.6
        action = {"type": "parley.approve" if approved else "parley.reject", "payload": None}
        params = {"thread_id": thread, "item_id": item, "action": action}
        reply = self._send(actor, thread, kind, params)
        answer = self._asking(conversation, item, "order", reply, status)
        if conversation is None or answer is None:
            return
        if answer.status == "waiting_approval":
            output = f"ordered {answer.question.word}" if approved else "Tool execution was not approved."
            answer.end("done" if approved else "not made", output)
            self._touch(conversation)
        if kind == "threads.custom_action":
            self._check_stream(conversation, self._events_of(thread, reply), answer.items(), answer)
        else:
            self._same(thread, 200, reply.status_code)
            self._same(thread, item, reply.json()["updated_item"]["id"])
            self._same(thread, True, ("Approved" if approved else "Rejected") in reply.text)

    def _answer_question(self, actor: Actor) -> None:
        conversation, thread, item, status = self._item(actor, "structured_input")
        skipped = self._random.random() < 0.3
        given: Json = {"status": "skipped"} if skipped else {"answers": {"0": {"values": ["Sea"]}}}
        params = {"thread_id": thread, "item_id": item, "input": given}
        reply = self._send(actor, thread, "threads.add_structured_input", params)
        answer = self._asking(conversation, item, "ask_user", reply, status)
        if conversation is None or answer is None:
            return
        if answer.status == "waiting_approval":
            output = json.dumps([{"question": QUESTION, "answer": "skipped" if skipped else ["Sea"]}])
            answer.end("done", output)
            self._touch(conversation)
        replaced = (item, "structured_input", "skipped" if skipped else "answered")
        self._check_stream(conversation, self._events_of(thread, reply), [replaced, *answer.items()], answer)

    def _give_output(self, actor: Actor) -> None:
        conversation, thread, status = self._thread(actor, "client_tool_call")
        result = self._random.choice(["Kiel", {"city": "Kiel"}, ["Kiel"], False, 7])
        reply = self._send(
            actor, thread, "threads.add_client_tool_output", {"thread_id": thread, "result": result}
        )
        if conversation is None:
            return self._refused(thread, reply, status)
        _, answer = conversation.turns[-1]
        if answer.call is None or answer.call[1] != "find_place":
            return self._refused(thread, reply, 422)
        if answer.status == "waiting_approval":
            output = result if isinstance(result, str) else json.dumps(result)
            answer.end("done", output)
            self._touch(conversation)
        return self._check_stream(conversation, self._events_of(thread, reply), answer.items(), answer)

    def _asking(
        self, conversation: Conversation | None, item: str, tool: str, reply: httpx.Response, status: int
    ) -> Answer | None:
        """The answer whose request the item is, when something can be said to it; checks the refusal."""
        if conversation is None or item not in conversation.item_ids:
            self._refused(conversation.id if conversation else "", reply, status)
            return None
        answer = conversation.answers.get(item.partition(":")[0])
        if answer is None or answer.call is None or answer.call[1] != tool or answer.request()[0] != item:
            self._refused(conversation.id, reply, 422)
            return None
        if (answer.question, answer) not in conversation.turns:
            self._refused(conversation.id, reply, 409)
            return None
        return answer

    # Read

    def _get(self, actor: Actor) -> None:
        conversation, thread, status = self._thread(actor)
        reply = self._send(actor, thread, "threads.get_by_id", {"thread_id": thread})
        if conversation is None:
            return self._refused(thread, reply, status)
        self._same(thread, 200, reply.status_code)
        read = THREAD.validate_json(reply.content)
        items = conversation.items()
        self._same(thread, items[:20], [shape(each) for each in read.items.data])
        self._same(thread, len(items) > 20, read.items.has_more)
        return self._check_title(conversation, read.title)

    def _list(self, actor: Actor) -> None:
        limit = self._random.choice([None, 1, 2, 3, 5, 100])
        order = self._random.choice(["asc", "desc"])
        params: Json = {"limit": limit, "order": order}
        expected: list[Conversation] | None = actor.listed(order)
        status = 200
        if self._random.random() < 0.6:
            conversation, params["after"], status = self._thread(actor)
            expected = None
            if conversation:
                expected = actor.listed(order)
                expected = expected[expected.index(conversation) + 1 :]
        reply = self._send(actor, "", "threads.list", params)
        if expected is None:
            return self._refused("", reply, status)
        self._same("", 200, reply.status_code)
        received = reply.json()
        page = expected[: limit or 20]
        self._same("", [each.id for each in page], [each["id"] for each in received["data"]])
        for each, read in zip(page, received["data"], strict=True):
            self._check_title(each, read["title"])
        return self._check_rest("", received, len(expected) > len(page), page)

    def _list_items(self, actor: Actor) -> None:
        conversation, thread, status = self._thread(actor)
        limit = self._random.choice([None, 1, 2, 3, 4, 7, 100])
        order = self._random.choice(["asc", "desc"])
        params: Json = {"thread_id": thread, "limit": limit, "order": order}
        if self._random.random() < 0.6:
            params["after"] = self._some_item(actor, conversation, None)
        reply = self._send(actor, thread, "items.list", params)
        if conversation is None:
            return self._refused(thread, reply, status)
        after = params.get("after")
        if after and after not in conversation.item_ids:
            return self._refused(thread, reply, 404)
        expected = items_after(conversation, order, after)
        self._same(thread, 200, reply.status_code)
        received = reply.json()
        page = expected[: limit or 20]
        self._same(thread, page, [shape(each) for each in ITEMS.validate_python(received).data])
        return self._check_rest(thread, received, len(expected) > len(page), page)

    def _check_rest(self, thread: str, received: Json, more: bool, page: Sequence[Any]) -> None:
        self._same(thread, more, received["has_more"])
        last = page[-1].id if page and isinstance(page[-1], Conversation) else page[-1][0] if page else None
        self._same(thread, last if more else None, received.get("after"))

    # Change

    def _rename(self, actor: Actor) -> None:
        conversation, thread, status = self._thread(actor)
        title = f"Title {self._word()}"
        reply = self._send(actor, thread, "threads.update", {"thread_id": thread, "title": title})
        if conversation is None:
            return self._refused(thread, reply, status)
        conversation.titles = [title]
        self._same(
            thread, (200, thread, title), (reply.status_code, reply.json()["id"], reply.json()["title"])
        )
        return None

    def _delete(self, actor: Actor, conversation: Conversation | None = None) -> None:
        thread, status = conversation.id if conversation else "", 0
        if conversation is None:
            conversation, thread, status = self._thread(actor)
        reply = self._send(actor, thread, "threads.delete", {"thread_id": thread})
        if conversation is None:
            return self._refused(thread, reply, status)
        self._same(thread, (200, {}), (reply.status_code, reply.json()))
        actor.sent = {
            key: sent for key, sent in actor.sent.items() if sent.question.id not in conversation.questions
        }
        actor.conversations.remove(conversation)
        actor.deleted.append(conversation.id)
        return None

    def _rate(self, actor: Actor) -> None:
        conversation, thread, status = self._thread(actor)
        items = [
            self._some_item(actor, conversation, "assistant_message")
            for _ in range(self._random.choice([1, 1, 2]))
        ]
        kind = self._random.choice(["positive", "negative"])
        reply = self._send(
            actor, thread, "items.feedback", {"thread_id": thread, "item_ids": items, "kind": kind}
        )
        if conversation is None:
            return self._refused(thread, reply, self._missing(actor, thread, items, status))
        answers = [conversation.answers.get(item.partition(":")[0]) for item in items]
        for answer in answers:
            if answer:  # even where something else among them is refused
                answer.rating = {"positive": "up", "negative": "down"}[kind]
        if all(answers):
            return self._same(thread, (200, {}), (reply.status_code, reply.json()))
        return self._refused(thread, reply, self._missing(actor, thread, items, 404))

    def _malformed(self, actor: Actor) -> None:
        body, status = self._random.choice(MALFORMED)
        self.count += 1
        self._done.append(("", f"{actor.user.id}: {body[:80]!r}"))
        self._refused("", actor.client.http.post("/api/chatkit", content=body), status)

    # Choose

    def _saying(self) -> tuple[str, str]:
        (kind,) = self._random.choices([*SAYINGS], [8, 3, 1, 4, 2, 2])
        return kind, self._word()

    def _word(self) -> str:
        return f"{self._random.choice(['amber', 'birch', 'cobalt', 'dünen', 'elm'])}{next(self._words)}"

    def _key(self) -> str | None:
        return f"k{self._random.getrandbits(64):x}" if self._random.random() < 0.4 else None

    def _others(self, actor: Actor) -> list[Conversation]:
        others = [each for each in (*self._actors, *self._strangers) if each is not actor]
        return [conversation for other in others for conversation in other.conversations]

    def _thread(self, actor: Actor, waiting: str = "") -> tuple[Conversation | None, str, int]:
        """One of the actor's own, or the id of another, with the status that it gives.

        `waiting`: preferably one whose last item is of this type.
        """
        chance = self._random.random()
        if chance < 0.08 and (others := self._others(actor)):
            return None, self._random.choice(others).id, 403
        if chance < 0.12 and actor.deleted:
            return None, self._random.choice(actor.deleted), 404
        if chance < 0.15 or not actor.conversations:
            return None, self._random.choice([self._uuid(), "thr_12345678"]), 404
        fitting = [each for each in actor.conversations if waiting and each.items()[-1][1] == waiting]
        if fitting and self._random.random() < 0.7:
            return (chosen := self._random.choice(fitting)), chosen.id, 200
        # Rather the newest ones, which else would stay short.
        chosen = self._random.choice(actor.listed()[:6])
        return chosen, chosen.id, 200

    def _item(self, actor: Actor, kind: str) -> tuple[Conversation | None, str, str, int]:
        """A thread and an item, preferably of that type, with the status if either is not one's own."""
        conversation, thread, status = self._thread(actor, kind)
        item = self._some_item(actor, conversation, kind)
        if conversation is None or item not in conversation.item_ids:
            status = self._missing(actor, thread, [item], status)
        return conversation, thread, item, status

    def _some_item(self, actor: Actor, conversation: Conversation | None, kind: str | None) -> str:
        chance = self._random.random()
        if chance < 0.06 and (others := self._others(actor)):
            return self._random.choice([*self._random.choice(others).item_ids])
        if chance < 0.1 and actor.conversations:
            return self._random.choice([*self._random.choice(actor.conversations).item_ids])
        if chance < 0.14 or conversation is None:
            return self._random.choice([self._uuid(), "msg_12345678"])
        fitting = [each[0] for each in conversation.items() if each[1] == kind]
        if fitting and chance < 0.8:
            return self._random.choice(fitting)
        return self._random.choice([*conversation.item_ids])

    def _missing(self, actor: Actor, thread: str, items: list[str], status: int) -> int:
        """The status when the thread (whose own is `status`) or an item in it is not there, or another's."""
        foreign = any(self._foreign(actor, item) for item in items)
        return 403 if status == 403 or (foreign and not thread.startswith("thr_")) else 404

    def _foreign(self, actor: Actor, item: str) -> bool:
        message_id = item.partition(":")[0]
        return any(
            message_id in conversation.answers or message_id in conversation.questions
            for conversation in self._others(actor)
        )

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _conversation_of(self, actor: Actor, sent: Sent) -> Conversation:
        return next(each for each in actor.conversations if sent.question.id in each.questions)

    # What a turn does

    def _new_conversation(self, thread: str, kind: str, word: str) -> Conversation:
        said = SAYINGS[kind](word)
        first = said if len(said) <= 60 else said[:60].rsplit(" ", 1)[0] + "…"
        # What the offline model makes of it, a little later.
        later = " ".join(re.findall(r"[\w'’+-]+", without_commands(said))[:6])
        return Conversation(thread, [first, later[:1].upper() + later[1:]])

    def _new_answer(self, conversation: Conversation, question: Question, received: list[Any]) -> Answer:
        answer = Answer("", conversation.next_seq(), question)
        ended = [
            event.item
            for event in received
            if event.type == "thread.item.done" and event.item.id != question.id
        ]
        match question.kind:
            case "say":
                answer.text = question.word
            case "fail":
                answer.status = "failed"
            case "look":
                answer.call = ("", "look", "done")
                answer.end("done", f"saw {question.word}")
            case tool:
                answer.status = "waiting_approval"
                call_id = ended[-1].id.partition(":")[2] if ended else ""
                answer.call = (call_id, tool, "waiting for you")
        answer.id = ended[0].id.partition(":")[0] if ended else self._find_failed(conversation, question)
        conversation.answers[answer.id] = answer
        return answer

    def _find_failed(self, conversation: Conversation, question: Question) -> str:
        """The id of an answer that had nothing to show in its stream: of the note in the thread."""
        if question.kind != "fail":
            return ""
        owner = next(actor for actor in self._actors if conversation in actor.conversations)
        items = owner.client.items(conversation.id, "desc", limit=1)
        return str(items[0].id).partition(":")[0]

    def _cancel_waiting(self, conversation: Conversation) -> None:
        """A new message, or a retry, rejects the calls that wait."""
        for answer in conversation.answers.values():
            if answer.status == "waiting_approval" and answer.call:
                answer.status = "cancelled"
                answer.call = (*answer.call[:2], "not made")

    def _touch(self, conversation: Conversation) -> None:
        conversation.touched = next(self._clock)
        conversation.item_ids |= dict.fromkeys(each[0] for each in conversation.items())

    # Compare

    def _send(
        self, actor: Actor, thread: str, kind: str, params: Json, key: str | None = None
    ) -> httpx.Response:
        self.count += 1
        self._done.append((thread, f"{actor.user.id}: {kind} {json.dumps(params)} {key or ''}"))
        reply = actor.client.send(kind, params, key)
        self.statuses.setdefault(kind, set()).add(reply.status_code)
        return reply

    def _events_of(self, thread: str, reply: httpx.Response) -> list[Any]:
        self._same(thread, 200, reply.status_code, reply.text)
        return events(reply)

    def _refused(self, thread: str, reply: httpx.Response, status: int) -> None:
        self._same(thread, status, reply.status_code, reply.text)
        self._same(thread, "application/problem+json", reply.headers["content-type"])

    def _check_stream(
        self, conversation: Conversation, received: list[Any], expected: list[Shape], answer: Answer
    ) -> None:
        """That the items which it leaves are the expected ones, and that it ends as the answer did."""
        thread, failed = conversation.id, answer.status == "failed"
        left: dict[str, Shape] = {}
        for event in received:
            if event.type in ("thread.item.done", "thread.item.replaced"):
                left[event.item.id] = shape(event.item)
        shown = [each for each in expected if not (failed and each[1] == "task")]
        self._same(thread, sorted(shown), sorted(left.values()))
        if failed:
            self._same(thread, "error", received.pop().type)
        self._same(thread, "thread.updated", received[-1].type)
        self._same(thread, thread, received[-1].thread.id)
        self._check_title(conversation, received[-1].thread.title)
        pieces = [event.update for event in received if event.type == "thread.item.updated"]
        streamed = "".join(piece.delta for piece in pieces if hasattr(piece, "delta"))
        self._same(thread, answer.text, streamed)

    def _check_title(self, conversation: Conversation, title: str | None) -> None:
        if title not in conversation.titles:
            self._same(conversation.id, conversation.titles, title)
        conversation.titles = conversation.titles[conversation.titles.index(title or "") :]

    def _same(self, thread: str, expected: Any, actual: Any, more: str = "") -> None:
        if expected == actual:
            return
        concerned = [done for where, done in self._done if where == thread] if thread else []
        tail = concerned or [done for _, done in self._done[-10:]]
        lines = [
            f"seed {self._seed}, operation {self.count}",
            f"expected {expected!r}",
            f"but was {actual!r}",
        ]
        raise Difference("\n".join([*lines, more, "after:", *tail]))

    # At the end

    def check_everything(self) -> None:
        """All that the users have, through ChatKit and the API."""
        for actor in self._actors:
            threads = actor.client.read("threads.list", limit=100)["data"]
            listed = actor.user.http.get("/conversations", params={"limit": 100}).json()["data"]
            expected = [each.id for each in actor.listed()]
            self._same("", expected, [each["id"] for each in threads])
            self._same("", expected, [each["id"] for each in listed])
            for conversation in actor.conversations:
                self._check_conversation(actor, conversation)

    def _check_conversation(self, actor: Actor, conversation: Conversation) -> None:
        thread = conversation.id
        for order in ("asc", "desc"):
            items = actor.client.items(thread, order, limit=100)
            self._same(thread, items_after(conversation, order, None), [shape(each) for each in items])
        expected: list[tuple[Any, ...]] = []
        for question, answer in conversation.turns:
            expected.append((question.id, question.seq, "user", "completed", question.text, None))
            row = (answer.id, answer.seq, "assistant", answer.status, answer.text, answer.rating)
            expected.append(row)
        stored = [
            (
                each["id"],
                each["seq"],
                each["role"],
                each["status"],
                each["content"],
                (each["feedback"] or {}).get("rating"),
            )
            for each in actor.user.messages(thread)
        ]
        self._same(thread, expected, stored)
        deadline = time.monotonic() + 10
        while True:
            read = actor.user.http.get(f"/conversations/{thread}").json()
            self._same(thread, len(expected), read["message_count"])
            self._check_title(conversation, read["title"])
            if len(conversation.titles) == 1:
                return
            assert time.monotonic() < deadline, "a title was never written"
            time.sleep(0.05)


def shape(item: Any) -> Shape:
    said = ""
    match item.type:
        case "user_message" | "assistant_message":
            said = text_of(item)
        case "workflow":
            # How long it took is no part of the model.
            said = "; ".join(re.sub(r", [\d.]+ s$", "", task.title) for task in item.workflow.tasks)
        case "task":
            said = item.task.title
        case "client_tool_call":
            said = item.name
        case "structured_input":
            said = item.status
    return item.id, item.type, said


def items_after(conversation: Conversation, order: str, after: str | None) -> list[Shape]:
    """A page after an item. If it is no longer shown, the page begins where its message is or was."""
    items = conversation.items() if order == "asc" else conversation.items()[::-1]
    if after is None:
        return items
    ids = [each[0] for each in items]
    if after in ids:
        return items[ids.index(after) + 1 :]
    seq = conversation.seq_of(after)
    return [
        each
        for each in items
        if (conversation.seq_of(each[0]) > seq if order == "asc" else conversation.seq_of(each[0]) < seq)
    ]


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()
