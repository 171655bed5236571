"""ChatGPT's `conversations.json`: trees of nodes, made into questions, answers and their versions.

A node is a message, or nothing but a joint. An answer is all that assistant and tools say on the way from one
question to the next. Where a question or an answer has siblings, these are its versions. What is not on the
way to `current_node` is superseded.

A conversation that is too large for one part comes in pieces. Its nodes then have `order`, their place in the
whole tree with parents before children, and `superseded`. What precedes a piece is known by its ids.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from parley.models.tool_call import ToolCall
from parley.services.chatgpt_content import hidden_reason, role_of, text_of
from parley.services.import_plan import ImportPlan, title_of
from parley.text import is_visible

_MAX_ID = 200
_MAX_QUESTION = 32_000
_MAX_ORDER = 900_000_000
_BRANCH = "It branches off within an answer."


@dataclass(slots=True)
class _Answer:
    """`end`: the node that it has come to."""

    row: dict[str, Any]
    end: str
    texts: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node stands: after `question`, in `answer`. `anchor`: the last node that says something."""

    question: str | None = None
    answer: _Answer | None = None
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class _Node:
    order: int
    id: str
    parent: str
    message: dict[str, Any]
    superseded: bool


def read_conversations(plan: ImportPlan, conversations: list[Any]) -> None:
    for each in conversations:
        if not isinstance(each, dict) or not isinstance(each.get("mapping"), dict):
            plan.refuse(None, "conversation", "It is no conversation of ChatGPT's.")
            continue
        named = next((each[name] for name in ("conversation_id", "id") if _is_id(each.get(name))), None)
        if named is None:
            plan.refuse(None, "conversation", "It has no id.")
            continue
        _Reader(plan, each, named).read()


