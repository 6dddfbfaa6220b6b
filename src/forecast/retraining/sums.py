"""Whether it pays that children sum to their parents: the winner's walk reconciled, and its next forecast."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from pydantic import BaseModel, ConfigDict

from forecast import calendars, metrics
from forecast.comparison import compare
from forecast.forecaster import Forecaster
from forecast.reconciliation import AS_FORECAST, METHODS, Hierarchy, add_up, check_method, reconciled_walk
from forecast.registry.reconciled import log_reconciled
from forecast.registry.report import RetrainingLog
from forecast.retraining.judgement import finite, read_judgement
from forecast.retraining.kept import WALK
from forecast.retraining.plan import RetrainingPlan
from forecast.settings import Settings
from forecast.tables import Demand, Forecast, load_demand

SUMS, BY_SERIES, NEXT = "sums.json", "sums-by-series.parquet", "next-forecast.parquet"
FIGURES = ("mae", "pinball", "coverage_80")
EVIDENCE = ("gain_percent", "ci_low", "ci_high", "p_value")
DEFAULT = "mint"
"""What the next forecast is reconciled by where nothing is asked for: the walk teaches the errors that it needs."""


class Sums(BaseModel):
    """The winner's walk as it was forecast and reconciled.

    Attributes:
        winner: whose walk.
        method: by which the next forecast is reconciled.
        scores: per method, and for "as forecast": mae, pinball and coverage_80 of `_parents` and of `_leaves`, each
            series counting once; of a method also `gain_percent`, how much lower the pinball loss of all series is than
            as forecast, its interval of 95 % (`ci_low`, `ci_high`) and `p_value`.
        warnings: what is to be said of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    winner: str
    method: str
    scores: dict[str, dict[str, float | None]]
    warnings: tuple[str, ...] = ()

    @property
    def table(self) -> pd.DataFrame:
        """The scores as a frame, one row per way."""
        return pd.DataFrame.from_dict(self.scores, orient="index").astype(float).rename_axis("forecasts")

    @property
    def sentence(self) -> str:
        """Whether it pays."""
        row = self.scores[self.method]
        gain, low, high, chance = (row.get(name) for name in EVIDENCE)
        if gain is None or low is None or high is None:
            return f"{self.winner} reconciled by {self.method}: too few cutoffs to say whether it pays."
        ends = "a gain" if low > 0 else "a loss" if high < 0 else "no difference beyond chance"
        sure = f", p = {chance:.3f}" if chance is not None else ""
        return (
            f"{self.winner} reconciled by {self.method}: pinball loss {-gain:+.1f} % against the forecasts as they were"
            f" (95 % interval {-high:+.1f} to {-low:+.1f} %{sure}): {ends}."
        )


def sum_up(
    table: Path, judgement: Path, winner: Path, parents: Mapping[str, str], plan: RetrainingPlan,
    method: str | None = None,
) -> Path:  # fmt: skip
    """Scores the winner's walk as it was and made to add up, and reconciles the winner's next forecast.

    Writes beside the judgement: `sums.json` (`Sums`), the same series by series, and the next forecast, which is the
    one of `forecast predict --parents --errors` with the winner's model and walk.

    Args:
        table, judgement, winner: what `take_table`, `judge` and `train_winner` left.
        parents: as `take_parents` gives them.
        plan: of the retraining.
        method: of `reconciliation.METHODS`; all are scored and mint makes the next forecast where None.

    Raises:
        RequestError: an unknown method. DataError: the walk nowhere forecasts all of a family, or the next forecast
            cannot be made.
    """
    demand, judged = plan.known(load_demand(table)), read_judgement(judgement)
    hierarchy, forecaster = Hierarchy(parents), Forecaster.load(winner)
    chosen = check_method(method or DEFAULT, errors=True)
    every = pd.read_parquet(judgement.parent / WALK)
    walk = every[every["model"] == judged.winner]
    both, said = reconciled_walk(
        walk, hierarchy, METHODS if method is None else [chosen], unit=demand.unit, model=judged.winner,
        delay=demand.delay,
    )  # fmt: skip
    by_series = _by_series(both, hierarchy, demand)
    scores = _scores(by_series, both, forecaster.spec.scales, demand)
    made = next_sums(forecaster, demand, hierarchy, chosen, walk)
    warnings = tuple(dict.fromkeys((*said, *made.warnings)))
    sums = Sums(winner=judged.winner, method=chosen, scores=scores, warnings=warnings)
    return _written(
        judgement.parent, sums, by_series, calendars.told(made.frame, demand.zones).assign(model=made.model)
    )


