"""The tripwire: nothing that became known after the cutoff moves one bit, for every recipe; and it does catch leaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast import audit as tripwire
from forecast.audit import audit, poison
from forecast.calibration import Calibration
from forecast.errors import DataError
from forecast.features import Features
from forecast.forecaster import Forecaster
from forecast.forecaster.echo import Echo
from forecast.recipe import (
    CorrectionConfig,
    EnsembleModel,
    FeatureConfig,
    NetworkModel,
    Recipe,
    RidgeModel,
    Task,
    TrainingConfig,
    TreesModel,
)
from forecast.recipes import RECIPES, named
from forecast.tables import Columns, Demand
from forecast.training import Fitted, fit, loop, span

CUTOFF = pd.Timestamp("2024-03-20 00:00", tz="UTC")
TASK = Task(horizon=24, every="1d")


@pytest.fixture(scope="module")
def demand() -> Demand:
    """Eleven weeks of two series with every kind of covariate; the future is measured, too."""
    rng = np.random.default_rng(3)
    ds = pd.date_range("2024-01-20", "2024-04-05", freq="1h", tz="UTC", inclusive="left")
    parts = []
    for number, name in enumerate(("north", "south")):
        hours = np.arange(len(ds))
        temperature = 12 + 8 * np.sin(hours / 24 * 2 * np.pi) + rng.normal(0, 2, len(ds))
        load = (
            500 * (number + 1)
            + 80 * np.sin((hours - 6) / 24 * 2 * np.pi)
            + 3 * temperature
            + rng.normal(0, 10, len(ds))
        )
        parts.append(
            pd.DataFrame(
                {"unique_id": name, "ds": ds, "y": load, "humidity": rng.uniform(0.2, 0.9, len(ds)),
                 "temperature": temperature, "customers": float(number)}
            )
        )  # fmt: skip
    columns = Columns(past=("humidity",), known=("temperature",), static=("customers",))
    return Demand.from_frame(pd.concat(parts), columns=columns, zone="Europe/Lisbon", delay="2h")


LONG = {"attention", "convolution", "transformer", "default"}
"""Recipes whose members, or parts, are audited in others or below."""


def short(recipe: Recipe) -> Recipe:
    """The recipe with two epochs or a few trees: a leak shows in the first."""

    def shorter(model: Any) -> Any:
        if isinstance(model, TreesModel):
            return model.model_copy(update={"iterations": 15})
        if isinstance(model, EnsembleModel):
            return model.model_copy(update={"members": tuple(shorter(one) for one in model.members)})
        if not isinstance(model, NetworkModel):
            return model
        return model.model_copy(update={"training": TrainingConfig(epochs=2, windows_per_epoch=48)})

    return recipe.model_copy(update={"model": shorter(recipe.model)})


@pytest.mark.parametrize(
    "name",
    [pytest.param(one, marks=pytest.mark.long) if one in LONG else one for one in sorted(RECIPES)],
)
def test_no_recipe_moves_by_one_bit(name: str, demand: Demand) -> None:
    report = audit(demand, short(named(name)), TASK, CUTOFF)
    assert report.clean, [finding for finding in report.findings if not finding.equal]
    assert {finding.part for finding in report.findings} == {
        "inputs", "features", "weights", "calibration", "spec", "forecast",
    }  # fmt: skip
    assert set(report.overwritten) == {"y", "humidity"}
    assert min(report.overwritten.values()) > 2 * 24 * 10


@pytest.mark.parametrize(
    "network",
    [
        {"scaling": {"scale": "window"}},
        {"scaling": {"scale": "series"}},
        {"encoder": {"kind": "convolution", "width": 8, "layers": 3}},
        {"encoder": {"kind": "none"}},
        {"encoder": {"kind": "lstm", "width": 8, "layers": 2, "bidirectional": True, "residual": True}},
        {"decoder": {"kind": "recurrent", "width": 8, "autoregressive": True, "teacher_forcing": 0.5}},
        {"decoder": {"kind": "attention", "width": 16, "score": "cosine"}},
    ],
    ids=str,
)
def test_no_part_of_a_network_moves_by_one_bit(network: dict[str, object], demand: Demand) -> None:
    base = short(named("gru"))
    assert isinstance(base.model, NetworkModel)
    fields = {"encoder": {"kind": "gru", "width": 8}, "decoder": {"kind": "direct", "width": 16}, **network}
    config = base.model.training.model_copy(update={"final": "keep"})
    model = NetworkModel.model_validate({"network": fields, "training": config.model_dump()})
    assert audit(demand, base.model_copy(update={"model": model}), TASK, CUTOFF).clean


SMALL = {"encoder": {"kind": "gru", "width": 8}, "decoder": {"kind": "direct", "width": 16}}
FEW = FeatureConfig(reach_days=9, same_hour_days=3, knots=2)
ON_RIDGE = NetworkModel.model_validate({"network": SMALL, "residual_on": {"kind": "ridge"}})
CORRECTED = {
    "ridge": Recipe(name="ridge", model=RidgeModel(), features=FEW, correction=CorrectionConfig(days=5)),
    "ensemble": Recipe(
        name="ensemble", model=EnsembleModel(members=(ON_RIDGE, RidgeModel())), features=FEW,
        correction=CorrectionConfig(days=5),
    ),
}  # fmt: skip


WEST = Task(horizon=24, every="1d", clock="-06:00")


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("ridge", TASK),
        pytest.param("ridge", WEST, marks=pytest.mark.long),
        pytest.param("ridge", Task(horizon=24), marks=pytest.mark.long),
        pytest.param("ensemble", TASK, marks=pytest.mark.long),
        ("ensemble", WEST),
    ],
    ids=str,
)
def test_nothing_that_learns_from_its_errors_moves_by_one_bit(name: str, task: Task, demand: Demand) -> None:
    recipe, cutoff = short(CORRECTED[name]), pd.Timestamp("2024-03-20 06:00", tz="UTC")
    report = audit(demand, recipe, task, cutoff)
    assert report.clean, [finding for finding in report.findings if not finding.equal]
    forecaster = fit(demand.as_of(cutoff), recipe, task).forecaster
    assert forecaster.spec.correction is not None
    bare = Forecaster(forecaster.spec.model_copy(update={"correction": None}), forecaster.model)
    one, other = (each.predict(demand, [cutoff]).frame for each in (forecaster, bare))
    assert not one.equals(other), "a correction that does nothing proves nothing"


def test_explicit_available_at_is_honoured(demand: Demand) -> None:
    frame = demand.to_frame()
    late = np.random.default_rng(0).integers(1, 30, len(frame))
    frame["available_at"] = frame["ds"] + pd.to_timedelta(late, unit="h")
    revised = Demand.from_frame(frame, columns=demand.columns, zone="Europe/Lisbon")
    assert audit(revised, short(named("gru")), TASK, CUTOFF).clean


def test_an_audit_without_a_future_is_refused(demand: Demand) -> None:
    with pytest.raises(DataError, match="became known after"):
        poison(demand, pd.Timestamp("2025-01-01", tz="UTC"), 1e9)


def leaking_feature(monkeypatch: pytest.MonkeyPatch) -> None:
    """A column that peeks at the target through the table's arena."""
    honest = Features.inputs

    def peek(self: Features, windows, clock, index_B, peers_BSD=None):  # type: ignore[no-untyped-def]
        inputs = honest(self, windows, clock, index_B, peers_BSD)
        series_B, row_B, _ = windows.origins.at(index_B, windows.demand)
        first_S = np.array([one.first_row for one in windows.demand.series])
        inputs.future_BHF[:, 0, -1] = windows.demand.arena_RC[first_S[series_B] + row_B, 0]
        return inputs

    monkeypatch.setattr(Features, "inputs", peek)


