"""`maintain`: what a user does not want to keep goes, what databases like to have done is done.

Nothing that was stored goes unless a setting says so (FORECAST_KEEP_...); what can be made again goes after a while.
Runs without a Prefect server: `python -m flows.maintain --help`.
"""

# mypy: disable-error-code="untyped-decorator"
# (Prefect is skipped by the type checker; its decorators keep a signature.)

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from flows import steps, terminal
from flows.once import at, mark, settled
from forecast import clock
from forecast.cli.mistakes import run
from forecast.errors import RegistryError
from forecast.settings import Settings
from forecast.store import Store

NAME = "maintain"
FLOW_S, STEP_S, REGISTRY_S = 6 * 3600, 2 * 3600, 900
SHOWN = 20
Row = dict[str, Any]


@flow(name=NAME, timeout_seconds=FLOW_S)
def maintain(dry_run: bool = False, now: str | None = None, force: bool = False) -> list[Row]:
    """Retention, vacuum, clean-up of registry, cache and work folder; once per civil day of `FORECAST_SCHEDULE_ZONE`.

    Args:
        dry_run: only say what would be done.
        now: what the time is (ISO, with its offset); the present where None.
        force: also where the day is marked as done.

    Returns:
        what was done, as rows of the artifact.

    Raises:
        StoreError: the store does not answer.
    """
    with at(now) as moment:
        day = f"{moment.tz_convert(clock.zone(Settings.read().schedule_zone)):%Y-%m-%d}"
        if not dry_run:
            found = settled(NAME, day, now, force=force)
            if found is not None:
                return list(found.detail["did"])
        did = [*retention(dry_run, now), *tending(dry_run, now), *registry(dry_run, now), *files(dry_run, now)]
        leave(did, dry_run)
        if not dry_run:
            mark(NAME, day, {"did": did[:SHOWN]}, now)
    return did


@task(
    name="retention", task_run_name="retention", cache_policy=NO_CACHE, retries=3,
    retry_delay_seconds=exponential_backoff(5), retry_condition_fn=steps.try_again, timeout_seconds=STEP_S,
)  # fmt: skip
def retention(dry_run: bool, now: str | None) -> list[Row]:
    """What is older than the settings want to keep goes out of the store."""
    from forecast.store.retaining import retain

    settings = Settings.read()
    with at(now) as moment, Store.open(settings=settings) as store:
        since = [
            None if days is None else moment - pd.Timedelta(days=days)
            for days in (settings.keep_observations_days, settings.keep_forecasts_days)
        ]
        done = retain(store.engine, *since, dry_run=dry_run)
        place = store.place
    rows = [
        _row(f"{what} before {before:%Y-%m-%d}", place, count)
        for what, count, before in zip(("values", "forecasts"), (done.observations, done.forecasts), since, strict=True)
        if before is not None
    ]
    return _said(rows or [_row("nothing: no setting says what is too old", place, 0)], dry_run)


@task(
    name="tend", task_run_name="tend", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=exponential_backoff(5),
    retry_condition_fn=steps.try_again, timeout_seconds=STEP_S,
)  # fmt: skip
def tending(dry_run: bool, now: str | None) -> list[Row]:
    """Room is given back to the disk, and statistics are made anew."""
    from forecast.store.tending import tend

    with at(now), Store.open(settings=Settings.read()) as store:
        done = tend(store.engine, dry_run=dry_run)
        place = store.place
    rows = [_row("; ".join(done.did) or "nothing to do", place, len(done.did), done.before - done.after)]
    return _said([*rows, *(_row(f"left: {text}", place, 0) for text in done.left)], dry_run)


@task(
    name="registry", task_run_name="registry", cache_policy=NO_CACHE, retries=2,
    retry_delay_seconds=exponential_backoff(5), retry_condition_fn=steps.try_again, timeout_seconds=REGISTRY_S,
)  # fmt: skip
def registry(dry_run: bool, now: str | None) -> list[Row]:
    """Old versions that no alias names go out of the registry, unread copies out of the cache."""
    from forecast.registry import tidying
    from forecast.registry.reader import versions

    settings, rows = Settings.read(), []
    with at(now):
        try:
            old = tidying.surplus(versions(settings), settings.keep_versions)
            gone = old if dry_run or not old else tidying.drop(old, settings)
            rows += [_row(f"version {one.version} of {one.name}, of {one.created}", "registry", 1) for one in gone]
            rows += _removed(_unread(settings), dry_run)
        except RegistryError as error:
            rows.append(_row(f"left: {error}", "registry", 0))
    return _said(rows, dry_run)


@task(name="files", task_run_name="files", cache_policy=NO_CACHE, timeout_seconds=STEP_S)
def files(dry_run: bool, now: str | None) -> list[Row]:
    """What retrainings left and nobody has read for long goes out of the work folder."""
    from forecast.retraining.leftovers import leftovers

    settings = Settings.read()
    with at(now):
        before = _before(settings)
        found = [] if before is None else leftovers(settings.mlruns / "work", before)
        return _said(_removed(found, dry_run), dry_run)


def leave(did: Sequence[Row], dry_run: bool) -> None:
    """Writes the artifact of the run that is under way."""
    words = "What would be done; nothing was." if dry_run else "What was done."
    create_table_artifact(table=list(did), key="maintained", description=words)


def _unread(settings: Settings) -> list[Path]:
    from forecast.registry.tidying import unread

    before = _before(settings)
    return [] if before is None else unread(settings, before)


def _before(settings: Settings) -> pd.Timestamp | None:
    """Files that were used later stay."""
    days = settings.keep_files_days
    return None if days is None else clock.now() - pd.Timedelta(days=days)


def _removed(paths: Sequence[Path], dry_run: bool) -> list[Row]:
    from forecast.registry.tidying import bytes_of, remove

    rows = []
    for path in paths:
        rows.append(_row("unused since long", str(path), 1, bytes_of(path)))
        if not dry_run:
            remove(path)
    return rows


def _row(what: str, where: str, count: int, size: int = 0) -> Row:
    return {"what": what, "where": where, "count": count, "MB": round(size / 1e6, 1)}


def _said(rows: list[Row], dry_run: bool) -> list[Row]:
    for row in rows[:SHOWN]:
        steps.say(f"{NAME}{' (dry run)' if dry_run else ''}: {row['what']}, {row['where']}: {row['count']:,}")
    return rows


def command(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    now: Annotated[str | None, typer.Option(help="What the time is, such as 2024-05-01T10:00+02:00 [now].")] = None,
    force: Annotated[bool, typer.Option("--force", help="Also where it was done today.")] = False,
) -> None:
    """Remove what is too old by the settings, vacuum the store, clean up registry, cache and work folder.

    Without settings (FORECAST_KEEP_OBSERVATIONS_DAYS, FORECAST_KEEP_FORECASTS_DAYS, FORECAST_KEEP_VERSIONS) nothing
    that was stored goes. Runs without a Prefect server; set PREFECT_API_URL to see it in yours.

    Example: `python -m flows.maintain --dry-run`
    """
    with at(now):
        pass
    terminal.begin()
    for row in maintain(dry_run, now, force):
        told = f"{row['what']}, {row['where']}: {row['count']:,}, {row['MB']:,} MB"
        terminal.tell(told)


app = terminal.app_of(command)


def main() -> None:
    """Runs the command line of `python -m flows.maintain`."""
    run(app)


if __name__ == "__main__":
    main()
