"""`ingest`: what is new at every source of the list, into the store; one task for each, side by side.

Runs without a Prefect server: `python -m flows.ingest --help`.
"""

# mypy: disable-error-code="untyped-decorator"
# (Prefect is skipped by the type checker; its decorators keep a signature.)

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import exponential_backoff

from flows import steps, terminal
from flows.once import at, look, mark
from forecast.cli.mistakes import run
from forecast.errors import ForecastError, PartlyRead, SourceError
from forecast.settings import Settings
from forecast.store import IngestReport, Store
from forecast.store.newest import newest

if TYPE_CHECKING:
    from forecast.sources.listed import Listed

SIDE_BY_SIDE = 4
"""So many sources are waited for at once; the store has one writer at a time."""
SOURCE_S, FLOW_S = 3600, 4 * 3600
SHOWN = 50
REFUSED = "ingest refused"
"""Under which the store keeps what was refused and told: who is told once is not told every hour."""


@dataclass(frozen=True)
class Read:
    """What one source brought.

    Attributes:
        source: its name in the list.
        values, new, revised, known, late: as in `IngestReport`.
        series: that got something.
        notes: what the user should know.
        refused: what is broken in it, as a sentence; the rest was read.
        failed: why nothing more was read.
    """

    source: str
    values: int = 0
    new: int = 0
    revised: int = 0
    known: int = 0
    late: int = 0
    series: int = 0
    notes: tuple[str, ...] = ()
    refused: str | None = None
    failed: str | None = None


@flow(name="ingest", timeout_seconds=FLOW_S, task_runner=ThreadPoolTaskRunner(max_workers=SIDE_BY_SIDE))
def ingest(
    sources: Path | None = None, only: list[str] | None = None, now: str | None = None
) -> list[dict[str, Any]]:  # fmt: skip
    """Stores what is new at the sources; a second run at the same moment finds nothing new.

    A source that fails keeps no other from being read; the run fails when all have been tried.

    Args:
        sources: the list; that of the settings where None.
        only: names of sources in it; all where None.
        now: what the time is (ISO, with its offset); the present where None.

    Returns:
        what each source brought, as `Read`.

    Raises:
        SourceError: sources failed, or hold what is refused for the first time.
        DeclarationError: the list cannot be read.
    """
    with at(now) as moment:
        path = (sources or Settings.read().source_list).absolute()
        wanted = names(path, only)
        futures = {name: read.submit(str(path), name, now) for name in wanted}
        for future in futures.values():
            future.wait()
        found = [_read(name, future.state) for name, future in futures.items()]
        leave(found, stale(now), f"{moment:%Y-%m-%d %H:%MZ}")
        failed = [f"{one.source}: {one.failed}" for one in found if one.failed]
        failed += [f"{one.source}: {one.refused}" for one in found if one.refused and _first(one, now)]
        if failed:
            raise SourceError(
                f"{len(failed)} of {len(found)} sources failed or hold what is refused ({'; '.join(failed)})", "",
                "what the others brought is stored; see the artifact 'ingested'",
            )  # fmt: skip
    return [asdict(one) for one in found]


@task(
    name="read", task_run_name="read {name}", cache_policy=NO_CACHE, retries=3,
    retry_delay_seconds=exponential_backoff(5), retry_jitter_factor=0.5, retry_condition_fn=steps.try_again,
    timeout_seconds=SOURCE_S,
)  # fmt: skip
def read(sources: str, name: str, now: str | None) -> Read:
    """Reads one source from where its last reading ended; what was written before a failure stays."""
    from forecast.sources.listed import read_listed

    done: list[IngestReport] = [IngestReport()]
    with at(now):
        settings = Settings.read()
        one = next(one for one in read_listed(Path(sources)) if one.name == name)
        with Store.open(settings=settings) as store:
            refused = None
            try:
                done[:] = [_stored(store, one, settings, done)]
            except PartlyRead as error:
                refused = str(error)
            told = replace(_plain(name, done[-1]), refused=refused)
    steps.say(
        f"{name}: {told.new:,} new, {told.revised:,} revised, {told.known:,} stored already, "
        f"{told.series:,} series" + (f"; refused: {refused}" if refused else "")
    )
    for note in told.notes:
        steps.say(f"{name}: {note}")
    return told