def leaking_scaler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hinges placed by values of the whole table, test span included."""
    honest = span.fit_features

    def peek(config, demand, context):  # type: ignore[no-untyped-def]
        found = honest(config, demand, context)
        top = float(np.nanmax(demand.arena_RC[:, 0]))
        return replace(found, state=found.state.model_copy(update={"knots": {"temperature": (top,)}}))

    monkeypatch.setattr(span, "fit_features", peek)


def leaking_early_stopping(monkeypatch: pytest.MonkeyPatch) -> None:
    """The epoch is chosen on what happened after the cutoff."""
    honest = loop.Loop._judge

    def peek(self, metrics):  # type: ignore[no-untyped-def]
        late = self.feed.windows.demand.arena_RC[-100:, 0]
        metrics["validation_loss"] = float(np.nan_to_num(late.mean(), nan=-1.0)) * (-1) ** self.notes["epoch"]
        honest(self, metrics)

    monkeypatch.setattr(loop.Loop, "_judge", peek)


def leaking_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals made true by the errors of the very days that are forecast."""

    def leak(demand: Demand, recipe: Recipe, task: Task) -> Fitted:
        fitted = fit(demand, recipe, task)
        spread = float(np.std(np.nan_to_num(demand.arena_RC[-200:, 0], nan=-5.0)))
        levels = recipe.quantiles
        row = tuple(spread * (level - 0.5) for level in levels)
        spec = fitted.forecaster.spec.model_copy(
            update={"calibration": Calibration.none(levels).model_copy(update={"shift_KQ": (row,) * 24})}
        )
        return Fitted(Forecaster(spec, fitted.forecaster.model), fitted.report)

    monkeypatch.setattr(tripwire, "fit", leak)


def leaking_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors of the last days that the cutoff could not know yet."""
    honest = Echo.of

    def peek(demand, origins, moments, horizon):  # type: ignore[no-untyped-def]
        told = honest(demand, origins, moments, horizon)
        late = float(np.nan_to_num(demand.arena_RC[-200:, 0], nan=-5.0).mean())
        return Echo(np.full_like(told.y_SWKH, late), np.ones_like(told.known_SWKH))

    monkeypatch.setattr(Echo, "of", peek)


def leaking_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths that know where the days to come will fall."""

    def leak(demand: Demand, recipe: Recipe, task: Task) -> Fitted:
        fitted = fit(demand, recipe, task)
        place = float(np.nan_to_num(demand.arena_RC[-200:, 0], nan=-5.0).mean()) % 1
        ranks = np.full_like(fitted.forecaster.ranks_DH, place)
        return Fitted(replace(fitted.forecaster, ranks_DH=ranks), fitted.report)

    monkeypatch.setattr(tripwire, "fit", leak)


@pytest.mark.parametrize(
    ("leak", "part"),
    [
        (leaking_feature, "inputs"),
        (leaking_scaler, "features"),
        (leaking_early_stopping, "weights"),
        (leaking_calibration, "calibration"),
        (leaking_errors, "forecast"),
        (leaking_ranks, "weights"),
    ],
)
def test_each_kind_of_leak_is_caught(
    leak: Callable[[pytest.MonkeyPatch], None], part: str, demand: Demand, monkeypatch: pytest.MonkeyPatch
) -> None:
    leak(monkeypatch)
    report = audit(demand, short(named("gru")), TASK, CUTOFF, fit_function=tripwire.fit)
    caught = {finding.part for finding in report.findings if not finding.equal}
    assert not report.clean
    assert part in caught, caught
