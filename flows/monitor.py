"""`monitor`: errors, coverage, drift, breaks and late inputs of all series; a breach asks for one retraining.

Runs without a Prefect server: `python -m flows.monitor --help`. Then it says which retraining is due.
"""

# mypy: disable-error-code="untyped-decorator"
# (Prefect is skipped by the type checker; its decorators keep a signature.)

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from prefect import flow, task
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.settings import PREFECT_API_URL
from prefect.tasks import exponential_backoff

from flows import automations, steps, terminal
from flows.once import at, mark, settled
from flows.score import begun, yesterday
from forecast.calendars import civil_date
from forecast.cli.mistakes import run
from forecast.settings import Settings
from forecast.store import Store

if TYPE_CHECKING:
    from forecast.monitoring import Call, Quiet, Watched
    from forecast.monitoring.page import Report

NAME = "monitor"
WATCH_S, MLFLOW_S, FLOW_S = 3600, 600, 2 * 3600


@flow(name=NAME, timeout_seconds=FLOW_S)
def monitor(
    day: str | None = None, now: str | None = None, force: bool = False, pages: Path | None = None
) -> dict[str, Any]:
    """Watches the forecasts up to a day, raises alarms, writes the day's page, and asks for a retraining where due.

    Args:
        day: the newest delivery day that was scored; yesterday in the zone of most series where None.
        now: what the time is (ISO, with its offset); the present where None.
        force: also where the day is marked as done.
        pages: folder of the pages; `mlruns/monitoring` where None.

    Returns:
        `day`, `headline`, `alarms` (new ones), `open` ones, `page`, `said` (whether a retraining is due and why) and
        `retrain` (its key; None: none is due).

    Raises:
        ForecastError: the day is none, or the store does not answer.
    """
    with at(now) as moment:
        key = (begun(day, moment) if day is not None else civil_date(yesterday(now))).isoformat()
        found = settled(NAME, key, now, force=force)
        if found is not None:
            return dict(found.detail)
        watched = watch(key, now)
        said = consider(watched, now)
        told = drawn(watched, said, now)
        link = logged(watched, told, said.text, now)
        page = written(told, key, link, pages or Settings.read().mlruns / "monitoring")
        leave(watched, said, told.headline, page, link)
        due = asked(watched, said, now)
        detail = {
            "day": key, "headline": told.headline, "alarms": [one.id for one in watched.alarms],
            "open": len(watched.open), "page": str(page), "said": said.text, "retrain": due,
        }  # fmt: skip
        # A day of which no forecast can be judged yet is looked at by a later run.
        if watched.scores:
            mark(NAME, key, detail, now)
    return detail


@task(
    name="watch", task_run_name="watch {day}", cache_policy=NO_CACHE, retries=3,
    retry_delay_seconds=exponential_backoff(2), retry_condition_fn=steps.try_again, timeout_seconds=WATCH_S,
)  # fmt: skip
def watch(day: str, now: str | None) -> Watched:
    """Looks at all series and raises alarms."""
    from forecast import monitoring

    with at(now), Store.open(settings=Settings.read()) as store:
        watched = monitoring.watch(store, day)
    told = ", ".join(f"{one.kind} of {one.unique_id or 'all'}" for one in watched.alarms[:5]) or "none"
    steps.say(f"watch {day}: {len(watched.table):,} series, {len(watched.alarms):,} new alarms: {told}")
    return watched


@task(
    name="consider", task_run_name="consider", cache_policy=NO_CACHE, retries=3,
    retry_delay_seconds=exponential_backoff(2), retry_condition_fn=steps.try_again, timeout_seconds=600,
)  # fmt: skip
def consider(watched: Watched, now: str | None) -> Call | Quiet:
    """Whether a retraining is due."""
    from forecast import monitoring

    settings = Settings.read()
    with at(now), Store.open(settings=settings) as store:
        said = monitoring.considered(store, watched, settings)
    steps.say(f"consider: {said.text}")
    return said


@task(
    name="draw", task_run_name="draw", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=exponential_backoff(2),
    retry_condition_fn=steps.try_again, timeout_seconds=600,
)  # fmt: skip
def drawn(watched: Watched, said: Call | Quiet, now: str | None) -> Report:
    """Makes the day's page."""
    from forecast.monitoring.page import report

    with at(now), Store.open(settings=Settings.read()) as store:
        return report(store, watched, said)


@task(
    name="log", task_run_name="log", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=exponential_backoff(2),
    retry_condition_fn=steps.try_again, timeout_seconds=MLFLOW_S,
)  # fmt: skip
def log(watched: Watched, told: Report, verdict: str, now: str | None) -> str:
    """Writes the day into MLflow; returns its run's page."""
    from forecast.registry.monitored import log_day

    with at(now):
        return log_day(Settings.read(), watched, told, verdict)


