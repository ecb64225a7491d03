"""city

Revision ID: 003
Revises: 002
"""
from alembic import op
import sqlalchemy as sa

revision = "003"
down_revision = "002"


def upgrade():
    op.add_column("orders", sa.Column("city", sa.Text()))


def downgrade():
    op.drop_column("orders", "city")
