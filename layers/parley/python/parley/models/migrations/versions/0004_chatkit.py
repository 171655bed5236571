"""What ChatKit keeps beside the messages, and feedback."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = ("thread_item", "attachment")


def upgrade() -> None:
    op.execute("alter table conversation add column thread jsonb")
    op.execute("alter table message add column item jsonb, add column feedback jsonb")
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
    for table in TABLES:
        mine = "user_id = (select current_setting('app.user_id', true))"
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"create policy {table}_of_user on {table} using ({mine}) with check ({mine})")


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"drop table {table}")
    op.execute("alter table message drop column item, drop column feedback")
    op.execute("alter table conversation drop column thread")