@task(
    name="stale", task_run_name="stale", cache_policy=NO_CACHE, retries=3, retry_delay_seconds=exponential_backoff(2),
    retry_condition_fn=steps.try_again, timeout_seconds=600,
)  # fmt: skip
def stale(now: str | None = None) -> list[dict[str, Any]]:
    """The series whose newest value is the longest overdue, and how many are."""
    with at(now) as moment, Store.open(settings=Settings.read()) as store, store.snapshot() as connection:
        found = newest(connection, moment)
    overdue = [one for one in found if one.overdue_s > 0]
    steps.say(f"stale: of {len(found):,} series {len(overdue):,} lack a value that is due")
    return [
        {
            "series": one.unique_id, "known until": f"{one.end:%Y-%m-%d %H:%MZ}" if one.end is not None else "never",
            "overdue [h]": round(one.overdue_s / 3600, 1),
        }
        for one in found[:SHOWN]
    ]  # fmt: skip


def names(path: Path, only: list[str] | None) -> list[str]:
    """The names of the sources to read.

    Raises:
        DeclarationError: the list cannot be read, or lacks one.
    """
    from forecast.errors import DeclarationError
    from forecast.sources.listed import read_listed

    listed = [one.name for one in read_listed(path)]
    missing = [name for name in only or [] if name not in listed]
    if missing:
        raise DeclarationError(f"{path} names no source '{missing[0]}'", f"one of {', '.join(listed)}")
    return [name for name in listed if only is None or name in only]


def leave(found: list[Read], overdue: list[dict[str, Any]], when: str) -> None:
    """Writes the artifacts of the run that is under way."""
    rows = [
        {
            "source": one.source, "new": one.new, "revised": one.revised, "stored already": one.known,
            "late": one.late, "series": one.series, "refused": one.refused or "", "failed": one.failed or "",
        }
        for one in found
    ]  # fmt: skip
    create_table_artifact(table=rows, key="ingested", description=f"Values that the sources brought, {when}.")
    if overdue:
        create_table_artifact(
            table=overdue,
            key="staleness",
            description=f"The newest value of each series, longest overdue first, {when}.",
        )


def _stored(store: Store, one: Listed, settings: Settings, done: list[IngestReport]) -> IngestReport:
    source = one.open(settings, [*store.series().values()])
    return store.ingest(source, done.append, history=one.history)


def _plain(name: str, report: IngestReport) -> Read:
    return Read(
        name, report.values, report.new, report.revised, report.known, report.late, len(report.series), report.notes
    )  # fmt: skip


def _read(name: str, state: Any) -> Read:
    """What a task brought, or why it failed; a defect is raised."""
    if state.is_completed():
        found: Read = state.result()
        return found
    error = state.result(raise_on_failure=False)
    if isinstance(error, ForecastError):
        return Read(name, failed=str(error))
    if isinstance(error, TimeoutError) or state.name == "TimedOut":
        return Read(name, failed=f"it took longer than {SOURCE_S / 60:.0f} minutes")
    raise error


def _first(one: Read, now: str | None) -> bool:
    """Whether what is refused of a source is told for the first time."""
    key = hashlib.sha256(f"{one.source}\n{one.refused}".encode()).hexdigest()[:32]
    if look(REFUSED, key, now) is not None:
        return False
    mark(REFUSED, key, {"source": one.source}, now)
    return True


def command(
    sources: Annotated[
        Path | None, typer.Option(help="TOML file that lists the sources [FORECAST_SOURCES_FILE].")
    ] = None,
    only: Annotated[str | None, typer.Option(help="Only these of them, comma-separated.")] = None,
    now: Annotated[str | None, typer.Option(help="What the time is, such as 2024-05-01T10:00+02:00 [now].")] = None,
) -> None:
    """Store what is new at every source of a list.

    Runs without a Prefect server; set PREFECT_API_URL to see it in yours.

    Example: `python -m flows.ingest --sources sources.toml`
    """
    wanted = terminal.listed(only)
    settings = Settings.read()
    with at(now):
        names((sources or settings.source_list).absolute(), wanted)
    terminal.begin()
    for one in ingest(sources, wanted, now):
        told = f"{one['source']}: {one['new']:,} new, {one['revised']:,} revised, {one['known']:,} stored already"
        terminal.tell(told)


app = terminal.app_of(command)


def main() -> None:
    """Runs the command line of `python -m flows.ingest`."""
    run(app)


if __name__ == "__main__":
    main()
