"""What runs and versions say in MLflow's UI: short markdown for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from forecast.forecaster import ForecasterSpec
from forecast.recipe import Task
from forecast.tables import Demand

SHOWN = {
    "mae": "MAE", "rmse": "RMSE", "mape": "MAPE %", "mase": "MASE", "bias": "bias", "coverage_80": "80 % band covers",
    "skill_vs_naive": "skill vs naive",
}  # fmt: skip


def retraining_note(
    demand: Demand, task: Task, scores: pd.DataFrame, winner: str | None, reasons: Sequence[str], weather: str
) -> str:
    """The parent's page: the data, the table of models, the verdict."""
    parts = [
        f"{_data_line(demand)} {task_line(task)}",
        f"Weather: **{weather}**.",
        score_table(scores, winner, demand.unit),
    ]
    if reasons:
        parts.append("**Verdict**\n\n" + "\n".join(f"- {reason}" for reason in reasons))
    return "\n\n".join(parts)


def recipe_note(
    spec: ForecasterSpec, figures: Mapping[str, float], gradient_health: str, *, again: bool = False
) -> str:
    """A recipe's page: what it is, how it did; `again`: the forecaster learned once more, after it was measured."""
    parts = [spec.recipe.description or f"Recipe `{spec.name}`."]
    if np.isfinite(figures.get("mae", float("nan"))):
        skill = figures.get("skill_vs_naive", float("nan"))
        beside = f", {round(-100 * skill):+d} % against the seasonal naive" if np.isfinite(skill) else ""
        parts.append(f"Walking forward: MAE **{figures['mae']:.4g} {spec.unit}**{beside}. Weather: {spec.weather}.")
    if again:
        until = f"{pd.Timestamp(spec.trained_until):%Y-%m-%d %H:%M}Z"
        parts.append(f"Measured on days it had not seen; afterwards the recipe learned from everything up to {until}.")
    if gradient_health:
        parts.append(f"Gradients through the encoder: {gradient_health}.")
    return "\n\n".join(parts)


def with_skill(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores with `skill_vs_naive`, the share of the better seasonal naive's MAE that is gone; NaN without one."""
    indexed = scores.set_index("model") if "model" in scores.columns else scores.copy()
    naive = [model for model in indexed.index if "naive" in str(model)]
    yardstick = indexed.loc[naive, "mae"].min() if naive else float("nan")
    indexed["skill_vs_naive"] = 1 - indexed["mae"] / yardstick if yardstick > 0 else float("nan")
    return indexed


def score_table(scores: pd.DataFrame, winner: str | None, unit: str) -> str:
    """Models × figures as a markdown table, best first, the winner bold."""
    columns = [name for name in SHOWN if name in scores.columns and scores[name].notna().any()]
    head = ["model", *[_headed(name, unit) for name in columns]]
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * len(columns) + "|"]
    ordered = scores.sort_values("mae") if "mae" in scores.columns else scores
    for model, row in ordered.iterrows():
        name = f"**{model}** (best)" if model == winner else str(model)
        lines.append("| " + " | ".join([name, *[number(column, row[column]) for column in columns]]) + " |")
    return "\n".join(lines)


def task_line(task: Task) -> str:
    """What was asked, in words."""
    when = {"any": "from any moment", "1d": "from local midnight", "delivery-day": "for a delivery day"}
    gate = f", due {task.gate}" if task.gate else ""
    return f"Asked: {task.horizon} steps {when.get(task.every, f'every {task.every}')}{gate}."


def weather_of(weathers: Sequence[str]) -> str:
    """The one label of several forecasters, or all of them."""
    return ", ".join(sorted({one for one in weathers if one})) or "none"


def _data_line(demand: Demand) -> str:
    begin = min(one.start for one in demand.series)
    end = demand.last_known_end() - demand.delay
    many = f"{len(demand.series)} series" if len(demand.series) > 1 else f"Series `{demand.series[0].unique_id}`"
    step = f"{demand.step / pd.Timedelta(minutes=1):g} minutes"
    return f"{many}, {begin:%Y-%m-%d} to {end:%Y-%m-%d} (UTC), every {step}, in {demand.unit}."


def _headed(name: str, unit: str) -> str:
    return f"{SHOWN[name]} ({unit})" if name in ("mae", "rmse", "bias") else SHOWN[name]


def number(column: str, value: Any) -> str:
    """A figure as tables show it; a dash where it could not be had."""
    if not np.isfinite(value):
        return "–"
    if column in ("coverage_80", "skill_vs_naive"):
        return f"{100 * value:.0f} %"
    return f"{value:.4g}"
