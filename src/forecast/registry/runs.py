"""`retraining`: one parent run in MLflow, a child per recipe, and what is written into them."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast import clock
from forecast.recipe import Recipe, Task
from forecast.registry.purposes import Purpose
from forecast.registry.store import NOTE, Store, open_store
from forecast.settings import Settings
from forecast.tables import Demand

BATCH = 900  # MLflow takes 1000 metrics per call
# Prose, and settings of the machine: nobody compares recipes by them.
NOT_COMPARED = (
    "name",
    "description",
    "quantiles",
    "model.training.device",
    "model.training.compile",
    "model.training.threads",
)


@dataclass(frozen=True)
class Run:
    """A run that is being written.

    Attributes:
        store: where.
        run_id: its id in MLflow.
        name: as the UI shows it.
    """

    store: Store
    run_id: str
    name: str

    @property
    def link(self) -> str:
        """Its page, relative to the UI's address."""
        return self.store.run_link(self.run_id)

    @contextmanager
    def child(self, name: str, *, tags: Mapping[str, object] | None = None) -> Iterator[Run]:
        """A run below this one: a recipe of a retraining, a fold of a recipe."""
        with running(self.store, name, {**(tags or {}), "mlflow.parentRunId": self.run_id}) as run:
            yield run

    def params(self, values: Mapping[str, object]) -> None:
        """What was chosen, in one call."""
        from mlflow.entities import Param

        self.store.client.log_batch(self.run_id, params=[Param(key, _said(value)) for key, value in values.items()])

    def metrics(
        self, values: Mapping[str, float | None], *, step: int = 0, model_id: str | None = None,
        demand: Demand | None = None,
    ) -> None:  # fmt: skip
        """What was measured, in one call, to six digits; numbers that are missing or not finite are left out.

        Args:
            values: by name.
            step: the epoch or fold.
            model_id: of the logged forecaster that they describe.
            demand: the table that they were measured on, when it was given to `dataset`.
        """
        self._log([(name, value, step) for name, value in values.items()], model_id, demand)

    def epochs(self, history: Sequence[Mapping[str, Any]]) -> None:
        """A training's history, a curve per number, named by its stage ("learn/train_loss")."""
        rows = []
        for number, epoch in enumerate(history, start=1):
            stage, step = epoch.get("stage", "learn"), int(epoch.get("epoch", number))
            named = {key: value for key, value in epoch.items() if key not in ("stage", "epoch")}
            rows += [(f"{stage}/{key}", value, step) for key, value in named.items() if isinstance(value, int | float)]
        self._log(rows, None, None)

    def curve(self, name: str, values: Mapping[int, float]) -> None:
        """A number by step, where a step is an hour, a lead or whatever the name says."""
        self._log([(name, value, step) for step, value in values.items()], None, None)

    def _log(self, rows: Sequence[tuple[str, Any, int]], model_id: str | None, demand: Demand | None) -> None:
        from mlflow.entities import Metric

        now = int(clock.now().timestamp() * 1000)
        named = (dataset_name(demand), demand.digest[:16]) if demand is not None else (None, None)
        metrics = [
            Metric(name, float(f"{value:.6g}"), now, step, model_id, *named, self.run_id if model_id else None)
            for name, value, step in rows
            if value is not None and math.isfinite(value)
        ]
        for begin in range(0, len(metrics), BATCH):
            self.store.client.log_batch(self.run_id, metrics=metrics[begin : begin + BATCH])

    def tags(self, values: Mapping[str, object]) -> None:
        """What it is, in one call."""
        from mlflow.entities import RunTag

        self.store.client.log_batch(self.run_id, tags=[RunTag(key, _said(value)) for key, value in values.items()])

    def rename(self, name: str) -> None:
        """What is known at the end belongs into the name, where a list shows it."""
        self.store.client.update_run(self.run_id, name=name)

    def note(self, markdown: str) -> None:
        """The description on top of its page."""
        self.tags({NOTE: markdown})

    def dataset(self, demand: Demand, context: str = "training") -> None:
        """Names the table by its digest; no row of it is copied."""
        from mlflow.entities import DatasetInput, InputTag

        entry = DatasetInput(_dataset(demand), [InputTag("mlflow.data.context", context)])
        self.store.client.log_inputs(self.run_id, [entry])

    def figure(self, figure: Any, name: str) -> None:
        """A matplotlib figure under `figures/`."""
        self.store.client.log_figure(self.run_id, figure, f"figures/{name}.png", save_kwargs={"dpi": 130})

    def table(self, frame: pd.DataFrame, name: str) -> None:
        """A small table that the UI shows; numbers rounded to six digits."""
        shown = frame.copy()
        for column in shown.columns:
            if pd.api.types.is_float_dtype(shown[column]):
                shown[column] = [None if not np.isfinite(x) else float(f"{x:.6g}") for x in shown[column]]
            elif pd.api.types.is_datetime64_any_dtype(shown[column]):
                shown[column] = shown[column].astype(str)
        rows = {str(column): shown[column].astype(object).tolist() for column in shown.columns}
        self.store.client.log_table(self.run_id, rows, f"tables/{name}.json")

    def parquet(self, frame: pd.DataFrame, name: str) -> None:
        """A large table as a Parquet file under `tables/`."""
        with tempfile.TemporaryDirectory() as room:
            path = Path(room) / f"{name}.parquet"
            frame.to_parquet(path, index=False)
            self.store.client.log_artifact(self.run_id, str(path), "tables")

    def document(self, content: Mapping[str, Any], name: str) -> None:
        """A JSON file."""
        self.store.client.log_dict(self.run_id, dict(content), f"{name}.json")


