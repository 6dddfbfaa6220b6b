"""Synthetic towns: a daily and weekly shape, a year, slow weather and a little noise, at any step and in any zone."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.tables import Demand


def town(
    freq: str = "1h", *, days: int = 120, zone: str = "Europe/Berlin", start: str = "2023-01-02", seed: int = 0,
    mean: float = 1000.0, name: str = "town",
) -> pd.DataFrame:  # fmt: skip
    """A long frame of one clean series that starts on a civil midnight."""
    rng, step = np.random.default_rng(seed), pd.Timedelta(freq)
    ds = pd.date_range(pd.Timestamp(start, tz=zone).tz_convert("UTC"), periods=int(pd.Timedelta(days=days) / step),
                       freq=step)  # fmt: skip
    local = ds.tz_convert(zone)
    hour = np.asarray(local.hour + local.minute / 60)
    rest = np.asarray(local.dayofweek >= 5)
    day = np.asarray((ds - ds[0]) / pd.Timedelta("1D"))
    weather = _slow(rng.normal(0, 0.02, days + 2), 0.8)
    noise = _slow(rng.normal(0, 0.004, len(ds)), float(np.exp(-step / pd.Timedelta("3h"))))
    shape = 1 + 0.25 * np.sin((hour - 8) / 24 * 2 * np.pi) + 0.1 * np.sin((hour - 6) / 12 * 2 * np.pi)
    shape -= 0.15 * rest * (1 + 0.3 * np.sin(hour / 24 * 2 * np.pi))
    year = 1 + 0.15 * np.cos(day / 365 * 2 * np.pi)
    y = mean * shape * year * (1 + np.interp(day, np.arange(days + 2), weather) + noise)
    return pd.DataFrame({"unique_id": name, "ds": ds, "y": y})


def table(frame: pd.DataFrame, zone: str = "Europe/Berlin", **options: object) -> Demand:
    """The checked table of a frame."""
    return Demand.from_frame(frame, zone=zone, **options)  # type: ignore[arg-type]


def _slow(noise: np.ndarray, keep: float) -> np.ndarray:
    out = np.zeros_like(noise)
    for at in range(1, len(noise)):
        out[at] = keep * out[at - 1] + noise[at]
    return out
