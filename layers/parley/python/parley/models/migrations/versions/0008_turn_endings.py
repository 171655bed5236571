"""How a turn ended, told more exactly, and the turns of deleted conversations."""

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
            add column withheld boolean not null default false
    """)
    op.execute("alter type turn_request add attribute guarded boolean")
    op.execute("alter table conversation add column follow_up_after int not null default 0")
    op.execute("""
        create table deleted_turn (
            answer_id uuid primary key,
            user_id varchar not null,
            idempotency_key varchar(255),
            lease_id uuid,
            charged boolean not null default false,
            deleted_at timestamptz not null default now()
        )
    """)
    op.execute("create index deleted_turn_key on deleted_turn (user_id, idempotency_key)")
    op.execute("alter table deleted_turn enable row level security")
    op.execute(f"create policy deleted_turn_of_user on deleted_turn using ({MINE}) with check ({MINE})")


def downgrade() -> None:
    # They read the columns. The older version makes its own.
    op.execute("drop function if exists cut_window, read_window")
    op.execute("drop table deleted_turn")
    op.execute("alter table conversation drop column follow_up_after")
    op.execute("alter type turn_request drop attribute guarded")
    op.execute("alter table message drop column incomplete, drop column estimated, drop column withheld")
