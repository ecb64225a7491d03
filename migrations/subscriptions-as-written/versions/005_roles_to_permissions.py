"""roles become permissions

As the guide has it: row by row in Python, by a table of what each role may do. Roles that the table does not know, and
users without a role, get what customers get; on the way back they are customers.

Revision ID: 005
Revises: 004
Create Date: 2025-06-30 09:30:00
"""

import sqlalchemy as sa
from alembic import op

revision = "005"
down_revision = "004"
branch_labels = None
depends_on = None

PERMISSIONS = {
    "admin": ["read", "write", "refund", "manage_users"],
    "support": ["read", "refund"],
    "customer": ["read"],
}

users = sa.table("users", sa.column("id"), sa.column("role"), sa.column("permissions", sa.JSON))


def upgrade() -> None:
    op.add_column("users", sa.Column("permissions", sa.JSON))
    connection = op.get_bind()
    for user in connection.execute(sa.select(users.c.id, users.c.role)).all():
        permissions = PERMISSIONS.get(user.role, PERMISSIONS["customer"])
        connection.execute(users.update().where(users.c.id == user.id).values(permissions=permissions))
    op.drop_column("users", "role")


def downgrade() -> None:
    op.add_column("users", sa.Column("role", sa.Text, server_default="customer", comment="as the back office has it"))
    connection = op.get_bind()
    for user in connection.execute(sa.select(users.c.id, users.c.permissions)).all():
        role = next((role for role, granted in PERMISSIONS.items() if granted == user.permissions), "customer")
        connection.execute(users.update().where(users.c.id == user.id).values(role=role))
    op.create_index("ix_users_role", "users", ["role"])
    op.drop_column("users", "permissions")
