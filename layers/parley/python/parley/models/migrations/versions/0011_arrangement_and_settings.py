"""Pinned conversations first, the model that a conversation remembers, and the users' settings."""

from alembic import op

revision = "0011"
down_revision = "0009"
branch_labels = None
depends_on = None

MINE = "user_id = (select current_setting('app.user_id', true))"
# See 0009_policies.py.
ON_PURPOSE = "session_user <> current_user or current_setting('app.migrating', true) = 'on'"


def upgrade() -> None:
    op.execute("alter table conversation add column model varchar")
    op.execute(
        "create index conversation_arrangement on conversation "
        "(user_id, archived, pinned desc, updated_at desc, id desc)"
    )
    op.execute("""
        create table user_settings (
            user_id varchar primary key constraint user_settings_user_id_check check (user_id <> ''),
            instructions varchar,
            model varchar
        )
    """)
    op.execute("alter table user_settings enable row level security")
    op.execute("alter table user_settings force row level security")
    op.execute(f"create policy user_settings_of_user on user_settings using ({MINE}) with check ({MINE})")
    op.execute(f"create policy user_settings_of_owner on user_settings to current_user using ({ON_PURPOSE})")
    # models: on offer, the default first. fence_tokens: of what is said around the user's own instructions;
    # null where the agent does not read them. instructions: these, once begin_turn has read them.
    op.execute("""
        alter type turn_request
            add attribute models text[],
            add attribute fence_tokens int,
            add attribute instructions text
    """)


def downgrade() -> None:
    # It reads the columns.
    op.execute("drop function if exists choose_model")
    for attribute in ("models", "fence_tokens", "instructions"):
        op.execute(f"alter type turn_request drop attribute {attribute}")
    op.execute("drop table user_settings")
    op.execute("drop index conversation_arrangement")
    op.execute("alter table conversation drop column model")
