"""The tripwire: what came after the cutoff is overwritten, and nothing learned or said may change by one bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from forecast.errors import DataError, ForecastError
from forecast.forecaster import Forecaster
from forecast.recipe import Recipe, Task
from forecast.tables import Demand
from forecast.training import Fitted, fit
from forecast.windows import origins_at

POISONS = (1e9, float("nan"))
FitFunction = Callable[[Demand, Recipe, Task], Fitted]


@dataclass(frozen=True)
class Finding:
    """Whether one part stayed equal under one poison.

    Attributes:
        part: "inputs", "features", "weights", "calibration", "spec", "forecast", or "training" when it failed.
        poison: what the future was overwritten with.
        equal: byte for byte.
        detail: what differed.
    """

    part: str
    poison: float
    equal: bool
    detail: str = ""


@dataclass(frozen=True)
class AuditReport:
    """What the tripwire found for one recipe.

    Attributes:
        recipe: its name.
        cutoff: nothing known later may matter (UTC).
        overwritten: values overwritten per column that can change.
        findings: one per part and poison.
    """

    recipe: str
    cutoff: pd.Timestamp
    overwritten: dict[str, int]
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """Nothing leaked."""
        return all(finding.equal for finding in self.findings)


def poison(demand: Demand, cutoff: pd.Timestamp, value: float) -> tuple[Demand, dict[str, int]]:
    """A copy with every value that became known after the cutoff overwritten, and how many were, per column.

    Raises:
        DataError: a column that can change has nothing after the cutoff, so the audit would prove nothing.
    """
    arena_RC = demand.arena_RC.copy()
    plain = [name for name in demand.columns.observed if name not in demand.versions]
    series, count = [], dict.fromkeys((*plain, *demand.versions), 0)
    narrowed = demand.as_of(cutoff)
    for one in demand.series:
        mine_TC = arena_RC[one.first_row : one.first_row + len(one)]
        late_T = ~narrowed.known_rows(one)
        for name in plain:
            mine_TC[late_T, demand.columns.dynamic.index(name)] = value
            count[name] += int(late_T.sum())
        series.append(replace(one, values_TC=mine_TC))
    versions = {}
    for name, kept in demand.versions.items():
        versions[name], count[name] = kept.overwritten_after(cutoff.value, value)
    idle = [name for name, rows in count.items() if rows == 0]
    if idle:
        raise DataError(
            f"nothing in {', '.join(idle)} became known after {cutoff}", "rows after the cutoff to overwrite",
            "choose an earlier --cutoff",
        )  # fmt: skip
    return replace(demand, series=tuple(series), arena_RC=arena_RC).with_versions(versions), count


def audit(
    demand: Demand, recipe: Recipe, task: Task, cutoff: pd.Timestamp, *, fit_function: FitFunction = fit
) -> AuditReport:
    """Trains and forecasts on the true table and on two poisoned ones, and compares every byte.

    Args:
        demand: the whole table, with rows after the cutoff.
        recipe, task: what is audited.
        cutoff: the moment of training and of the forecast.
        fit_function: what trains; another one only where the audit itself is tested.
    """
    truth = _parts(demand, recipe, task, cutoff, fit_function)
    findings: list[Finding] = []
    count: dict[str, int] = {}
    for value in POISONS:
        poisoned, count = poison(demand, cutoff, value)
        try:
            other = _parts(poisoned, recipe, task, cutoff, fit_function)
        except ForecastError as error:
            findings.append(Finding("training", value, False, str(error)))
            continue
        findings += [
            Finding(part, value, other[part] == said, "" if other[part] == said else "bytes differ")
            for part, said in truth.items()
        ]
    return AuditReport(recipe.name, cutoff, count, tuple(findings))


def _parts(
    demand: Demand, recipe: Recipe, task: Task, cutoff: pd.Timestamp, fit_function: FitFunction
) -> dict[str, bytes]:
    """Everything that must not move, as bytes."""
    forecaster = fit_function(demand.as_of(cutoff), recipe, task).forecaster
    spec = forecaster.spec
    said = forecaster.predict(demand, [cutoff]).frame
    weights = forecaster.arrays()
    return {
        "inputs": _inputs(forecaster, demand, cutoff, task),
        "features": spec.features.model_dump_json().encode(),
        "weights": b"".join(name.encode() + np.ascontiguousarray(weights[name]).tobytes() for name in sorted(weights)),
        "calibration": spec.calibration.model_dump_json().encode(),
        "spec": spec.model_dump_json(exclude={"features", "calibration"}).encode(),
        "forecast": pd.util.hash_pandas_object(said).to_numpy().tobytes() + said.to_json(double_precision=15).encode(),
    }


def _inputs(forecaster: Forecaster, demand: Demand, cutoff: pd.Timestamp, task: Task) -> bytes:
    reader = forecaster.spec.column_reader
    windows = reader.window_set(demand, origins_at(demand, [cutoff]), task.horizon)
    inputs = reader.inputs(windows, reader.clock(windows), np.arange(len(windows)))
    told = [getattr(inputs, one.name) for one in fields(inputs) if not one.name.startswith("target")]
    return b"".join(array.tobytes() for array in told)
