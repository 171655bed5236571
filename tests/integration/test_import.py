"""ChatGPT's conversations are taken, whatever their trees are like, and everything malformed is named."""

import json
import random
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chatgpt import HOSTILE, conversation, draw_tree, node
from tests.conftest import ApiUser
from tests.exported import export, import_records, normalized, send

pytestmark = pytest.mark.both_transports

NewUser = Callable[..., ApiUser]


def take(user: ApiUser, *conversations: Any) -> dict[str, Any]:
    return send(user, {"source": "chatgpt", "conversations": list(conversations)})


def records(user: ApiUser, kind: str) -> list[dict[str, Any]]:
    return [each for each in export(user) if each["kind"] == kind]


def only(user: ApiUser) -> list[dict[str, Any]]:
    """The messages of the user's one conversation, as the API shows them."""
    (found,) = user.http.get("/conversations").json()["data"]
    return user.messages(found["id"])


TREE: dict[str, Any] = {
    "root": node,
    "system": lambda: node("system", "Be kind", "root"),
    "q1": lambda: node("user", "First", "system", time=None),
    "a1": lambda: node("assistant", "Old answer", "q1"),
    "a2": lambda: node("assistant", "New answer", "q1"),
    "q2": lambda: node("user", "Old second", "a2"),
    "a3": lambda: node("assistant", "To the old second", "q2"),
    "q3": lambda: node("user", "New second", "a2"),
    "call": lambda: node("assistant", {"content_type": "code", "text": "1 + 1"}, "q3", recipient="python"),
    "ran": lambda: node("tool", {"content_type": "execution_output", "text": "2"}, "call"),
    "a4": lambda: node("assistant", "It is 2.", "ran"),
}


def tree(current: str | None = "a4", **more: Any) -> dict[str, Any]:
    return conversation("tree", current, {name: make() for name, make in TREE.items()}, **more)


def test_branches_become_versions_and_tools_become_calls(new_user: NewUser) -> None:
    alice = new_user()
    reply = take(alice, tree(is_archived=False, is_starred=True))
    assert (reply["conversations"], reply["messages"]) == (1, 7)
    assert [each["reason"] for each in reply["not_taken"]] == [
        "It is context for the model, which is not shown."
    ]
    shown = only(alice)
    assert [(each["role"], each["content"]) for each in shown] == [
        ("user", "First"),
        ("assistant", "New answer"),
        ("user", "New second"),
        ("assistant", "It is 2."),
    ]
    (call,) = shown[3]["tool_calls"]
    assert (call["name"], json.loads(call["arguments"]), call["output"]) == (
        "python",
        {"input": "1 + 1"},
        "2",
    )
    assert [(each["version"], each["version_count"]) for each in shown] == [(1, 1), (2, 2), (2, 2), (1, 1)]
    path = f"/conversations/{shown[0]['conversation_id']}/messages"
    versions = alice.http.get(f"{path}/{shown[2]['id']}/versions").json()["data"]
    assert [each["content"] for each in versions] == ["Old second", "New second"]
    assert alice.http.get(path[:-9]).json()["pinned"] is True
    # The model reads what was said, not the calls of tools that it does not have.
    assert alice.say("And now?", shown[0]["conversation_id"]).status_code == 200
    assert alice.http.post(f"{path}/{only(alice)[-1]['id']}/regenerate").status_code == 200


def test_a_branch_that_was_gone_back_to_is_the_current_one(new_user: NewUser) -> None:
    alice = new_user()
    take(alice, tree("a3"))
    assert [each["content"] for each in only(alice)] == [
        "First",
        "New answer",
        "Old second",
        "To the old second",
    ]
    assert only(alice)[2]["version"] == 2


