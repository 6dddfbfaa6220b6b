"""The steps of a retraining as Prefect tasks: each calls one function of the library, on paths and digests.

Walks and the winner's training are kept by their key (data, plan, recipe), so the same question is not learned twice.
What is kept is a path below the work folder, which may therefore be moved as a whole.
"""

# mypy: disable-error-code="untyped-decorator"
# (Prefect is skipped by the type checker; its decorators keep a signature.)

from __future__ import annotations

import gzip
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE, CachePolicy
from prefect.tasks import exponential_backoff
from sqlalchemy.exc import DBAPIError

from forecast.errors import DataError, StoreDown
from forecast.settings import Settings
from forecast.sources import Declaration

if TYPE_CHECKING:
    from forecast.registry.report import RetrainingLog
    from forecast.retraining import RetrainingPlan

QUIET_SECONDS = 10.0
# These answer the same when they are asked again.
_SETTLED = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError, gzip.BadGzipFile)


def say(text: str) -> None:
    """One line for the person who waits, and for Prefect's log of the run."""
    get_run_logger().info(text)


def passing(error: BaseException | None) -> bool:
    """Whether an error may pass by itself: a file system or network that failed, a database that did not answer.

    A mistake of the user's never does. Readers tell their failures as `ForecastError`, so what lies behind it counts.
    """
    while error is not None:
        # A store that is locked or away says so itself; a mistake with a statement is another error.
        if isinstance(error, StoreDown) or (isinstance(error, OSError) and not isinstance(error, _SETTLED)):
            return True
        # A failure without a statement is one of connecting; a refused statement stays refused.
        if isinstance(error, DBAPIError) and (error.connection_invalidated or error.statement is None):
            return True
        error = error.__cause__ or error.__context__
    return False


def try_again(_task: Any, run: Any, state: Any) -> bool:
    """Prefect's question whether a failed step is worth another try."""
    again = passing(state.data)
    if again:
        say(f"{run.name}: {state.data}; trying again")
    return again


def _named_key(_context: Any, parameters: Mapping[str, Any]) -> str:
    return f"{parameters['key']}"


def _settings(name: str | None) -> Settings:
    """Read by each step: an MLflow address may hold a password, and Prefect keeps what it is given."""
    return Settings.read(**({"model_name": name} if name else {}))


KEPT = CachePolicy.from_cache_key_fn(_named_key)


@task(
    name="load", task_run_name="load", cache_policy=NO_CACHE, retries=3, retry_delay_seconds=exponential_backoff(1),
    retry_condition_fn=try_again,
)  # fmt: skip
def load(data: str, declaration: Declaration, query: str | None, work: Path) -> tuple[Path, str]:
    """Reads and checks the source; returns the stored table's path and digest."""
    from forecast.retraining import take_table

    table, digest = take_table(data, declaration, work, query=query)
    say(f"load: {table.name}, SHA-256 {digest[:16]}…")
    return table, digest


@task(name="check", task_run_name="check", cache_policy=NO_CACHE)
def check(data: str, declaration: Declaration, query: str | None) -> None:
    """Says what is worth knowing of the source; raises a DataError that names everything that is wrong with it."""
    from forecast import sources

    report = sources.check(data, declaration, query=query)
    wrong = [finding.text for finding in report.findings if finding.severity == "error"]
    if wrong:
        raise DataError("; ".join(text.rstrip(".") for text in wrong))
    for finding in report.findings:
        say(f"check: {finding.text}")
    say(f"check: {len(report.series)} series, nothing stands in the way")


@task(name="windows", task_run_name="windows", cache_policy=NO_CACHE)
def windows(table: Path, plan: RetrainingPlan) -> dict[str, int]:
    """Counts what each recipe learns from; raises NotEnoughHistory before anything is trained."""
    from forecast.retraining import count_windows
    from forecast.tables import load_demand

    counts = count_windows(table, plan)
    size = load_demand(table).arena_RC.nbytes / 1e3
    told = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    say(f"windows: {told}; views of one table of {size:,.0f} kB, without copies")
    return counts


@task(name="walk", task_run_name="walk {recipe}", cache_policy=KEPT, persist_result=True, result_serializer="json")
def walk(table: Path, recipe: str, plan: RetrainingPlan, work: Path, place: str, key: str) -> str:
    """Trains one recipe and walks it forward; returns its folder below the work folder."""
    from forecast.retraining import walk_recipe

    told = Told(recipe)
    folder = walk_recipe(table, recipe, plan, work / place, progress=told, training=told)
    say(f"walk: {folder.name} done in {told.seconds:,.0f} s")
    return str(folder.relative_to(work))


