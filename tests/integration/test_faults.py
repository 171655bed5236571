"""The fault catalogue."""

import uuid

from sqlalchemy import text

from parley.database import Database
from tests.conftest import Person

KEY = {"Idempotency-Key": "k"}


def interrupt(database: Database, person: Person, message_id: str) -> None:
    """Leave a turn as its worker's death does, 30 seconds later."""
    database.rows(
        person.id,
        text("""
            update message set status = 'in_progress', content = '', run_id = id, completed_at = null,
                lease_expires_at = clock_timestamp() - interval '1 second'
            where id = :id returning 1
        """),
        {"id": uuid.UUID(message_id)},
    )


def test_the_key_of_a_broken_off_turn_that_was_replaced_says_so(alice: Person, database: Database) -> None:
    reply = alice.say("Hello", **KEY).json()
    interrupt(database, alice, reply["message_id"])
    path = f"/conversations/{reply['conversation_id']}/messages/{reply['message_id']}/regenerate"
    assert alice.http.post(path).status_code == 200
    again = alice.say("Hello", **KEY)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/message-superseded")
    streamed = alice.say("Hello", Accept="text/event-stream", **KEY)
    assert "event: turn.failed" in streamed.text
