"""What scheduled flows need: runs that are done, how forecasts turned out, alarms."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "run",
        sa.Column("flow", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_table(
        "score",
        sa.Column("series_id", sa.Integer, sa.ForeignKey("series.id"), primary_key=True),
        sa.Column("day", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("forecast_id", sa.Text, nullable=False),
        sa.Column("issued_at", sa.BigInteger, nullable=False),
        sa.Column("cutoff", sa.BigInteger, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("model_version", sa.Text),
        sa.Column("rung", sa.Text, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("first_ds", sa.BigInteger, nullable=False),
        sa.Column("step_seconds", sa.Integer, nullable=False),
        sa.Column("periods", sa.Integer, nullable=False),
        sa.Column("scored", sa.Integer, nullable=False),
        sa.Column("naive_scored", sa.Integer, nullable=False),
        sa.Column("mae", sa.Double),
        sa.Column("bias", sa.Double),
        sa.Column("mape", sa.Double),
        sa.Column("coverage", sa.Double),
        sa.Column("demand", sa.Double),
        sa.Column("naive_mae", sa.Double),
        sa.Column("compared_mae", sa.Double),
        sa.Column("values", sa.LargeBinary, nullable=False),
    )
    op.create_index("score_of_day", "score", ["day"])
    op.create_table(
        "alarm",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("series_id", sa.Integer, sa.ForeignKey("series.id")),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("day", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("answered_by", sa.Text),
    )
    op.create_index("alarm_of_day", "alarm", ["day"])


def downgrade() -> None:
    for table in ("alarm", "score", "run"):
        op.drop_table(table)
