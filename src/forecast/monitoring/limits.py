"""`Limits`: from where on monitoring calls something a breach."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Limits(BaseModel):
    """What is compared with what, and how far apart it may lie.

    `level`, `shape` and `error` were chosen on every second of 33 real series as the lowest at which each raised at
    most a quarter, a quarter and a fifth of an alarm in a series-year; `benchmarks/drift.py` does it again and tells
    what they do on the other half.

    Attributes:
        level: a day's mean error, in robust standard deviations of the season's.
        shape: a day's error by hour without its mean, as distance by the season's own spread, over the usual one.
        least: a level that moves less than this share of demand is no break.
        persists: so much of what the first day showed must be there on a later one.
        recent_days: so many days before a day are its season.
        season_days: so many days about the same date of the year before are, too.
        gap_days: the last days before a day, which may be broken already, are not.
        reference_days: fewer days than these are no season.
        quiet_days: a series with an alarm raises no other one of its kind for so long.
        window_days, error: errors of so many days, over what the season lets expect.
        coverage_days, coverage: share of the periods within the 80 % band over so many days.
        drift_days, drift, drift_spread: demand of so many days beside the same days of the year before: by so large a
            share, and by so many standard deviations of that season's days.
        retrain_share: so large a share of the watched series, and at least one, must have broken for a retraining.
        stale_hours: so much later than usual is too late for a value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: float = Field(5.0, gt=0)
    shape: float = Field(3.5, gt=0)
    least: float = Field(0.05, ge=0)
    persists: float = Field(0.5, gt=0, le=1)
    recent_days: int = Field(56, ge=14)
    season_days: int = Field(21, ge=0)
    gap_days: int = Field(3, ge=2)
    reference_days: int = Field(28, ge=14)
    quiet_days: int = Field(14, ge=1)
    window_days: int = Field(14, ge=7)
    error: float = Field(2.5, gt=1)
    coverage_days: int = Field(28, ge=14)
    coverage: float = Field(0.5, gt=0, lt=0.8)
    drift_days: int = Field(28, ge=14)
    drift: float = Field(0.25, gt=0)
    drift_spread: float = Field(2.0, gt=0)
    retrain_share: float = Field(0.02, ge=0, le=1)
    stale_hours: float = Field(36.0, gt=0)


LIMITS = Limits.model_validate({})
"""Those that count unless told otherwise."""
