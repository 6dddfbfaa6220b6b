"""The next 400 runs of every deployment, in five zones, across both changes of the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from prefect.server.schemas.schedules import CronSchedule

from flows.deployed import DEPLOYMENTS, GROUPED, Deployment, planned
from forecast.errors import DeclarationError
from forecast.settings import Settings

RUNS = 400
# North and south of the equator, half an hour's change, none, and a day ahead of most.
SINCE = {
    "Europe/Lisbon": ("2026-03-20", "2026-10-20"), "America/Santiago": ("2026-03-27", "2026-08-30"),
    "Australia/Lord_Howe": ("2026-03-27", "2026-09-27"), "Asia/Kolkata": ("2026-03-20", "2026-10-20"),
    "Pacific/Kiritimati": ("2026-03-20", "2026-10-20"),
}  # fmt: skip
"""By zone a day a little before each change of its clock: 400 runs of what runs by the hour last 20 days."""
CHANGING = list(SINCE)[:3]


def due(one: Deployment, zone: str, start: datetime, count: int) -> list[datetime]:
    """What Prefect's scheduler makes of the schedule."""
    made = CronSchedule(cron=one.cron, timezone=zone)
    return [datetime.fromtimestamp(moment.timestamp(), UTC) for moment in asyncio.run(made.get_dates(count, start))]


def lived(one: Deployment, zone: str, start: datetime, count: int) -> list[datetime]:
    """The same, read off a wall clock day by day."""
    days = (start.astimezone(ZoneInfo(zone)).date() + timedelta(days=number) for number in range(10_000))
    found: list[datetime] = []
    for day in days:
        found += [moment for moment in times(one, zone, day) if moment >= start]
        if len(found) >= count:
            return found[:count]
    raise AssertionError("a schedule without runs")


def times(one: Deployment, zone: str, day: date) -> Iterator[datetime]:
    minutes, hours, _, _, weekday = one.cron.split()
    if weekday != "*" and day.isoweekday() % 7 != int(weekday):
        return
    first, _, last = hours.partition("-")
    for hour in range(int(first), int(last or first) + 1):
        for minute in minutes.split(","):
            yield datetime(day.year, day.month, day.day, hour, int(minute), tzinfo=ZoneInfo(zone)).astimezone(UTC)


def changes(zone: str, first: datetime, last: datetime) -> set[timedelta]:
    """By how much the clock is changed between two moments."""
    hours = range(0, int((last - first) / timedelta(hours=1)), 12)
    offsets = [(first + timedelta(hours=hour)).astimezone(ZoneInfo(zone)).utcoffset() or timedelta(0) for hour in hours]
    return {after - before for before, after in pairwise(offsets)} - {timedelta(0)}


@pytest.mark.parametrize("zone", SINCE)
@pytest.mark.parametrize("one", [*DEPLOYMENTS, GROUPED], ids=lambda one: one.name)
def test_each_run_is_at_its_local_time_none_is_skipped_or_doubled(one: Deployment, zone: str) -> None:
    seen: set[timedelta] = set()
    for day in SINCE[zone]:
        since = datetime.fromisoformat(f"{day}T11:17Z")
        made = due(one, zone, since, RUNS)
        assert made == lived(one, zone, since, RUNS)
        assert len(set(made)) == RUNS
        seen |= changes(zone, made[0], made[-1])
    size = timedelta(minutes=30) if zone == "Australia/Lord_Howe" else timedelta(hours=1)
    assert seen == ({size, -size} if zone in CHANGING else set())


def test_the_check_notices_a_time_at_which_clocks_change() -> None:
    early = Deployment("early", "30 1 * * *", "")
    since = datetime(2026, 3, 20, tzinfo=UTC)
    assert due(early, "Europe/Lisbon", since, RUNS) != lived(early, "Europe/Lisbon", since, RUNS)


def test_zone_and_times_are_settings() -> None:
    settings = Settings.read(schedule_zone="America/Santiago", schedule={"issue": "0 8 * * *"})
    crons = {one.name: one.cron for one in planned(settings)}
    assert crons["issue"] == "0 8 * * *"
    assert "by_group" not in crons
    grouped = {one.name: one for one in planned(Settings.read(group_by="zone", schedule={"by_group": "0 8 * * 6"}))}
    assert grouped["by_group"].cron == "0 8 * * 6"
    assert grouped["by_group"].parameters == grouped["retrain"].parameters
    assert grouped["by_group"].entrypoint == "flows.by_group.retrain_groups"
    assert crons["score"] == next(one.cron for one in DEPLOYMENTS if one.name == "score")
    with pytest.raises(DeclarationError, match=r"FORECAST_SCHEDULE_ZONE: .*IANA"):
        Settings.read(schedule_zone="Lisbon")
    with pytest.raises(DeclarationError, match="names guess"):
        planned(Settings.read(schedule={"guess": "0 8 * * *"}))
    with pytest.raises(DeclarationError, match="'whenever' of issue is none"):
        planned(Settings.read(schedule={"issue": "whenever"}))
