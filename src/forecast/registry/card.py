"""`model_card`: what a registered version is, learned from, is good for and is not, as markdown for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from forecast import clock
from forecast.forecaster import ForecasterSpec
from forecast.metrics import Zones, sliced
from forecast.registry.words import number, recipe_note, score_table

LONGEST = 4000
"""Characters of a card: MLflow's column holds 5,000, and the verdict follows."""
NAMED = 5
SLICES = {"season": "season", "day_type": "day", "lead": "lead"}
BANDS = (("up to 6 h", 0, 6), ("6 to 24 h", 6, 24), ("beyond 24 h", 24, np.inf))
YEAR_DAYS = 365


def model_card(
    spec: ForecasterSpec, *, figures: Mapping[str, float] | None = None, scores: pd.DataFrame | None = None,
    walked: pd.DataFrame | None = None, zones: Zones | None = None, data: str = "", again: bool = False,
    gradient_health: str = "",
) -> str:  # fmt: skip
    """The card of a version; the decision on it is added when it is made.

    Args:
        spec: of the forecaster.
        figures: its own, where it was measured.
        scores: of everybody in the walk, for the figures beside the naive's.
        walked: its rows of the walk, for figures by slice.
        zones: civil zone of each series.
        data: name of the source.
        again: it learned once more after it was measured.
        gradient_health: of its training.
    """
    parts = [
        recipe_note(spec, figures or {}, gradient_health, again=again),
        f"**Learned from**\n\n{_span(spec, data)}",
        *([f"**Measured**\n\n{_beside(spec, scores)}"] if scores is not None else []),
        *(
            [f"**By slice** (MAE, {spec.unit})\n\n{_slices(walked, zones)}"]
            if walked is not None and len(walked)
            else []
        ),
        f"**Intended use**\n\n{_use(spec)}",
        "**Limits**\n\n" + "\n".join(f"- {one}" for one in _limits(spec, figures)),
    ]
    while len(text := "\n\n".join(parts)) > LONGEST and len(parts) > 3:
        parts.pop(-3)
    return text[:LONGEST]


def _span(spec: ForecasterSpec, data: str) -> str:
    begin, end = pd.Timestamp(spec.trained_from), pd.Timestamp(spec.trained_until)
    names = ", ".join(f"`{name}`" for name in spec.series[:NAMED])
    more = f" and {len(spec.series) - NAMED} more" if len(spec.series) > NAMED else ""
    source = f" of {data}" if data else ""
    return (
        f"{begin:%Y-%m-%d} to {end:%Y-%m-%d %H:%M} (UTC), {(end - begin).days} days{source}; {names}{more}; every "
        f"{spec.step_seconds // 60} minutes, in {spec.unit}; {clock.lived_zone(spec.zone)}; weather: {spec.weather}; "
        f"SHA-256 of the table `{spec.data_digest[:16]}`."
    )


def _beside(spec: ForecasterSpec, scores: pd.DataFrame) -> str:
    """Itself beside whoever is named a naive or a champion."""
    kept = [name for name in scores.index if name == spec.name or "naive" in str(name) or "champion" in str(name)]
    return score_table(scores.loc[kept], spec.name, spec.unit)


def _slices(walked: pd.DataFrame, zones: Zones | None) -> str:
    lines = ["| slice | MAE | 80 % band covers |", "|---|---:|---:|"]
    for by in SLICES:
        rows = sliced(walked, by, zones=zones)
        for name, mae, covers in (
            _bands(rows) if by == "lead" else zip(rows["slice"], rows["mae"], rows["coverage_80"], strict=True)
        ):
            lines.append(f"| {SLICES[by]}: {name} | {number('mae', mae)} | {number('coverage_80', covers)} |")
    return "\n".join(lines)


def _bands(rows: pd.DataFrame) -> Iterator[tuple[str, float, float]]:
    """Leads in bands, weighted by their rows."""
    hours = pd.to_numeric(rows["slice"], errors="coerce").to_numpy(dtype=np.float64)
    for name, low, high in BANDS:
        part = rows[(hours > low) & (hours <= high)] if low else rows[hours <= high]
        if len(part):
            weights = part["n"].to_numpy(dtype=np.float64)
            yield (
                name,
                float(np.average(part["mae"], weights=weights)),
                float(np.average(part["coverage_80"], weights=weights)),
            )


def _use(spec: ForecasterSpec) -> str:
    task = spec.task
    gate = f" for delivery days due {task.gate}" if task.gate else ""
    needs = [f"{spec.context} steps of history"]
    needs += [f"{', '.join(spec.known)} known ahead"] if spec.known else []
    needs += [f"{', '.join(spec.past)} up to the cutoff"] if spec.past else []
    return (
        f"Forecasts of demand over {task.horizon} steps{gate}, with {len(spec.recipe.quantiles)} quantiles, for the "
        f"series named above or series like them in the same unit. It needs {'; '.join(needs)}."
    )


def _limits(spec: ForecasterSpec, figures: Mapping[str, float] | None) -> Iterator[str]:
    days = (pd.Timestamp(spec.trained_until) - pd.Timestamp(spec.trained_from)).days
    if days < YEAR_DAYS:
        yield f"It has seen {days} days, less than a year: of the other seasons it knows nothing."
    if "optimistic" in spec.weather:
        yield "It was measured with weather that came true; with weather forecasts it does worse."
    if figures and np.isfinite(covers := figures.get("coverage_80", float("nan"))) and not 0.75 <= covers <= 0.85:
        yield f"Its 80 % interval covered {100 * covers:.0f} % when it was measured."
    if not figures or not np.isfinite(figures.get("mae", float("nan"))):
        yield "Nobody has measured it yet."
    yield "What it never saw it cannot foresee: a new tariff, a new large customer, a strike, a heat beyond the record."
    yield "It forecasts; it neither switches nor trades. What depends on it needs a plan for when it is wrong."
