"""Nothing but messages in a conversation: the items and attachments of other ChatKit servers go."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("drop table thread_item")
    op.execute("drop table attachment")
    op.execute("alter table message drop column item")
    op.execute("alter table conversation drop column thread")


def downgrade() -> None:
    op.execute("alter table conversation add column thread jsonb")
    op.execute("alter table message add column item jsonb")
    op.execute("""
        create table thread_item (
            conversation_id uuid not null references conversation (id) on delete cascade,
            id varchar not null,
            user_id varchar not null,
            seq int not null,
            item jsonb not null,
            superseded boolean not null default false,
            created_at timestamptz not null default now(),
            primary key (conversation_id, id),
            constraint thread_item_seq_key unique (conversation_id, seq)
        )
    """)
    op.execute("""
        create table attachment (
            user_id varchar not null,
            id varchar not null,
            attachment jsonb not null,
            primary key (user_id, id)
        )
    """)
    for table in ("thread_item", "attachment"):
        mine = "user_id = (select current_setting('app.user_id', true))"
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"create policy {table}_of_user on {table} using ({mine}) with check ({mine})")
