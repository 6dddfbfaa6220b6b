"""A quarter of delivery days in less than an hour, against a real `forecast up`, with everything that goes wrong.

Run with `make soak`, or `python benchmarks/soak.py --days 5`, in a checkout that nobody changes meanwhile. The
schedules of the registered deployments are read off, and each run that is due in the simulated days is started through
Prefect's API with `now` as a parameter. Readings come by a drop folder, some of them late; one series changes its
level, one meter dies, the clock changes; every process is killed once, a flow run in its middle, and all of it is
restarted once. It ends with 1 where the ledger, Prefect, MLflow and the service do not tell one story, and writes what
it found to docs/soak.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import soak_judged, soak_report  # noqa: E402
from benchmarks.soak_house import House  # noqa: E402
from benchmarks.soak_world import ZONE, Post, World, arrival  # noqa: E402
from flows.deployed import planned  # noqa: E402
from forecast.calendars import delivery_day  # noqa: E402
from forecast.settings import Settings  # noqa: E402
from forecast.store import Store  # noqa: E402

SCHEDULE = {
    "ingest": "5 7 * * *", "issue": "30 9 * * *", "score": "0 11 * * *", "monitor": "30 11 * * *",
    "promote": "0 13 * * 1", "backfill": "0 15 * * 6", "maintain": "30 4 * * 3", "retrain": "30 5 1 * *",
}  # fmt: skip
"""Once a day what is needed every day, so that a quarter fits into an hour; retraining on the first of the month."""
SOURCES = f"""[[source]]
name = "meters"
data = "inbox"
zone = "{ZONE}"
freq = "1h"
unit = "MW"
country = "AU-VIC"
"""
EVENT_S = 45
"""How long a run that an event starts may take to appear."""


@dataclass(frozen=True)
class Due:
    """One run that is due.

    Attributes:
        at: when, in the simulated time (UTC).
        name: of the deployment.
    """

    at: pd.Timestamp
    name: str

    @property
    def key(self) -> str:
        return f"{self.name}-{self.at:%Y%m%dT%H%M}"


@dataclass
class Told:
    """What the driver did and saw.

    Attributes:
        runs: name and id by key of every run it started.
        events: ids of runs that events started.
        asked: days on which monitoring asked for a retraining, and why.
        accidents: what was done, and on which simulated day.
        seconds: of wall clock, by simulated day.
        starts: seconds that `forecast up` took, each time.
        minutes: of wall clock in all.
    """

    runs: dict[str, tuple[str, str]] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    accidents: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    minutes: float = 0

    @classmethod
    def kept(cls, path: Path) -> Told:
        """As an earlier soak has written it down; an empty one where there was none."""
        return cls(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else cls()

    def keep(self, path: Path) -> None:
        """Writes it down, so that a soak that was broken off can go on, or be judged."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")


class Driver:
    """Lets the days pass.

    Args:
        house: what runs.
        post: what brings the readings.
        world: the days.
        settings: of the house.
    """

    def __init__(self, house: House, post: Post, world: World, settings: Settings) -> None:
        self._house, self._post, self.world, self._settings = house, post, world, settings
        self.home = house.home
        self.told = Told.kept(house.home / "told.json")
        self._accidents = accidents(world)

    def days(self, begun: float, minutes: float) -> None:
        """All days that have not passed yet, until it is enough."""
        before, enough = self.told.minutes, list[int]()
        signal.signal(signal.SIGTERM, lambda number, _: enough.append(number))
        if not self.told.seconds:
            self.first_model()
        else:
            day = self.world.delivery_days[len(self.told.seconds)]
            self.told.accidents.append(f"before {day}: the soak itself was broken off, and went on")
        for number in range(len(self.told.seconds), self.world.days):
            if enough or (minutes and time.monotonic() - begun > minutes * 60):
                return
            self.day(number)
            self.told.minutes = before + (time.monotonic() - begun) / 60
            self.told.keep(self.home / "told.json")
            day = self.world.delivery_days[number]
            say(f"{day}: {self.told.seconds[-1]:.0f} s, {self.told.minutes:.1f} min in all")
        self.last_day()
        self.told.minutes = before + (time.monotonic() - begun) / 60
        self.told.keep(self.home / "told.json")

    def first_model(self) -> None:
        """Before the quarter begins there is a history, and a champion."""
        came = self._post.history()
        self._finish(Due(came + pd.Timedelta("20min"), "ingest"))
        self._finish(Due(came + pd.Timedelta("60min"), "retrain"))

    def day(self, number: int) -> None:
        """The civil day on whose morning the forecasts of a delivery day are due."""
        begun, today = time.monotonic(), self.world.delivery_days[number] - timedelta(days=1)
        begin, end = delivery_day(today, ZONE)
        accident = self._accidents.get(number)
        beside: list[tuple[Due, str]] = []
        for due in runs(self._settings, begin, end):
            self._post.until(due.at)
            if due.name == "issue":
                beside.append((due, self._begin(due)))
                if accident:
                    self._happen(accident, beside[-1][1], number)
                continue
            self._finish(due)
            if due.name == "monitor":
                self._events(today - timedelta(days=1))
        for due, run in beside:
            self._end(due, run)
        self.told.seconds.append(time.monotonic() - begun)

    def last_day(self) -> None:
        """What was measured on the last delivery day comes, and is scored."""
        came = arrival(self.world.delivery_days[-1])
        self._post.until(came + pd.Timedelta(days=3))
        for hours, name in ((1, "ingest"), (4, "score"), (5, "monitor")):
            self._finish(Due(came + pd.Timedelta(hours=hours), name))
        self._events(self.world.delivery_days[-1])

    def _begin(self, due: Due) -> str:
        run = self._house.begin(due.name, due.key, {"now": due.at.tz_convert(ZONE).isoformat()})
        self.told.runs[due.key] = (due.name, run)
        return run

    def _finish(self, due: Due) -> None:
        self._end(due, self._begin(due))

    def _end(self, due: Due, run: str) -> None:
        found = self._house.end(run)
        if found["state_type"] != "COMPLETED":
            say(f"{due.key}: {found['state_type']} ({found['state']['message']})")

    def _events(self, watched: date) -> None:
        """Where monitoring has asked for a retraining, it is waited for."""
        with Store.open(settings=self._settings) as store:
            done = store.done("monitor", watched.isoformat())
        if done is None or not done.detail["retrain"]:
            return
        self.told.asked.append(f"{watched}: {done.detail['said']}")
        say(self.told.asked[-1])
        limit, known = time.monotonic() + EVENT_S, set(self.told.events)
        while time.monotonic() < limit:
            fresh = [run for run in self._started_by_events() if run not in known]
            for run in fresh:
                self.told.events.append(run)
                self._house.end(run)
            if fresh:
                return
            time.sleep(1)

    def _started_by_events(self) -> list[str]:
        asked = {"flows": {"name": {"any_": ["retrain"]}}, "limit": 100}
        driven = {run for _, run in self.told.runs.values()}
        return [str(one["id"]) for one in self._house.prefect("flow_runs/filter", asked) if one["id"] not in driven]

    def _happen(self, accident: str, run: str, number: int) -> None:
        """One thing that goes wrong while the forecasts of a day are being issued."""
        limit = time.monotonic() + 120
        while self._house.state(run) in ("SCHEDULED", "PENDING") and time.monotonic() < limit:
            time.sleep(0.2)
        if accident == "flow run":
            killed = self._house.kill_run()
        elif accident == "restart":
            self._house.stop()
            self.told.starts.append(self._house.start())
            killed = 0
        else:
            killed = self._house.kill(accident)
        day = self.world.delivery_days[number] - timedelta(days=1)
        told = "everything stopped and started again" if not killed else f"kill -9 of {accident}"
        self.told.accidents.append(f"{day}: {told}, while {day + timedelta(days=1)} was being issued")
        say(self.told.accidents[-1])


