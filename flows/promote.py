"""`promote`: a challenger and the champion answer the days that came after both trainings; one decision; aliases.

Runs without a Prefect server: `python -m flows.promote --help`.
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
from prefect.tasks import exponential_backoff
from pydantic import SecretStr

from flows import steps, terminal
from flows.once import at
from forecast.cli.mistakes import run
from forecast.cli.options import Data, with_data
from forecast.settings import Settings
from forecast.sources import Declaration

if TYPE_CHECKING:
    from forecast.promotion import Judged

NAME = "promote"
JUDGE_S, CARRY_S, FLOW_S = 2 * 3600, 900, 3 * 3600


@flow(name=NAME, timeout_seconds=FLOW_S)
def promote(
    data: str | SecretStr | None = "store", declaration: Declaration | None = None, query: str | None = None,
    ledger: bool = False, gate: str | None = None, version: str | None = None, name: str | None = None,
    work: Path | None = None, now: str | None = None, by: str = "the flow promote",
) -> dict[str, Any]:  # fmt: skip
    """Judges the challenger on fresh days; it becomes champion only where that is proved.

    Repeating it is harmless: days that were looked at are not looked at again until half as many more have come, and a
    decision that was carried out leaves no challenger.

    Args:
        data: file, URL (as a secret: Prefect keeps parameters in plain text), or the word store or sample.
        declaration: how to read it.
        query: SQL, for a URL.
        ledger: judge what both said in the service and in the flow issue, instead of forecasting again.
        gate: when a day's forecast is due, such as D-1T10:00; the one that the versions learned where None.
        version: who is judged; the version with the alias `challenger` where None.
        name: of the registered model; that of the settings where None.
        work: folder of tables and decisions; `mlruns/work` where None.
        now: what the time is (ISO, with its offset); the present where None.
        by: who asks.

    Returns:
        `outcome` ("promoted", "refused", "undecided" or "waiting"), `version`, `against`, `why`.

    Raises:
        ForecastError: a mistake that the user can mend.
    """
    with at(now) as moment:
        place = (work or Settings.read().mlruns / "work").absolute()
        table = None if ledger else _table(data, declaration, query, place)
        room = place / "promotions" / f"{moment:%Y%m%dT%H%M%S}"
        path = judge(table, room, gate, version, name, by, now)
        done = carry(path, name, now)
        leave(done)
        return told(done)


def _table(data: str | SecretStr | None, declaration: Declaration | None, query: str | None, work: Path) -> Path:
    source = data.get_secret_value() if isinstance(data, SecretStr) else data or "store"
    table: Path = steps.load(source, declaration or Declaration(), query, work)[0]
    return table


def _settings(name: str | None) -> Settings:
    """Read by each step: an MLflow address may hold a password, and Prefect keeps what it is given."""
    return Settings.read(**({"model_name": name} if name else {}))


@task(
    name="judge", task_run_name="judge", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=exponential_backoff(2),
    retry_condition_fn=steps.try_again, timeout_seconds=JUDGE_S,
)  # fmt: skip
def judge(
    table: Path | None, room: Path, gate: str | None, version: str | None, name: str | None, by: str, now: str | None
) -> Path:
    """Lets both answer the fresh days and decides; nothing moves. Returns the decision's path."""
    from forecast.promotion import judge, read_judged

    with at(now):
        path = judge(_settings(name), room, table=table, gate=gate, version=version, by=by)
    judged = read_judged(path)
    steps.say(f"judge: {judged.decision.sentence if judged.decision is not None else judged.why}")
    return path


@task(
    name="carry out", task_run_name="carry out", cache_policy=NO_CACHE, retries=2,
    retry_delay_seconds=exponential_backoff(2), retry_condition_fn=steps.try_again, timeout_seconds=CARRY_S,
)  # fmt: skip
def carry(path: Path, name: str | None, now: str | None) -> Judged:
    """Keeps the decision, moves the aliases as it says, tells MLflow."""
    from forecast.promotion import carry_out

    with at(now):
        return carry_out(path, _settings(name))


def leave(done: Judged) -> None:
    """What a person reads in Prefect: the decision with its reasons and figures, and links to MLflow."""
    if done.decision is None:
        create_markdown_artifact(markdown=f"## Nothing to decide\n\n{done.why}.", key="promotion")
        return
    one = done.decision
    reasons = "\n".join(f"- {reason}" for reason in one.reasons)
    links = "\n".join(f"- [{key}]({link})" for key, link in done.urls.items())
    create_markdown_artifact(
        markdown=f"## {one.sentence}\n\n{reasons}\n\nIn MLflow:\n\n{links}", key="promotion", description=one.sentence
    )
    rows = [{"figure": key, "value": value} for key, value in one.figures.items()]
    create_table_artifact(table=rows, key="promotion-figures", description=f"{one.first_day} to {one.last_day}")
    for key, link in done.urls.items():
        create_link_artifact(link=link, link_text=f"MLflow: {key}", key=f"mlflow-{key}")


def told(done: Judged) -> dict[str, Any]:
    """The end of a run as plain values."""
    if done.decision is None:
        return {"outcome": "waiting", "version": None, "against": None, "why": done.why}
    one = done.decision
    return {"outcome": one.outcome, "version": one.version, "against": one.against, "why": " ".join(one.reasons)}


@with_data
def command(
    data: Data,
    ledger: Annotated[
        bool, typer.Option("--ledger", help="Judge what both said, instead of forecasting again.")
    ] = False,
    gate: Annotated[str | None, typer.Option(help="When a day's forecast is due [as the versions learned].")] = None,
    version: Annotated[str | None, typer.Option(help="Who is judged [the version with the alias challenger].")] = None,
    register: Annotated[str | None, typer.Option(help="Name of the registered model [demand].")] = None,
    by: Annotated[str, typer.Option(help="Who asks; it is written down.")] = "the command line",
    now: Annotated[str | None, typer.Option(help="What the time is, such as 2024-07-01T00:00Z [the present].")] = None,
) -> None:
    """Judge the challenger against the champion on the days of DATA that came after both trainings.

    It becomes champion where it is better beyond chance and breaks no guard; the decision is kept either way
    (`forecast decisions`). Runs without a Prefect server; set PREFECT_API_URL to see it in yours.
    """
    with at(now):
        pass
    terminal.begin()
    done = promote(
        SecretStr(data.data), data.declaration, data.query, ledger=ledger, gate=gate, version=version, name=register,
        by=by, now=now,
    )  # fmt: skip
    terminal.tell(f"{done['outcome']}: {done['why']}")


app = terminal.app_of(command)


def main() -> None:
    """Runs the command line of `python -m flows.promote`."""
    run(app)


if __name__ == "__main__":
    main()
