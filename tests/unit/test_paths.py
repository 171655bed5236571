"""Paths: whatever a user's id holds, it is one segment, and the same id again."""

import random
from typing import Any
from urllib.parse import unquote

import pytest

from parley.paths import routed_path, user_path


def drawn_ids() -> list[str]:
    seed = random.randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    return ["".join(draw.choices("ab/%.2F5?#;{}+ é🦜\\", k=draw.randrange(1, 8))) for _ in range(500)]


def through_a_server(user_id: str) -> dict[str, Any]:
    raw = f"{user_path(user_id)}/conversations"
    return {"path": unquote(raw), "raw_path": raw.encode()}


def through_the_gateway(user_id: str) -> dict[str, Any]:
    parameters = {"user_id": user_id, "proxy": "1/messages/2"}
    route = "GET /api/{user_id}/conversations/{proxy+}"
    return {"path": "", "raw_path": None, "aws.event": {"routeKey": route, "pathParameters": parameters}}


@pytest.mark.parametrize(
    ("scope", "rest"),
    [
        (through_a_server, ["conversations"]),
        (through_the_gateway, ["conversations", "1", "messages", "2"]),
    ],
)
def test_an_id_is_one_segment(scope: Any, rest: list[str]) -> None:
    for user_id in drawn_ids():
        _, api, segment, *others = routed_path(scope(user_id)).split("/")
        assert (api, unquote(segment), others) == ("api", user_id, rest)


def test_no_client_takes_an_id_of_dots_for_another_folder() -> None:
    assert [user_path(each) for each in (".", "..", "a..b")] == ["/api/%2E", "/api/%2E%2E", "/api/a..b"]


def test_other_paths_stay_as_they_are() -> None:
    for path in ("/", "/api/me", "//x/", "/api/é", "*"):
        assert routed_path({"path": path, "raw_path": path.encode().replace(b"\xc3\xa9", b"%C3%A9")}) == path
        assert routed_path({"path": path, "raw_path": None, "aws.event": {"routeKey": "$default"}}) == path
