"""variants, costs, delivery and loyalty

Seven tables, and fourteen columns on subscriptions. Existing rows get their values from the columns' defaults, which
PostgreSQL keeps in the catalog: the table is not rewritten for them.

Revision ID: 003
Revises: d6d022bcff3b
Create Date: 2025-06-02 09:00:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "003"
down_revision = "d6d022bcff3b"
branch_labels = None
depends_on = None

ENUMS = {
    "payment_intent_status": ("requires_action", "processing", "succeeded", "failed", "cancelled"),
    "loyalty_tier": ("bronze", "silver", "gold"),
    "points_kind": ("earned", "redeemed", "expired", "adjusted"),
    "delivery_frequency": ("weekly", "biweekly", "monthly"),
}


def enum(name: str) -> postgresql.ENUM:
    return postgresql.ENUM(name=name, create_type=False)


def money(name: str, **options) -> sa.Column:
    return sa.Column(name, sa.Numeric(10, 2), **options)


def now(name: str) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


def create_pricing() -> None:
    op.create_table(
        "pricing_configs",
        sa.Column("id", sa.Integer, sa.Identity(), nullable=False),
        sa.Column("plan_id", sa.Integer, nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        money("base_price", nullable=False),
        sa.Column("discount_percent", sa.Numeric(5, 2), nullable=False, server_default="0"),
        sa.Column("currency", sa.CHAR(3), nullable=False, server_default="EUR"),
        sa.Column("rules", postgresql.JSONB, nullable=False, server_default="{}"),
        sa.Column("valid_from", sa.Date, nullable=False),
        sa.Column("valid_to", sa.Date, comment="NULL: until further notice"),
        now("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_pricing_configs"),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name="fk_pricing_configs_plan_id_plans", ondelete="CASCADE"),
        sa.UniqueConstraint("code", name="uq_pricing_configs_code"),
        sa.CheckConstraint("base_price >= 0", name="ck_pricing_configs_base_price"),
        sa.CheckConstraint("discount_percent BETWEEN 0 AND 100", name="ck_pricing_configs_discount_percent"),
        sa.CheckConstraint("valid_to > valid_from", name="ck_pricing_configs_valid_to"),
    )
    op.create_index(
        "ix_pricing_configs_plan_id_valid_from", "pricing_configs", ["plan_id", "valid_from"], unique=True
    )
    op.create_table(
        "subscription_cost_history",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("subscription_id", sa.Integer, nullable=False),
        sa.Column("pricing_config_id", sa.Integer),
        money("cost_before"),
        money("cost_after", nullable=False),
        sa.Column("reason", sa.Text),
        now("changed_at"),
        sa.PrimaryKeyConstraint("id", name="pk_subscription_cost_history"),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name="fk_subscription_cost_history_subscription_id_subscriptions",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["pricing_config_id"],
            ["pricing_configs.id"],
            name="fk_subscription_cost_history_pricing_config_id_pricing_configs",
            ondelete="SET NULL",
        ),
        sa.CheckConstraint("cost_after >= 0", name="ck_subscription_cost_history_cost_after"),
    )
    op.create_index(
        "ix_subscription_cost_history_subscription_id_changed_at",
        "subscription_cost_history",
        ["subscription_id", "changed_at"],
    )
    op.create_index(
        "ix_subscription_cost_history_pricing_config_id", "subscription_cost_history", ["pricing_config_id"]
    )


def create_payments() -> None:
    op.create_table(
        "payment_intents",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("subscription_id", sa.Integer, nullable=False),
        sa.Column("provider", sa.String(30), nullable=False),
        sa.Column("provider_reference", sa.Text, nullable=False),
        money("amount", nullable=False),
        sa.Column("currency", sa.CHAR(3), nullable=False, server_default="EUR"),
        sa.Column(
            "status", enum("payment_intent_status"), nullable=False, server_default="requires_action"
        ),
        sa.Column("last_error", sa.JSON),
        now("created_at"),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_payment_intents"),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name="fk_payment_intents_subscription_id_subscriptions"
        ),
        sa.UniqueConstraint(
            "provider", "provider_reference", name="uq_payment_intents_provider_provider_reference"
        ),
        sa.CheckConstraint("amount > 0", name="ck_payment_intents_amount"),
        sa.CheckConstraint(
            "(status = 'succeeded') = (settled_at IS NOT NULL)", name="ck_payment_intents_settled_at"
        ),
    )
    op.create_index("ix_payment_intents_subscription_id", "payment_intents", ["subscription_id"])
    op.create_index(
        "ix_payment_intents_open",
        "payment_intents",
        ["created_at"],
        postgresql_where=sa.text("status IN ('requires_action', 'processing')"),
    )


def create_analytics() -> None:
    op.create_table(
        "subscription_analytics",
        sa.Column("subscription_id", sa.Integer, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("deliveries", sa.Integer, nullable=False, server_default="0"),
        money("revenue", nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("subscription_id", "day", name="pk_subscription_analytics"),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name="fk_subscription_analytics_subscription_id_subscriptions",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("deliveries >= 0", name="ck_subscription_analytics_deliveries"),
    )
    op.create_index("ix_subscription_analytics_day", "subscription_analytics", ["day"])
    op.create_table(
        "payment_analytics",
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("provider", sa.String(30), nullable=False),
        sa.Column("attempted", sa.Integer, nullable=False, server_default="0"),
        sa.Column("succeeded", sa.Integer, nullable=False, server_default="0"),
        money("amount", nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("day", "provider", name="pk_payment_analytics"),
        sa.CheckConstraint("succeeded BETWEEN 0 AND attempted", name="ck_payment_analytics_succeeded"),
    )


def create_loyalty() -> None:
    op.create_table(
        "loyalty_accounts",
        sa.Column("id", sa.Integer, sa.Identity(), nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("points", sa.Integer, nullable=False, server_default="0"),
        sa.Column("tier", enum("loyalty_tier"), nullable=False, server_default="bronze"),
        now("opened_at"),
        sa.PrimaryKeyConstraint("id", name="pk_loyalty_accounts"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_loyalty_accounts_user_id_users", ondelete="CASCADE"),
        sa.UniqueConstraint("user_id", name="uq_loyalty_accounts_user_id"),
        sa.CheckConstraint("points >= 0", name="ck_loyalty_accounts_points"),
    )
    op.create_table(
        "points_transactions",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("loyalty_account_id", sa.Integer, nullable=False),
        sa.Column("subscription_id", sa.Integer),
        sa.Column("kind", enum("points_kind"), nullable=False),
        sa.Column("points", sa.Integer, nullable=False),
        now("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_points_transactions"),
        sa.ForeignKeyConstraint(
            ["loyalty_account_id"],
            ["loyalty_accounts.id"],
            name="fk_points_transactions_loyalty_account_id_loyalty_accounts",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name="fk_points_transactions_subscription_id_subscriptions",
            ondelete="SET NULL",
        ),
        sa.CheckConstraint(
            "CASE WHEN kind = 'earned' THEN points > 0"
            " WHEN kind IN ('redeemed', 'expired') THEN points < 0 ELSE points <> 0 END",
            name="ck_points_transactions_points",
        ),
    )
    op.create_index(
        "ix_points_transactions_loyalty_account_id_created_at",
        "points_transactions",
        ["loyalty_account_id", "created_at"],
    )
    op.create_index("ix_points_transactions_subscription_id", "points_transactions", ["subscription_id"])


# In the order in which they are added: variant, costs, delivery, loyalty.
def new_columns() -> list:
    return [
        sa.Column("variant_id", sa.Integer),
        sa.Column("variant_name", sa.Text, comment="as it was called when it was ordered"),
        sa.Column("variant_options", postgresql.JSONB),
        money("base_cost", comment="NULL: from the time before costs were broken down"),
        money("discount_amount", nullable=False, server_default="0"),
        money("delivery_cost", nullable=False, server_default="0"),
        money("tax_amount", nullable=False, server_default="0"),
        sa.Column("cost_currency", sa.CHAR(3), nullable=False, server_default="EUR"),
        sa.Column("delivery_frequency", enum("delivery_frequency"), nullable=False, server_default="monthly"),
        sa.Column("next_delivery_on", sa.Date),
        sa.Column("delivery_window", postgresql.TSTZRANGE),
        sa.Column("delivery_notes", sa.Text),
        sa.Column("loyalty_points_earned", sa.Integer, nullable=False, server_default="0"),
        sa.Column("loyalty_multiplier", sa.Numeric(4, 2), nullable=False, server_default="1"),
    ]


CHECKS = {
    "ck_subscriptions_costs": "discount_amount >= 0 AND delivery_cost >= 0 AND tax_amount >= 0",
    "ck_subscriptions_loyalty": "loyalty_points_earned >= 0 AND loyalty_multiplier BETWEEN 0 AND 10",
}


def widen_subscriptions() -> None:
    for column in new_columns():
        op.add_column("subscriptions", column)
    # Breaking down what is charged already: what has a price of its own, is based on it.
    op.execute("UPDATE subscriptions SET base_cost = price WHERE price IS NOT NULL")
    for name, condition in CHECKS.items():
        op.create_check_constraint(name, "subscriptions", condition)
    op.create_foreign_key(
        "fk_subscriptions_variant_id_product_variants",
        "subscriptions",
        "product_variants",
        ["variant_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_index("ix_subscriptions_variant_id", "subscriptions", ["variant_id"])
    op.create_index(
        "ix_subscriptions_next_delivery_on",
        "subscriptions",
        ["next_delivery_on"],
        postgresql_where=sa.text("next_delivery_on IS NOT NULL"),
    )
    op.create_table_comment(
        "subscriptions",
        "One row for each standing order, with what it costs and when it comes.",
        existing_comment="One row for each standing order.",
    )


def upgrade() -> None:
    # Rather give up than make everybody queue behind us: `upgrade` can be said again.
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name, values in ENUMS.items():
        op.execute(f"CREATE TYPE {name} AS ENUM ({', '.join(repr(value) for value in values)})")
    create_pricing()
    create_payments()
    create_analytics()
    create_loyalty()
    # Whoever is a customer already gets an account, as old as the customer is.
    op.execute(
        "INSERT INTO loyalty_accounts (user_id, opened_at) SELECT id, created_at FROM users ORDER BY id"
    )
    widen_subscriptions()


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table_comment(
        "subscriptions",
        "One row for each standing order.",
        existing_comment="One row for each standing order, with what it costs and when it comes.",
    )
    op.drop_index("ix_subscriptions_next_delivery_on", table_name="subscriptions")
    op.drop_index("ix_subscriptions_variant_id", table_name="subscriptions")
    op.drop_constraint("fk_subscriptions_variant_id_product_variants", "subscriptions", type_="foreignkey")
    for name in CHECKS:
        op.drop_constraint(name, "subscriptions", type_="check")
    for column in reversed(new_columns()):
        op.drop_column("subscriptions", column.name)
    for table in (
        "points_transactions",
        "loyalty_accounts",
        "payment_analytics",
        "subscription_analytics",
        "payment_intents",
        "subscription_cost_history",
        "pricing_configs",
    ):
        op.drop_table(table)
    # A table that is dropped takes its indexes, constraints and comments along, but not the types of its columns.
    for name in reversed(list(ENUMS)):
        op.execute(f"DROP TYPE {name}")
