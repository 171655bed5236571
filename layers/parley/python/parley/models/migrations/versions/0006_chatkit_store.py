"""Nothing but messages in a conversation: the items and attachments of other ChatKit servers go."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Only databases older than this revision have them; a new one never does.
    op.execute("drop table if exists thread_item, attachment")
    op.execute("alter table message drop column if exists item")
    op.execute("alter table conversation drop column if exists thread")


def downgrade() -> None:
    """Nothing to restore: no released version knew these tables."""