class _Reader:
    """Reads one conversation."""

    def __init__(self, plan: ImportPlan, given: dict[str, Any], named: str) -> None:
        self.plan, self.given, self.named = plan, given, named
        self.id = plan.id_of("chatgpt", named)
        self.begun = _time(given.get("create_time"))
        self.places: dict[str, _Place] = {}
        self.answers: list[_Answer] = []
        self.questions: list[dict[str, Any]] = []
        self.is_piece = False

    def read(self) -> None:
        for node in self._nodes():
            before = self.places.get(node.parent)
            if before is None:
                before = _Place(anchor=node.parent)
            self.places[node.id] = self._place(node, before)
        rows = self.questions + [row for answer in self.answers if (row := self._answer_row(answer))]
        if not rows:
            if self.is_piece:
                return  # others have its messages
            self.plan.refuse(self.named, "conversation", "It has no message that can be taken.")
            return
        self.plan.refer(self.id, self.named)
        self.plan.conversations[self.id] |= {
            "title": title_of(self.given.get("title")),
            "titled": True,
            "whole": not self.is_piece,
            "archived": self.given.get("is_archived") is True,
            "pinned": self.given.get("is_starred") is True,
            "created_at": self.plan.past(self.begun),
            "updated_at": self.plan.past(_time(self.given.get("update_time")), self.begun),
        }
        self.plan.messages += sorted(rows, key=lambda row: row["seq"])

    def _refuse(self, what: str, reason: str, count: int = 1) -> None:
        self.plan.refuse(self.named, what, reason, count)

    def _nodes(self) -> Iterator[_Node]:
        """What is shown, each after what it follows, the versions that count last."""
        mapping: dict[str, Any] = {}
        for name, node in self.given["mapping"].items():
            if isinstance(node, dict) and _is_id(name):
                mapping[name] = node
            else:
                self._refuse("message", "It is no node of a conversation.")
        if any("order" in node for node in mapping.values()):
            self.is_piece = True
            yield from self._piece(mapping)
            return
        path = _path(mapping, self.given.get("current_node"))
        followers = self._followers(mapping)
        waiting = sorted(((name, "") for name in followers.get("", [])), key=lambda each: each[0] in path)[
            ::-1
        ]
        order = 0
        while waiting:
            name, parent = waiting.pop()
            order += 1
            yield _Node(order, name, parent, mapping[name]["message"], name not in path)
            following = self._following(name, mapping, followers, path)
            waiting += [(each, name) for each in reversed(following)]

    def _followers(self, mapping: dict[str, Any]) -> dict[str, list[str]]:
        """The messages that are shown, by the last one before them that is, or by "" for the first."""
        followers: dict[str, list[str]] = {}
        last_shown: dict[str, str] = {}
        listed = _listed(mapping)
        for name in listed:
            node = mapping[name]
            parent, message = node.get("parent"), node.get("message")
            before = last_shown.get(parent, "") if isinstance(parent, str) else ""
            last_shown[name] = before
            if not isinstance(message, dict):
                continue
            if reason := hidden_reason(role_of(message), message):
                self._refuse("message", reason)
            else:
                last_shown[name] = name
                followers.setdefault(before, []).append(name)
        if len(listed) < len(mapping):
            self._refuse("message", "It hangs together with no other.", len(mapping) - len(listed))
        return followers

    def _following(
        self, name: str, mapping: dict[str, Any], followers: dict[str, list[str]], path: set[str]
    ) -> list[str]:
        """An answer has one end: what goes on with it comes first, and any other branch is left out."""
        following = sorted(followers.get(name, []), key=path.__contains__)
        questions = [each for each in following if role_of(mapping[each]["message"]) == "user"]
        if role_of(mapping[name]["message"]) == "user" or len(questions) == len(following):
            return following
        others = [each for each in following if each not in questions]
        chosen = [each for each in others if each in path or name not in path][:1]
        lost = [each for each in others if each not in chosen]
        count = 0
        while lost:
            count += 1
            lost += followers.get(lost.pop(), [])
        if count:
            self._refuse("message", _BRANCH, count)
        return chosen + questions

    def _piece(self, mapping: dict[str, Any]) -> Iterator[_Node]:
        nodes = []
        for name, node in mapping.items():
            order, parent, message = node.get("order"), node.get("parent"), node.get("message")
            # True is an int as well, but not to Postgres.
            if type(order) is int and 1 <= order <= _MAX_ORDER and isinstance(message, dict):
                before = parent if isinstance(parent, str) else ""
                nodes.append(_Node(order, name, before, message, node.get("superseded") is True))
            else:
                self._refuse("message", "It has no place in its conversation.")
        yield from sorted(nodes, key=lambda node: node.order)

    def _place(self, node: _Node, before: _Place) -> _Place:
        role = role_of(node.message)
        if reason := hidden_reason(role, node.message):
            self._refuse("message", reason)
            return before
        return self._question(node, before) if role == "user" else self._said(node, before, role)

    def _question(self, node: _Node, before: _Place) -> _Place:
        place = _Place(question=node.id, anchor=node.id)
        if self.is_piece and node.message.get("content") is None:
            return place  # stands for one of an earlier piece
        said = text_of(node.message)
        if not is_visible(said):
            self._refuse("message", "There is nothing to see in it.")
            return place
        if len(said) > _MAX_QUESTION:
            self._refuse("text", f"Of a question, the first {_MAX_QUESTION:,} characters are taken.")
        row = self._row(node, "user", "question", before.anchor)
        self.questions.append(row | {"content": said[:_MAX_QUESTION]})
        return place

    def _said(self, node: _Node, before: _Place, role: Any) -> _Place:
        if before.question is None:
            self._refuse("message", "It answers no question.")
            return _Place(anchor=node.id)
        answer = before.answer
        if answer is None:
            row = self._row(node, "assistant", "answer", before.question)
            answer = _Answer(row | {"reply_to": self._id(before.question)}, node.id)
            self.answers.append(answer)
        elif answer.end != before.anchor:
            self._refuse("message", _BRANCH)
            return _Place(anchor=node.id)
        answer.end = node.id
        self._add(answer, node.message, role)
        return _Place(question=before.question, answer=answer, anchor=node.id)

    def _add(self, answer: _Answer, message: dict[str, Any], role: Any) -> None:
        said = text_of(message)
        if role == "tool":
            made = answer.calls[-1] if answer.calls and answer.calls[-1].output is None else None
            if made is None:
                made = _call(len(answer.calls), str(message["author"].get("name") or "tool"), "")
                answer.calls.append(made)
            answer.calls[-1] = made.updated(output=said, status="completed")
        elif (recipient := message.get("recipient")) not in (None, "all"):
            answer.calls.append(_call(len(answer.calls), str(recipient), said))
        elif is_visible(said):
            answer.texts.append(said)

    def _answer_row(self, answer: _Answer) -> dict[str, Any] | None:
        """None of an answer of which nothing is left to show."""
        run_items = [item for call in answer.calls for item in call.run_items()]
        if not run_items and not answer.texts:
            return None
        return answer.row | {"content": "\n\n".join(answer.texts), "run_items": run_items or None}

    def _row(self, node: _Node, role: str, kind: str, group: str) -> dict[str, Any]:
        """What question and answer have in common. `group`: what its versions have in common."""
        time = self.plan.past(_time(node.message.get("create_time")), self.begun)
        return {
            "id": self._id(node.id),
            "conversation_id": str(self.id),
            "seq": node.order,
            "role": role,
            "status": "completed",
            "superseded": node.superseded,
            "version_of": str(self.plan.id_of("chatgpt", self.named, kind, group)),
            "created_at": time,
            "completed_at": time,
        }

    def _id(self, node: str) -> str:
        return str(self.plan.id_of("chatgpt", self.named, node))


