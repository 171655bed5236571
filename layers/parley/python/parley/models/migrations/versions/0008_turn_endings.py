"""How a turn ended, told more exactly, what it may cost, and the turns of deleted conversations."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

MINE = "user_id = (select current_setting('app.user_id', true))"


def upgrade() -> None:
    op.execute("""
        alter table message
            add column incomplete varchar,
            add column estimated boolean not null default false,
            add column withheld boolean not null default false,
            add column reserved_input int,
            add column reserved_output int
    """)
    # A user's running turns are counted whenever one begins.
    op.execute("create index message_running on message (user_id) where status = 'in_progress'")
    # begin_turn.sql makes them anew, with other arguments.
    op.execute(
        "drop function if exists check_quota, end_expired_turn, store_placeholder, store_window, "
        "reopen_answer"
    )
    # fixed_tokens: of the agent's instructions and tools. answer_tokens: an answer's, usually.
    op.execute("""
        alter type turn_request
            add attribute guarded boolean,
            add attribute turns_at_once int,
            add attribute fixed_tokens int,
            add attribute answer_tokens int
    """)
    op.execute("""
        alter table conversation
            add column follow_up_after int not null default 0,
            add column follow_up_charge uuid
    """)
    op.execute("""
        create table deleted_turn (
            answer_id uuid primary key,
            user_id varchar not null,
            idempotency_key varchar(255),
            lease_id uuid,
            lease_expires_at timestamptz,
            reserved_input int,
            reserved_output int,
            charged boolean not null default false,
            deleted_at timestamptz not null default now()
        )
    """)
    op.execute("create index deleted_turn_key on deleted_turn (user_id, idempotency_key)")
    op.execute(
        "create index deleted_turn_running on deleted_turn (user_id) "
        "where lease_id is not null and not charged"
    )
    op.execute("alter table deleted_turn enable row level security")
    op.execute(f"create policy deleted_turn_of_user on deleted_turn using ({MINE}) with check ({MINE})")


def downgrade() -> None:
    # They read the columns. The older version makes its own.
    op.execute(
        "drop function if exists cut_window, read_window, window_tokens, estimate_input, store_conversation"
    )
    op.execute("drop table deleted_turn")
    op.execute("alter table conversation drop column follow_up_after, drop column follow_up_charge")
    for attribute in ("guarded", "turns_at_once", "fixed_tokens", "answer_tokens"):
        op.execute(f"alter type turn_request drop attribute {attribute}")
    op.execute("drop index message_running")
    for column in ("incomplete", "estimated", "withheld", "reserved_input", "reserved_output"):
        op.execute(f"alter table message drop column {column}")
