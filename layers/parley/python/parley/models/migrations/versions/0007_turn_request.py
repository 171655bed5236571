"""What begin_turn is given as one type, and its steps in place of one long function."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

FUNCTIONS = (
    "begin_turn",
    "find_turn_of_key",
    "check_quota",
    "lock_conversation",
    "end_expired_turn",
    "choose_target",
    "supersede",
    "reject_waiting_calls",
    "store_question",
    "store_placeholder",
    "next_version",
    "lease_end",
    "count_turn",
    "reopen_answer",
    "store_window",
    "cut_window",
    "read_window",
    "utc_today",
)


def upgrade() -> None:
    for function in ("begin_turn", "history_cut", "next_version"):
        op.execute(f"drop function if exists {function}")
    # The fencing id of a turn's lease.
    op.execute("alter table message rename column run_id to lease_id")
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
    for function in FUNCTIONS:
        op.execute(f"drop function if exists {function}")
    op.execute("drop type turn_request")
    op.execute("alter table message rename column lease_id to run_id")
