"""The conversations and messages of a user, over HTTP."""

import base64
import json
import random
import uuid
from collections.abc import Callable

import pytest
from sqlalchemy import text

from parley.database import Database
from parley.repositories.messages import MAX_PAGE_BYTES
from tests.conftest import ApiUser

pytestmark = pytest.mark.both_transports


def converse(user: ApiUser, *messages: str) -> str:
    """A conversation with these messages, each answered; its id."""
    conversation_id: str | None = None
    for message in messages:
        reply = user.say(message, conversation_id)
        assert reply.status_code == 200, reply.text
        conversation_id = reply.json()["conversation_id"]
    assert conversation_id
    return conversation_id


def test_a_conversation_has_the_shape_of_the_contract(alice: ApiUser) -> None:
    conversation_id = converse(alice, "Where do parrots sleep, and why do they never fall off the branch?")
    conversation = alice.http.get(f"/conversations/{conversation_id}").json()
    assert list(conversation) == [
        "id",
        "title",
        "created_at",
        "updated_at",
        "archived",
        "pinned",
        "message_count",
        "running",
        "title_withheld",
        "model",
        "snippet",
    ]
    assert conversation["title"].startswith("Where do parrots sleep")
    assert (conversation["message_count"], conversation["running"]) == (2, False)
    assert (conversation["archived"], conversation["pinned"]) == (False, False)


def test_a_message_has_the_shape_of_the_contract(alice: ApiUser) -> None:
    conversation_id = converse(alice, "Hello")
    question, answer = alice.messages(conversation_id)
    assert list(question) == [
        "id",
        "conversation_id",
        "seq",
        "role",
        "status",
        "content",
        "tool_calls",
        "usage",
        "incomplete",
        "withheld",
        "feedback",
        "error",
        "version",
        "version_count",
        "created_at",
        "completed_at",
    ]
    assert (question["seq"], question["role"], question["status"]) == (1, "user", "completed")
    assert (question["content"], question["usage"]) == ("Hello", None)
    assert (answer["seq"], answer["role"], answer["status"]) == (2, "assistant", "completed")
    assert answer["usage"]["output_tokens"] > 0
    assert (answer["version"], answer["version_count"]) == (1, 1)


def test_the_list_is_paged_by_newest_activity(alice: ApiUser) -> None:
    ids = [converse(alice, f"Number {number}") for number in range(5)]
    converse_again = ids[1]
    alice.say("And one more", converse_again)
    expected = [ids[1], ids[4], ids[3], ids[2], ids[0]]
    seen: list[str] = []
    parameters: dict[str, str | int] = {"limit": 2}
    while True:
        page = alice.http.get("/conversations", params=parameters).json()
        seen += [conversation["id"] for conversation in page["data"]]
        assert page["has_more"] is (page["next_cursor"] is not None)
        if not page["has_more"]:
            break
        parameters["cursor"] = page["next_cursor"]
    assert seen == expected


def test_messages_are_paged_from_the_newest(alice: ApiUser) -> None:
    conversation_id = converse(alice, "one", "two", "three")
    newest = alice.http.get(f"/conversations/{conversation_id}/messages", params={"limit": 4}).json()
    assert [message["seq"] for message in newest["data"]] == [3, 4, 5, 6]
    assert newest["has_more"]
    older = alice.http.get(
        f"/conversations/{conversation_id}/messages", params={"limit": 4, "before": newest["next_cursor"]}
    ).json()
    assert [message["seq"] for message in older["data"]] == [1, 2]
    assert (older["has_more"], older["next_cursor"]) == (False, None)


