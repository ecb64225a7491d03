"""phone

Revision ID: 002
Revises: 001
"""
from alembic import op
import sqlalchemy as sa

revision = "002"
down_revision = "001"


def upgrade():
    op.add_column("orders", sa.Column("phone", sa.Text()))


def downgrade():
    op.drop_column("orders", "phone")
