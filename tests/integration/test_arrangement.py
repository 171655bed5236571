"""Pinned, archived, renamed and deleted conversations, one by one and in batches, and the list of them."""

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, text

from local.postgres import Postgres
from parley.database import Database
from parley.postgres import Address
from tests.conftest import ApiUser
from tests.load.statements import CountingProxy

pytestmark = pytest.mark.both_transports

INSERT = text("""
    insert into conversation (id, user_id, title, updated_at)
    values (:id, :user_id, :title, :updated_at) returning 1
""")
NOBODYS = uuid.UUID("0199d1a2-7c1e-7cc3-9a55-5f0a3f9f8a10")


@dataclass
class Kept:
    """A conversation as the model has it."""

    updated_at: datetime
    title: str
    pinned: bool = False
    archived: bool = False


@dataclass
class Person:
    """A user with a model of the conversations. Times are drawn from few, so that some are equal."""

    user: ApiUser
    database: Database
    draw: random.Random
    kept: dict[uuid.UUID, Kept] = field(default_factory=dict)

    def add(self) -> uuid.UUID:
        id_ = uuid.UUID(int=self.draw.getrandbits(128), version=4)
        moment = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(microseconds=self.draw.randrange(8))
        self.kept[id_] = Kept(moment, f"Number {len(self.kept)}")
        params = {"id": id_, "user_id": self.user.id, "title": self.kept[id_].title, "updated_at": moment}
        assert self.database.rows(self.user.id, INSERT, params)
        return id_

    def some(self) -> list[uuid.UUID]:
        """Ids in any order: kept, deleted or never there, and some of them twice."""
        pool = [*self.kept, NOBODYS, uuid.UUID(int=self.draw.getrandbits(128))]
        return self.draw.choices(pool, k=self.draw.randrange(1, 8))

    def change(self) -> None:
        (id_,) = self.draw.choices([*self.kept, NOBODYS])
        changes: dict[str, Any] = self.draw.choice(
            [{"pinned": True}, {"pinned": False}, {"archived": True}, {"archived": False}, {"title": "Anew"}]
        )
        reply = self.user.http.patch(f"/conversations/{id_}", json=changes)
        if id_ not in self.kept:
            assert reply.status_code == 404
            return
        assert reply.status_code == 200, reply.text
        assert reply.json().items() >= changes.items()
        for name, value in changes.items():
            setattr(self.kept[id_], name, value)

    def delete(self) -> None:
        (id_,) = self.draw.choices([*self.kept, NOBODYS])
        reply = self.user.http.delete(f"/conversations/{id_}")
        assert reply.status_code == (204 if self.kept.pop(id_, None) else 404)

    def batch(self) -> None:
        ids, action = self.some(), self.draw.choice(["archive", "unarchive", "delete"])
        expected = [(str(id_), "done" if id_ in self.kept else "not_found") for id_ in ids]
        assert batch(self.user, ids, action) == expected
        for id_ in ids:
            if action == "delete":
                self.kept.pop(id_, None)
            elif id_ in self.kept:
                self.kept[id_].archived = action == "archive"

    def listed(self, archived: bool) -> list[dict[str, Any]]:
        """All pages, each of a drawn size."""
        found: list[dict[str, Any]] = []
        query: dict[str, Any] = {"archived": archived}
        while True:
            query["limit"] = self.draw.randrange(1, 8)
            page = self.user.http.get("/conversations", params=query).json()
            assert len(page["data"]) == query["limit"] or not page["has_more"]
            assert page["has_more"] is (page["next_cursor"] is not None)
            found += page["data"]
            if not page["has_more"]:
                return found
            query["cursor"] = page["next_cursor"]

    def expected(self, archived: bool) -> list[tuple[str, str, bool]]:
        there = [(id_, each) for id_, each in self.kept.items() if each.archived is archived]
        there.sort(key=lambda pair: (pair[1].pinned, pair[1].updated_at, pair[0]), reverse=True)
        return [(str(id_), each.title, each.pinned) for id_, each in there]


def batch(user: ApiUser, ids: list[Any], action: str) -> list[tuple[str, str]]:
    reply = user.http.post("/conversations/batch", json={"ids": [*map(str, ids)], "action": action})
    assert reply.status_code == 200, reply.text
    return [(each["id"], each["outcome"]) for each in reply.json()["data"]]


def test_drawn_lists_are_those_of_a_model(alice: ApiUser, database: Database) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    person = Person(alice, database, random.Random(seed))
    acts = [person.add, person.change, person.change, person.change, person.delete, person.batch]
    for _ in range(12):
        person.add()
    for _ in range(25):
        for _ in range(person.draw.randrange(4)):
            person.draw.choices(acts, weights=[3, 2, 2, 2, 1, 1])[0]()
        for archived in (False, True):
            found = person.listed(archived)
            shown = [(each["id"], each["title"], each["pinned"]) for each in found]
            assert shown == person.expected(archived)
            assert all(each["archived"] is archived for each in found)