def _path(mapping: dict[str, Any], current: Any) -> set[str]:
    """The nodes from the root to the current node; where none is named, to the last one."""
    name = current if isinstance(current, str) and current in mapping else next(reversed(mapping), None)
    path: set[str] = set()
    while isinstance(name, str) and name in mapping and name not in path:
        path.add(name)
        name = mapping[name].get("parent")
    return path


def _listed(mapping: dict[str, Any]) -> list[str]:
    """What hangs together with a root, each node after its parent, siblings as the parent names them."""
    children: dict[str, list[str]] = {}
    waiting: list[str] = []
    for name, node in mapping.items():
        parent = node.get("parent")
        is_root = not isinstance(parent, str) or parent not in mapping
        (waiting if is_root else children.setdefault(str(parent), [])).append(name)
    waiting.reverse()
    listed: list[str] = []
    while waiting:
        name = waiting.pop()
        listed.append(name)
        named = mapping[name].get("children")
        names = [each for each in named if isinstance(each, str)] if isinstance(named, list) else []
        waiting += reversed(_sorted_as(names, children.get(name, [])))
    return listed


def _sorted_as(names: list[str], children: list[str]) -> list[str]:
    places = {each: place for place, each in enumerate(names)}
    return sorted(children, key=lambda each: places.get(each, len(names)))


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= _MAX_ID


def _call(index: int, name: str, code: str) -> ToolCall:
    """`code` is JSON or not: the arguments of a call are."""
    try:
        is_object = isinstance(json.loads(code), dict)
    except (ValueError, RecursionError):
        is_object = False
    arguments = code if is_object else json.dumps({"input": code} if code else {}, ensure_ascii=False)
    name = name[:_MAX_ID]
    return ToolCall(
        call_id=f"call_{index}", name=name, arguments=arguments, status="completed", duration_ms=None
    )


def _time(seconds: Any) -> datetime | None:
    """Of seconds since 1970; None for what is no such time."""
    # An int may be too large for any float; NaN is in no range.
    if not isinstance(seconds, int | float) or not 0 <= seconds < 2**37:
        return None
    return datetime.fromtimestamp(seconds, UTC)
