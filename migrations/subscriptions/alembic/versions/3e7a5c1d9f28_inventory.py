"""inventory: variants of products and what is in stock

Revision ID: 3e7a5c1d9f28
Revises: 4f82d1c0b7a9
Create Date: 2024-03-11 16:45:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "3e7a5c1d9f28"
down_revision = "4f82d1c0b7a9"
branch_labels = ("inventory",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "product_variants",
        sa.Column("id", sa.Integer, sa.Identity(), nullable=False),
        sa.Column("product_id", sa.Integer, nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("options", postgresql.JSONB),
        sa.PrimaryKeyConstraint("id", name="pk_product_variants"),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name="fk_product_variants_product_id_products", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("product_id", "code", name="uq_product_variants_product_id_code"),
    )
    op.create_table(
        "inventory_items",
        sa.Column("variant_id", sa.Integer, nullable=False),
        sa.Column("warehouse", sa.String(20), nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False, server_default="0"),
        sa.Column("reserved", sa.Integer, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("variant_id", "warehouse", name="pk_inventory_items"),
        sa.ForeignKeyConstraint(
            ["variant_id"],
            ["product_variants.id"],
            name="fk_inventory_items_variant_id_product_variants",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("reserved BETWEEN 0 AND quantity", name="ck_inventory_items_reserved"),
    )


def downgrade() -> None:
    op.drop_table("inventory_items")
    op.drop_table("product_variants")