def test_the_same_part_twice_makes_nothing_anew(new_user: NewUser) -> None:
    alice, bob = new_user("alice"), new_user("bob")
    draw = seeded()
    part = [tree(), *(draw_tree(draw, f"c{number}", 40) for number in range(6))]
    first = take(alice, *part)
    before = export(alice)[1:]
    again = take(alice, *part)
    assert (again["conversations"], again["messages"]) == (0, 0)
    assert again["already_there"] == first["messages"]
    assert export(alice)[1:] == before
    assert take(bob, *part)["messages"] == first["messages"]
    ids = {each["id"] for each in before if "id" in each}
    assert ids.isdisjoint(each.get("id") for each in export(bob))


def seeded() -> random.Random:
    seed = random.randrange(2**32)
    print("seed", seed)
    return random.Random(seed)


def said(conversation: dict[str, Any]) -> set[str]:
    """What users, assistants and tools say in it."""
    messages = [each["message"] for each in conversation["mapping"].values() if each["message"]]
    return {
        each["content"]["parts"][0]
        for each in messages
        if each["author"]["role"] in ("user", "assistant", "tool")
    }


def test_of_any_tree_each_message_is_taken_or_named(new_user: NewUser) -> None:
    """On the way to the current node all of them are, in their order; nothing comes twice."""
    draw = seeded()
    for number in range(12):
        alice = new_user()
        given = draw_tree(draw, f"c{number}", draw.choice([1, 5, 40, 150]))
        reply = take(alice, given)
        texts = [each["content"] for each in records(alice, "message")]
        texts += [str(each["output"] or "") + each["arguments"] for each in records(alice, "tool_call")]
        whole = "\n".join(texts)
        found = {each for each in said(given) if each in whole}
        lost = sum(each["count"] for each in reply["not_taken"] if each["what"] == "message")
        hidden = sum(
            each["message"] is not None and each["message"]["author"]["role"] == "system"
            for each in given["mapping"].values()
        )
        assert len(said(given)) == len(found) + lost - hidden
        assert len(whole.split("said ")) == len(found) + 1


PIECES = json.loads((Path(__file__).parents[1] / "chatgpt_pieces.json").read_text())


def test_large_conversations_come_in_pieces(new_user: NewUser) -> None:
    """Drawn trees, hostile ones too, are the same whole and as frontend/src/services splits them."""
    alice, bob, carol = new_user("alice"), new_user("bob"), new_user("carol")
    whole = take(alice, *PIECES["conversations"])
    bodies = [part["body"] for part in PIECES["parts"]]
    replies = [send(bob, body) for body in bodies]
    assert normalized(export(bob)) == normalized(export(alice))
    not_taken = [each for part in PIECES["parts"] for each in part["notTaken"]]
    not_taken += [each for reply in replies for each in reply["not_taken"]]
    assert messages_in(not_taken) == messages_in(whole["not_taken"])
    assert {send(bob, body)["messages"] for body in bodies} == {0}
    draw = seeded()
    while (sent := draw.randrange(len(bodies) + 9)) < len(bodies):  # broken off, and begun again
        for body in bodies[:sent]:
            send(carol, body)
    for body in bodies:
        for _ in range(draw.choice([1, 1, 2])):
            send(carol, body)
    assert normalized(export(carol)) == normalized(export(alice))


def messages_in(not_taken: list[dict[str, Any]]) -> int:
    return sum(each["count"] for each in not_taken if each["what"] == "message")


def as_it_was(draw: random.Random, whole: dict[str, Any]) -> dict[str, Any]:
    """The conversation with fewer of its nodes, and with another one as the current one."""
    nodes: dict[str, Any] = {}
    for name, each in whole["mapping"].items():
        is_node = isinstance(each, dict)
        parent = each.get("parent") if is_node else None
        is_root = not isinstance(parent, str) or parent not in whole["mapping"]
        if (is_root or parent in nodes) and draw.random() < 0.8:
            nodes[name] = dict(each) if is_node else each
    current = draw.choice([*nodes, None])
    return {**whole, "mapping": nodes, "current_node": current, "update_time": whole["update_time"] - 100}


