"""`retrain by group`: proof and retraining for each group of series, each with a registered model of its own.

Runs without a Prefect server: `python -m flows.by_group --help`.
"""

# mypy: disable-error-code="untyped-decorator"
# (Prefect is skipped by the type checker; its decorators keep a signature.)

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from pydantic import SecretStr

from flows import steps, terminal
from flows.promote import promote
from flows.retrain import retrain
from forecast.cli.mistakes import run
from forecast.cli.options import Data, Workers, with_data
from forecast.errors import DeclarationError
from forecast.settings import Settings
from forecast.sources import Declaration
from forecast.tables.groups import groups_of, model_of_group


@flow(name="retrain by group")
def retrain_groups(
    data: str | SecretStr, by: str | None = None, declaration: Declaration | None = None, query: str | None = None,
    plan: dict[str, Any] | None = None, work: Path | None = None, workers: int = 1, now: str | None = None,
) -> dict[str, bool]:  # fmt: skip
    """Puts every group's challenger to the proof, and retrains its model on the series of the group alone.

    Args:
        data, declaration, query, plan, workers: as `flows.retrain.retrain`.
        by: `zone`, `country` or a static column; that of the settings where None.
        work: each group's tables, walks and models lie in a folder of it.
        now: what the time is (ISO, with its offset); the present where None.

    Returns:
        by registered model, whether another version became champion.

    Raises:
        ForecastError: a mistake that the user can mend; groups before it are trained.
    """
    settings = Settings.read()
    by = by or settings.group_by
    if by is None:
        raise DeclarationError("retraining by group without a group", "zone, country or a static column", "give --by")
    work, declared, done = work or settings.mlruns / "work", declaration or Declaration(), {}
    for group, names in found(data, declared, query, by).items():
        name, own = model_of_group(settings.model_name, group), declared.model_copy(update={"only": tuple(names)})
        tried = on_trial(name) and promote(data, own, query, name=name, work=work / name, now=now)["outcome"]
        told = retrain(
            data, own, query, plan, work / name, workers, name, f"{name}: {len(names)} series", now=now
        )  # fmt: skip
        done[name] = tried == "promoted" or bool(told.log.promoted)
    return done


@task(
    name="on trial", task_run_name="on trial: {name}", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=[2, 5],
    retry_condition_fn=steps.try_again,
)  # fmt: skip
def on_trial(name: str) -> bool:
    """Whether a registered model has a challenger."""
    from forecast.registry import reader
    from forecast.registry.decisions import CHALLENGER

    return CHALLENGER in reader.aliases(Settings.read(model_name=name))


@task(
    name="groups", task_run_name="groups by {by}", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=[2, 5],
    retry_condition_fn=steps.try_again,
)  # fmt: skip
def found(data: str | SecretStr, declaration: Declaration, query: str | None, by: str) -> dict[str, list[str]]:
    """The series of each group; raises where there is none."""
    from forecast.sources import read
    from forecast.sources.opening import open_source

    text = data.get_secret_value() if isinstance(data, SecretStr) else data
    demand = open_source(text, declaration, query).read() if query else read(text, declaration)
    groups = groups_of(demand, by)
    if not groups:
        raise DeclarationError(f"no series with a {by}", "zone, country or a static column", "correct --by")
    steps.say(f"groups by {by}: " + ", ".join(f"{group} ({len(names)})" for group, names in groups.items()))
    return groups


@with_data
def command(
    data: Data,
    by: Annotated[str | None, typer.Option(help="zone, country or a static column [FORECAST_GROUP_BY].")] = None,
    recipe: Annotated[str, typer.Option(help="Names or TOML files, comma-separated.")] = "lstm,gru,attention,ridge",
    weeks: Annotated[int, typer.Option(help="The walk covers the last weeks of the data.", min=1)] = 4,
    workers: Workers = 1,
) -> None:
    """Retrain on DATA, one model for each group of series, registered as NAME-GROUP.

    Example: `python -m flows.by_group demand.csv --by zone --recipe ridge`
    """
    plan = {"recipes": [name.strip() for name in recipe.split(",") if name.strip()], "weeks": weeks}
    work = Settings.read().mlruns / "work"
    terminal.begin(work)
    source = SecretStr(data.data) if "://" in data.data else data.data
    for name, promoted in retrain_groups(source, by, data.declaration, data.query, plan, work, workers).items():
        told = f"{name}: {'new champion' if promoted else 'the champion stays'}"
        terminal.tell(told)


app = terminal.app_of(command)


def main() -> None:
    """Runs the command line of `python -m flows.by_group`."""
    run(app)


if __name__ == "__main__":
    main()
