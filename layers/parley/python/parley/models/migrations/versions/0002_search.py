"""Full-text search over titles and messages."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # `simple` knows no language, so it fits all. A tsvector holds 1 MB at most, and an answer may be longer.
    op.execute("""
        alter table message add column search tsvector
        generated always as (to_tsvector('simple', left(content, 100000))) stored
    """)


def downgrade() -> None:
    op.execute("alter table message drop column search")
