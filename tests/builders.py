"""Small synthetic demands for tests: any step, several series and zones, gaps, delays, explicit availability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from forecast.networks.configs import DirectConfig, NetworkConfig, RecurrentConfig
from forecast.recipe import (
    CorrectionConfig,
    EnsembleModel,
    FeatureConfig,
    NetworkModel,
    Recipe,
    RidgeModel,
    TrainingConfig,
    TreesModel,
)
from forecast.tables import Columns, Demand

EVERYTHING = Columns(past=("humidity",), known=("temperature", "holiday"), static=("customers",))
TINY = Recipe(
    name="tiny",
    context="2d",
    model=NetworkModel(
        network=NetworkConfig(encoder=RecurrentConfig(kind="gru", width=6), decoder=DirectConfig(width=8)),
        training=TrainingConfig(epochs=1, windows_per_epoch=64),
    ),
)
assert isinstance(TINY.model, NetworkModel)
TINY_ON_RIDGE = TINY.model_copy(
    update={"name": "tiny-on-ridge", "model": TINY.model.model_copy(update={"residual_on": RidgeModel()})}
)
TINY_ENSEMBLE = Recipe(
    name="tiny-ensemble",
    context="2d",
    model=EnsembleModel(members=(TINY_ON_RIDGE.model, RidgeModel(), TreesModel(iterations=3))),
    features=FeatureConfig(reach_days=9, same_hour_days=3, knots=2),
    correction=CorrectionConfig(days=3),
)
"""A network on a ridge, a ridge and trees, corrected by the errors of three days."""


def utc(text: str) -> pd.Timestamp:
    """A stamp in UTC."""
    return pd.Timestamp(text, tz="UTC")


def long_frame(
    *,
    start: str = "2024-01-20",
    days: float = 60,
    freq: str = "1h",
    names: Sequence[str] = ("north", "south"),
    zone: str = "UTC",
    gaps: float = 0.0,
    late: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """A long frame with y and one covariate of each kind: a daily wave, warmth, and a little noise.

    Args:
        start: first period, in `zone`.
        days, freq: length and step.
        names: the series; the k-th is k + 1 times as large.
        gaps: share of y that is missing.
        late: whether rows state an `available_at` of their own, up to two days after their period.
        seed: of the noise.
    """
    rng = np.random.default_rng(seed)
    step = pd.Timedelta(freq)
    begin = pd.Timestamp(start, tz=zone).tz_convert("UTC")
    parts = []
    for number, name in enumerate(names):
        ds = pd.date_range(begin, periods=round(pd.Timedelta(days=days) / step), freq=step)
        hours = np.asarray((ds - begin) / pd.Timedelta("1h"))
        temperature = 12 + 8 * np.sin(hours / 24 * 2 * np.pi) + rng.normal(0, 2, len(ds))
        y = (number + 1) * (
            500 + 80 * np.sin((hours - 6) / 24 * 2 * np.pi) + 3 * temperature + rng.normal(0, 5, len(ds))
        )
        y[rng.random(len(ds)) < gaps] = np.nan
        part = pd.DataFrame(
            {
                "unique_id": name,
                "ds": ds,
                "y": y,
                "humidity": rng.uniform(0.2, 0.9, len(ds)),
                "temperature": temperature,
                "holiday": (rng.random(len(ds) // 24 + 1).repeat(24)[: len(ds)] < 0.1).astype(float),
                "customers": float(number),
            }
        )
        if late:
            part["available_at"] = ds + step + pd.to_timedelta(rng.integers(0, 48, len(ds)), unit="h")
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def make_demand(
    frame: pd.DataFrame,
    *,
    columns: Columns = EVERYTHING,
    zone: str | Mapping[str, str] = "UTC",
    delay: str = "0h",
    unit: str = "MW",
    country: str | None = None,
) -> Demand:
    """The checked table of a frame."""
    return Demand.from_frame(frame, columns=columns, zone=zone, delay=delay, unit=unit, country=country)


def plain(y: Sequence[float] | np.ndarray, start: str = "2024-01-01", freq: str = "1h", **options: object) -> Demand:
    """One series "a" with the given y and no covariate."""
    ds = pd.date_range(utc(start), periods=len(y), freq=freq)
    frame = pd.DataFrame({"unique_id": "a", "ds": ds, "y": np.asarray(y, dtype=float)})
    return Demand.from_frame(frame, **options)  # type: ignore[arg-type]
