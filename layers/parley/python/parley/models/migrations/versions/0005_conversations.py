"""Conversations, messages and usage, each user's rows walled off by row-level security.

Stands for the revisions 0001 to 0005, which were never released.
"""

from alembic import op

revision = "0005"
down_revision = None
branch_labels = None
depends_on = None

TABLES = ("conversation", "message", "usage")

CONVERSATION = """
    create table conversation (
        id uuid primary key,
        user_id varchar not null constraint conversation_user_id_check check (user_id <> ''),
        title varchar(200) not null,
        archived boolean not null default false,
        pinned boolean not null default false,
        message_count int not null default 0,
        last_seq int not null default 0,
        window_seq int not null default 0,
        summary varchar,
        summary_seq int not null default 0,
        titled boolean not null default false,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now()
    )
"""
# `simple` knows no language, so it fits all. A tsvector holds 1 MB at most, and an answer may be longer.
MESSAGE = """
    create table message (
        id uuid primary key,
        conversation_id uuid not null references conversation (id) on delete cascade,
        user_id varchar not null,
        seq int not null,
        role varchar not null constraint message_role_check check (role in ('user', 'assistant')),
        status varchar not null constraint message_status_check check (status in (
            'in_progress', 'completed', 'failed', 'cancelled', 'interrupted', 'waiting_approval')),
        content varchar not null default '',
        run_items jsonb,
        error jsonb,
        tokens int not null,
        model varchar,
        input_tokens int,
        output_tokens int,
        reply_to uuid,
        version_of uuid not null,
        version int not null default 1,
        superseded boolean not null default false,
        idempotency_key varchar(255),
        request_hash varchar,
        run_id uuid,
        lease_expires_at timestamptz,
        cancel_requested boolean not null default false,
        created_at timestamptz not null default now(),
        completed_at timestamptz,
        search tsvector generated always as (to_tsvector('simple', left(content, 100000))) stored,
        run_state jsonb,
        feedback jsonb,
        resume_key varchar(255),
        resume_hash varchar,
        constraint message_lease_check check (
            status <> 'in_progress' or (run_id is not null and lease_expires_at is not null)),
        constraint message_seq_key unique (conversation_id, seq),
        constraint message_idempotency_key unique (user_id, idempotency_key)
    )
"""
USAGE = """
    create table usage (
        user_id varchar not null,
        day date not null,
        model varchar not null,
        turns int not null default 0,
        input_tokens bigint not null default 0,
        output_tokens bigint not null default 0,
        primary key (user_id, day, model)
    )
"""
INDEXES = (
    "create index conversation_activity on conversation (user_id, updated_at desc, id desc)",
    "create unique index message_one_running on message (conversation_id) where status = 'in_progress'",
    "create unique index message_versions on message (version_of, version)",
)


def upgrade() -> None:
    for statement in (CONVERSATION, MESSAGE, USAGE, *INDEXES):
        op.execute(statement)
    for table in TABLES:
        # The sub-select is evaluated once a statement instead of once a row.
        mine = "user_id = (select current_setting('app.user_id', true))"
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"create policy {table}_of_user on {table} using ({mine}) with check ({mine})")
    # 403 differs from 404, but another user's rows are invisible: these tell that an id is taken, no more.
    for table in ("conversation", "message"):
        op.execute(
            f"create function {table}_exists(p_id uuid) returns boolean "
            "language sql stable security definer set search_path = pg_catalog, public "
            f"return exists (select from public.{table} where id = p_id)"
        )


def downgrade() -> None:
    for table in ("conversation", "message"):
        op.execute(f"drop function {table}_exists")
    for table in reversed(TABLES):
        op.execute(f"drop table {table}")
