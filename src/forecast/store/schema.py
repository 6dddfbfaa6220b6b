"""The tables of the store, the same in SQLite and PostgreSQL; `migrations/` makes them.

Stamps are whole seconds since 1970 (UTC): one form in both databases, compared without a clock. The view `readable`
shows observations with names and stamps that a person reads.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)

METADATA = MetaData()

SERIES = Table(
    "series",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("unique_id", Text, nullable=False, unique=True),
    Column("zone", Text),
    Column("unit", Text, nullable=False),
    Column("step_seconds", Integer, nullable=False),
    Column("delay_seconds", Integer, nullable=False),
    Column("anchor", BigInteger),  # one stamp of its clock, once it has one; all others are whole steps away
    Column("latitude", Double),
    Column("longitude", Double),
    Column("parent", Text),
    Column("capacity", Double),
    Column("country", Text),
    Column("static", Text, nullable=False),  # JSON
    Column("asked", SmallInteger),  # 1: only a request for a forecast has named it; nothing was told or measured
)

VARIABLE = Table(
    "variable",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, CheckConstraint("role IN ('target', 'past', 'known')", name="variable_role"), nullable=False),
)

SOURCE = Table(
    "source",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("mark", Text),  # JSON: how far it was read
    Column("polled_at", BigInteger),  # when it was last read to its end
)

# Its keys are written by the one writer out of the tables above; a database that checked each of a million rows again
# would take most of the time of an ingest.
OBSERVATION = Table(
    "observation",
    METADATA,
    Column("series_id", Integer, primary_key=True),
    Column("variable_id", SmallInteger, primary_key=True),
    Column("ds", BigInteger, primary_key=True),
    Column("available_at", BigInteger, primary_key=True),
    Column("revision", Integer, primary_key=True),  # how many versions of this period were stored before
    Column("value", Double, nullable=False),
    Column("source_id", Integer, nullable=False),
    sqlite_with_rowid=False,
)

FORECAST = Table(
    "forecast",
    METADATA,
    Column("id", Text, primary_key=True),  # one answer; each of its series and cutoffs has a row
    Column("series_id", Integer, ForeignKey("series.id"), primary_key=True),
    Column("cutoff", BigInteger, primary_key=True),
    Column("issued_at", BigInteger, nullable=False),
    Column("first_ds", BigInteger, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("step_seconds", Integer, nullable=False),
    Column("delivery_day", Text),
    Column("gate", Text),
    Column("unit", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("model_version", Text),
    Column("data_digest", Text),
    Column("rung", Text, nullable=False),
    Column("reason", Text),
    Column("levels", Text, nullable=False),  # JSON
    Column("values", LargeBinary, nullable=False),  # float64, little-endian [steps, 1 + levels]: mean, quantiles
    Column("warnings", Text, nullable=False),  # JSON
    Index("forecast_of_series", "series_id", "first_ds", "cutoff"),
)

ERASING = Table(
    "erasing",  # series whose rows may be deleted, within the transaction that forgets them
    METADATA,
    Column("series_id", Integer, primary_key=True),
)

CHANGED = Table(
    "changed",  # a new random token whenever what is known of a series changes, for those who remember
    METADATA,
    Column("series_id", Integer, primary_key=True, autoincrement=False),  # of a series; ANY or ALL
    Column("token", BigInteger, nullable=False),
)
ANY, ALL = 0, -1
"""In place of a series: any of them changed; all of them may have (a restore, a series that was forgotten)."""

ANSWERED = Table(
    "answered",  # what was answered to an idempotency key; kept for a day
    METADATA,
    Column("key", Text, primary_key=True),  # SHA-256
    Column("body", Text, nullable=False),  # SHA-256
    Column("at", BigInteger, nullable=False),
    Column("answer", LargeBinary, nullable=False),
)

AUDIT = Table(
    "audit",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("action", Text, nullable=False),
    Column("detail", Text, nullable=False),  # JSON
)

RUN = Table(
    "run",  # this flow is done for this key, a delivery day say
    METADATA,
    Column("flow", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),  # JSON
)

SCORE = Table(
    "score",  # how the forecast of one delivery day turned out, by what is known of it now
    METADATA,
    Column("series_id", Integer, ForeignKey("series.id"), primary_key=True),
    Column("day", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("forecast_id", Text, nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("cutoff", BigInteger, nullable=False),
    Column("model", Text, nullable=False),
    Column("model_version", Text),
    Column("rung", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("first_ds", BigInteger, nullable=False),
    Column("step_seconds", Integer, nullable=False),
    Column("periods", Integer, nullable=False),
    Column("scored", Integer, nullable=False),
    Column("naive_scored", Integer, nullable=False),
    Column("mae", Double),
    Column("bias", Double),
    Column("mape", Double),
    Column("coverage", Double),
    Column("demand", Double),
    Column("naive_mae", Double),
    Column("compared_mae", Double),
    Column("values", LargeBinary, nullable=False),  # float32, little-endian [periods, 5]: `scores.COLUMNS`
    Index("score_of_day", "day"),
)

ALARM = Table(
    "alarm",  # one breach: of a series, or of all of them together
    METADATA,
    Column("id", Text, primary_key=True),
    Column("series_id", Integer, ForeignKey("series.id")),
    Column("kind", Text, nullable=False),
    Column("day", Text, nullable=False),  # on which it began
    Column("at", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),  # JSON
    Column("answered_by", Text),
    Index("alarm_of_day", "day"),
)