def test_nothing_is_missed_or_shown_twice_while_one_pages(alice: ApiUser, database: Database) -> None:
    person = Person(alice, database, random.Random())
    ids = [str(person.add()) for _ in range(9)]
    first = alice.http.get("/conversations", params={"limit": 4}).json()
    shown = [each["id"] for each in first["data"]]
    alice.http.delete(f"/conversations/{shown[-1]}")
    alice.http.patch(f"/conversations/{shown[0]}", json={"pinned": True})
    rest = alice.http.get("/conversations", params={"limit": 9, "cursor": first["next_cursor"]}).json()
    assert sorted(shown + [each["id"] for each in rest["data"]]) == sorted(ids)


def test_a_search_is_by_activity_alone(alice: ApiUser) -> None:
    ids = [alice.say(f"parrot {number}").json()["conversation_id"] for number in range(3)]
    alice.http.patch(f"/conversations/{ids[0]}", json={"pinned": True})
    query: dict[str, Any] = {"q": "parrot", "limit": 1}
    found = []
    for _ in ids:
        page = alice.http.get("/conversations", params=query).json()
        found += [each["id"] for each in page["data"]]
        query["cursor"] = page["next_cursor"]
    assert found == ids[::-1]
    assert [each["id"] for each in alice.http.get("/conversations").json()["data"]] == [
        ids[0],
        ids[2],
        ids[1],
    ]


def test_foreign_ids_in_a_batch_are_answered_as_alone(alice: ApiUser, bob: ApiUser) -> None:
    theirs, mine = (user.say("Hello").json()["conversation_id"] for user in (alice, bob))
    for action in ("archive", "unarchive", "delete"):
        expected = [(theirs, "forbidden"), (mine, "done"), (str(NOBODYS), "not_found")]
        assert batch(bob, [theirs, mine, NOBODYS], action) == expected
    assert batch(bob, [mine], "delete") == [(mine, "not_found")]
    conversation = alice.http.get(f"/conversations/{theirs}").json()
    assert (conversation["archived"], conversation["message_count"]) == (False, 2)


@pytest.mark.parametrize(
    "body",
    [
        {"ids": [], "action": "archive"},
        {"ids": [str(NOBODYS)] * 101, "action": "archive"},
        {"ids": ["x"], "action": "archive"},
        {"ids": [str(NOBODYS)], "action": "pin"},
        {"ids": [str(NOBODYS)]},
        {"ids": [str(NOBODYS)], "action": "archive", "user_id": "bob"},
    ],
)
def test_a_batch_that_is_none_is_refused(alice: ApiUser, body: dict[str, Any]) -> None:
    assert alice.http.post("/conversations/batch", json=body).status_code == 422


def test_each_request_is_one_statement(
    postgres: Postgres, serve_api: Callable[..., str], new_user: Callable[..., ApiUser]
) -> None:
    address = urlsplit(postgres.app_url)
    proxy = CountingProxy((str(address.hostname), int(address.port or 0)))
    with proxy.listen() as port:
        login = address.netloc.rpartition("@")[0]
        url = SecretStr(address._replace(netloc=f"{login}@127.0.0.1:{port}").geturl())
        ada = new_user(api_url=serve_api(database_url=url, database_transport="tcp"))
        conversation_id = ada.say("Hello").json()["conversation_id"]
        path = f"/conversations/{conversation_id}"
        ada.http.patch(path, json={"title": "Mine"})
        # From here on there is no follow-up.
        ada.say("Hello", conversation_id)
        deletion = {"ids": [conversation_id, str(NOBODYS)], "action": "delete"}
        for method, where, body in (
            ("GET", "/conversations", None),
            ("PATCH", path, {"pinned": True}),
            ("POST", "/conversations/batch", deletion),
        ):
            before = proxy.executed["statement"], proxy.traffic.round_trips
            assert ada.http.request(method, where, json=body).status_code == 200
            after = proxy.executed["statement"], proxy.traffic.round_trips
            assert (after[0] - before[0], after[1] - before[1]) == (1, 1)


def test_a_page_is_read_by_the_index(alice: ApiUser, database: Database, postgres: Postgres) -> None:
    """Wherever it starts, and among many conversations: no page sorts."""
    fill = text("""
        with made as (
            insert into conversation (id, user_id, title, updated_at, pinned, archived)
            select gen_random_uuid(), :user_id, 'x', now() - n * interval '1 minute', mod(n, 50) = 0,
                mod(n, 3) = 0
            from generate_series(1, 5000) as n returning 1
        ) select count(*) from made
    """)
    database.rows(alice.id, fill, {"user_id": alice.id})
    engine = create_engine("postgresql+pg8000://", creator=Address(postgres.owner_url).connect)
    with engine.begin() as connection:
        connection.exec_driver_sql("analyze conversation")
    engine.dispose()
    for start in ("", "and (pinned, updated_at, id) < (false, now() - interval '1 day', :id)"):
        statement = text(f"""
            explain select * from conversation where user_id = :user_id and archived = false {start}
            order by pinned desc, updated_at desc, id desc limit 21
        """)
        params = {"user_id": alice.id} | ({"id": NOBODYS} if start else {})
        plan = "\n".join(row[0] for row in database.rows(alice.id, statement, params))
        assert "conversation_arrangement" in plan
        assert "Sort" not in plan
