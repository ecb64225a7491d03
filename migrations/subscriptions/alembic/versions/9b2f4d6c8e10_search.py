"""full text search over products

Revision ID: 9b2f4d6c8e10
Revises: 4f82d1c0b7a9
Create Date: 2024-03-04 10:30:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "9b2f4d6c8e10"
down_revision = "4f82d1c0b7a9"
branch_labels = ("search",)
depends_on = None


def upgrade() -> None:
    op.add_column(
        "products",
        sa.Column(
            "search",
            postgresql.TSVECTOR,
            sa.Computed("to_tsvector('simple', name || ' ' || coalesce(description, ''))", persisted=True),
        ),
    )
    op.create_index("ix_products_search", "products", ["search"], postgresql_using="gin")


def downgrade() -> None:
    op.drop_index("ix_products_search", table_name="products")
    op.drop_column("products", "search")