def next_sums(
    forecaster: Forecaster, demand: Demand, hierarchy: Hierarchy, method: str | None = None,
    walk: pd.DataFrame | None = None,
) -> Forecast:  # fmt: skip
    """The forecast that follows a table, reconciled: what `forecast predict --parents` writes.

    Args:
        forecaster: whose forecast.
        demand: the table.
        hierarchy, method: as `reconciliation.reconcile` takes them.
        walk: past forecasts of the same model, whose errors teach.

    Raises:
        DataError, RequestError: as `Forecaster.predict` and `reconciliation.add_up`.
    """
    said = forecaster.predict(demand, [forecaster.next_cutoff(demand)])
    return add_up(said, demand, hierarchy, method, walk)


def read_sums(path: Path) -> tuple[Sums, pd.DataFrame, pd.DataFrame]:
    """What `sum_up` wrote: the sums, the figures series by series, and the next forecast."""
    sums = Sums.model_validate_json(path.read_text(encoding="utf-8"))
    return sums, pd.read_parquet(path.parent / BY_SERIES), pd.read_parquet(path.parent / NEXT)


def log_sums(path: Path, log: RetrainingLog, settings: Settings) -> None:
    """Writes what `sum_up` left onto the retraining's page in MLflow."""
    sums, by_series, forecast = read_sums(path)
    told = [sums.sentence, *sums.warnings]
    log_reconciled(log.run_id, settings, sums.table, by_series, forecast, sums.method, told)


def _by_series(both: pd.DataFrame, hierarchy: Hierarchy, demand: Demand) -> pd.DataFrame:
    """The figures of every way and series, and whether the series is a parent or a leaf."""
    rows = metrics.score_by_series(both, zones=demand.zones)[["model", "unique_id", *FIGURES, "n"]]
    kinds = rows["unique_id"].isin(set(hierarchy.parents.values())).map({True: "parents", False: "leaves"})
    return rows.rename(columns={"model": "forecasts"}).assign(kind=kinds)


def _scores(
    by_series: pd.DataFrame, both: pd.DataFrame, scales: Mapping[str, float], demand: Demand
) -> dict[str, dict[str, float | None]]:
    """The figures of every way over parents and leaves, and what it gains."""
    means = by_series.groupby(["forecasts", "kind"], sort=False)[list(FIGURES)].mean().unstack("kind")
    scores: dict[str, dict[str, float | None]] = {}
    for way in means.index:
        row = {f"{figure}_{kind}": finite(means.loc[way, (figure, kind)]) for figure, kind in means.columns}
        scores[str(way)] = row | ({} if way == AS_FORECAST else _gain(both, str(way), scales, demand))
    return scores


def _gain(both: pd.DataFrame, way: str, scales: Mapping[str, float], demand: Demand) -> dict[str, float | None]:
    verdict = compare(both, way, AS_FORECAST, scales=scales, zones=demand.zones, loss="pinball")
    return {name: finite(getattr(verdict, name)) for name in EVIDENCE}


def _written(place: Path, sums: Sums, by_series: pd.DataFrame, forecast: pd.DataFrame) -> Path:
    by_series.to_parquet(place / BY_SERIES, index=False)
    forecast.to_parquet(place / NEXT, index=False)
    (place / SUMS).write_text(json.dumps(sums.model_dump(), indent=1), encoding="utf-8")
    return place / SUMS
