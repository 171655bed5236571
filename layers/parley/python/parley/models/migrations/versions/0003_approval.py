"""Turns that wait for a person's approval of a tool call."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BEFORE = "'in_progress', 'completed', 'failed', 'cancelled', 'interrupted'"


def upgrade() -> None:
    op.execute("alter table message add column run_state jsonb")
    _allow(f"{BEFORE}, 'waiting_approval'")


def downgrade() -> None:
    op.execute("update message set status = 'cancelled' where status = 'waiting_approval'")
    _allow(BEFORE)
    op.execute("alter table message drop column run_state")


def _allow(statuses: str) -> None:
    op.execute("alter table message drop constraint message_status_check")
    op.execute(f"alter table message add constraint message_status_check check (status in ({statuses}))")