def live(user: ApiUser) -> list[Any]:
    """By conversation, what it says now. The version that counts is the last one."""
    lists = []
    for each in user.http.get("/conversations", params={"limit": 100}).json()["data"]:
        shown = user.messages(each["id"])
        assert all(one["version"] == one["version_count"] for one in shown)
        assert len(shown) == each["message_count"]
        said = [(one["role"], one["content"], len(one["tool_calls"])) for one in shown]
        lists.append((each["title"], each["updated_at"], said))
    return sorted(lists, key=str)


def test_of_two_exports_the_newer_one_wins(new_user: NewUser) -> None:
    """After both, the live list is that of the newer one alone, and an older one adds nothing."""
    draw = seeded()
    for _ in range(5):
        alice, bob = new_user("alice"), new_user("bob")
        newer = [draw_tree(draw, f"c{number}", draw.choice([3, 10, 40])) for number in range(5)]
        older = [as_it_was(draw, each) for each in newer]
        oldest = [as_it_was(draw, each) for each in older]
        for each in (oldest, older, newer):
            reply = take(alice, *each)
            assert "place" not in str(reply["not_taken"])
        before = live(alice)
        known = {each[0] for each in before}
        take(bob, *newer)
        # A conversation that says nothing any more stays as it was; these have something to say.
        assert [each for each in before if each[0] in {one[0] for one in live(bob)}] == live(bob)
        exported = export(alice)[1:]
        take(alice, *newer)
        assert export(alice)[1:] == exported
        take(alice, *older)
        assert [each for each in live(alice) if each[0] in known] == before


def test_the_newer_one_wins_in_pieces_too(new_user: NewUser) -> None:
    draw = seeded()
    alice, bob = new_user("alice"), new_user("bob")
    for each in PIECES["conversations"]:
        take(alice, as_it_was(draw, each))
    for part in PIECES["parts"]:
        send(alice, part["body"])
        send(bob, part["body"])
    titles = {each[0] for each in live(bob)}
    assert [each for each in live(alice) if each[0] in titles] == live(bob)


def test_an_edit_elsewhere_comes_with_the_next_export(new_user: NewUser) -> None:
    alice = new_user()
    january = tree("a3")
    for name in ("q3", "call", "ran", "a4", "a1"):
        del january["mapping"][name]
    take(alice, january | {"current_node": "a3", "update_time": 1_700_000_400.0})
    take(alice, tree())
    assert [(each["seq"] > 0, each["content"], each["version"]) for each in only(alice)] == [
        (True, "First", 1),
        (True, "New answer", 2),
        (True, "New second", 2),
        (True, "It is 2.", 1),
    ]


def test_an_answer_anew_comes_with_the_next_export(new_user: NewUser) -> None:
    """Parley's own: one answer is shown, whichever file comes last."""
    alice, bob = new_user("alice"), new_user("bob")
    said = alice.say("Hello").json()
    older = export(alice)
    path = f"/conversations/{said['conversation_id']}/messages/{said['message_id']}/regenerate"
    assert alice.http.post(path).status_code == 200
    newer = export(alice)
    for records_of in (older, newer, older):
        for reply in import_records(bob, records_of):
            assert "place" not in str(reply["not_taken"])
    assert [(each["role"], each["version"], each["version_count"]) for each in only(bob)] == [
        ("user", 1, 1),
        ("assistant", 2, 2),
    ]


def test_what_the_user_continued_is_not_touched(new_user: NewUser) -> None:
    alice = new_user()
    whole = tree()
    begun = {
        name: whole["mapping"][name] | {"order": order, "superseded": False}
        for order, name in ((1, "q1"), (2, "a2"))
    }
    take(alice, {**whole, "mapping": begun})
    conversation_id = only(alice)[0]["conversation_id"]
    alice.say("I go on", conversation_id)
    before = only(alice)
    rest = {"q3": whole["mapping"]["q3"] | {"order": 3, "superseded": False}}
    reply = take(alice, {**whole, "mapping": rest})
    assert [each["reason"] for each in reply["not_taken"]] == [
        "You have written in this conversation since it was imported."
    ]
    assert only(alice) == before
    take(alice, whole)
    assert only(alice) == before


