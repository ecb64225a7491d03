"""preferences of users

Revision ID: 004
Revises: 003
Create Date: 2025-06-16 11:00:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "004"
down_revision = "003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "user_preferences",
        sa.Column("id", sa.Integer, sa.Identity(), nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("value", postgresql.JSONB),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("id", name="pk_user_preferences"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_user_preferences_user_id_users", ondelete="CASCADE"
        ),
    )
    # Serves the foreign key too, since it begins with user_id.
    op.create_index("ix_user_preferences_user_id_name", "user_preferences", ["user_id", "name"], unique=True)


def downgrade() -> None:
    op.drop_index("ix_user_preferences_user_id_name", table_name="user_preferences")
    op.drop_table("user_preferences")
