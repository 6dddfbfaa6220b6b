"""Five weeks of three series up to this hour, and forecasts of yesterday and today: what the page's tests look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from forecast import clock
from forecast.calendars import delivery_day, periods
from forecast.forecaster import Forecaster
from forecast.recipe import Recipe, SeasonalNaiveModel, Task
from forecast.settings import Settings
from forecast.sources.contract import Batch
from forecast.store import Store
from forecast.tables import Columns, Forecast, SeriesInfo
from forecast.training import fit

ZONES = {"north/7": "Europe/Lisbon", "São Paulo": "America/Sao_Paulo", "west": "Australia/Lord_Howe"}
SIZES = {"north/7": 5200.0, "São Paulo": 38_000.0, "west": 42.0}
LEVELS = {0.1: -0.05, 0.3: -0.02, 0.5: 0.0, 0.7: 0.02, 0.9: 0.05}
WEEKS = 5
UNTIL = clock.now().floor("h") - pd.Timedelta(hours=1)
"""Start of the newest period that is stored."""


def demand_of(name: str, ds: pd.DatetimeIndex) -> np.ndarray:
    """Days, weeks and a little noise, each hour always the same."""
    local = ds.tz_convert(ZONES[name])
    hour, free = local.hour.to_numpy(), local.dayofweek.to_numpy() >= 5
    noise = np.random.default_rng(3).normal(0, 0.01, 24 * 7 * 53)[(ds.asi8 // 3_600_000_000_000) % (24 * 7 * 53)]
    shape = 1 + 0.2 * np.sin((hour - 9) / 12 * np.pi) + 0.1 * np.exp(-(((hour - 19) / 2) ** 2)) - 0.1 * free
    return np.asarray(SIZES[name] * (shape + noise))


def settings_at(home: Path, **changes: object) -> Settings:
    """A service of one's own on a free port."""
    settings = Settings.read(home=home, port=0, **changes)
    settings.mlruns.mkdir(parents=True, exist_ok=True)
    return settings


LAST_WEEK = Recipe(name="last-week", model=SeasonalNaiveModel())


def tell(settings: Settings, recipe: Recipe = LAST_WEEK, too_high: tuple[float, float] = (1.04, 1.02)) -> Forecaster:
    """Fills the store, and gives the model that is served; by how much the earlier forecasts are too high."""
    first = UNTIL - pd.Timedelta(weeks=WEEKS)
    with Store.open(settings=settings) as store:
        for name, zone in ZONES.items():
            ds = pd.date_range(first, UNTIL, freq="1h")
            info = SeriesInfo(unique_id=name, zone=zone, step="1h", unit="MW")
            frame = pd.DataFrame({"unique_id": name, "ds": ds, "y": demand_of(name, ds)})
            store.add(Batch(frame, Columns(), (info,)), "story", history=True)
            _say(store, name, too_high)
        table = store.demand(as_of=UNTIL - pd.Timedelta(days=3))
    return fit(table, recipe, Task(horizon=24)).forecaster


def _say(store: Store, name: str, too_high: tuple[float, float]) -> None:
    """Forecasts of today and the two days before, issued 14 and 3 hours before each began."""
    today = clock.now().tz_convert(ZONES[name]).date()
    for back in range(3):
        day = today - pd.Timedelta(days=back)
        begin, _ = delivery_day(day, ZONES[name])
        phase = pd.Timestamp("2026-01-01", tz="UTC")
        ds = periods(day, ZONES[name], "1h", phase)
        for hours, high in zip((14, 3), too_high, strict=True):
            cutoff = (begin - pd.Timedelta(hours=hours)).as_unit("ns")
            y = demand_of(name, ds) * high
            said = {"mean": y} | {f"q{level:g}": y * (1 + wide) for level, wide in LEVELS.items()}
            rows = pd.DataFrame({"unique_id": name, "cutoff": cutoff, "ds": ds, **said})
            id = f"{list(ZONES).index(name)}-{back}-{hours}"
            store.record(
                Forecast(rows, "MW", "demand"), id=id, issued_at=cutoff, model_version="3",
                delivery_day=day.isoformat(),
            )  # fmt: skip


def arrive(settings: Settings, name: str) -> None:
    """One more value of a series, of the period that ended last."""
    ds = pd.DatetimeIndex([UNTIL + pd.Timedelta(hours=1)])
    with Store.open(settings=settings) as store:
        frame = pd.DataFrame({"unique_id": name, "ds": ds, "y": [SIZES[name]], "available_at": [clock.now()]})
        store.add(Batch(frame, Columns(), ()), "story")
