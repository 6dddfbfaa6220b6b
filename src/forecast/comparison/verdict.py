"""The verdict on a challenger: better beyond chance, and worse in nothing that matters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from forecast.comparison.evidence import diebold_mariano, gain_interval
from forecast.comparison.guards import STANDARD, Guards, broken_guards, memorised
from forecast.comparison.pairs import Loss, pair
from forecast.comparison.sheet import Sheet, sheet_of
from forecast.errors import DataError
from forecast.metrics import Zones, score

MISSING = float("nan")
TrainedUntil = Mapping[str, pd.Timestamp | None]


class Verdict(BaseModel):
    """Whether the challenger takes the champion's place, and why. Numbers that could not be had are NaN.

    Attributes:
        promote: the challenger takes the champion's place.
        reasons: sentences for a person; where `promote` is false, each one that begins with "refused" forbids it.
        memorised: one of the models learned from the scored moments; no figure is given then.
        judged: the losses were compared: nobody had memorised them, and there were enough of them.
        dm_statistic, p_value: Diebold–Mariano; positive where the challenger is better; two-sided.
        gain_percent: how much lower the challenger's mean loss is [% of the champion's].
        ci_low, ci_high: bootstrap interval of 95 % of the gain [%].
        origins: cutoffs that both answered; dropped_origins: (series, cutoff) pairs that only one answered.
        figures: per model, the figures of `metrics.score` on the paired rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    challenger: str
    champion: str
    promote: bool
    reasons: tuple[str, ...]
    memorised: bool = False
    judged: bool = False
    dm_statistic: float = MISSING
    p_value: float = MISSING
    gain_percent: float = MISSING
    ci_low: float = MISSING
    ci_high: float = MISSING
    origins: int = 0
    dropped_origins: int = 0
    figures: dict[str, dict[str, float]] = Field(default_factory=dict)


def compare(
    table: pd.DataFrame,
    challenger: str,
    champion: str,
    *,
    scales: Mapping[str, float] | None = None,
    zones: Zones | None = None,
    trained_until: TrainedUntil | None = None,
    guards: Guards = STANDARD,
    loss: Loss = "absolute_error",
    seed: int = 0,
) -> Verdict:
    """Judges a challenger against a champion on the rows that both answered.

    Promoted is who (1) saw none of the scored moments in training, (2) loses less by more than chance explains
    (Diebold–Mariano and the bootstrap interval agree), and (3) breaks none of the guards on coverage, bias, peaks and
    unanswered rows. The test is right for two models fixed beforehand: judge on a span that chose neither.

    Args:
        table: a walk's table in which both models stand.
        scales: `seasonal_scale` of each series' training part; without it the largest series weigh most.
        zones: civil zone of each series, for the peaks; UTC without it.
        trained_until: the end of what each of both models learned from (aware; None for a model that learns nothing).
            Without it nothing vouches for the training span, and the verdict says so.
        guards: the limits.
        loss: `absolute_error` of the median or `pinball` over the levels.
        seed: of the bootstrap.

    Raises:
        DataError: the table cannot be scored, lacks a model, or `trained_until` lacks one or has no zone.
    """
    if challenger == champion:
        raise DataError(f"'{challenger}' is compared with itself", "two models")
    pairs = pair(table, [challenger, champion], loss, scales)
    verdict = weigh(sheet_of(pairs, zones), challenger, champion, trained_until=trained_until, guards=guards, seed=seed)
    if not verdict.judged:
        return verdict
    return verdict.model_copy(update={"figures": _figures(pairs.table, scales, zones)})


