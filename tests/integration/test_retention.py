"""What nobody has touched for so many days is deleted, whosever it is, and nothing else."""

import uuid
from collections.abc import Callable

import pytest
from sqlalchemy import text

from local.postgres import Postgres
from parley.database import Database
from parley.errors import DatabaseUnavailable
from parley.repositories import erasure
from parley.services.clean_up import BATCH_TAKES_S, CleanUp
from tests.chatgpt import conversation, node
from tests.conftest import ApiUser
from tests.integration.test_erasure import begin, fill_with_many, found
from tests.integration.test_import import take

pytestmark = pytest.mark.both_transports

AGE = text("""
    update conversation set updated_at = now() - make_interval(days => :days, secs => 60)
    where id = cast(:id as uuid) returning 1
""")


@pytest.fixture(autouse=True)
def nothing_old(postgres: Postgres) -> None:
    owner = postgres.connect()
    owner.run("select set_config('app.migrating', 'on', false)")
    owner.run("delete from conversation where updated_at < now() - interval '1 day'")
    owner.close()


def age(database: Database, user_id: str, conversation_id: object, days: int) -> None:
    assert database.rows(user_id, AGE, {"id": str(conversation_id), "days": days})


def listed(user: ApiUser) -> set[str]:
    return {each["id"] for each in user.http.get("/conversations").json()["data"]}


def test_the_old_ones_of_all_users_go_pinned_or_not(
    alice: ApiUser, bob: ApiUser, database: Database, postgres: Postgres
) -> None:
    kept, old, pinned = (alice.say(f"Canary {n}").json()["conversation_id"] for n in range(3))
    bobs = bob.say("Hello").json()["conversation_id"]
    alice.http.patch(f"/conversations/{pinned}", json={"pinned": True})
    alice.http.patch(f"/conversations/{old}", json={"archived": True})
    for user_id, each in ((alice.id, old), (alice.id, pinned), (bob.id, bobs)):
        age(database, user_id, each, 30)
    age(database, alice.id, kept, 29)
    CleanUp(database, 0).run(lambda: 300)
    assert listed(bob) == {bobs}, "off"
    CleanUp(database, 30).run(lambda: 300)
    assert listed(alice) == {kept}
    assert listed(bob) == set()
    for gone in (old, pinned, bobs):
        assert found(postgres, gone) == {}
        assert alice.http.get(f"/conversations/{gone}").status_code == 404
    assert alice.http.get("/usage").json()["days"][0]["turns"] == 3, "what was spent stays"


def test_what_was_imported_is_kept_from_then(
    new_user: Callable[..., ApiUser], database: Database, postgres: Postgres
) -> None:
    alice = new_user()
    take(alice, conversation("old", "q", {"q": node("user", "Of 2023")}))
    (imported,) = listed(alice)
    CleanUp(database, 30).run(lambda: 300)
    assert listed(alice) == {imported}
    long_ago = text("update conversation set imported_at = imported_at - interval '31 days' returning 1")
    assert database.rows(alice.id, long_ago)
    CleanUp(database, 30).run(lambda: 300)
    assert listed(alice) == set()
    assert found(postgres, imported) == {}


def test_it_goes_on_batch_by_batch_while_there_is_time(
    alice: ApiUser, database: Database, postgres: Postgres
) -> None:
    fill_with_many(postgres, alice.id, erasure.BATCH + 100, age=3)
    times = iter([300, BATCH_TAKES_S])
    CleanUp(database, 2).run(lambda: next(times))
    left = text("select count(*) from conversation")
    assert database.rows(alice.id, left)[0][0] == 100
    CleanUp(database, 2).run(lambda: 300)
    assert database.rows(alice.id, left)[0][0] == 0


def test_a_batch_has_as_many_messages_as_can_be_deleted_in_time(database: Database) -> None:
    user_id = f"user-{uuid.uuid4().hex[:8]}"
    for last_seq in (30_000, 15_000, 15_000, 15_000):
        conversation_id = begin(database, user_id).begun.conversation_id
        age(database, user_id, conversation_id, 10)
        database.rows(
            user_id,
            text("update conversation set last_seq = :last_seq where id = :id returning 1"),
            {"last_seq": last_seq, "id": conversation_id},
        )
    assert [erasure.delete_untouched(database, 9) for _ in range(4)] == [1, 2, 1, 0]


def test_a_turn_whose_worker_died_long_ago_is_charged(database: Database) -> None:
    user_id = f"user-{uuid.uuid4().hex[:8]}"
    begun = begin(database, user_id).begun
    reserved = text("select reserved_input + reserved_output from message where id = :id")
    [[owed]] = database.rows(user_id, reserved, {"id": begun.answer_id})
    age(database, user_id, begun.conversation_id, 10)
    assert erasure.delete_untouched(database, 9) == 1
    spent = text("select sum(input_tokens + output_tokens) from usage")
    assert database.rows(user_id, spent)[0][0] == owed > 0


@pytest.mark.parametrize("days", [0, -1, None])
def test_nobody_can_ask_for_what_is_younger_than_a_day(days: int | None, database: Database) -> None:
    statement = text("select delete_untouched(cast(:days as int), 500)")
    with pytest.raises(Exception, match="must be at least 1"):
        database.rows(None, statement, {"days": days})


def test_the_number_of_days_is_told(serve_api: Callable[..., str], new_user: Callable[..., ApiUser]) -> None:
    alice = new_user(api_url=serve_api(retention_days=90))
    reply = alice.http.get(alice.http.base_url.join("/api/me"))
    assert reply.json()["retention_days"] == 90


def test_a_database_that_is_away_is_told() -> None:
    gone = Database("postgresql://nobody:none@127.0.0.1:1/none", pool_size=1)
    with pytest.raises(DatabaseUnavailable):
        CleanUp(gone, 1).run(lambda: 300)
    gone.close()
