"""Follow-ups that are charged what they may cost when they begin, and put right once when they end."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

MINE = "user_id = (select current_setting('app.user_id', true))"
# As in 0009.
ON_PURPOSE = "session_user <> current_user or current_setting('app.migrating', true) = 'on'"


def upgrade() -> None:
    op.execute("""
        create table follow_up (
            id uuid primary key,
            user_id varchar not null,
            model varchar not null,
            reserved_input int not null,
            reserved_output int not null,
            settled boolean not null default false,
            begun_at timestamptz not null default now()
        )
    """)
    op.execute("create index follow_up_of_user on follow_up (user_id)")
    op.execute("alter table follow_up enable row level security")
    op.execute("alter table follow_up force row level security")
    op.execute(f"create policy follow_up_of_user on follow_up using ({MINE}) with check ({MINE})")
    op.execute(f"create policy follow_up_of_owner on follow_up to current_user using ({ON_PURPOSE})")
    op.execute("alter table conversation drop column follow_up_charge")


def downgrade() -> None:
    op.execute("drop function if exists reserve_follow_up")
    op.execute("alter table conversation add column follow_up_charge uuid")
    op.execute("drop table follow_up")