@contextmanager
def retraining(
    settings: Settings, *, name: str, demand: Demand, task: Task, tags: Mapping[str, object] | None = None,
    purpose: Purpose = "retraining",
) -> Iterator[Run]:  # fmt: skip
    """The parent run of one retraining; it is marked as failed when the block fails.

    Args:
        settings: which store.
        name: as the UI shows it ("2014-12 retraining victoria").
        demand: the table; its digest is logged.
        task: what the forecasters will be asked.
        tags: more about it.
        purpose: of the experiment that it stands in.

    Raises:
        RegistryError: the store cannot be opened.
    """
    store = open_store(settings, purpose)
    with running(store, name, {**demand_tags(demand), "kind": "retraining", **(tags or {})}) as run:
        run.params({"horizon": task.horizon, "every": task.every, **({"gate": task.gate} if task.gate else {})})
        run.dataset(demand)
        yield run
    store.show(run.run_id)


def demand_tags(demand: Demand) -> dict[str, object]:
    """Which data: short enough for a column of the UI."""
    names = [one.unique_id for one in demand.series]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return {"data": dataset_name(demand), "series": shown, "data_sha256": demand.digest, "unit": demand.unit}


def recipe_params(recipe: Recipe, task: Task) -> dict[str, object]:
    """A recipe's knobs by short names ("encoder.width"), and the task's; prose and machine settings left out."""
    flat = _flatten(recipe.model_dump(mode="json", exclude_none=True))
    kept = {key: value for key, value in flat.items() if key not in NOT_COMPARED}
    short = {key.removeprefix("model.").removeprefix("network."): value for key, value in kept.items()}
    short["model"] = short.pop("kind")
    return {**short, "horizon": task.horizon, "every": task.every, **({"gate": task.gate} if task.gate else {})}


def dataset_name(demand: Demand) -> str:
    """The source's last part ("victoria.parquet"), else the first series."""
    return Path(demand.source).name or demand.series[0].unique_id


@contextmanager
def running(store: Store, name: str, tags: Mapping[str, object]) -> Iterator[Run]:
    """A run that is finished, failed or killed as the block is."""
    from mlflow.tracking.context.registry import resolve_tags

    # Who ran what, at which commit; mlflow's own `start_run` would add the same.
    said = {**resolve_tags(), **{key: _said(value) for key, value in tags.items()}}
    made = store.client.create_run(store.experiment, tags=said, run_name=name)
    run = Run(store, str(made.info.run_id), name)
    status = "FAILED"
    try:
        yield run
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        store.client.set_terminated(run.run_id, status)


def _dataset(demand: Demand) -> Any:
    """What MLflow keeps of a table: names, span, digest (its column holds 36 characters, the tag has all 64)."""
    from mlflow.entities import Dataset

    columns = [*demand.columns.dynamic, *demand.columns.static]
    schema = [{"type": "string", "name": "unique_id"}, {"type": "datetime", "name": "ds"}]
    schema += [{"type": "double", "name": name} for name in columns]
    stops = [one.start + len(one) * demand.step for one in demand.series]
    profile = {
        "series": len(demand.series), "rows": sum(len(one) for one in demand.series),
        "from": min(one.start for one in demand.series).isoformat(), "until": max(stops).isoformat(),
        "step": str(demand.step), "unit": demand.unit, "sha256": demand.digest,
    }  # fmt: skip
    source = json.dumps({"tags": {"source": demand.source or "in memory"}})
    return Dataset(
        dataset_name(demand), demand.digest[:16], "code", source,
        json.dumps({"mlflow_colspec": [{**one, "required": True} for one in schema]}), json.dumps(profile),
    )  # fmt: skip


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
