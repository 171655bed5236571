"""Cached tokens, what an erased user spent today, and an index for finding what nobody touches."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# hash_of_user, which is made after the migrations.
MINE = "user_hash = (select encode(sha256(convert_to(current_setting('app.user_id', true), 'UTF8')), 'hex'))"
# As in 0009.
ON_PURPOSE = "session_user <> current_user or current_setting('app.migrating', true) = 'on'"


def upgrade() -> None:
    # spend.sql makes it anew, with one more argument.
    op.execute("drop function if exists charge(text, text, bigint, bigint)")
    op.execute("alter table usage add column cached_tokens bigint not null default 0")
    op.execute("alter table message add column cached_tokens int not null default 0")
    op.execute("create index conversation_untouched on conversation ((greatest(updated_at, imported_at)))")
    op.execute("""
        create table erased_usage (
            user_hash varchar primary key,
            day date not null,
            turns int not null,
            tokens bigint not null
        )
    """)
    op.execute("alter table erased_usage enable row level security")
    op.execute("alter table erased_usage force row level security")
    op.execute(f"create policy erased_usage_of_user on erased_usage using ({MINE}) with check ({MINE})")
    op.execute(f"create policy erased_usage_of_owner on erased_usage to current_user using ({ON_PURPOSE})")


def downgrade() -> None:
    op.execute("drop function if exists charge(text, text, bigint, bigint, bigint)")
    op.execute("drop table erased_usage")
    op.execute("drop index conversation_untouched")
    op.execute("alter table message drop column cached_tokens")
    op.execute("alter table usage drop column cached_tokens")
