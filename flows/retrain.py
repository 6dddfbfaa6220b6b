"""`retrain`: load → check → windows → train and walk each recipe → compare → train the winner → register → promote.

Runs without a Prefect server: `python -m flows.retrain --help`.
"""

# mypy: disable-error-code="untyped-decorator"
# (Prefect is skipped by the type checker; its decorators keep a signature.)

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from prefect import flow
from pydantic import SecretStr, ValidationError

from flows import report, steps, terminal
from flows.kept import Kept
from flows.once import at
from flows.runners import runner_of
from forecast import clock
from forecast.cli.mistakes import run
from forecast.cli.options import Data, Every, Gate, Horizon, Quality, Refit, Warm, Workers, with_data
from forecast.cli.reconciling import Parents, Reconcile
from forecast.cli.refitting import Refitting
from forecast.errors import DeclarationError
from forecast.forecaster import read_spec
from forecast.settings import Settings
from forecast.sources import Declaration, is_store, open_source

if TYPE_CHECKING:
    import pandas as pd

    from forecast.registry.report import RetrainingLog
    from forecast.retraining import Judgement, RetrainingPlan, Sums


@dataclass(frozen=True)
class Retrained:
    """How a retraining ended.

    Attributes:
        judgement: who won, and the verdict.
        log: where it stands in MLflow.
        unit: of the figures.
        sums: whether it pays that children sum to their parents; None where the table has no parents.
    """

    judgement: Judgement
    log: RetrainingLog
    unit: str
    sums: Sums | None = None


@flow(name="retrain")
def retrain(
    data: str | SecretStr,
    declaration: Declaration | None = None,
    query: str | None = None,
    plan: dict[str, Any] | None = None,
    work: Path | None = None,
    workers: int = 1,
    name: str | None = None,
    title: str | None = None,
    fresh: bool = False,
    parents: str | SecretStr | None = None,
    reconcile: str | None = None,
    now: str | None = None,
) -> Retrained:
    """Learns, judges and publishes; the champion changes only where the verdict says so.

    Args:
        data: file, URL (as a secret: Prefect keeps parameters in plain text) or the word sample.
        declaration: how to read it.
        query: SQL, for a URL.
        plan: fields of `forecast.retraining.RetrainingPlan`.
        work: folder of tables, walks and models, kept between runs; `mlruns/work` where None.
        workers: processes that train recipes side by side; with a Dask scheduler in the settings its workers do.
        name: of the registered model, whose champion is challenged; that of the settings where None.
        title: of the parent run in MLflow.
        fresh: train again what an earlier run has trained.
        parents: who is a part of whom, as `forecast predict --parents` takes it; what the store tells where data is a
            store and this is None. The winner's walk is scored as it was and reconciled, its next forecast reconciled.
        reconcile: the method; all are scored, and mint makes the next forecast, where None.
        now: what the time is (ISO, with its offset): what was not known then is not learned; the present where None.

    Raises:
        ForecastError: a mistake that the user can mend.
    """
    with at(now) as moment:
        source, asked = (one.get_secret_value() if isinstance(one, SecretStr) else one for one in (data, parents))
        assert source is not None
        declared, planned = declaration or Declaration(), plan_of(_until_now(plan or {}, moment if now else None))
        work = (work or Settings.read().mlruns / "work").absolute()
        # What became known after `now` may stand in the table: the plan's `until` leaves it out.
        with clock.present():
            loaded = steps.load(source, declared, query, work, return_state=True)
            # Reading stops at the first thing that is wrong; the check names all of them.
            steps.check(source, declared, query)
        table, digest = loaded.result()
        steps.windows(table, planned)
        related = steps.parents(table, source, asked)
        kept = Kept(work, digest, planned, fresh)
        folders = walk_all(table, kept, workers)
        judgement = steps.compare(table, folders, planned, kept.judged, name)
        winner = train_winner(table, judgement, kept)
        log = steps.register(table, folders, judgement, winner, planned, name, title)
        done = Retrained(judged(judgement), log, read_spec(winner).unit)
        report.leave_artifacts(done.judgement, log, done.unit, planned.refits)
        if not related:
            return done
        sums = steps.sum_up(table, judgement, winner, related, planned, reconcile)
        return replace(done, sums=summed(sums, done, name))


def _until_now(plan: dict[str, Any], now: pd.Timestamp | None) -> dict[str, Any]:
    """The fields of a plan; at a simulated moment nothing is learned that was not known then."""
    return plan if now is None else {"until": now.isoformat(), **plan}


def summed(path: Path, done: Retrained, name: str | None) -> Sums:
    """What was summed up, when it is told: in MLflow and in Prefect."""
    from forecast.retraining import read_sums

    steps.log_sums(path, done.log, name)
    sums, _, _ = read_sums(path)
    report.leave_sums(sums, done.unit)
    return sums


def plan_of(fields: dict[str, Any]) -> RetrainingPlan:
    """The plan of plain fields.

    Raises:
        DeclarationError: one is unknown or does not fit.
    """
    from forecast.retraining import RetrainingPlan

    try:
        return RetrainingPlan.model_validate(fields)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise DeclarationError(f"a plan that does not fit ({told})", "the fields of RetrainingPlan") from None