def weigh(
    sheet: Sheet, challenger: str, champion: str, *, trained_until: TrainedUntil | None = None,
    guards: Guards = STANDARD, seed: int = 0,
) -> Verdict:  # fmt: skip
    """The verdict on sums by cutoff, without the table of figures; what `compare` decides is decided here.

    Args:
        sheet: of both models.
        trained_until, guards, seed: as in `compare`.

    Raises:
        DataError: `trained_until` lacks a model or has no zone.
    """
    begun: dict[str, Any] = {
        "challenger": challenger, "champion": champion, "origins": len(sheet), "dropped_origins": sheet.dropped_origins,
    }  # fmt: skip
    seen = memorised(sheet, [challenger, champion], trained_until) if trained_until is not None else ()
    few = _too_few(sheet, guards)
    if seen or few:
        return Verdict(**begun, promote=False, reasons=(*seen, *few), memorised=bool(seen))
    evidence = _evidence(sheet, challenger, champion, seed)
    refusals = [*_chance(evidence, guards), *broken_guards(sheet, challenger, champion, guards)]
    told = [_summary(evidence, sheet, challenger, champion)]
    if trained_until is None:
        told.append("The ends of the training spans were not declared, so only the walk itself keeps them apart.")
    return Verdict(**begun, promote=not refusals, reasons=(*told, *refusals), judged=True, **evidence)


def _too_few(sheet: Sheet, guards: Guards) -> tuple[str, ...]:
    origins = len(sheet)
    if origins >= guards.least_origins:
        return ()
    dropped = f" ({sheet.dropped_origins} without a partner or a scale were dropped)" if sheet.dropped_origins else ""
    return (f"refused: too few origins: both models answered {origins}{dropped}, {guards.least_origins} are needed.",)


def _evidence(sheet: Sheet, challenger: str, champion: str, seed: int) -> dict[str, float]:
    theirs, ours = sheet.losses[champion], sheet.losses[challenger]
    statistic, p_value = diebold_mariano(theirs, ours, sheet.overlap)
    low, high = gain_interval(theirs, ours, sheet.day_O, seed=seed)
    gain = 100 * (1 - ours.mean() / theirs.mean()) if theirs.mean() > 0 else MISSING
    return {"dm_statistic": statistic, "p_value": p_value, "gain_percent": gain, "ci_low": low, "ci_high": high}


def _figures(
    table: pd.DataFrame, scales: Mapping[str, float] | None, zones: Zones | None
) -> dict[str, dict[str, float]]:
    scored = score(table, scales=scales, zones=zones)
    return {str(model): {str(name): float(value) for name, value in row.items()} for model, row in scored.iterrows()}


def _summary(evidence: Mapping[str, float], sheet: Sheet, challenger: str, champion: str) -> str:
    ours, theirs = sheet.losses[challenger].mean(), sheet.losses[champion].mean()
    dropped = f"; {sheet.dropped_origins} unpaired origins were dropped" if sheet.dropped_origins else ""
    interval = f"95 % interval {evidence['ci_low']:.1f} to {evidence['ci_high']:.1f} %"
    told = [f"a gain of {evidence['gain_percent']:.1f} %", interval] if theirs > 0 else []
    told += [_shown(evidence["p_value"])] if not pd.isna(evidence["p_value"]) else []
    return (
        f"On {len(sheet)} common origins {challenger} has a mean loss of {ours:.4g}, {champion} of {theirs:.4g}"
        f"{': ' if told else ''}{', '.join(told)}{dropped}."
    )


def _shown(p_value: float) -> str:
    return f"p = {p_value:.3f}" if p_value >= 0.001 else "p < 0.001"


def _chance(evidence: Mapping[str, float], guards: Guards) -> list[str]:
    gain, p_value = evidence["gain_percent"], evidence["p_value"]
    if pd.isna(p_value):
        return ["refused: no difference: both models lose the same at every origin."]
    if pd.isna(gain):
        return ["refused: the champion makes no error, so nothing can be gained."]
    if not gain > guards.least_gain_percent:
        return [f"refused: the gain of {gain:.1f} % is not above {guards.least_gain_percent:g} %."]
    if not (p_value < guards.significance and evidence["ci_low"] > 0):
        return [
            f"refused: the gain may be chance: {_shown(p_value)} (needed below {guards.significance:g}), and its "
            f"interval begins at {evidence['ci_low']:.1f} % (needed above 0)."
        ]
    return []
