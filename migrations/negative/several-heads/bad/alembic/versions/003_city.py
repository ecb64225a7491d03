"""city

Revision ID: 003
Revises: 001
"""
from alembic import op
import sqlalchemy as sa

revision = "003"
down_revision = "001"


def upgrade():
    op.add_column("orders", sa.Column("city", sa.Text()))


def downgrade():
    op.drop_column("orders", "city")
