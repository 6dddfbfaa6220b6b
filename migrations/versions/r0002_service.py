"""What a service needs: whether something changed, answers to idempotency keys, series that only a request named."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ANY, ALL = 0, -1


def upgrade() -> None:
    op.add_column("series", sa.Column("asked", sa.SmallInteger))
    changed = op.create_table(
        "changed",
        sa.Column("series_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("token", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(changed, [{"series_id": number, "token": 0} for number in (ANY, ALL)])
    op.create_table(
        "answered",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("answered")
    op.drop_table("changed")
    op.drop_column("series", "asked")