def walk_all(table: Path, kept: Kept, workers: int) -> list[Path]:
    """Walks every candidate, side by side where there are workers; returns their folders."""
    jobs = [kept.walk(table, text) for text in kept.plan.candidates]
    found = runner_of(workers)
    if found is None:
        # Called, not submitted: Ctrl-C then stops a training at once.
        states = [_told(task(**asked, return_state=True), asked) for task, asked in jobs]
    else:
        with found as runner:
            futures = [runner.submit(task, parameters=asked) for task, asked in jobs]
            for future in futures:
                future.wait()
            states = [_told(one.state, asked) for one, (_, asked) in zip(futures, jobs, strict=True)]
    return [kept.work / state.result() for state in states]


def train_winner(table: Path, judgement: Path, kept: Kept) -> Path:
    """Trains the winner, unless an earlier run has; returns its model folder."""
    task, asked = kept.train(table, judgement, judged(judgement).winner)
    return Path(kept.work / _told(task(**asked, return_state=True), asked).result())


def judged(judgement: Path) -> Judgement:
    """What was written there."""
    from forecast.retraining import read_judgement

    return read_judgement(judgement)


def _told(state: Any, asked: dict[str, Any]) -> Any:
    """The state of a step that succeeded; raises what it raised."""
    place = state.result()
    if state.name == "Cached":
        steps.say(f"{asked['key'].split('-')[0]}: {Path(place).name} kept from an earlier run on the same data")
    return state


@with_data
def command(
    data: Data,
    recipe: Annotated[str, typer.Option(help="Names or TOML files, comma-separated.")] = "lstm,gru,attention,ridge",
    weeks: Annotated[int, typer.Option(help="The walk covers the last weeks of the data.", min=1)] = 4,
    every: Every = "1d",
    gate: Gate = None,
    horizon: Horizon = None,
    refit: Refit = "never",
    warm: Warm = False,
    until: Annotated[str | None, typer.Option(help="Use only what was known at this stamp.")] = None,
    train_every: Annotated[
        str | None, typer.Option(help="At which moments networks are trained: any, 1d, 6h [as --every].")
    ] = None,
    workers: Workers = 1,
    quality: Quality = "keep",
    work: Annotated[
        Path | None, typer.Option(help="Folder of tables, walks and models, kept between runs [mlruns/work].")
    ] = None,
    register: Annotated[
        str | None, typer.Option(help="Name of the registered model whose champion is challenged [demand].")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Name of the run in MLflow.")] = None,
    now: Annotated[str | None, typer.Option(help="What the time is, such as 2024-07-01T00:00Z [the present].")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train again what an earlier run has trained.")] = False,
    parents: Parents = None,
    reconcile: Reconcile = None,
) -> None:
    """Retrain on DATA: walk each recipe forward, judge the best against the champion, register it, promote if better.

    Nothing is trained twice: a second run on the same data goes on from what the first one kept. The weekly seasonal
    naive always takes part. Where series have parents (--parents, or those of the store), the winner's walk is also
    scored reconciled. Runs without a Prefect server; set PREFECT_API_URL to see it in yours.

    Example: `python -m flows.retrain demand.csv --zone Europe/Lisbon --recipe lstm,ridge`
    """
    again = Refitting.of(refit, warm)
    with at(now):
        pass
    plan = {
        "recipes": [name.strip() for name in recipe.split(",") if name.strip()], "weeks": weeks, "every": every,
        "gate": gate, "horizon": horizon, "refit": again.when, "warm": again.warm,
        "until": _until(until, data), "train_every": train_every, "quality": quality,
    }  # fmt: skip
    _refuse_early(data, plan, register)
    _refuse_sums(data, parents, reconcile)
    place = work or Settings.read().mlruns / "work"
    terminal.begin(place)
    source, asked = _hidden(data.data), None if parents is None else _hidden(parents)
    done = retrain(
        source, data.declaration, data.query, plan, place, workers, register, title, fresh, asked, reconcile, now
    )
    terminal.show(done.judgement, done.log, done.unit, str(again))
    if done.sums is not None:
        terminal.show_sums(done.sums, done.unit)


def _hidden(text: str) -> str | SecretStr:
    """A URL may hold a password, and Prefect keeps what it is given."""
    return SecretStr(text) if "://" in text else text


def _refuse_sums(data: Data, parents: str | None, method: str | None) -> None:
    """Raises for parents that cannot be read and an unknown method."""
    from forecast.reconciliation import check_method
    from forecast.reconciliation.declared import declared_hierarchy

    if method is not None:
        check_method(method, errors=True)
        if parents is None and not is_store(data.data):
            raise DeclarationError("--reconcile without --parents", "--parents north:all,south:all")
    if parents is not None:
        declared_hierarchy(parents, data.data)


def _refuse_early(data: Data, plan: dict[str, Any], name: str | None) -> None:
    """Raises for mistakes that can be seen before a server is started and data is read."""
    open_source(data.data, data.declaration, data.query)
    Settings.read(**({"model_name": name} if name else {}))
    plan_of(plan).chosen  # noqa: B018 (it builds the recipes, and raises)


def _until(text: str | None, data: Data) -> str | None:
    """A stamp with its offset; one without is read in the data's zone."""
    from forecast.cli.train import aware

    if text is None:
        return None
    zone = open_source(data.data, data.declaration, data.query).declaration.zone
    return str(aware(text, "--until", zone or "UTC").isoformat())


app = terminal.app_of(command)


def main() -> None:
    """Runs the command line of `python -m flows.retrain`."""
    run(app)


if __name__ == "__main__":
    main()
