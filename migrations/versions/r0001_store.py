"""The store: series, variables, sources, observations, forecasts, audit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

READABLE = """
CREATE VIEW readable AS
SELECT series.unique_id, variable.name AS variable, {ds} AS ds, {available_at} AS available_at, observation.value,
       observation.revision, source.name AS source
FROM observation
JOIN series ON series.id = observation.series_id
JOIN variable ON variable.id = observation.variable_id
JOIN source ON source.id = observation.source_id
"""
STAMP = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%SZ', observation.{0}, 'unixepoch')",
    "postgresql": "to_timestamp(observation.{0})",
}
KEPT = ("observation", "forecast")


def upgrade() -> None:
    _tables()
    dialect = op.get_bind().dialect.name
    stamps = {name: STAMP[dialect].format(name) for name in ("ds", "available_at")}
    op.execute(READABLE.format(**stamps))
    for table in KEPT:
        _keep_sqlite(table) if dialect == "sqlite" else _keep_postgresql(table)


def _tables() -> None:
    op.create_table(
        "series",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("unique_id", sa.Text, nullable=False, unique=True),
        sa.Column("zone", sa.Text),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("step_seconds", sa.Integer, nullable=False),
        sa.Column("delay_seconds", sa.Integer, nullable=False),
        sa.Column("anchor", sa.BigInteger),
        sa.Column("latitude", sa.Double),
        sa.Column("longitude", sa.Double),
        sa.Column("parent", sa.Text),
        sa.Column("capacity", sa.Double),
        sa.Column("country", sa.Text),
        sa.Column("static", sa.Text, nullable=False),
    )
    op.create_table(
        "variable",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column(
            "role",
            sa.Text,
            sa.CheckConstraint("role IN ('target', 'past', 'known')", name="variable_role"),
            nullable=False,
        ),
    )
    op.create_table(
        "source",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("mark", sa.Text),
        sa.Column("polled_at", sa.BigInteger),
    )
    op.create_table(
        "observation",
        sa.Column("series_id", sa.Integer, primary_key=True),
        sa.Column("variable_id", sa.SmallInteger, primary_key=True),
        sa.Column("ds", sa.BigInteger, primary_key=True),
        sa.Column("available_at", sa.BigInteger, primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True),
        sa.Column("value", sa.Double, nullable=False),
        sa.Column("source_id", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "forecast",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("series_id", sa.Integer, sa.ForeignKey("series.id"), primary_key=True),
        sa.Column("cutoff", sa.BigInteger, primary_key=True),
        sa.Column("issued_at", sa.BigInteger, nullable=False),
        sa.Column("first_ds", sa.BigInteger, nullable=False),
        sa.Column("steps", sa.Integer, nullable=False),
        sa.Column("step_seconds", sa.Integer, nullable=False),
        sa.Column("delivery_day", sa.Text),
        sa.Column("gate", sa.Text),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("model_version", sa.Text),
        sa.Column("data_digest", sa.Text),
        sa.Column("rung", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("levels", sa.Text, nullable=False),
        sa.Column("values", sa.LargeBinary, nullable=False),
        sa.Column("warnings", sa.Text, nullable=False),
    )
    op.create_index("forecast_of_series", "forecast", ["series_id", "first_ds", "cutoff"])
    op.create_table("erasing", sa.Column("series_id", sa.Integer, primary_key=True))
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )


def _keep_sqlite(table: str) -> None:
    """Nothing that is stored changes, and only what is being forgotten goes."""
    op.execute(
        f"CREATE TRIGGER {table}_never_changes BEFORE UPDATE ON {table} "
        f"BEGIN SELECT RAISE(ABORT, 'rows of {table} never change'); END"
    )
    op.execute(
        f"CREATE TRIGGER {table}_is_kept BEFORE DELETE ON {table} "
        "WHEN NOT EXISTS (SELECT 1 FROM erasing WHERE series_id = OLD.series_id) "
        f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are kept: forget their series'); END"
    )


def _keep_postgresql(table: str) -> None:
    op.execute(
        f"CREATE FUNCTION {table}_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'UPDATE' THEN RAISE EXCEPTION 'rows of {table} never change'; END IF; "
        "IF NOT EXISTS (SELECT 1 FROM erasing WHERE series_id = OLD.series_id) THEN "
        f"RAISE EXCEPTION 'rows of {table} are kept: forget their series'; END IF; RETURN OLD; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_is_kept BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_kept()"
    )


def downgrade() -> None:
    dialect = op.get_bind().dialect.name
    op.execute("DROP VIEW readable")
    for table in ("forecast", "observation", "erasing", "audit", "source", "variable", "series"):
        op.drop_table(table)
    if dialect == "postgresql":
        for table in KEPT:
            op.execute(f"DROP FUNCTION {table}_kept()")
