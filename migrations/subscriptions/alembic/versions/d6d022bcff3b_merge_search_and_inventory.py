"""merge search and inventory

Revision ID: d6d022bcff3b
Revises: 9b2f4d6c8e10, 3e7a5c1d9f28
Create Date: 2024-03-18 08:20:00
"""

revision = "d6d022bcff3b"
down_revision = ("9b2f4d6c8e10", "3e7a5c1d9f28")
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
