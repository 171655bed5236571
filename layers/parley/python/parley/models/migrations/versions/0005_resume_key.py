"""The idempotency key of the request that a waiting turn went on with last."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table message add column resume_key varchar(255), add column resume_hash varchar")


def downgrade() -> None:
    op.execute("alter table message drop column resume_key, drop column resume_hash")
