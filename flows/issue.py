"""`issue`: the forecasts of a delivery day for all series, into the ledger, before the gate.

Runs without a Prefect server: `python -m flows.issue --help`.
"""

# mypy: disable-error-code="untyped-decorator"
# (Prefect is skipped by the type checker; its decorators keep a signature.)

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from prefect import flow, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from flows import steps, terminal
from flows.once import at, mark, settled
from forecast.cli.mistakes import run
from forecast.errors import RegistryError
from forecast.settings import Settings
from forecast.store import Store

if TYPE_CHECKING:
    from forecast.issuing import Issuance, Question, Speakers
    from forecast.registry.reader import ModelRef

NAME = "issue"
ISSUE_S, FLOW_S = 2 * 3600, 3 * 3600
REGISTRY_S = 300


@flow(name=NAME, timeout_seconds=FLOW_S)
def issue(
    day: str | None = None, gate: str | None = None, series: list[str] | None = None, batch: int | None = None,
    workers: int = 1, now: str | None = None, force: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Forecasts a delivery day; every series gets exactly one official forecast of it, however often this runs.

    Where the registry is away or the champion cannot speak, the rungs below it do, and the artifact says so.

    Args:
        day: such as 2024-05-01; the one whose gate is today, in the zone of most series, where None.
        gate: such as D-1T10:00; that of the settings where None.
        series: only these.
        batch: series that are read, forecast and written together; the library's where None.
        workers: processes side by side.
        now: what the time is (ISO, with its offset); the present where None.
        force: looks at every series again, also where the day is marked as done.

    Returns:
        what was done, as `Issuance.plain`; of a day that is done what its mark says, with nothing written.

    Raises:
        ForecastError: the day is over or the store does not answer.
    """
    from forecast.issuing import Question

    with at(now):
        day, key, name = due(day, gate, series, now)
        found = settled(name, key, now, force=force)
        if found is not None:
            done_before = dict(found.detail)
            return {**done_before, "written": 0, "known": done_before["written"] + done_before["known"]}
        question = Question(day, gate or Settings.read().gate)
        speakers = asked(now)
        done = written(question, speakers, series, batch, workers, now)
        leave(question, speakers, done)
        detail = done.plain()
        if done.whole and series is None:
            mark(name, key, detail, now)
    return detail


@task(
    name="due", task_run_name="due", cache_policy=NO_CACHE, retries=3, retry_delay_seconds=exponential_backoff(2),
    retry_condition_fn=steps.try_again, timeout_seconds=600,
)  # fmt: skip
def due(
    day: str | None, gate: str | None, series: list[str] | None, now: str | None
) -> tuple[str, str, str]:  # fmt: skip
    """The delivery day, the key of its run, and under which name that is marked."""
    from forecast.issuing import Question, day_due, zone_of_most

    settings = Settings.read()
    usual = Question("2000-01-01", settings.gate).gate
    with at(now) as moment:
        wanted = Question(day or "2000-01-01", gate or settings.gate)
        if day is None:
            with Store.open(settings=settings) as store:
                zone = zone_of_most(store) or settings.schedule_zone
            day = day_due(wanted.gate, zone, moment).isoformat()
        else:
            day = wanted.day
    name = NAME if wanted.gate == usual else f"{NAME} {wanted.gate}"
    return day, day, name


@task(
    name="find models", task_run_name="find models", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=[2, 5],
    timeout_seconds=REGISTRY_S,
)  # fmt: skip
def find(now: str | None) -> Speakers:
    """The versions to ask; raises where the registry does not answer, so that it is asked again."""
    from forecast.issuing import Speakers

    with at(now):
        speakers = Speakers.find(Settings.read())
    if speakers.away:
        raise RegistryError(speakers.notes[0])
    return speakers


def asked(now: str | None) -> Speakers:
    """The versions to ask; those that the registry named last, or none, where it stays away."""
    from forecast.issuing import Speakers

    state = find(now, return_state=True)
    if state.is_completed():
        found: Speakers = state.result()
    else:
        found = Speakers.find(Settings.read())
    for note in found.notes:
        steps.say(f"find models: {note}")
    return found


@task(
    name="write", task_run_name="write {question.day}", cache_policy=NO_CACHE, retries=5,
    retry_delay_seconds=exponential_backoff(2), retry_condition_fn=steps.try_again, timeout_seconds=ISSUE_S,
)  # fmt: skip
def written(
    question: Question, speakers: Speakers, series: list[str] | None, batch: int | None, workers: int,
    now: str | None,
) -> Issuance:  # fmt: skip
    """Forecasts and writes, block by block; what is in the ledger is left alone."""
    from forecast.issuing import BATCH
    from forecast.issuing import issue as issue_all

    settings, told = Settings.read(), Told(f"{question.purpose} {question.day}")
    with at(now), Store.open(settings=settings) as store:
        done = issue_all(
            store, settings, question, series=series, speakers=speakers, batch=batch or BATCH, workers=workers,
            progress=told,
        )  # fmt: skip
    for text in sentences(question, done):
        steps.say(text)
    return done


class Told:
    """Says how far it is, at most every ten seconds; an `issuing.Progress`."""

    def __init__(self, name: str) -> None:
        self._name, self._last = name, time.monotonic()

    def __call__(self, done: Issuance, series: int) -> None:
        """After every block."""
        if time.monotonic() - self._last >= steps.QUIET_SECONDS:
            self._last = time.monotonic()
            steps.say(f"{self._name}: {done.written + done.known:,} of {series:,} series")


def sentences(question: Question, done: Issuance) -> list[str]:
    """What became of it, for people."""
    told = [
        f"{question.purpose} {question.day}: {done.written:,} series written, {done.known:,} were there"
        + (f", {done.shadow:,} of the challenger in shadow" if done.shadow else "")
    ]
    if question.purpose == NAME and done.late_s is not None and done.last is not None:
        minutes = abs(done.late_s) / 60
        told.append(
            f"LATE: the last was written {minutes:,.0f} minutes after its gate ({question.gate})"
            if done.late_s > 0 else f"the last was written {minutes:,.0f} minutes before its gate ({question.gate})"
        )  # fmt: skip
    if done.below:
        told.append(f"{done.below:,} series were told by no model, but by the rungs below")
    told += [f"zone {zone} is left: {why}" for zone, why in done.left.items()]
    told += [f"nothing can be said of '{name}': {why}" for name, why in list(done.failed.items())[:5]]
    if len(done.failed) > 5:
        told.append(f"and of {len(done.failed) - 5:,} more series")
    return [*told, *done.notes]


def leave(question: Question, speakers: Speakers, done: Issuance) -> None:
    """Writes the artifacts of the run that is under way."""
    who = [f"- {alias}: {_linked(ref)}" for alias, ref in speakers.named.items()]
    lines = "\n".join(f"- {text}" for text in sentences(question, done))
    create_markdown_artifact(
        markdown=f"## {question.purpose} {question.day}, gate {question.gate}\n\n{lines}\n\n"
        + ("Asked:\n\n" + "\n".join(who) if who else "No model was asked."),
        key=f"{question.purpose}-{question.day}", description=sentences(question, done)[0],
    )  # fmt: skip
    if done.rungs:
        rows = [
            {"rung": rung, "reason": reason or "", "series": count}
            for (rung, reason), count in sorted(done.rungs.items(), key=lambda one: -one[1])
        ]
        create_table_artifact(
            table=rows, key=f"rungs-{question.purpose}-{question.day}", description="Who spoke, of how many series."
        )


def _linked(ref: ModelRef) -> str:
    """A version by name, as a link to its page in MLflow."""
    from forecast.registry.pages import version_page

    if ref.version is None:
        return ref.name
    return f"[{ref.name}, version {ref.version}]({version_page(Settings.read(), ref.version, ref.name)})"


def command(
    day: Annotated[str | None, typer.Option(help="Delivery day, such as 2024-05-01 [whose gate is today].")] = None,
    gate: Annotated[str | None, typer.Option(help="When it is due, such as D-1T10:00 [FORECAST_GATE].")] = None,
    series: Annotated[str | None, typer.Option(help="Only these series, comma-separated.")] = None,
    batch: Annotated[int | None, typer.Option(help="Series that are forecast together [1024].", min=1)] = None,
    workers: Annotated[int, typer.Option(help="Processes side by side.", min=1)] = 1,
    now: Annotated[str | None, typer.Option(help="What the time is, such as 2024-05-01T10:00+02:00 [now].")] = None,
    force: Annotated[bool, typer.Option("--force", help="Look at every series again, also of a day that is done.")] = (
        False
    ),
) -> None:
    """Forecast a delivery day for all series of the store and write it into the ledger: each exactly once.

    A run that was killed is continued by the next one. Runs without a Prefect server; set PREFECT_API_URL to see it in
    yours.

    Example: `python -m flows.issue --day 2024-05-01`
    """
    from forecast.issuing import Question

    settings = Settings.read()
    Question(day or "2000-01-01", gate or settings.gate)
    with at(now):
        pass
    terminal.begin()
    wanted = terminal.listed(series)
    done = issue(day, gate, wanted, batch, workers, now, force)
    told = f"{done['written']:,} series written, {done['known']:,} were there"
    terminal.tell(told)


app = terminal.app_of(command)


def main() -> None:
    """Runs the command line of `python -m flows.issue`."""
    run(app)


if __name__ == "__main__":
    main()
