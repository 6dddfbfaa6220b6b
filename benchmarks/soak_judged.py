"""Whether the quarter went as it should: the ledger, the retrainings, and that all places tell one story."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from benchmarks.soak_house import House
from benchmarks.soak_world import BROKEN, SIZES, ZONE, World
from forecast.calendars import delivery_day
from forecast.monitoring.limits import LIMITS
from forecast.registry.purposes import experiment_of
from forecast.settings import Settings
from forecast.store import Store
from forecast.store.purposes import ISSUE, purpose_of

if TYPE_CHECKING:
    from benchmarks.soak import Told

FOUND_WITHIN_DAYS = 3
"""A sudden change is alarmed within so many days; a retraining answers on the day of the alarm."""
SEASON_DAYS = LIMITS.reference_days + LIMITS.gap_days
"""Before so many days were scored no change is called one."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        good: whether it is as it should be.
        what: in a few words.
        told: the figures.
    """

    good: bool
    what: str
    told: str


def judged(house: House, settings: Settings, world: World, told: Told) -> list[Finding]:
    """Everything that was looked at."""
    days = world.delivery_days[: len(told.seconds)]
    runs = prefect_runs(house)
    with Store.open(settings=settings) as store:
        return [
            *ledger(store, days),
            readings(store, world, days),
            *prefect(runs, told, store, days),
            retrainings(runs, told, world, days),
            *one_story(house, settings, store, runs, days),
        ]


def ledger(store: Store, days: list[date]) -> list[Finding]:
    """Each series' one official forecast of each day, and when it was issued."""
    entries = {name: [one for one in store.forecasts(name) if purpose_of(one.id) == ISSUE] for name in SIZES}
    counts = Counter((name, one.delivery_day) for name, found in entries.items() for one in found)
    wanted = {(name, day.isoformat()) for name in SIZES for day in days}
    missing, several = wanted - set(counts), [key for key, count in counts.items() if count > 1]
    once = not missing and not several and set(counts) == wanted
    gates = {day.isoformat(): gate(day) for day in days}
    early = [
        (gates[str(one.delivery_day)] - one.issued_at) / pd.Timedelta("1min")
        for found in entries.values() for one in found if one.delivery_day in gates
    ]  # fmt: skip
    whole = [
        (name, one.delivery_day) for name, found in entries.items() for one in found
        if one.delivery_day in gates and len(one.forecast.frame) != hours(date.fromisoformat(str(one.delivery_day)))
    ]  # fmt: skip
    rungs = Counter(one.rung for found in entries.values() for one in found)
    in_time = sum(minutes >= 0 for minutes in early)
    least = f", the last {min(early):.0f} minutes before its gate" if early else ""
    return [
        Finding(
            once, "every delivery day has its forecasts, each exactly once",
            f"{sum(counts.values())} of {len(wanted)} ({len(SIZES)} series, {len(days)} days), {len(missing)} missing, "
            f"{len(several)} more than once; rungs: {spelled(rungs)}",
        ),
        Finding(bool(early) and min(early) >= 0, "before the gate", f"{in_time} of {len(early)}{least}"),
        Finding(not whole, "each of all hours of its day", f"{len(whole)} of another length, 23 hours on one day"),
    ]  # fmt: skip


def readings(store: Store, world: World, days: list[date]) -> Finding:
    """What was measured until the end is in the store, late or not."""
    truth = world.truth()
    # Of a quarter that was broken off, as far as its last morning.
    last = days[-1] if len(days) == world.days else days[-1] - timedelta(days=4)
    until = delivery_day(last + timedelta(days=1), ZONE)[0]
    expected = truth[truth["ds"] < until].groupby("unique_id")["y"].agg(["size", "sum"])
    table = store.demand(only=list(SIZES), covariates=[]).to_frame()
    found = table[(table["ds"] < until) & table["y"].notna()].groupby("unique_id")["y"].agg(["size", "sum"])
    good = bool((found["size"] == expected["size"]).all() and ((found["sum"] - expected["sum"]).abs() < 1).all())
    return Finding(good, "no reading is lost", f"{int(found['size'].sum())} of {int(expected['size'].sum())} hours")


def prefect(runs: list[dict[str, Any]], told: Told, store: Store, days: list[date]) -> list[Finding]:
    """Every run that was due was there once and came to its end."""
    states, again = Counter(run["state_type"] for run in runs), sum(run["run_count"] > 1 for run in runs)
    ids = {run["id"] for run in runs}
    started = {run for _, run in told.runs.values()} | set(told.events)
    done = {name: store.done_keys(name) for name in (ISSUE, "score", "monitor")}
    issued = Counter(run["flow"] for run in runs)
    return [
        Finding(
            states == Counter({"COMPLETED": len(runs)}) and ids == started, "every run that was due ended well",
            f"{spelled(states)}, {again} of them at the second try; {spelled(issued)}",
        ),
        Finding(
            done[ISSUE] == [day.isoformat() for day in days], "the store's marks are those days",
            ", ".join(f"{len(keys)} of {name}" for name, keys in done.items()),
        ),
    ]  # fmt: skip


