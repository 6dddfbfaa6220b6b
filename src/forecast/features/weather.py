"""What covariates say about each step ahead: their memory, their extremes, and bends where demand turns."""

from __future__ import annotations

import numpy as np

from forecast.features.load import Named, Past, _spread, _stretch
from forecast.windows import Bools, Floats

MEMORY_HOURS = (6, 24, 48, 72)


def known_ahead(past: Past, name: str, plane: int, knots: tuple[float, ...], binary: bool) -> list[Named]:
    """Columns of a covariate that is known over the horizon.

    Args:
        past: the batch.
        name: the covariate.
        plane: its place among the demand's columns.
        knots: where its hinges bend, in its own unit; empty for none.
        binary: a flag: only itself, yesterday's and last week's are shown.
    """
    now_BH = np.broadcast_to(past.reach + np.arange(past.horizon), (len(past.last_B), past.horizon))
    value = past.take(now_BH, plane)
    if binary:
        before = [(f"{name}, {days} days back", now_BH - days * past.per_day) for days in (1, 7)]
        return [(name, *value), *[(label, *past.take(at_BH, plane)) for label, at_BH in before]]
    hour = max(1, past.per_day // 24)
    named: list[Named] = [(name, *value)]
    named += [(f"{name}, {back} h before", *past.take(now_BH - back * hour, plane)) for back in (1, 2, 3, 6)]
    named += [(f"{name}, {lead} h after", *past.take(now_BH + lead * hour, plane)) for lead in (1, 3)]
    memory = {hours: _running_mean(past, plane, hours * hour) for hours in MEMORY_HOURS}
    named += [(f"{name}, mean of {hours} h", *memory[hours]) for hours in MEMORY_HOURS]
    yesterday = past.take(now_BH - past.per_day, plane)
    named.append((f"{name}, a day before", *yesterday))
    named += _over_horizon(past, name, plane)
    for label, (bent_BH, mask_BH) in (
        (name, value), (f"{name}, mean of 24 h", memory[24]), (f"{name}, mean of 72 h", memory[72]),
        (f"{name}, a day before", yesterday),
    ):  # fmt: skip
        named += [(f"{label} above {knot:g}", *_hinge(bent_BH, mask_BH, knot)) for knot in knots]
    return named


def past_only(past: Past, name: str, plane: int) -> list[Named]:
    """Columns of a covariate that is known up to the cutoff: same hour of the last days, last value, recent means."""
    nearest_BH = past.nearest_day()
    named = [
        (f"{name}, same hour, {rank + 1}. day back", *past.take(past.days_back(nearest_BH + rank), plane))
        for rank in (0, 1, 6)
    ]  # fmt: skip
    end_B = past.last_B + 1
    flat = []
    for hours in (1, 6, 24, 168):
        rows = max(1, past.per_day * hours // 24)
        mean_B, known_B, low_B, high_B = _stretch(past, end_B - rows, rows, plane)
        flat.append((f"{name}, mean of the last {hours} h", mean_B, known_B))
        if hours == 24:
            flat += [(f"{name}, lowest of the last day", low_B, known_B), (f"{name}, highest of the last day", high_B, known_B)]
    return named + [(label, _spread(value_B, past.horizon), _spread(known_B, past.horizon)) for label, value_B, known_B in flat]


def _hinge(value_BH: Floats, mask_BH: Bools, knot: float) -> tuple[Floats, Bools]:
    return np.where(mask_BH, np.maximum(value_BH - np.float32(knot), np.float32(0)), np.float32(0)), mask_BH


def _running_mean(past: Past, plane: int, rows: int) -> tuple[Floats, Bools]:
    """Mean of the known values of the last `rows` rows up to each step ahead."""
    rows = min(rows, past.reach)
    begin = past.reach - rows + 1
    value_BL = past.batch.values_BWC[:, begin:, plane].astype(np.float64)
    mask_BL = past.batch.mask_BWC[:, begin:, plane]
    total_BH, count_BH = (_sliding_sum(part_BL, rows) for part_BL in (value_BL, mask_BL.astype(np.float64)))
    known_BH = count_BH > 0
    return np.where(known_BH, total_BH / np.maximum(count_BH, 1), 0).astype(np.float32), known_BH


def _sliding_sum(value_BL: np.ndarray[tuple[int, ...], np.dtype[np.float64]], rows: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    summed_BL = np.cumsum(np.pad(value_BL, ((0, 0), (1, 0))), axis=1)
    return np.asarray(summed_BL[:, rows:] - summed_BL[:, :-rows])


def _over_horizon(past: Past, name: str, plane: int) -> list[Named]:
    """Mean, lowest and highest over the first day ahead, the same at every step."""
    begin_B = np.full(len(past.last_B), past.reach)
    mean_B, known_B, low_B, high_B = _stretch(past, begin_B, min(past.horizon, past.per_day), plane)
    labels = (("mean", mean_B), ("lowest", low_B), ("highest", high_B))
    return [
        (f"{name}, {label} of the first day ahead", _spread(value_B, past.horizon), _spread(known_B, past.horizon))
        for label, value_B in labels
    ]  # fmt: skip