@task(
    name="compare", task_run_name="compare", cache_policy=NO_CACHE, retries=2,
    retry_delay_seconds=exponential_backoff(2), retry_condition_fn=try_again,
)  # fmt: skip
def compare(table: Path, folders: list[Path], plan: RetrainingPlan, place: Path, name: str | None) -> Path:
    """Judges the best recipe against the reigning champion; returns the judgement's path."""
    from forecast.retraining import judge, read_judgement

    place.mkdir(parents=True, exist_ok=True)
    path = judge(table, folders, plan, _settings(name), place)
    judged = read_judgement(path)
    say(f"compare: {judged.winner} is best of {len(folders)}; judged against the {judged.against.replace('_', ' ')}")
    return path


@task(
    name="train winner", task_run_name="train {winner}", cache_policy=KEPT, persist_result=True,
    result_serializer="json",
)  # fmt: skip
def train(table: Path, judgement: Path, winner: str, plan: RetrainingPlan, work: Path, place: str, key: str) -> str:
    """Trains the winner on everything known; returns its model folder below the work folder."""
    from forecast.retraining import train_winner

    told = Told(winner)
    folder = train_winner(table, judgement, plan, work / place, progress=told)
    # They have served; a later training of the same key would find them finished and learn nothing.
    shutil.rmtree(work / place / "checkpoints", ignore_errors=True)
    say(f"train: {winner} learned from everything in {told.seconds:,.0f} s")
    return str(folder.relative_to(work))


@task(
    name="register and promote", task_run_name="register and promote", cache_policy=NO_CACHE, retries=2,
    retry_delay_seconds=exponential_backoff(2), retry_condition_fn=try_again,
)  # fmt: skip
def register(
    table: Path, folders: list[Path], judgement: Path, winner: Path, plan: RetrainingPlan, name: str | None,
    title: str | None,
) -> RetrainingLog:  # fmt: skip
    """Logs everything to MLflow, registers the winner, and moves the aliases as the verdict says."""
    from forecast.retraining import publish

    log = publish(table, folders, judgement, winner, plan, _settings(name), title)
    say(f"register: {log.winner} is version {log.version}{' and champion' if log.promoted else ''}")
    return log


@task(
    name="parents", task_run_name="parents", cache_policy=NO_CACHE, retries=3,
    retry_delay_seconds=exponential_backoff(1), retry_condition_fn=try_again,
)  # fmt: skip
def parents(table: Path, data: str, asked: str | None) -> dict[str, str]:
    """Who is a part of whom; raises where what is asked for is not whole in the table, before anything is trained."""
    from forecast.retraining import take_parents

    found, told = take_parents(table, data, asked)
    for text in told:
        say(f"parents: {text}")
    if found:
        say(f"parents: {len(found)} series are parts of {len(set(found.values()))} others")
    return found


@task(name="sum up", task_run_name="sum up", cache_policy=NO_CACHE)
def sum_up(
    table: Path, judgement: Path, winner: Path, parents: dict[str, str], plan: RetrainingPlan, method: str | None
) -> Path:
    """Scores the winner's walk as it was and made to add up, and reconciles its next forecast; returns their path."""
    from forecast.retraining import read_sums, sum_up

    path = sum_up(table, judgement, winner, parents, plan, method)
    sums, _, _ = read_sums(path)
    say(
        f"sum up: the walk of {sums.winner} reconciled in {len(sums.scores) - 1} ways, "
        f"its next forecast by {sums.method}"
    )
    return path


@task(
    name="log sums", task_run_name="log sums", cache_policy=NO_CACHE, retries=2,
    retry_delay_seconds=exponential_backoff(2), retry_condition_fn=try_again,
)  # fmt: skip
def log_sums(sums: Path, log: RetrainingLog, name: str | None) -> None:
    """Writes the sums onto the retraining's page in MLflow."""
    from forecast.retraining import log_sums

    log_sums(sums, log, _settings(name))


class Told:
    """Says how training and walk go, at most every ten seconds; a `training.Progress` and a `backtest.WalkProgress`.

    Attributes:
        name: of what is trained.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._began = self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    def epoch(self, stage: str, epoch: int, epochs: int, metrics: dict[str, float]) -> None:
        """After every epoch."""
        loss = metrics.get("validation_loss", metrics.get("train_loss"))
        self._say(f"{stage}, epoch {epoch} of {epochs}" + (f", loss {loss:.4f}" if loss is not None else ""))

    def fold(self, model: str, done: int, folds: int) -> None:
        """After every fold."""
        self._say(f"fold {done} of {folds}")

    def _say(self, text: str) -> None:
        if time.monotonic() - self._last >= QUIET_SECONDS:
            self._last = time.monotonic()
            say(f"{self.name}: {text}")