def test_marks_of_citations_are_left_out(new_user: NewUser) -> None:
    alice = new_user()
    cited = "It rains\ue200cite\ue202turn0search0\ue201. \ue200Open"
    nodes = {"q": node("user", "Weather?"), "a": node("assistant", cited, "q")}
    take(alice, conversation("cited", "a", nodes))
    assert only(alice)[1]["content"] == "It rains. \ue200Open"


def test_versions_come_in_pages_of_less_than_5_mb(new_user: NewUser) -> None:
    alice = new_user()
    for number in range(40):
        answer = MESSAGE | {"role": "assistant", "reply_to": "m", "id": f"a{number}", "seq": number + 2}
        answer |= {"version_of": "a", "version": number + 1, "superseded": number < 39}
        answer |= {"content": "\x01" * 20_000}
        more = {"kind": "text", "conversation_id": "c", "message_id": f"a{number}", "offset": 20_000}
        import_records(alice, [CONVERSATION, MESSAGE, answer, more | {"text": "\x01" * 5_000}])
    shown = only(alice)[1]
    path = f"/conversations/{shown['conversation_id']}/messages/{shown['id']}/versions"
    found: list[int] = []
    query: dict[str, Any] | None = {"limit": 30}
    while query is not None:
        reply = alice.http.get(path, params=query)
        assert len(reply.content) < 5_000_000
        page = reply.json()
        found = [each["version"] for each in page["data"]] + found
        assert page["has_more"] is (page["next_cursor"] is not None)
        query = {"limit": 30, "before": page["next_cursor"]} if page["has_more"] else None
    assert found == list(range(1, 41))
    assert alice.http.get(path, params={"before": "?"}).status_code == 422


def test_images_and_files_are_named(new_user: NewUser) -> None:
    alice = new_user()
    picture = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-abc"}
    metadata = {"attachments": [{"id": "file-abc", "name": "cat.png"}, {"id": "file-d", "name": "notes.pdf"}]}
    drawn = {"content_type": "image_asset_pointer", "asset_pointer": "sediment://file-xyz"}
    question = {"content_type": "multimodal_text", "parts": [picture, "What is it?"]}
    nodes = {
        "q": node("user", question, metadata=metadata),
        "t": node(
            "tool",
            {"content_type": "multimodal_text", "parts": [drawn]},
            "q",
            author={"role": "tool", "name": "dalle"},
        ),
        "a": node("assistant", "A cat.", "t"),
    }
    take(alice, conversation("pictures", "a", nodes))
    asked, answered = only(alice)
    assert asked["content"] == "[Image: cat.png]\n\nWhat is it?\n\n[File: notes.pdf]"
    (call,) = answered["tool_calls"]
    assert (call["name"], call["output"]) == ("dalle", "[Image: file-xyz]")


@pytest.mark.parametrize("given", HOSTILE, ids=range(len(HOSTILE)))
def test_malformed_conversations_are_named_and_stop_nothing(given: Any, new_user: NewUser) -> None:
    alice = new_user()
    reply = take(alice, given, tree())
    assert reply["conversations"] in (1, 2)
    assert len(json.dumps(reply)) < 5_000
    for each in alice.http.get("/conversations").json()["data"]:
        for message in alice.messages(each["id"]):
            assert "\x00" not in message["content"]
        assert alice.say("Go on", each["id"]).status_code == 200
    assert export(alice)


MESSAGE = {
    "kind": "message",
    "conversation_id": "c",
    "id": "m",
    "seq": 1,
    "role": "user",
    "status": "completed",
    "content": "Hi",
    "version_of": "m",
    "version": 1,
    "created_at": "2026-01-01T00:00:00Z",
}
CONVERSATION = {
    "kind": "conversation",
    "id": "c",
    "title": "T",
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "8999-01-01T00:00:00Z",
}
ODD: list[Any] = [
    None,
    -1,
    0,
    2**31,
    2**63,
    10**40,
    1.5,
    "",
    "x",
    "\x00\ud800",
    [],
    {},
    [[[]]],
    True,
    "9" * 5000,
    float("nan"),
]


