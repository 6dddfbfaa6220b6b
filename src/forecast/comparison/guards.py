"""What a better mean loss must not be bought with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from forecast.comparison.sheet import Sheet
from forecast.errors import DataError

NOMINAL = 0.8


class Guards(BaseModel):
    """The limits that a challenger must keep.

    Attributes:
        significance: the p-value must lie below.
        least_gain_percent: the gain must lie above [%].
        least_origins: cutoffs that both models answered.
        least_answered: share of the rows that any of both answered which the challenger must have answered.
        coverage_low, coverage_high: bounds of the coverage of its 80 % interval; above the upper one is allowed where
            the interval's Winkler score is better than the champion's.
        coverage_drop: how far its coverage may fall below the champion's; a champion above 0.8 counts as 0.8, because
            a narrower honest interval is no loss.
        bias_percent: its bias may not exceed this share of mean demand [%], unless the champion's is larger still.
        peak_percent: how much larger its error at the days' peaks may be than the champion's [%].
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    significance: float = Field(0.05, gt=0, lt=1)
    least_gain_percent: float = Field(0.0, ge=0)
    least_origins: int = Field(5, ge=2)
    least_answered: float = Field(0.9, ge=0, le=1)
    coverage_low: float = Field(0.70, ge=0, le=1)
    coverage_high: float = Field(0.90, ge=0, le=1)
    coverage_drop: float = Field(0.05, ge=0, le=1)
    bias_percent: float = Field(2.0, ge=0)
    peak_percent: float = Field(5.0, ge=0)

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Guards:
        if self.coverage_low >= self.coverage_high:
            raise ValueError(f"coverage_low {self.coverage_low} is not below coverage_high {self.coverage_high}")
        return self


STANDARD = Guards()


def broken_guards(sheet: Sheet, challenger: str, champion: str, guards: Guards) -> list[str]:
    """A sentence for each limit that the challenger does not keep."""
    ours, theirs = sheet.figures(challenger), sheet.figures(champion)
    answered = sheet.answered[challenger]
    sentences = [*_coverage(ours, theirs, guards), *_peaks(ours, theirs, guards), *_bias(ours, theirs, guards)]
    if answered < guards.least_answered:
        sentences.append(
            f"refused: the challenger answered {100 * answered:.1f} % of the rows, "
            f"{100 * guards.least_answered:g} % are needed."
        )
    return sentences


def _coverage(ours: Mapping[str, float], theirs: Mapping[str, float], guards: Guards) -> Iterator[str]:
    covers, champion = ours["coverage_80"], theirs["coverage_80"]
    if pd.isna(covers):
        if not pd.isna(champion):
            yield "refused: the challenger gives no 80 % interval, the champion does."
        return
    # Covering too much is no harm where the interval as a whole is the better one.
    too_much = covers > guards.coverage_high and not ours["winkler_80"] < theirs["winkler_80"]
    if covers < guards.coverage_low or too_much:
        yield (
            f"refused: the 80 % interval covers {100 * covers:.1f} % of the demand, outside "
            f"{100 * guards.coverage_low:g} to {100 * guards.coverage_high:g} %."
        )
    if covers < min(champion, NOMINAL) - guards.coverage_drop:
        yield f"refused: coverage falls from {100 * champion:.1f} to {100 * covers:.1f} %."


def _peaks(ours: Mapping[str, float], theirs: Mapping[str, float], guards: Guards) -> Iterator[str]:
    if ours["peak_mae"] > theirs["peak_mae"] * (1 + guards.peak_percent / 100):
        yield (
            f"refused: the error at the days' peaks grows from {theirs['peak_mae']:.4g} to {ours['peak_mae']:.4g}, by "
            f"more than {guards.peak_percent:g} %."
        )


def _bias(ours: Mapping[str, float], theirs: Mapping[str, float], guards: Guards) -> Iterator[str]:
    mine, reigning = ours["bias_percent"], theirs["bias_percent"]
    if mine > guards.bias_percent and mine > reigning:
        yield (
            f"refused: the bias is {mine:.1f} % of mean demand (the champion's {reigning:.1f} %), more than "
            f"{guards.bias_percent:g} %."
        )


def memorised(sheet: Sheet, models: Sequence[str], trained_until: Mapping[str, pd.Timestamp | None]) -> tuple[str, ...]:
    """A sentence for each model whose training reached into the scored rows.

    Raises:
        DataError: the end of a model's training is not given, or has no zone.
    """
    sentences = []
    earliest_O = np.minimum(sheet.cutoff_O, sheet.first_O)
    for model in models:
        end = _end_of_training(model, trained_until)
        if end is None:
            continue
        seen = np.unique(sheet.cutoff_O[earliest_O < end.as_unit("ns").value])
        if len(seen):
            shown = ", ".join(f"{pd.Timestamp(int(moment), tz='UTC'):%Y-%m-%dT%H:%MZ}" for moment in seen[:3])
            sentences.append(
                f"refused: {model} learned from data up to {end:%Y-%m-%dT%H:%MZ}, after {len(seen)} of the scored "
                f"cutoffs ({shown}{', ...' if len(seen) > 3 else ''}); score it on later ones."
            )
    return tuple(sentences)


def _end_of_training(model: str, trained_until: Mapping[str, pd.Timestamp | None]) -> pd.Timestamp | None:
    if model not in trained_until:
        raise DataError(
            f"the end of the training of '{model}' is not given",
            "an aware stamp, or None for a model that learns nothing",
        )
    end = trained_until[model]
    if end is not None and pd.Timestamp(end).tzinfo is None:
        raise DataError(f"the end of the training of '{model}', {end}, has no zone", "an aware stamp")
    return pd.Timestamp(end).tz_convert("UTC") if end is not None else None