def accidents(world: World) -> dict[int, str]:
    """What goes wrong on which day: all of it early, so that the rest shows that nothing is left of it."""
    kinds = ["flow run", "worker", "MLflow", "Prefect", "service", "runner", "restart"]
    span = max(world.days / 3, min(world.days, len(kinds) + 1))
    return {int((place + 0.7) * span / (len(kinds) + 0.5)): kind for place, kind in enumerate(kinds)}


def runs(settings: Settings, begin: pd.Timestamp, end: pd.Timestamp) -> list[Due]:
    """What Prefect's scheduler would start from `begin` to before `end`."""
    from prefect.server.schemas.schedules import CronSchedule

    found = []
    for one in planned(settings):
        made = CronSchedule(cron=one.cron, timezone=settings.schedule_zone)
        last = end.to_pydatetime() - timedelta(seconds=1)
        dates = asyncio.run(made.get_dates(100, begin.to_pydatetime(), last))
        found += [Due(pd.Timestamp(date.timestamp(), unit="s", tz="UTC"), one.name) for date in dates]
    return sorted(found, key=lambda due: due.at)


def say(text: str) -> None:
    """One line, at once."""
    print(text, flush=True)


def main() -> int:
    """Runs, judges and reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--minutes", type=float, default=0, help="begin no further day after so many, as after SIGTERM")
    parser.add_argument("--home", type=Path, help="keep everything in this folder; go on with what is in it")
    parser.add_argument("--judge", action="store_true", help="let no day pass: judge what is in --home")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "soak.md")
    options = parser.parse_args()
    home = (options.home or Path(tempfile.mkdtemp(prefix="soak-"))).absolute()
    home.mkdir(exist_ok=True)
    (home / "sources.toml").write_text(SOURCES, encoding="utf-8")
    try:
        return soak(home, World(options.days), options)
    finally:
        if options.home is None:
            shutil.rmtree(home, ignore_errors=True)


def soak(home: Path, world: World, options: argparse.Namespace) -> int:
    """The quarter; 1 where something is not as it should be."""
    uri = f"sqlite:///{home}/mlruns/mlflow.db"
    settings = Settings.read(home=home, schedule=SCHEDULE, schedule_zone=ZONE, mlflow_uri=uri)
    house = House(home, variables(), ["--no-schedules", "--recipe", "ridge"])
    driver = Driver(house, Post(world, home / "inbox"), world, settings)
    begun = time.monotonic()
    driver.told.starts.append(house.start())
    say(f"everything is up after {driver.told.starts[-1]:.0f} s")
    try:
        if not options.judge:
            driver.days(begun, options.minutes)
        found = soak_judged.judged(house, settings, world, driver.told)
    finally:
        house.stop()
    report = soak_report.written(world, driver.told, found, house)
    options.out.write_text(report, encoding="utf-8")
    say(report)
    return int(any(not one.good for one in found))


def variables() -> dict[str, str]:
    """What the house is told."""
    return {
        "FORECAST_SCHEDULE_ZONE": ZONE, "FORECAST_SCHEDULE": json.dumps(SCHEDULE), "FORECAST_FOLLOW_S": "2",
        "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE",
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
