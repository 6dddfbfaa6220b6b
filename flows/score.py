"""`score`: what was measured joined to what was forecast, day by day, for all series.

Runs without a Prefect server: `python -m flows.score --help`.
"""

# mypy: disable-error-code="untyped-decorator"
# (Prefect is skipped by the type checker; its decorators keep a signature.)

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import pandas as pd
import typer
from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from flows import steps, terminal
from flows.once import at, mark, settled
from forecast import clock
from forecast.calendars import civil_date
from forecast.cli.mistakes import run
from forecast.errors import DataError
from forecast.settings import Settings
from forecast.store import Store

if TYPE_CHECKING:
    from forecast.monitoring import ScoredDay

NAME = "score"
BACK_DAYS = 7
FIRST_CLOCK = pd.Timedelta("14h")
"""So far ahead of UTC is the clock on which a day begins first."""
SCORE_S, FLOW_S = 3600, 2 * 3600


@flow(name=NAME, timeout_seconds=FLOW_S)
def score(
    day: str | None = None, back: int = BACK_DAYS, series: list[str] | None = None, now: str | None = None,
    force: bool = False,
) -> list[dict[str, Any]]:  # fmt: skip
    """Scores a delivery day, and the days before it again, for which values may have come since.

    Args:
        day: such as 2024-05-01; yesterday in the zone of most series where None.
        back: so many days before it are scored again; what did not change is not written.
        series: only these.
        now: what the time is (ISO, with its offset); the present where None.
        force: also where the day is marked as done.

    Returns:
        by day, oldest first: how many series were scored, changed, unforecast and unmeasured, and their figures.

    Raises:
        ForecastError: the day is none, or the store does not answer.
    """
    with at(now) as moment:
        newest = begun(day, moment) if day is not None else civil_date(yesterday(now))
        key = newest.isoformat()
        found = settled(NAME, key, now, force=force)
        if found is not None:
            return list(found.detail["days"])
        days = [newest - timedelta(days=ago) for ago in range(back, -1, -1)]
        done = [plain(scored(one.isoformat(), series, now)) for one in days]
        leave(done)
        # A day of which nothing is measured, or forecast, is scored by a later run.
        if series is None and done[-1]["scored"]:
            mark(NAME, key, {"days": done, "at": moment.isoformat()}, now)
    return done


def begun(day: str, moment: pd.Timestamp) -> date:
    """A civil day that has begun somewhere.

    Raises:
        DataError: it is none, or is still to come.
    """
    wanted = civil_date(day)
    if pd.Timestamp(wanted, tz="UTC") > moment + FIRST_CLOCK:
        raise DataError(f"the day {day} has not begun", f"a day up to {moment:%Y-%m-%d}", "correct --day")
    return wanted


@task(
    name="yesterday", task_run_name="yesterday", cache_policy=NO_CACHE, retries=3,
    retry_delay_seconds=exponential_backoff(2), retry_condition_fn=steps.try_again, timeout_seconds=600,
)  # fmt: skip
def yesterday(now: str | None) -> str:
    """The civil day before this one, in the zone of most series."""
    from forecast.issuing import zone_of_most

    settings = Settings.read()
    with at(now) as moment, Store.open(settings=settings) as store:
        zone = zone_of_most(store) or settings.schedule_zone
        today: date = civil_date(moment.tz_convert(clock.zone(clock.lived_zone(zone))))
    return (today - timedelta(days=1)).isoformat()


@task(
    name="score", task_run_name="score {day}", cache_policy=NO_CACHE, retries=3,
    retry_delay_seconds=exponential_backoff(2), retry_condition_fn=steps.try_again, timeout_seconds=SCORE_S,
)  # fmt: skip
def scored(day: str, series: list[str] | None, now: str | None) -> ScoredDay:
    """Joins what is known of a day to what was said of it."""
    from forecast.monitoring import score_day

    with at(now), Store.open(settings=Settings.read()) as store:
        done = score_day(store, day, series)
    told = f"{len(done.scores):,} series, {done.changed:,} of them new or changed"
    steps.say(f"score {day}: {told}, {len(done.unmeasured):,} not measured yet, {len(done.unforecast):,} not forecast")
    return done


def plain(done: ScoredDay) -> dict[str, Any]:
    """A day in numbers: errors as shares of demand [%], every series alike; None where there is none."""
    from forecast.monitoring.page import day_figures

    told = day_figures(done.scores)
    figures = {name: None if pd.isna(value) else float(f"{value:.4g}") for name, value in told.items()}
    return {
        "day": done.day.isoformat(), "scored": len(done.scores), "changed": done.changed,
        "unmeasured": len(done.unmeasured), "unforecast": len(done.unforecast), **figures,
    }  # fmt: skip


def leave(done: list[dict[str, Any]]) -> None:
    """Writes the artifact of the run that is under way."""
    create_table_artifact(
        table=list(reversed(done)), key=f"scores-{done[-1]['day']}",
        description=f"How the forecasts of {done[-1]['day']} and the days before turned out: errors in % of demand.",
    )  # fmt: skip


def command(
    day: Annotated[str | None, typer.Option(help="Delivery day, such as 2024-05-01 [yesterday].")] = None,
    back: Annotated[int, typer.Option(help="So many days before it are scored again.", min=0)] = BACK_DAYS,
    series: Annotated[str | None, typer.Option(help="Only these series, comma-separated.")] = None,
    now: Annotated[str | None, typer.Option(help="What the time is, such as 2024-05-02T11:00+02:00 [now].")] = None,
    force: Annotated[bool, typer.Option("--force", help="Also where the day is done.")] = False,
) -> None:
    """Score the forecasts of a day against what was measured; values that come late are joined by later runs.

    Runs without a Prefect server; set PREFECT_API_URL to see it in yours.

    Example: `python -m flows.score --day 2024-05-01`
    """
    with at(now):
        civil_date(day) if day is not None else None
    terminal.begin()
    wanted = terminal.listed(series)
    last = score(day, back, wanted, now, force)[-1]
    error = "" if last["mae"] is None else f", error {last['mae']:.3g} % of demand"
    told = f"{last['day']}: {last['scored']:,} series scored{error}"
    terminal.tell(told)


app = terminal.app_of(command)


def main() -> None:
    """Runs the command line of `python -m flows.score`."""
    run(app)


if __name__ == "__main__":
    main()
