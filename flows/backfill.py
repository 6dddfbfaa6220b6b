"""`backfill`: what a version says of days that are over, each from what was known at its own gate.

The ledger keeps it apart from what was issued: it counts for nobody who judges what was served.
Runs without a Prefect server: `python -m flows.backfill --help`.
"""

# mypy: disable-error-code="untyped-decorator"
# (Prefect is skipped by the type checker; its decorators keep a signature.)

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from flows import issue as issuing
from flows import steps, terminal
from flows.once import at, mark, settled
from forecast.cli.mistakes import run
from forecast.settings import Settings
from forecast.store import Store

if TYPE_CHECKING:
    from forecast.registry.reader import ModelRef

NAME = "backfill"
DAYS = 7
FLOW_S, MODEL_S = 24 * 3600, 600


@flow(name=NAME, timeout_seconds=FLOW_S)
def backfill(
    first: str | None = None, last: str | None = None, days: int = DAYS, gate: str | None = None,
    model: str | None = None, series: list[str] | None = None, missing: bool | None = None, batch: int | None = None,
    workers: int = 1, now: str | None = None, force: bool = False,
) -> list[dict[str, Any]]:  # fmt: skip
    """Forecasts past days as of their gates; a run that was killed is continued by the next one.

    Args:
        first, last: delivery days, both included; the last `days` that are over where `first` is None.
        days: so many, up to `last` or yesterday.
        gate: such as D-1T10:00; that of the settings where None.
        model: the version to ask, "models:/demand/3" or a folder; the champion where None.
        series: only these.
        missing: only series without an issued forecast of the day; where None: unless `first` is told.
        batch, workers, now, force: as of `issue`.

    Returns:
        what was done, day by day, as `Issuance.plain`.

    Raises:
        ForecastError: a day has not begun, there is no such model, or the store does not answer.
    """
    from forecast.issuing import Question, Speakers

    with at(now):
        wanted = spans(first, last, days, now)
        ref = version(model, now)
        by = f"{ref.name} {ref.version or ref.digest[:16]}"
        told, only = [], missing if missing is not None else first is None
        for day in wanted:
            question = Question(day, gate or Settings.read().gate, NAME, by)
            name = f"{NAME} {by} {question.gate}"
            found = settled(name, day, now, force=force)
            if found is None:
                names = unissued(question.day, question.gate, series, now) if only else series
                done = issuing.written(question, Speakers(ref), names, batch, workers, now) if names != [] else None
                detail = done.plain() if done is not None else {"written": 0, "known": 0}
                if series is None and (done is None or done.whole):
                    mark(name, day, detail, now)
            else:
                detail = dict(found.detail)
            told.append({"day": day, **detail})
        leave(told, by)
    return told


@task(
    name="days", task_run_name="days", cache_policy=NO_CACHE, retries=3, retry_delay_seconds=exponential_backoff(2),
    retry_condition_fn=steps.try_again, timeout_seconds=600,
)  # fmt: skip
def spans(first: str | None, last: str | None, days: int, now: str | None) -> list[str]:
    """The delivery days, oldest first."""
    from forecast.issuing import past_days

    settings = Settings.read()
    with at(now) as moment, Store.open(settings=settings) as store:
        found = past_days(store, first, last, days, moment)
    steps.say(f"{NAME}: {len(found)} days, {found[0]} to {found[-1]}")
    return found


@task(
    name="find model", task_run_name="find model", cache_policy=NO_CACHE, retries=3,
    retry_delay_seconds=exponential_backoff(2), retry_condition_fn=steps.try_again, timeout_seconds=MODEL_S,
)  # fmt: skip
def version(model: str | None, now: str | None) -> ModelRef:
    """The version to ask, fetched and checked."""
    from forecast.registry.reader import resolve

    settings = Settings.read()
    with at(now):
        found = resolve(model or settings.champion, settings)
    steps.say(f"{NAME}: {found.name}" + (f", version {found.version}" if found.version else ""))
    return found


@task(
    name="unissued", task_run_name="unissued {day}", cache_policy=NO_CACHE, retries=3,
    retry_delay_seconds=exponential_backoff(2), retry_condition_fn=steps.try_again, timeout_seconds=600,
)  # fmt: skip
def unissued(day: str, gate: str, series: list[str] | None, now: str | None) -> list[str]:
    """The series that have no issued forecast of a day."""
    from forecast.issuing import Question
    from forecast.issuing import unissued as found

    with at(now), Store.open(settings=Settings.read()) as store:
        return found(store, Question(day, gate), series)


def leave(told: list[dict[str, Any]], by: str) -> None:
    """Writes the artifact of the run that is under way."""
    rows = [
        {
            "day": one["day"], "written": one["written"], "there": one["known"],
            "who spoke": ", ".join(f"{count} {rung}" for rung, count in one.get("rungs", {}).items()),
            "nothing said": len(one.get("failed", {})),
        }
        for one in told
    ]  # fmt: skip
    create_table_artifact(table=rows, key="backfilled", description=f"By {by}, each day as of its gate.")


def command(
    first: Annotated[str | None, typer.Option(help="First delivery day [the last --days that are over].")] = None,
    last: Annotated[str | None, typer.Option(help="Last delivery day [yesterday].")] = None,
    days: Annotated[int, typer.Option(help="So many days, without --first.", min=1)] = DAYS,
    gate: Annotated[str | None, typer.Option(help="When each was due, such as D-1T10:00 [FORECAST_GATE].")] = None,
    model: Annotated[
        str | None, typer.Option(help="Version to ask, models:/NAME/3 or a folder [the champion].")
    ] = None,
    series: Annotated[str | None, typer.Option(help="Only these series, comma-separated.")] = None,
    missing: Annotated[
        bool | None,
        typer.Option(help="Only series without an issued forecast [unless --first].", show_default=False),
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Series that are forecast together [1024].", min=1)] = None,
    workers: Annotated[int, typer.Option(help="Processes side by side.", min=1)] = 1,
    now: Annotated[str | None, typer.Option(help="What the time is, such as 2024-05-01T10:00+02:00 [now].")] = None,
    force: Annotated[bool, typer.Option("--force", help="Look at every series again, also of days that are done.")] = (
        False
    ),
) -> None:
    """Forecast past days as of their gates, into the ledger, apart from what was issued.

    Runs without a Prefect server; set PREFECT_API_URL to see it in yours.

    Example: `python -m flows.backfill --first 2024-05-01 --last 2024-05-31 --model models:/demand/3`
    """
    from forecast.issuing import Question

    settings = Settings.read()
    for day in (first, last):
        Question(day or "2000-01-01", gate or settings.gate)
    with at(now):
        pass
    terminal.begin()
    wanted = terminal.listed(series)
    done = backfill(first, last, days, gate, model, wanted, missing, batch, workers, now, force)
    total = {word: sum(one[word] for one in done) for word in ("written", "known")}
    told = f"{len(done)} days: {total['written']:,} forecasts written, {total['known']:,} were there"
    terminal.tell(told)


app = terminal.app_of(command)


def main() -> None:
    """Runs the command line of `python -m flows.backfill`."""
    run(app)


if __name__ == "__main__":
    main()