def test_a_page_of_large_messages_ends_before_the_platform_cuts_it(
    alice: ApiUser, database: Database
) -> None:
    conversation_id = converse(alice, "Hello")
    huge = "é" * (MAX_PAGE_BYTES // 2)
    database.rows(
        alice.id,
        text("update message set content = :content where conversation_id = :id returning 1"),
        {"content": huge, "id": conversation_id},
    )
    page = alice.http.get(f"/conversations/{conversation_id}/messages")
    assert len(page.content) < 5_000_000
    assert [message["seq"] for message in page.json()["data"]] == [2]
    assert page.json()["has_more"]
    before = page.json()["next_cursor"]
    older = alice.http.get(f"/conversations/{conversation_id}/messages", params={"before": before}).json()
    assert [message["seq"] for message in older["data"]] == [1]
    assert not older["has_more"]


@pytest.mark.parametrize(
    "change", [{"title": "Parrots"}, {"archived": True}, {"pinned": True}, {"title": "🦜" * 200}]
)
def test_a_conversation_can_be_changed(alice: ApiUser, change: dict[str, object]) -> None:
    conversation_id = converse(alice, "Hello")
    address = f"/conversations/{conversation_id}"
    alice.http.patch(address, json={"title": "Mine"})  # from now on no follow-up changes it
    before = alice.http.get(address).json()
    reply = alice.http.patch(address, json=change)
    assert reply.status_code == 200, reply.text
    assert reply.json() == before | change
    assert alice.http.get(address).json() == before | change


@pytest.mark.parametrize(
    "change",
    [
        *({"title": title} for title in ("", "x" * 201, None, "a\x00b")),
        *({name: value} for name in ("archived", "pinned") for value in ("yes", "true", 1, 0, None)),
        {"owner": "bob"},
    ],
)
def test_a_bad_change_is_refused(alice: ApiUser, change: dict[str, object]) -> None:
    conversation_id = converse(alice, "Hello")
    assert alice.http.patch(f"/conversations/{conversation_id}", json=change).status_code == 422
    assert alice.http.get(f"/conversations/{conversation_id}").json()["title"] == "Hello"


TIMES = [
    *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-23:59"),
    *(
        "1969-12-31T23:59:59Z",
        "2026-02-30T00:00:00Z",
        "2026-01-01T00:00:00",
        "infinity",
        "-4713-11-24T00:00:00Z",
    ),
]
NUMBERS = [-(2**63), -(2**31), -1, 0, 1, 2**31 - 1, 2**31, 2**32, 2**63, 10**30, 1e308, -0.5, 253402300800]


def test_no_cursor_fails(alice: ApiUser) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    address = f"/conversations/{converse(alice, 'Hello')}/messages"
    values: list[object] = [
        *TIMES,
        *NUMBERS,
        *map(str, NUMBERS),
        str(uuid.uuid4()),
        "",
        "x" * 60,
        None,
        True,
        [],
        {},
        [[]],
    ]
    keys: list[object] = [*values, *([draw.choice(values), str(uuid.uuid4())] for _ in range(60))]
    keys += [draw.choices(values, k=draw.randrange(4)) for _ in range(60)]
    for key in keys:
        cursor = base64.urlsafe_b64encode(json.dumps(key).encode()).rstrip(b"=").decode()
        for path, parameter in ((address, "before"), ("/conversations", "cursor")):
            reply = alice.http.get(path, params={parameter: cursor})
            assert reply.status_code in (200, 422), (key, reply.text)


def test_archived_conversations_are_listed_apart(alice: ApiUser) -> None:
    kept, archived = converse(alice, "Keep"), converse(alice, "Archive")
    alice.http.patch(f"/conversations/{archived}", json={"archived": True})

    def listed(**parameters: str) -> list[str]:
        page = alice.http.get("/conversations", params=parameters).json()
        return [conversation["id"] for conversation in page["data"]]

    assert (listed(), listed(archived="true")) == ([kept], [archived])


def test_a_deleted_conversation_is_gone_with_its_messages(alice: ApiUser, database: Database) -> None:
    conversation_id = converse(alice, "Hello", "Again")
    assert alice.http.delete(f"/conversations/{conversation_id}").status_code == 204
    for reply in (
        alice.http.get(f"/conversations/{conversation_id}"),
        alice.http.get(f"/conversations/{conversation_id}/messages"),
        alice.http.patch(f"/conversations/{conversation_id}", json={"title": "x"}),
        alice.http.delete(f"/conversations/{conversation_id}"),
        alice.say("Hello?", conversation_id),
    ):
        assert (reply.status_code, reply.json()["type"]) == (404, "/problems/not-found")
    left = database.rows(
        alice.id, text("select count(*) from message where conversation_id = :id"), {"id": conversation_id}
    )
    assert left[0][0] == 0


# Well-formed, but with keys that Postgres or Python cannot compare.
CRAFTED = [
    "null",
    str(10**38),
    '["9999-12-31T23:59:59-23:59", "0199d1a2-7c1e-7cc3-9a55-5f0a3f9f8a10"]',
    '["0001-01-01T00:00:00+23:59", "0199d1a2-7c1e-7cc3-9a55-5f0a3f9f8a10"]',
]


def cursor_of(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "cursor", ["", "x", "bm9uc2Vuc2U", "WyJ4Il0", "é", "W1tbW1tbXV1d", "NaN", *map(cursor_of, CRAFTED)]
)
def test_a_cursor_that_is_none_of_ours_is_refused(alice: ApiUser, cursor: str) -> None:
    conversation_id = converse(alice, "Hello")
    assert alice.http.get("/conversations", params={"cursor": cursor}).status_code == 422
    messages = alice.http.get(f"/conversations/{conversation_id}/messages", params={"before": cursor})
    assert messages.status_code == 422


@pytest.mark.parametrize("conversation_id", ["x", "0", "null", "' or 1=1", str(uuid.uuid4()) + "0"])
def test_an_id_that_is_no_uuid_is_refused(alice: ApiUser, conversation_id: str) -> None:
    assert alice.http.get(f"/conversations/{conversation_id}").status_code == 422


def test_the_same_message_may_be_in_two_conversations(new_user: Callable[..., ApiUser]) -> None:
    ada, bea = new_user("ada"), new_user("bea")
    assert converse(ada, "Hello") != converse(ada, "Hello")
    assert len(ada.http.get("/conversations").json()["data"]) == 2
    assert bea.http.get("/conversations").json() == {"data": [], "has_more": False, "next_cursor": None}


def test_reading_an_expired_lease_says_interrupted(alice: ApiUser, database: Database) -> None:
    conversation_id = converse(alice, "Hello")
    database.rows(
        alice.id,
        text("""
            update message set status = 'in_progress', lease_id = id,
                lease_expires_at = clock_timestamp() - interval '1 second'
            where conversation_id = :id and role = 'assistant' returning 1
        """),
        {"id": conversation_id},
    )
    assert alice.messages(conversation_id)[1]["status"] == "interrupted"
    assert alice.http.get(f"/conversations/{conversation_id}").json()["running"] is False
    assert alice.say("Go on", conversation_id).status_code == 200
    statuses = [message["status"] for message in alice.messages(conversation_id)]
    assert statuses == ["completed", "interrupted", "completed", "completed"]


def test_me_says_who_the_token_is_for(alice: ApiUser) -> None:
    reply = alice.http.get(str(alice.http.base_url).split("/api/")[0] + "/api/me")
    assert reply.json()["id"] == alice.id
    assert reply.json()["retention_days"] is None


def found(user: ApiUser, q: str, **parameters: str | int) -> list[dict[str, object]]:
    reply = user.http.get("/conversations", params={"q": q, **parameters})
    assert reply.status_code == 200, reply.text
    return list(reply.json()["data"])


def test_a_search_finds_titles_and_messages_and_shows_where(alice: ApiUser) -> None:
    parrots = converse(alice, "Where do parrots <b>sleep</b>?")
    holiday = converse(alice, "Say exactly: the ferry leaves at noon")
    alice.http.patch(f"/conversations/{holiday}", json={"title": "Holiday in Ålesund"})
    (hit,) = found(alice, "PARROTS sleep")
    assert hit["id"] == parrots
    assert "<mark>parrots</mark>" in str(hit["snippet"])
    assert "<b>" not in str(hit["snippet"])
    (titled,) = found(alice, "ålesund")
    assert (titled["id"], titled["snippet"]) == (holiday, None)
    assert [each["id"] for each in found(alice, '"ferry leaves"')] == [holiday]
    assert found(alice, "ferry -noon") == []
    assert found(alice, "elephants") == []
    assert len(found(alice, "")) == 2


def test_a_search_sees_nothing_of_others(alice: ApiUser, bob: ApiUser) -> None:
    converse(alice, "The treasure is buried under the oak")
    assert len(found(alice, "treasure")) == 1
    assert found(bob, "treasure") == []


def test_a_search_is_paged(alice: ApiUser) -> None:
    ids = [converse(alice, f"parrot {number}") for number in range(3)]
    page = alice.http.get("/conversations", params={"q": "parrot", "limit": 2}).json()
    rest = alice.http.get(
        "/conversations", params={"q": "parrot", "limit": 2, "cursor": page["next_cursor"]}
    ).json()
    assert [each["id"] for each in page["data"] + rest["data"]] == ids[::-1]


@pytest.mark.parametrize("q", ["'", "\\", "%", "zzz & | !", "(((", "🦜", "x" * 200, "-", "<script>", ":*"])
def test_odd_searches_find_nothing_and_break_nothing(alice: ApiUser, q: str) -> None:
    converse(alice, "Hello there")
    assert found(alice, q) == []


def test_no_search_fails(alice: ApiUser) -> None:
    converse(alice, "Hello there")
    seed = random.randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    parts = [
        "-",
        "-",
        '"',
        " ",
        "!",
        "&",
        "|",
        "(",
        ")",
        "<->",
        ":*",
        "'",
        "\\",
        "*",
        "or",
        "_",
        "é",
        "🦜",
        "word",
    ]
    drawn = ["".join(draw.choices(draw.sample(parts, 4), k=draw.randrange(1, 70)))[:200] for _ in range(300)]
    repeated = [(part * 200)[:200] for part in (*parts, "- ", "-!", '-"', '-" ', "-_", "or -", "--x ", '"-')]
    for q in drawn + repeated:
        reply = alice.http.get("/conversations", params={"q": q})
        assert reply.status_code == 200, (q, reply.text)


def test_a_hyphen_leaves_a_word_out(alice: ApiUser) -> None:
    both, one = converse(alice, "cats dogs"), converse(alice, "cats")
    assert [each["id"] for each in found(alice, "cats -dogs")] == [one]
    for q in ("cats - dogs", "cats dogs --", "- cats -- dogs"):
        assert [each["id"] for each in found(alice, q)] == [both]


def test_what_was_replaced_is_not_found(alice: ApiUser) -> None:
    conversation_id = converse(alice, "elephants")
    question = alice.messages(conversation_id)[0]
    alice.http.patch(f"/conversations/{conversation_id}", json={"title": "Animals"})
    path = f"/conversations/{conversation_id}/messages/{question['id']}/edit"
    assert alice.http.post(path, json={"message": "parrots"}).status_code == 200
    assert found(alice, "elephants") == []
