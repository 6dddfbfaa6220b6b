"""The meters of `benchmarks/scale.py`: two years of hours in a store, and a global model that learned from some."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd

from forecast import clock
from forecast.forecaster import Forecaster
from forecast.recipe import NetworkModel, Recipe, Task
from forecast.recipes import named
from forecast.settings import Settings
from forecast.sources import Batch
from forecast.store import Store
from forecast.tables import Demand, SeriesInfo
from forecast.training import fit

ZONE, GATE, DAYS = "Europe/Lisbon", "D-1T10:00", 731
FIRST = pd.Timestamp("2023-01-01T00:00Z")
LEARNED = 20
AT_ONCE = 250
HOUR = 3600


def name_of(number: int) -> str:
    """Of a meter."""
    return f"meter-{number:05d}"


def shapes() -> pd.DataFrame:
    """Four usual shapes of two years, ds and one column each; a meter's values are a mixture of two, and noise."""
    ds = pd.date_range(FIRST, periods=24 * DAYS, freq="1h")
    local = ds.tz_convert(ZONE)
    hour, rng = local.hour.to_numpy(), np.random.default_rng(0)
    weekend, year = local.dayofweek.to_numpy() >= 5, np.cos(np.arange(len(ds)) / 8766 * 2 * np.pi)
    front = pd.Series(rng.normal(0, 1, len(ds))).ewm(halflife=30).mean().to_numpy()
    home = 1 + 0.5 * np.sin((hour - 12) / 24 * 2 * np.pi) + 0.4 * np.exp(-((hour - 20.0) ** 2) / 6) + 0.3 * year
    office = 0.4 + 1.2 * np.exp(-((hour - 13.0) ** 2) / 18) * ~weekend
    heated = 1 + 0.6 * year + 0.4 * front + 0.3 * np.sin((hour - 16) / 12 * 2 * np.pi)
    shop = 0.3 + 1.1 * np.exp(-((hour - 16.0) ** 2) / 30) * (1 - 0.4 * weekend)
    return pd.DataFrame({"ds": ds, "home": home, "office": office, "heated": heated + 0.5, "shop": shop})


def values(number: int, told: pd.DataFrame) -> np.ndarray:
    """The hours of a meter in kW."""
    rng = np.random.default_rng(number)
    one, other = rng.choice(4, 2, replace=False)
    columns, share = told.iloc[:, 1:].to_numpy(), rng.uniform(0.2, 0.8)
    mixed = share * columns[:, one] + (1 - share) * columns[:, other]
    return np.exp(rng.normal(1, 1)) * np.maximum(mixed + rng.normal(0, 0.08, len(mixed)), 0.01)


def fill(settings: Settings, count: int) -> None:
    """Lets the store hold the first `count` meters; those that are there stay.

    A meter's newest hour takes the usual way in, so that the store knows its clock; the hours before are inserted as
    rows, each known at the end of its period.
    """
    told = shapes()
    with clock.using(FIRST + pd.Timedelta(days=DAYS)), Store.open(settings=settings) as store:
        there = len(store.series())
        for begin in range(there, count, AT_ONCE):
            numbers = range(begin, min(count, begin + AT_ONCE))
            known = {number: values(number, told) for number in numbers}
            rows = [(name_of(number), told["ds"].iloc[-1], known[number][-1]) for number in numbers]
            info = tuple(SeriesInfo(unique_id=name, zone=ZONE, step="1h", unit="kW") for name, _, _ in rows)
            store.add(Batch(pd.DataFrame(rows, columns=["unique_id", "ds", "y"]), series=info), "meters")
            _insert(Path(str(store.engine.url.database)), known, told)


def _insert(file: Path, known: dict[int, np.ndarray], told: pd.DataFrame) -> None:
    """All hours but the newest."""
    seconds = (pd.DatetimeIndex(told["ds"]).as_unit("s").asi8[:-1]).tolist()
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA synchronous = OFF")
    numbers = dict(connection.execute("SELECT unique_id, id FROM series").fetchall())
    variable, source = (
        connection.execute(f"SELECT id FROM {table} WHERE name = ?", (name,)).fetchone()[0]
        for table, name in (("variable", "y"), ("source", "meters"))
    )
    with connection:
        for number, value in known.items():
            key = numbers[name_of(number)]
            rows = (
                (key, variable, at, at + HOUR, 0, y, source) for at, y in zip(seconds, value.tolist(), strict=False)
            )
            connection.executemany("INSERT INTO observation VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    connection.close()


def model_of(room: Path, recipe: str) -> Path:
    """The folder of the model, learned from some meters where it is not there yet."""
    folder = room / f"model-{recipe}"
    if (folder / "manifest.json").exists():
        return folder
    told = shapes()
    parts = [
        pd.DataFrame({"unique_id": name_of(number), "ds": told["ds"], "y": values(number, told)})
        for number in range(LEARNED)
    ]
    demand = Demand.from_frame(pd.concat(parts), zone=ZONE, unit="kW").as_of(FIRST + pd.Timedelta(days=DAYS - 30))
    task = Task(horizon=39, gate=GATE, every="delivery-day")
    forecaster = fit(demand, global_form(named(recipe)), task).forecaster
    written(forecaster, folder)
    return folder


def global_form(recipe: Recipe) -> Recipe:
    """The recipe for meters of any number: nobody listens to the others, and a short training is enough here."""
    if not isinstance(recipe.model, NetworkModel):
        return recipe
    network = recipe.model.network.model_copy(update={"neighbours": None, "outlook": None})
    training = recipe.model.training.model_copy(update={"epochs": 3, "windows_per_epoch": 2048, "final": "keep"})
    return recipe.model_copy(
        update={"model": recipe.model.model_copy(update={"network": network, "training": training})}
    )


def written(forecaster: Forecaster, folder: Path) -> None:
    """The folder with graphs, as registration writes it."""
    from forecast.forecaster.exporting import with_graphs

    with_graphs(forecaster).save(folder)
