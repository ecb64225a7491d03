"""phone

Revision ID: 002
Revises: 00l
"""
from alembic import op
import sqlalchemy as sa

revision = "002"
down_revision = "00l"


def upgrade():
    op.add_column("orders", sa.Column("phone", sa.Text()))


def downgrade():
    op.drop_column("orders", "phone")
