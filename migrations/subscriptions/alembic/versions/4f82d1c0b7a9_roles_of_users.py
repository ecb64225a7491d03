"""roles of users

Revision ID: 4f82d1c0b7a9
Revises: a1b7c3d94e02
Create Date: 2023-05-22 14:10:00
"""

import sqlalchemy as sa
from alembic import op

revision = "4f82d1c0b7a9"
down_revision = "a1b7c3d94e02"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Free text at the time, and filled by more than one program.
    op.add_column("users", sa.Column("role", sa.Text, server_default="customer", comment="as the back office has it"))
    op.create_index("ix_users_role", "users", ["role"])


def downgrade() -> None:
    op.drop_index("ix_users_role", table_name="users")
    op.drop_column("users", "role")
