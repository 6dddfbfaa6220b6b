"""`OpenMeteo`: the weather at the places of the series: what was measured, and what was forecast, with its vintages.

Four parts, each an API of its own: `archive` (reanalysis), `previous` (what was forecast one, two, three days before),
`forecast` (the newest run) and `ensemble` (mean and spread of its members). Stamps are hours in UTC; sums and means
over the hour before a stamp (`PRECEDING`) are moved to the start of that hour, the others are readings at the stamp.
Columns are named as Open-Meteo names its variables.
Source: https://open-meteo.com/en/docs, /en/docs/historical-weather-api, /previous-runs-api, /ensemble-api,
/model-updates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from forecast import clock
from forecast.errors import DataError, DeclarationError
from forecast.sources.contract import Batch, Mark
from forecast.sources.keys import Key
from forecast.sources.polite import Manners, Polite
from forecast.sources.reach import HOUR, going_on, read_until, windows, with_reach
from forecast.sources.rows import CHANGED, numbers
from forecast.tables import Columns, SeriesInfo

Part = Literal["archive", "previous", "forecast", "ensemble"]
PARTS: tuple[Part, ...] = get_args(Part)
DAY = pd.Timedelta("1D")
START = pd.Timestamp("2022-01-01T00:00Z")
PREVIOUS_START = pd.Timestamp("2024-01-01T00:00Z")  # since then most models are kept
MANNERS = Manners(pause=0.25)  # 600 calls a minute are free
ARCHIVE_DELAY = pd.Timedelta("5D")  # of ERA5
RUN_LAG = pd.Timedelta("6h")
SETTLING = pd.Timedelta("10min")
LOOK_BACK = {"archive": pd.Timedelta("10D"), "previous": pd.Timedelta("2D")}
WINDOW = {"archive": pd.Timedelta("366D"), "previous": pd.Timedelta("92D")}
PRECEDING = frozenset({
    "precipitation", "precipitation_probability", "rain", "showers", "snowfall", "shortwave_radiation",
    "direct_radiation", "diffuse_radiation", "direct_normal_irradiance", "global_tilted_irradiance",
    "terrestrial_radiation", "sunshine_duration", "et0_fao_evapotranspiration", "wind_gusts_10m",
})  # fmt: skip
"""Variables that Open-Meteo states for the hour before the stamp."""
EVERY = {"forecast": pd.Timedelta("1h"), "ensemble": pd.Timedelta("3h")}


@dataclass(frozen=True)
class Hosts:
    """Addresses of the APIs; customers with a key have their own."""

    archive: str = "https://archive-api.open-meteo.com"
    previous: str = "https://previous-runs-api.open-meteo.com"
    forecast: str = "https://api.open-meteo.com"
    ensemble: str = "https://ensemble-api.open-meteo.com"

    def customer(self) -> Hosts:
        """The same for customers."""
        names = (self.archive, self.previous, self.forecast, self.ensemble)
        return Hosts(*(name.replace("https://", "https://customer-") for name in names))


@dataclass(frozen=True)
class OpenMeteo:
    """Known-ahead covariates in vintages, for every series with a place.

    When a value counts as known: `archive` five days after its hour (the delay of ERA5); `previous` N days before the
    end of its hour plus six hours (global models run every six hours and take about as long); `forecast` and
    `ensemble` when they were read, or, where `run_of` names the model of `forecast`, ten minutes after Open-Meteo
    said that its run was available.

    Attributes:
        series: those with latitude and longitude are read; series at one place share a request.
        variables: hourly variables ("temperature_2m").
        parts: what to read, in this order.
        key: for customers; others leave it without a secret.
        start: the first hour of the archive.
        days: length of the forecasts.
        back: how many days before its hour the forecasts of `previous` were made.
        model: the weather model of `forecast` and `previous` ("ecmwf_ifs025"); None: the best of each place.
        run_of: the same model as Open-Meteo's metadata name it ("ecmwf_ifs025", "dwd_icon"); a run is read once.
        ensemble_model: the model of `ensemble`.
        hosts: addresses of the APIs.
        manners: how they are asked.

    Raises:
        DeclarationError: a part is unknown, or no series has a place.
    """

    series: tuple[SeriesInfo, ...]
    key: Key
    variables: tuple[str, ...] = ("temperature_2m",)
    parts: tuple[Part, ...] = ("archive", "previous", "forecast")
    start: pd.Timestamp = START
    days: int = 7
    back: tuple[int, ...] = (1, 2, 3)
    model: str | None = None
    run_of: str | None = None
    ensemble_model: str = "icon_seamless"
    hosts: Hosts = Hosts()
    manners: Manners = MANNERS

    def __post_init__(self) -> None:
        unknown = [part for part in self.parts if part not in PARTS]
        if unknown or not self.parts:
            raise DeclarationError(f"Open-Meteo has no part {', '.join(unknown)}", f"some of {', '.join(PARTS)}")
        if not self.places():
            raise DeclarationError(
                f"none of {len(self.series)} series says where it is", "latitude and longitude of a series",
                "store them with the series first",
            )  # fmt: skip

    @property
    def name(self) -> str:
        """Under which the store keeps the mark."""
        return "open-meteo"

    def places(self) -> dict[tuple[float, float], list[str]]:
        """The series at every place (latitude, longitude)."""
        found: dict[tuple[float, float], list[str]] = {}
        for one in self.series:
            if one.latitude is not None and one.longitude is not None:
                found.setdefault((one.latitude, one.longitude), []).append(one.unique_id)
        return found

    def batches(self, mark: Mark | None) -> Iterator[Batch]:
        """What is new since `mark`: one part of one place at a time; see `Source.batches`."""
        with Polite(self.manners, self.key) as web:
            for part in self.parts:
                for place, names in self.places().items():
                    steps = self._spans if part in WINDOW else self._newest
                    for batch in steps(web, part, place, names, mark):
                        mark = batch.mark
                        yield batch

    def _spans(
        self, web: Polite, part: Part, place: tuple[float, float], names: list[str], mark: Mark | None
    ) -> Iterator[Batch]:
        """The past in windows, from where the place was read last."""
        start = max(self.start, PREVIOUS_START) if part == "previous" else self.start
        seen = [read_until(mark, part, name) for name in names]
        oldest = None if None in seen else min(stamp for stamp in seen if stamp is not None)
        since = going_on(oldest, start, LOOK_BACK[part]).floor("D")
        until = clock.now().floor("h") - (ARCHIVE_DELAY if part == "archive" else pd.Timedelta(0))
        for begin, end in windows(since, until, WINDOW[part]):
            days = [("start_date", f"{begin:%Y-%m-%d}"), ("end_date", f"{end:%Y-%m-%d}")]
            if part == "archive":
                table = self._hours(web, f"{self._host(part)}/v1/archive", place, self.variables, days)
                rows = table.assign(available_at=table["ds"] + HOUR + ARCHIVE_DELAY)
            else:
                rows = self._previous(web, place, days)
            rows = rows[(rows["ds"] < end) & (rows["available_at"] <= clock.now())]
            yield _batch(rows, self.variables, names, with_reach(mark, part, dict.fromkeys(names, end)))
            mark = with_reach(mark, part, dict.fromkeys(names, end))

    def _previous(self, web: Polite, place: tuple[float, float], days: list[tuple[str, str]]) -> pd.DataFrame:
        wanted = [f"{name}_previous_day{back}" for back in self.back for name in self.variables]
        asked = [*days, *([("models", self.model)] if self.model else [])]
        table = self._hours(web, f"{self._host('previous')}/v1/forecast", place, wanted, asked)
        parts = []
        for back in self.back:
            told = {f"{name}_previous_day{back}": name for name in self.variables}
            part = table[["ds", *told]].rename(columns=told)
            parts.append(part.assign(available_at=part["ds"] + HOUR - back * DAY + RUN_LAG))
        return pd.concat(parts, ignore_index=True)

    def _newest(
        self, web: Polite, part: Part, place: tuple[float, float], names: list[str], mark: Mark | None
    ) -> Iterator[Batch]:
        """The newest forecast, unless it was read a moment ago or its run was."""
        run = self._run(web) if part == "forecast" else None
        seen = [read_until(mark, part, name) for name in names]
        read = None not in seen and min(stamp for stamp in seen if stamp is not None)
        if read and (run <= read if run is not None else clock.now() < read + EVERY[part]):
            return
        table, columns = self._ahead(web, place) if part == "forecast" else self._ensemble(web, place)
        same = run is not None and self._run(web) == run
        issued = run if same and run is not None else clock.now().floor("s")
        rows = table.assign(available_at=issued)
        yield _batch(rows, columns, names, with_reach(mark, part, dict.fromkeys(names, issued)))

    def _run(self, web: Polite) -> pd.Timestamp | None:
        """When the newest run of the model had reached all servers; None where that is not asked or not yet so."""
        if self.run_of is None:
            return None
        told = web.json(f"{self._host('forecast')}/data/{self.run_of}/static/meta.json")
        seconds = told.get("last_run_availability_time") if isinstance(told, dict) else None
        if not isinstance(seconds, (int, float)):
            raise DataError("Open-Meteo's metadata have no last_run_availability_time", "seconds since 1970", CHANGED)
        ready = pd.Timestamp(int(seconds), unit="s", tz="UTC") + SETTLING
        return ready if ready <= clock.now() else None

    def _ahead(self, web: Polite, place: tuple[float, float]) -> tuple[pd.DataFrame, tuple[str, ...]]:
        params = [("forecast_days", str(self.days)), *([("models", self.model)] if self.model else [])]
        url = f"{self._host('forecast')}/v1/forecast"
        return self._hours(web, url, place, self.variables, params), self.variables

    def _ensemble(self, web: Polite, place: tuple[float, float]) -> tuple[pd.DataFrame, tuple[str, ...]]:
        """ds, and mean and standard deviation over the members of every variable."""
        days = [("forecast_days", str(self.days)), ("models", self.ensemble_model)]
        hours = self._asked(web, f"{self._host('ensemble')}/v1/ensemble", place, self.variables, days)
        table = pd.DataFrame({"ds": _moments(hours)})
        for name in self.variables:
            members = [key for key in hours if key == name or key.startswith(f"{name}_member")]
            if len(members) < 2:
                raise DataError(f"Open-Meteo's ensemble has {len(members)} members of {name}", "two or more", CHANGED)
            values = np.stack([_values(hours, key).to_numpy() for key in members])
            table[f"{name}_mean"], table[f"{name}_spread"] = values.mean(axis=0), values.std(axis=0)
        return table, tuple(f"{name}_{word}" for name in self.variables for word in ("mean", "spread"))

    def _hours(
        self, web: Polite, url: str, place: tuple[float, float], wanted: Sequence[str], params: list[tuple[str, str]]
    ) -> pd.DataFrame:
        """ds and the wanted columns."""
        hours = self._asked(web, url, place, wanted, params)
        missing = [name for name in wanted if name not in hours]
        if missing:
            raise DataError(
                f"Open-Meteo's answer has no hourly {', '.join(missing)}, but {', '.join(hours)}", "what was asked for",
                CHANGED,
            )  # fmt: skip
        table = pd.DataFrame({"ds": _moments(hours)} | {name: _values(hours, name) for name in wanted})
        return table.drop_duplicates("ds", keep="last")

    def _asked(
        self, web: Polite, url: str, place: tuple[float, float], wanted: Sequence[str], params: list[tuple[str, str]]
    ) -> dict[str, list[Any]]:
        latitude, longitude = place
        told = web.json(url, [
            ("latitude", f"{latitude:g}"), ("longitude", f"{longitude:g}"), ("hourly", ",".join(wanted)),
            ("timeformat", "unixtime"), ("timezone", "GMT"), *params,
        ])  # fmt: skip
        hours = told.get("hourly") if isinstance(told, dict) else None
        sizes = {len(column) if isinstance(column, list) else -1 for column in hours.values()} if hours else set()
        if not isinstance(hours, dict) or "time" not in hours or len(sizes) != 1 or -1 in sizes:
            raise DataError(
                "Open-Meteo's answer has no table of hours", "hourly.time and one list of that length per variable",
                CHANGED,
            )  # fmt: skip
        return hours

    def _host(self, part: Part) -> str:
        hosts = self.hosts.customer() if self.key.value else self.hosts
        return str(getattr(hosts, part))


def _moments(hours: dict[str, list[Any]]) -> pd.Series:
    seconds = numbers(pd.Series(hours["time"], dtype=object), "Open-Meteo's field time")
    return pd.to_datetime(seconds, unit="s", utc=True)


def _values(hours: dict[str, list[Any]], key: str) -> pd.Series:
    """The numbers of a column, at the start of their hour."""
    values = numbers(pd.Series(hours[key], dtype=object), f"Open-Meteo's field {key}")
    return values.shift(-1) if re.sub(r"_(member|previous_day)\d+$", "", key) in PRECEDING else values


def _batch(rows: pd.DataFrame, columns: tuple[str, ...], names: list[str], mark: dict[str, Any]) -> Batch:
    """The rows that say something, once for every series at the place; of demand they say nothing."""
    told = rows[["ds", "available_at", *columns]].dropna(subset=list(columns), how="all")
    frame = pd.concat([told.assign(unique_id=name, y=np.nan) for name in names], ignore_index=True)
    return Batch(frame, Columns(known=columns), (), mark)
