"""The made city of `benchmarks/training.py`."""

from __future__ import annotations

import numpy as np
import pandas as pd


def city(days: int, seed: int = 0) -> pd.DataFrame:
    """Hourly demand of one city: unique_id, ds (UTC), y in MW: day, weekend, season, slow weather, noise."""
    rng = np.random.default_rng(seed)
    ds = pd.date_range("2023-01-01", periods=24 * days, freq="1h", tz="UTC")
    hours = np.arange(len(ds))
    front = pd.Series(rng.normal(0, 1, len(ds))).ewm(halflife=30).mean().to_numpy() * 60
    day = 1 + 0.2 * np.sin((hours - 8) / 24 * 2 * np.pi) + 0.08 * np.sin((hours - 3) / 12 * 2 * np.pi)
    week = 1 - 0.12 * (ds.dayofweek.to_numpy() >= 5)
    y = 500 * day * week + 60 * np.cos(hours / 8766 * 2 * np.pi) + front + rng.normal(0, 6, len(ds))
    return pd.DataFrame({"unique_id": "city", "ds": ds, "y": y})