def retrainings(runs: list[dict[str, Any]], told: Told, world: World, days: list[date]) -> Finding:
    """By the calendar, and one by the break; nothing else."""
    driven = {run for name, run in told.runs.values() if name == "retrain"}
    by_event = [run for run in runs if run["flow"] == "retrain" and run["id"] not in driven]
    moments = sorted(pd.Timestamp(run["parameters"]["now"]).tz_convert(ZONE) for run in by_event)
    lags = [(moment.date() - world.break_day).days for moment in moments]
    # It takes a season to know what is usual, and the alarm of a day is raised on the morning after it.
    seen = (world.break_day - world.first).days >= SEASON_DAYS and days[-1] >= world.break_day + timedelta(days=3)
    good = len(by_event) == int(seen) and len(told.asked) == len(by_event)
    good = good and all(0 < lag <= FOUND_WITHIN_DAYS + 1 for lag in lags)
    spoken = ", ".join(f"{moment:%Y-%m-%d}" for moment in moments) or "none"
    return Finding(
        good, "retraining happened when it should and only then",
        f"{len(driven)} by the calendar, {len(by_event)} by an alarm ({spoken}); {BROKEN} changed on {world.break_day}",
    )  # fmt: skip


def one_story(
    house: House, settings: Settings, store: Store, runs: list[dict[str, Any]], days: list[date]
) -> list[Finding]:
    """MLflow, Prefect, the service and the store agree."""
    versions = house.mlflow(f"model-versions/search?filter=name%3D%27{settings.model_name}%27&max_results=1000")
    numbers = [one["version"] for one in versions.get("model_versions", [])]
    trained = sum(run["flow"] == "retrain" and run["state_type"] == "COMPLETED" for run in runs)
    champion = house.mlflow(f"registered-models/alias?name={settings.model_name}&alias=champion")["model_version"]
    served = followed(house, champion["version"])
    shown = {name: service_days(house, name) for name in SIZES}
    wanted = Counter(day.isoformat() for day in days)
    listed = [one["unique_id"] for one in house.service("v1/series?limit=100")["series"]]
    same = all(
        ids == {one.id for one in store.forecasts(name) if purpose_of(one.id) == ISSUE}
        for name, (_, ids) in shown.items()
    )
    watched = store.done_keys("monitor")
    pages = monitored(house, settings)
    return [
        Finding(
            pages == Counter(watched), "MLflow holds a run for each day that was monitored",
            f"{sum(pages.values())} runs, {len(watched)} days",
        ),
        Finding(
            len(numbers) == trained, "MLflow holds a version for each retraining that Prefect ran",
            f"{len(numbers)} versions, {trained} retrainings",
        ),
        Finding(
            served == champion["version"], "the service serves MLflow's champion",
            f"version {served} there, version {champion['version']} here",
        ),
        Finding(
            all(found == wanted for found, _ in shown.values()) and same and sorted(listed) == sorted(SIZES),
            "the service shows the same forecasts as the ledger", f"{len(listed)} series, "
            f"{sum(sum(found.values()) for found, _ in shown.values())} official forecasts over HTTP",
        ),
    ]  # fmt: skip


def monitored(house: House, settings: Settings) -> Counter[str]:
    """The days of MLflow's runs of monitoring."""
    name = experiment_of(settings, "monitoring")
    found = house.mlflow(f"experiments/get-by-name?experiment_name={name}")["experiment"]["experiment_id"]
    asked = {"experiment_ids": [found], "filter": "tags.kind = 'day'", "max_results": 1000}
    told = house.mlflow("runs/search", asked).get("runs", [])
    return Counter(tag["value"] for run in told for tag in run["data"]["tags"] if tag["key"] == "day")


def followed(house: House, version: str) -> str | None:
    """What the service serves, once it had the time to see where the alias points."""
    limit = time.monotonic() + 60
    while True:
        champion = house.service("v1/status")["champion"] or {}
        if champion.get("version") == version or time.monotonic() > limit:
            return champion.get("version")
        time.sleep(1)


def service_days(house: House, series: str) -> tuple[Counter[str], set[str]]:
    """The official forecasts of a series by day, and their ids, as the service tells them."""
    told = house.service(f"v1/forecasts?series={series}&limit=1000")["forecasts"]
    official = [one for one in told if purpose_of(one["id"]) == ISSUE]
    return Counter(one["delivery_day"] for one in official), {one["id"] for one in official}


def prefect_runs(house: House) -> list[dict[str, Any]]:
    """All runs that Prefect knows, with the name of their flow."""
    flows = {one["id"]: one["name"] for one in house.prefect("flows/filter", {"limit": 100})}
    found: list[dict[str, Any]] = []
    while page := house.prefect("flow_runs/filter", {"limit": 200, "offset": len(found), "sort": "ID_DESC"}):
        found += page
    return [{**run, "flow": flows[run["flow_id"]]} for run in found]


def gate(day: date) -> pd.Timestamp:
    """When the forecasts of a day are due."""
    return pd.Timestamp(f"{day - timedelta(days=1)} 10:00", tz=ZONE)


def hours(day: date) -> int:
    """Of a civil day."""
    begin, end = delivery_day(day, ZONE)
    return int((end - begin) / pd.Timedelta("1h"))


def spelled(counts: Counter[Any]) -> str:
    """In order of size."""
    return ", ".join(f"{count} {str(name).lower()}" for name, count in counts.most_common())
