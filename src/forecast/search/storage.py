"""Where a study lives, and how an interrupted one goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from forecast.errors import RegistryError
from forecast.search.space import Range, Space
from forecast.settings import Settings

FILE, SCHEMA = "optuna.db", "optuna"
SETTLED = (TrialState.COMPLETE, TrialState.PRUNED)
# Random trials before the sampler learns, and whole trials before one may be pruned.
RANDOM, WHOLE = 8, 4
WAIT_S = 60


def storage_url(settings: Settings) -> str:
    """The database of studies: beside MLflow's.

    MLflow and Optuna both keep their schema's number in a table named `alembic_version`, so each refuses the other's
    database. Beside an sqlite file stands `optuna.db`; a PostgreSQL database gets a schema `optuna`; a tracking server,
    or any other database, goes with `optuna.db` under `mlruns`.
    """
    if settings.mlflow_uri.startswith("postgresql"):
        return settings.mlflow_uri
    folder = settings.mlruns
    if settings.mlflow_uri.startswith("sqlite"):
        database = make_url(settings.mlflow_uri).database
        folder = Path(database).parent if database and database != ":memory:" else folder
    return f"sqlite:///{folder / FILE}"


@contextmanager
def opened(url: str | None) -> Iterator[optuna.storages.BaseStorage]:
    """Optuna's storage, in memory where no URL is given.

    Raises:
        RegistryError: the database cannot be opened or refuses.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if url is None:
        yield optuna.storages.InMemoryStorage()
        return
    shown = make_url(url).render_as_string(hide_password=True)
    try:
        storage = _database(url)
    except (SQLAlchemyError, OSError, RuntimeError, ImportError) as error:
        raise _refused(shown, error) from error
    try:
        yield storage
    except optuna.exceptions.StorageInternalError as error:
        raise _refused(shown, error.__cause__ or error) from error
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _refused(shown: str, error: BaseException) -> RegistryError:
    said = (str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__])[0]
    return RegistryError(
        f"the database of studies at {shown} fails ({said})", "one that Optuna wrote",
        "check FORECAST_MLFLOW_URI, or move the file away",
    )  # fmt: skip


def _database(url: str) -> optuna.storages.RDBStorage:
    parts = make_url(url)
    template = url.replace("{", "{{").replace("}", "}}")  # Optuna fills its own names into braces
    if parts.get_backend_name() == "sqlite":
        if parts.database:
            Path(parts.database).parent.mkdir(parents=True, exist_ok=True)
        return optuna.storages.RDBStorage(template, engine_kwargs={"connect_args": {"timeout": WAIT_S}})
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    finally:
        engine.dispose()
    inside = {"connect_args": {"options": f"-csearch_path={SCHEMA}"}, "pool_pre_ping": True}
    return optuna.storages.RDBStorage(template, engine_kwargs=inside)


def opened_study(storage: optuna.storages.BaseStorage, name: str, seed: int, space: Space) -> optuna.Study:
    """The study of this name; what a killed process left running is failed and queued again.

    One process works on a study at a time.
    """
    study = optuna.create_study(
        storage=storage, study_name=name, load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=WHOLE), sampler=sampler(seed, 0),
    )  # fmt: skip
    queued = [trial.system_attrs.get("fixed_params") for trial in study.get_trials(states=(TrialState.WAITING,))]
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        if set(trial.params) == set(space.fields) and trial.params not in queued:
            study.enqueue_trial(trial.params)
    base = space.base_params()
    if base is not None and not study.get_trials(deepcopy=False):
        study.enqueue_trial(base)
    return study


def settled(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that count: whole ones and pruned ones."""
    return study.get_trials(states=SETTLED)


def sampler(seed: int, number: int) -> optuna.samplers.BaseSampler:
    """The sampler of one trial: its draws follow from the seed and from the trials before it, not from a state that
    a killed process takes with it.

    Tree-structured Parzen estimator over all fields at once (Bergstra et al. 2011; Falkner et al. 2018).
    """
    mixed = hashlib.sha256(f"{seed}/{number}".encode()).digest()
    return optuna.samplers.TPESampler(seed=int.from_bytes(mixed[:4], "big"), n_startup_trials=RANDOM)


def distributions(space: Space) -> dict[str, optuna.distributions.BaseDistribution]:
    """The space in Optuna's words."""
    return {name: _distribution(space, name) for name in space.fields}


def _distribution(space: Space, name: str) -> optuna.distributions.BaseDistribution:
    values = space.fields[name]
    if not isinstance(values, Range):
        return optuna.distributions.CategoricalDistribution(list(dict.fromkeys(values)))
    if space.is_whole(name):
        low, high = int(values.low), int(values.high)
        return optuna.distributions.IntDistribution(low, high, log=values.log, step=int(values.step or 1))
    return optuna.distributions.FloatDistribution(values.low, values.high, log=values.log, step=values.step)
