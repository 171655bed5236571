"""Shared conversations, and messages that were imported."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

MINE = "user_id = (select current_setting('app.user_id', true))"
# As in 0009. read_shared, which is below, is its other reader.
ON_PURPOSE = "session_user <> current_user or current_setting('app.migrating', true) = 'on'"
WITHIN = {
    "shared_conversation": "conversation where id = shared_conversation.conversation_id and conversation",
    "shared_message": "shared_conversation where id = shared_message.share_id and shared_conversation",
}
SHARED_CONVERSATION = """
    create table shared_conversation (
        id uuid primary key,
        user_id varchar not null,
        conversation_id uuid not null references conversation (id) on delete cascade,
        token_hash varchar not null constraint shared_conversation_token_key unique,
        title varchar(200) not null,
        tool_outputs boolean not null,
        created_at timestamptz not null default now(),
        expires_at timestamptz
    )
"""
SHARED_MESSAGE = """
    create table shared_message (
        share_id uuid not null references shared_conversation (id) on delete cascade,
        place int not null,
        user_id varchar not null,
        role varchar not null,
        status varchar not null,
        content varchar not null,
        run_items jsonb,
        created_at timestamptz not null,
        primary key (share_id, place)
    )
"""
# The one way to another user's rows: by the hash of a token that nobody guesses, and what was shared alone.
READ_SHARED = """
    create function read_shared(p_token_hash text, p_after int, p_limit int, p_bytes int)
    returns table (
        title varchar, shared_at timestamptz, expires_at timestamptz, place int, role varchar,
        status varchar, content varchar, run_items jsonb, created_at timestamptz, more boolean
    ) language sql stable security definer set search_path = pg_catalog, public
    begin atomic
        select s.title, s.created_at, s.expires_at,
            m.place, m.role, m.status, m.content, m.run_items, m.created_at, m.found > m.rank
        from public.shared_conversation s
        left join lateral (
            select sized.*,
                row_number() over by_place as rank, count(*) over () as found,
                sum(sized.size) over by_place - sized.size as before
            from (
                select w.*, octet_length(to_json(w.content)::text)
                    + coalesce(octet_length(w.run_items::text), 0) + 500 as size
                from public.shared_message w
                where w.share_id = s.id and w.place > p_after order by w.place limit p_limit + 1
            ) as sized
            window by_place as (order by sized.place)
        ) as m on m.before < p_bytes and m.rank <= p_limit
        where s.token_hash = p_token_hash and (s.expires_at is null or s.expires_at > now())
        order by m.place;
    end
"""


def upgrade() -> None:
    # Its tool calls are not replayed to the model, and it is how an import knows what it may add to.
    op.execute("alter table message add column imported boolean not null default false")
    op.execute("alter table conversation add column imported_at timestamptz")
    op.execute(SHARED_CONVERSATION)
    op.execute(SHARED_MESSAGE)
    op.execute("create index shared_conversation_of_user on shared_conversation (user_id, created_at, id)")
    op.execute("create index shared_conversation_conversation on shared_conversation (conversation_id)")
    for table, parent in WITHIN.items():
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        op.execute(
            f"create policy {table}_of_user on {table} using ({MINE}) "
            f"with check ({MINE} and exists (select from {parent}.{MINE}))"
        )
        op.execute(f"create policy {table}_of_owner on {table} to current_user using ({ON_PURPOSE})")
    op.execute(READ_SHARED)


def downgrade() -> None:
    op.execute("drop function read_shared")
    op.execute("drop table shared_message")
    op.execute("drop table shared_conversation")
    # They read the columns, or take a row. The older version makes its own.
    op.execute("drop function if exists read_window, import_part, share_conversation, renew_message")
    op.execute("alter table message drop column imported")
    op.execute("alter table conversation drop column imported_at")
