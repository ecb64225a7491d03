"""users, plans and subscriptions

Revision ID: a1b7c3d94e02
Revises:
Create Date: 2023-02-06 09:00:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "a1b7c3d94e02"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # As a statement, and not by way of the column that uses it: that would need a connection, which `--sql` has not.
    op.execute("CREATE TYPE subscription_status AS ENUM ('trialing', 'active', 'paused', 'past_due', 'cancelled')")

    op.create_table(
        "users",
        sa.Column("id", sa.Integer, sa.Identity(), nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("settings", sa.JSON),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
    )
    op.create_table(
        "plans",
        sa.Column("id", sa.Integer, sa.Identity(), nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("price", sa.Numeric(10, 2), nullable=False),
        sa.Column("interval_months", sa.SmallInteger, nullable=False, server_default="1"),
        sa.Column("features", postgresql.JSONB),
        sa.PrimaryKeyConstraint("id", name="pk_plans"),
        sa.UniqueConstraint("code", name="uq_plans_code"),
        sa.CheckConstraint("price >= 0", name="ck_plans_price"),
        sa.CheckConstraint("interval_months BETWEEN 1 AND 24", name="ck_plans_interval_months"),
    )
    op.create_table(
        "products",
        sa.Column("id", sa.Integer, sa.Identity(), nullable=False),
        sa.Column("sku", sa.String(40), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("price", sa.Numeric(10, 2), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_products"),
        sa.UniqueConstraint("sku", name="uq_products_sku"),
        sa.CheckConstraint("price > 0", name="ck_products_price"),
    )
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.Integer, sa.Identity(), nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("plan_id", sa.Integer, comment="NULL: agreed by hand"),
        sa.Column("product_id", sa.Integer),
        sa.Column(
            "status",
            postgresql.ENUM(name="subscription_status", create_type=False),
            nullable=False,
            server_default="trialing",
        ),
        sa.Column("price", sa.Numeric(10, 2), comment="per delivery; NULL: what the plan costs"),
        sa.Column("quantity", sa.Integer, nullable=False, server_default="1"),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("cancelled_at", sa.DateTime(timezone=True)),
        sa.Column("attributes", postgresql.JSONB),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("id", name="pk_subscriptions"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_subscriptions_user_id_users", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name="fk_subscriptions_plan_id_plans"),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name="fk_subscriptions_product_id_products", ondelete="SET NULL"
        ),
        sa.CheckConstraint("quantity > 0", name="ck_subscriptions_quantity"),
        sa.CheckConstraint(
            "cancelled_at IS NULL OR status = 'cancelled'", name="ck_subscriptions_cancelled_at"
        ),
        comment="One row for each standing order.",
    )
    op.create_index("ix_subscriptions_user_id", "subscriptions", ["user_id"])
    op.create_index("ix_subscriptions_plan_id", "subscriptions", ["plan_id"])
    op.create_index("ix_subscriptions_product_id", "subscriptions", ["product_id"])


def downgrade() -> None:
    op.drop_table("subscriptions")
    op.drop_table("products")
    op.drop_table("plans")
    op.drop_table("users")
    op.execute("DROP TYPE subscription_status")
