"""roles become permissions

The role itself goes along in the permissions, character by character: a role that nobody knows any more, an empty one
and none at all are three different things, and all three come back. A table of what the known roles may do could not
bring them back.

Revision ID: 005
Revises: 004
Create Date: 2025-06-30 09:30:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "005"
down_revision = "004"
branch_labels = None
depends_on = None

NOBODY = '{"role": null, "grants": []}'


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("users", sa.Column("permissions", postgresql.JSONB))
    # One statement and no loop in Python: every row at once, and `--sql` can print it.
    op.execute(
        """
        UPDATE users SET permissions = jsonb_build_object(
            'role', role,
            'grants', CASE role
                WHEN 'admin' THEN '["read", "write", "refund", "manage_users"]'::jsonb
                WHEN 'support' THEN '["read", "refund"]'::jsonb
                WHEN 'customer' THEN '["read"]'::jsonb
                ELSE '[]'::jsonb
            END)
        """
    )
    op.alter_column("users", "permissions", nullable=False, server_default=NOBODY)
    op.create_check_constraint(
        "ck_users_permissions",
        "users",
        "permissions ? 'role' AND jsonb_typeof(permissions -> 'grants') IS NOT DISTINCT FROM 'array'",
    )
    op.create_index("ix_users_permissions_role", "users", [sa.text("(permissions ->> 'role')")])
    op.drop_index("ix_users_role", table_name="users")
    op.drop_column("users", "role")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    # Without its default as yet, which would stand in every row and then be overwritten.
    op.add_column("users", sa.Column("role", sa.Text, comment="as the back office has it"))
    op.execute("UPDATE users SET role = permissions ->> 'role'")
    op.alter_column("users", "role", server_default="customer")
    op.create_index("ix_users_role", "users", ["role"])
    op.drop_index("ix_users_permissions_role", table_name="users")
    op.drop_constraint("ck_users_permissions", "users", type_="check")
    op.drop_column("users", "permissions")