def logged(watched: Watched, told: Report, verdict: str, now: str | None) -> str | None:
    """The page in MLflow; None where MLflow stays away, which hinders no alarm."""
    state = log(watched, told, verdict, now, return_state=True)
    if state.is_completed():
        return str(state.result())
    steps.say(f"log: MLflow has no run of this day ({state.result(raise_on_failure=False)})")
    return None


@task(
    name="write", task_run_name="write {day}", cache_policy=NO_CACHE, retries=2,
    retry_delay_seconds=exponential_backoff(2), retry_condition_fn=steps.try_again, timeout_seconds=600,
)  # fmt: skip
def written(told: Report, day: str, link: str | None, folder: Path) -> Path:
    """Writes the day's page; returns its path."""
    from forecast.monitoring.page import write

    return write(told.linked(full_link(Settings.read(), link)), folder, day)


def full_link(settings: Settings, link: str | None) -> str | None:
    """The address of a page of MLflow's UI, where the settings say where that is."""
    if link is None:
        return None
    base = settings.mlflow_page or (settings.mlflow_uri if settings.mlflow_uri.startswith("http") else None)
    return f"{base.rstrip('/')}/{link}" if base else None


def leave(watched: Watched, said: Call | Quiet, headline: str, page: Path, link: str | None) -> None:
    """Writes the artifacts of the run that is under way."""
    from forecast.monitoring.page import rows_of_alarms

    day, address = watched.day.isoformat(), full_link(Settings.read(), link)
    create_markdown_artifact(
        markdown=f"## {headline}\n\n{said.text}.\n\nPage with pictures: `{page}`"
        + (f"\n\n[This day in MLflow]({address})" if address else ""),
        key=f"monitor-{day}", description=headline,
    )  # fmt: skip
    if watched.open:
        create_table_artifact(
            table=rows_of_alarms(watched.open), key=f"alarms-{day}", description="Alarms that nothing answered yet."
        )
    if address:
        create_link_artifact(link=address, link_text=f"MLflow: {day}", key=f"mlflow-monitor-{day}")


def asked(watched: Watched, said: Call | Quiet, now: str | None) -> str | None:
    """Sends the breach where a retraining is due, then notes it: killed in between, the same event is sent again."""
    from forecast.monitoring import Quiet

    if isinstance(said, Quiet):
        return None
    if PREFECT_API_URL.value():
        sent(said, watched.day.isoformat(), now)
    else:
        steps.say(f"no server hears of it; train with: python -m flows.retrain store --title 'breach {said.key}'")
    noted(said, watched, now)
    return said.key


@task(
    name="send", task_run_name="send", cache_policy=NO_CACHE, retries=5, retry_delay_seconds=exponential_backoff(2),
    timeout_seconds=600,
)  # fmt: skip
def sent(said: Call, day: str, now: str | None) -> None:
    """Tells Prefect's server of the breach."""
    automations.send(automations.breach(said, Settings.read().model_name, day, now))
    steps.say(f"send: {automations.BREACH}, {said.key}")


@task(
    name="note", task_run_name="note", cache_policy=NO_CACHE, retries=3, retry_delay_seconds=exponential_backoff(2),
    retry_condition_fn=steps.try_again, timeout_seconds=600,
)  # fmt: skip
def noted(said: Call, watched: Watched, now: str | None) -> None:
    """Notes that a retraining was asked for: the alarms are answered, the cooldown begins."""
    from forecast.monitoring import note_call

    with at(now), Store.open(settings=Settings.read()) as store:
        note_call(store, said, watched.day)


def command(
    day: Annotated[str | None, typer.Option(help="The newest day that was scored, 2024-05-01 [yesterday].")] = None,
    now: Annotated[str | None, typer.Option(help="What the time is, such as 2024-05-02T11:30+02:00 [now].")] = None,
    force: Annotated[bool, typer.Option("--force", help="Also where the day is done.")] = False,
    pages: Annotated[Path | None, typer.Option(help="Folder of the pages [mlruns/monitoring].")] = None,
) -> None:
    """Watch errors, coverage, drift, breaks and late inputs up to a day, and say whether a retraining is due.

    Runs without a Prefect server; with PREFECT_API_URL a breach is an event there, which starts one retraining.

    Example: `python -m flows.monitor --day 2024-05-01`
    """
    with at(now):
        civil_date(day) if day is not None else None
    terminal.begin()
    done = monitor(day, now, force, pages)
    for text in (done["headline"], f"{done['said']}.", f"Page: {done['page']}"):
        terminal.tell(text)


app = terminal.app_of(command)


def main() -> None:
    """Runs the command line of `python -m flows.monitor`."""
    run(app)


if __name__ == "__main__":
    main()
