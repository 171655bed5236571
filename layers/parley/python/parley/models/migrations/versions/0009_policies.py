"""Row-level security for the tables' owner too, and no message in another user's conversation."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = ("conversation", "message", "usage", "deleted_turn")
MINE = "user_id = (select current_setting('app.user_id', true))"
MY_CONVERSATION = (
    f"exists (select from conversation where id = message.conversation_id and conversation.{MINE})"
)
# In conversation_exists and message_exists, which others call, and in parley.migrate. A process that connects
# as the owner by mistake is walled off like any other.
ON_PURPOSE = "session_user <> current_user or current_setting('app.migrating', true) = 'on'"


def upgrade() -> None:
    for table in TABLES:
        op.execute(f"alter table {table} force row level security")
        op.execute(f"create policy {table}_of_owner on {table} to current_user using ({ON_PURPOSE})")
    op.execute(f"alter policy message_of_user on message with check ({MINE} and {MY_CONVERSATION})")


def downgrade() -> None:
    op.execute(f"alter policy message_of_user on message with check ({MINE})")
    for table in TABLES:
        op.execute(f"drop policy {table}_of_owner on {table}")
        op.execute(f"alter table {table} no force row level security")
