"""`Sheet`: everything that a verdict on two models reads, as sums by cutoff and series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.comparison.pairs import DAY, Pairs
from forecast.metrics import Zones
from forecast.metrics.rows import ALPHA, checked, interval_of, with_point
from forecast.metrics.score import peak_days

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
SUMS = ("rows", "error", "size", "inside", "hits", "winkler", "peaks", "peak_error")


@dataclass(frozen=True, eq=False)
class Sheet:
    """Two models on the O cutoffs and S series that both answered.

    Attributes:
        models: who is compared.
        cutoff_O, first_O: each cutoff, and the first period that is scored of it [ns since 1970, UTC]; in time order.
        losses: per model the mean loss of each cutoff [O].
        sums: per model and name of `SUMS` an array [O, S]: rows; sum of mean − y, and of |y|; rows with an 80 %
            interval, those inside it, their Winkler scores; days with a whole peak, and the errors there.
        dropped_origins, answered, overlap: as in `Pairs`.
    """

    models: tuple[str, ...]
    cutoff_O: Ints
    first_O: Ints
    losses: dict[str, Floats]
    sums: dict[str, dict[str, Floats]]
    dropped_origins: int
    answered: dict[str, float]
    overlap: int

    def __len__(self) -> int:
        return len(self.cutoff_O)

    @property
    def day_O(self) -> Ints:
        """UTC day number of each origin."""
        return np.asarray(self.cutoff_O // DAY.value)

    @property
    def days(self) -> tuple[pd.Timestamp, pd.Timestamp]:
        """The first and the last cutoff's first period (UTC); of at least one origin."""
        first, last = (pd.Timestamp(int(moment), tz="UTC") for moment in (self.first_O.min(), self.first_O.max()))
        return first, last

    def drawn(self, places: Ints) -> Sheet:
        """The same with these origins in this order, on the calendar of as many first ones: one bootstrap draw.

        Args:
            places: of the origins; one may occur several times.

        Returns:
            a sheet of len(places) origins, one a day, from the day of the first one on.
        """
        cutoff_O = self.cutoff_O[0] + np.arange(len(places)) * DAY.value
        first_O = cutoff_O + (self.first_O - self.cutoff_O)[places]
        losses = {model: loss_O[places] for model, loss_O in self.losses.items()}
        sums = {model: {name: sum_OS[places] for name, sum_OS in own.items()} for model, own in self.sums.items()}
        return replace(self, cutoff_O=cutoff_O, first_O=first_O, losses=losses, sums=sums)

    def figures(self, model: str) -> dict[str, float]:
        """What the guards read: `coverage_80`, `winkler_80`, `peak_mae`, and `bias_percent`, |mean error| as a share of
        mean |demand| [%]; each taken per series, then averaged over the series that have one."""
        total = {name: sum_OS.sum(axis=0) for name, sum_OS in self.sums[model].items()}
        return {
            "coverage_80": _mean(total["hits"], total["inside"]),
            "winkler_80": _mean(total["winkler"], total["inside"]),
            "peak_mae": _mean(total["peak_error"], total["peaks"]),
            "bias_percent": 100 * _mean(np.abs(total["error"]), total["size"]),
        }


def sheet_of(pairs: Pairs, zones: Zones | None = None) -> Sheet:
    """The sheet of paired rows.

    Args:
        pairs: the rows that all its models answered.
        zones: civil zone of each series, for the peaks; UTC without it.

    Raises:
        DeclarationError: a series has no zone.
    """
    cutoffs = pairs.losses.index
    if not len(cutoffs):
        none = np.zeros(0, dtype=np.int64)
        names = tuple(map(str, pairs.losses.columns))
        return Sheet(names, none, none, {}, {}, pairs.dropped_origins, pairs.answered, pairs.overlap)
    rows = with_point(checked(pairs.table))
    day = peak_days(rows, zones)
    place_R = cutoffs.get_indexer(pd.DatetimeIndex(rows["cutoff"]))
    series_R, known = pd.factorize(rows["unique_id"])
    columns = _columns(rows, day)
    models = tuple(map(str, pairs.losses.columns))
    shape = (len(cutoffs), len(known))
    sums = {}
    for model in models:
        mine = (rows["model"] == model).to_numpy() & (place_R >= 0)
        cell_N = place_R[mine] * shape[1] + series_R[mine]
        sums[model] = {
            name: np.asarray(np.bincount(cell_N, values[mine], shape[0] * shape[1]).reshape(shape), dtype=np.float64)
            for name, values in columns.items()
        }
    first = rows.groupby("cutoff")["ds"].min().reindex(cutoffs)
    return Sheet(
        models, _ns(cutoffs), _ns(first), {model: pairs.losses[model].to_numpy(dtype=np.float64) for model in models},
        sums, pairs.dropped_origins, pairs.answered, pairs.overlap,
    )  # fmt: skip


def _ns(stamps: pd.Index | pd.Series) -> Ints:
    return np.asarray(pd.DatetimeIndex(stamps).as_unit("ns").asi8)


def _columns(rows: pd.DataFrame, day: Ints) -> Mapping[str, Floats]:
    """What each row adds to the sums."""
    y, point, mean = (rows[name].to_numpy(dtype=np.float64) for name in ("y", "point", "mean"))
    low, high = (bound.to_numpy(dtype=np.float64) for bound in interval_of(rows))
    error, inside = mean - y, np.isfinite(y) & np.isfinite(low) & np.isfinite(high)
    outside = np.maximum(low - y, 0) + np.maximum(y - high, 0)
    peaks = _peaks(y, point, day)
    return {
        "rows": np.ones(len(rows)),
        "error": np.nan_to_num(error),
        "size": np.nan_to_num(np.abs(y)),
        "inside": inside.astype(np.float64),
        "hits": (inside & (low <= y) & (y <= high)).astype(np.float64),
        "winkler": np.where(inside, high - low + 2 / ALPHA * outside, 0.0),
        "peaks": peaks.astype(np.float64),
        "peak_error": np.where(peaks, np.nan_to_num(np.abs(y - point)), 0.0),
    }


def _peaks(y: Floats, point: Floats, day: Ints) -> npt.NDArray[np.bool_]:
    """The rows at which a whole day has its highest demand, the first of equal ones, where it is forecast."""
    frame = pd.DataFrame({"y": y, "day": day})
    whole = frame[(frame["day"] >= 0) & frame["y"].notna()]
    peaks = np.zeros(len(y), dtype=bool)
    peaks[np.asarray(whole.groupby("day", sort=False)["y"].idxmax(), dtype=np.int64)] = True
    return peaks & np.isfinite(point)


def _mean(total_S: Floats, count_S: Floats) -> float:
    """The mean over series of total / count, without those that have no count; NaN where none has."""
    has = count_S > 0
    return float((total_S[has] / count_S[has]).mean()) if has.any() else float("nan")