def test_any_value_in_any_field_is_taken_or_named(new_user: NewUser) -> None:
    alice = new_user()
    text = {"kind": "text", "conversation_id": "c", "message_id": "m", "offset": 2, "text": "more"}
    call = {"kind": "tool_call", "conversation_id": "c", "message_id": "m", "index": 0, "call_id": "1"}
    call |= {"name": "n", "arguments": "{}", "output": 1, "status": "completed", "duration_ms": 1}
    answer = MESSAGE | {"role": "assistant", "reply_to": "m", "id": "a", "seq": 2, "version_of": "a"}
    answer |= {"usage": None, "error": {}, "feedback": None, "completed_at": None, "incomplete": "length"}
    for record in (CONVERSATION, MESSAGE, answer, text, call):
        given = [{**record, name: odd} for name in record for odd in ODD]
        reply = send(alice, {"source": "parley", "version": 1, "records": [CONVERSATION, MESSAGE, *given]})
        assert reply["not_taken"]
    for each in export(alice):
        if each["kind"] == "conversation":
            assert alice.say("Go on", each["id"]).status_code == 200
            assert alice.messages(each["id"])
            assert alice.http.get(f"/conversations/{each['id']}/export").status_code == 200


@pytest.mark.parametrize(
    "part",
    [
        None,
        [],
        {},
        {"source": "parley"},
        {"source": "parley", "version": 2, "records": []},
        {"source": "parley", "version": 1, "records": {}},
        {"source": "claude", "conversations": []},
        {"source": "chatgpt", "conversations": [], "more": 1},
        {"source": "chatgpt", "conversations": "x" * 300_000},
    ],
    ids=range(9),
)
def test_a_part_of_another_shape_is_refused(part: Any, new_user: NewUser) -> None:
    assert new_user().http.post("/import", json=part).status_code in (413, 422)


def test_nothing_of_anothers_can_be_named(new_user: NewUser) -> None:
    """Nor added to, with whatever ids."""
    alice, mallory = new_user("alice"), new_user("mallory")
    said = alice.say("Mine").json()
    before = alice.messages(said["conversation_id"])
    names = {
        "conversation_id": said["conversation_id"],
        "reply_to": said["user_message_id"] if "user_message_id" in said else str(uuid.uuid4()),
    }
    record = MESSAGE | names | {"id": said["message_id"], "version_of": said["message_id"], "seq": 3}
    theirs = CONVERSATION | {"id": said["conversation_id"]}
    more = {
        "kind": "text",
        "conversation_id": said["conversation_id"],
        "message_id": said["message_id"],
        "offset": len(before[1]["content"]),
        "text": "stolen",
    }
    reply = send(mallory, {"source": "parley", "version": 1, "records": [theirs, record, more]})
    # They have a conversation of their own then.
    assert reply["conversations"] == 1
    assert alice.messages(said["conversation_id"]) == before
    (own,) = mallory.http.get("/conversations").json()["data"]
    assert own["id"] != said["conversation_id"]


def test_what_was_sent_without_what_it_belongs_to_is_named(new_user: NewUser) -> None:
    alice = new_user()
    answer = MESSAGE | {"role": "assistant", "reply_to": "gone", "id": "a", "seq": 2, "version_of": "a"}
    gap = {"kind": "text", "conversation_id": "c", "message_id": "m", "offset": 9, "text": "x"}
    for given, reason in (
        ([MESSAGE], "Its conversation was not imported."),
        ([CONVERSATION, answer], "It answers no question that was imported."),
        ([gap], "Its message was not imported."),
        ([MESSAGE, gap], "What comes before it was not imported."),
        ([MESSAGE | {"id": "other", "version_of": "other"}], "Its place in the conversation is taken."),
        ([{"kind": "usage"}], "What was spent elsewhere does not count here."),
        ([MESSAGE | {"seq": "x"}], "Its `seq` is not valid."),
    ):
        reply = send(alice, {"source": "parley", "version": 1, "records": given})
        assert [each["reason"] for each in reply["not_taken"]] == [reason]
