"""Conversations as ChatGPT exports them, whole ones and broken ones."""

import random
from typing import Any

Node = dict[str, Any]


def node(
    role: str | None = None,
    said: Any = "",
    parent: str | None = None,
    time: Any = 1_700_000_000.5,
    **message: Any,
) -> Node:
    """Without a role, a joint. `said`: a text, or the whole content."""
    content = said if isinstance(said, dict) else {"content_type": "text", "parts": [said]}
    whole = {"author": {"role": role}, "create_time": time, "content": content, "recipient": "all"} | message
    return {"parent": parent, "children": [], "message": whole if role else None}


def conversation(name: str, current: str | None, nodes: dict[str, Node], **more: Any) -> dict[str, Any]:
    """Names the nodes and their children."""
    for key, each in nodes.items():
        each["id"] = key
        if each["parent"] in nodes:
            nodes[each["parent"]]["children"].append(key)
    times = {"create_time": 1_700_000_000.0, "update_time": 1_700_000_500.0}
    return {"id": name, "title": name, "mapping": nodes, "current_node": current, **times, **more}


def draw_tree(draw: random.Random, name: str, size: int) -> dict[str, Any]:
    """A tree in which any node may have several children."""
    nodes: dict[str, Node] = {"root": node()}
    for number in range(size):
        parent = draw.choice(list(nodes)[-4:])
        role = draw.choice(["user", "user", "assistant", "assistant", "tool", "system", None])
        recipient = draw.choice(["all", "all", "python"]) if role == "assistant" else "all"
        nodes[f"n{number}"] = node(role, f"said {number} 漢", parent, recipient=recipient)
    return conversation(name, draw.choice(list(nodes)), nodes)


HOSTILE: list[Any] = [
    None,
    1,
    [],
    {},
    "x\x00\ud800",
    {"mapping": {}},
    {"id": "", "mapping": {}},
    {"id": "x" * 300, "mapping": {}},
    {"id": 7, "mapping": {"a": {}}},
    {"id": "a", "mapping": {"": {}, "x": None, "y": 3, "z" * 300: {}}},
    {"id": "b", "mapping": {"x": {"parent": "y"}, "y": {"parent": "x"}}, "current_node": "x"},
    {"id": "c", "mapping": {"x": {"parent": "x", "children": ["x", 1, None, {}]}}, "current_node": []},
    {"id": "d", "mapping": {"x": {"message": {"author": {"role": "user"}, "content": {"parts": None}}}}},
    {
        "id": "e",
        "title": {"a": 1},
        "mapping": {"x": node("user", "Hi", time="soon"), "y": node("assistant", "lone")},
    },
    {"id": "f", "create_time": 1e300, "mapping": {"x": node("user", "Hi", time=float("inf"))}},
    {"id": "r", "create_time": 10**400, "mapping": {"x": node("user", "Hi", time=10**4000)}},
    {"id": "g", "mapping": {"x": node("user", "Hi", time=-5), "y": node("wizard", "Ho", "x")}},
    {"id": "h", "mapping": {"x": node("user", {"content_type": 5, "parts": [5, None, {}, [], {"text": 5}]})}},
    {"id": "i", "mapping": {"x": {"message": {"author": "user", "content": "Hi"}}}},
    {"id": "j", "mapping": {"x": node("user", "Hi"), "y": node("assistant", "ok", "x", recipient={"a": 1})}},
    {
        "id": "k",
        "mapping": {"x": node("user", "Hi", metadata={"attachments": [1, {}, {"id": 1, "name": []}]})},
    },
    {
        "id": "l",
        "mapping": {"x": {**node("user", "Hi"), "order": -1}, "y": {**node("user", "Hi"), "order": 10**30}},
    },
    {"id": "q", "mapping": {"x": {**node("user", "Hi"), "order": True}}},
    {"id": "m", "mapping": {"x": {**node("user", "A"), "order": 1}, "y": {**node("user", "B"), "order": 1}}},
    {"id": "n", "title": " \x00 ", "mapping": {"x": node("user", "\x00\ud83d")}},
    {"id": "o", "title": "t" * 999, "mapping": {"x": node("user", "u" * 40_000)}},
    {"id": "p", "mapping": {"x": node("user", "Hi", author={"role": ["user"]})}},
]
