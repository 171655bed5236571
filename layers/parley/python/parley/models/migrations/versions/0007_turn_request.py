"""What begin_turn is given as one type, its steps in place of one long function, and an index for them."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for function in ("begin_turn", "history_cut", "next_version"):
        op.execute(f"drop function if exists {function}")
    # The fencing id of a turn's lease.
    op.execute("alter table message rename column run_id to lease_id")
    # Without it, begin_turn reads every message of a long conversation to find those that wait.
    op.execute("create index message_waiting on message (conversation_id) where status = 'waiting_approval'")
    op.execute("""
        create type turn_request as (
            user_id text,
            act text,              -- send, regenerate, edit, resume
            conversation_id uuid,  -- null: a new conversation
            target_id uuid,        -- regenerate, resume: the answer; edit: the question
            new_conversation_id uuid,
            title text,            -- of a new conversation
            question_id uuid,
            answer_id uuid,
            lease_id uuid,
            content text,          -- send, edit: the question
            tokens int,            -- of content, estimated
            idempotency_key text,
            request_hash text,
            model text,
            lease_s float8,
            history_tokens int,
            quota_turns bigint,
            quota_tokens bigint
        )
    """)


def downgrade() -> None:
    functions = (
        "begin_turn, supersede, reject_waiting_calls, next_version, utc_today, cut_window, read_window"
    )
    op.execute(f"drop function if exists {functions}")
    # Its other steps take a turn_request.
    op.execute("drop type turn_request cascade")
    op.execute("drop index message_waiting")
    op.execute("alter table message rename column lease_id to run_id")
