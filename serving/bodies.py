"""What a request may hold; unknown fields are refused, numbers are numbers."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

LARGEST = 1e12
"""No demand and no weather is larger, in any unit; float32 would make such a number infinite further on."""

Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
Numbers = Annotated[list[Number | None], Field(fail_fast=True)]
Level = Annotated[float, Field(gt=0, lt=1)]
Stamps = Annotated[list[str], Field(fail_fast=True)]
Unit = Literal["MW", "kW", "GW", "MWh", "kWh"]

LONGEST_NAME = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def plain_name(text: str) -> str:
    """A name as it came.

    Raises:
        ValueError: it holds control characters, which no store keeps and no log shows.
    """
    if _CONTROL.search(text):
        raise ValueError("a name holds a control character (U+0000 to U+001F, or U+007F)")
    return text


Plain = Annotated[str, AfterValidator(plain_name)]
"""Text that names something, in a body, an address or a query."""

_DS = "START of each period, ISO 8601 with zone or offset, ascending."
_START = "Instead of `ds`: START of the first period; together with `step`."
_STEP = "Instead of `ds`: length of a period, as `PT30M` or `30min`."


class StrictBody(BaseModel):
    """A part of a body: unknown fields are refused, and values of other types."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Clocked(StrictBody):
    """Columns beside their stamps: listed in `ds`, or counted from `start` by `step`."""

    model_config = ConfigDict(extra="allow")

    ds: Stamps | None = Field(None, description=_DS)
    start: str | None = Field(None, description=_START)
    step: str | None = Field(None, description=_STEP)
    __pydantic_extra__: dict[str, Numbers] = Field(init=False)

    @model_validator(mode="after")
    def _one_clock(self) -> Clocked:
        counted = self.start is not None and self.step is not None
        if (self.ds is not None) == counted or (not counted and (self.start is not None or self.step is not None)):
            raise ValueError("give either ds, or start together with step")
        return self

    @property
    def columns(self) -> dict[str, list[float | None]]:
        """The covariates by name."""
        return self.__pydantic_extra__


class History(Clocked):
    """What was measured: `y` and the covariates that the model reads, one list each, as long as `ds`."""

    y: Numbers = Field(
        description="Mean demand (or energy, by `unit`) over each period; null where missing. All null for a meter "
        "without history, where static columns tell the model its level; send `cutoff` then."
    )
    available_at: Annotated[list[str | None], Field(fail_fast=True)] | None = Field(
        None, description="When each row became known; null: at the end of its period plus the model's delay."
    )


class Future(Clocked):
    """Covariates known ahead, over the periods to be forecast."""


class SeriesBody(StrictBody):
    """One metered demand."""

    unique_id: Plain = Field(min_length=1, max_length=LONGEST_NAME, description="Its name, as the answer repeats it.")
    zone: str | None = Field(None, description="Its civil zone, as `Australia/Melbourne`; the model's where left out.")
    history: History | None = Field(
        None, description="Where left out, the store is asked; `unique_id` is its name there."
    )
    future: Future | None = None
    static: dict[str, Number] = Field(
        default_factory=dict, description="Static covariates by name.", json_schema_extra={"default": {}}
    )  # fmt: skip

    @property
    def measured(self) -> History:
        """The history of a series that brings it."""
        assert self.history is not None
        return self.history


MOST_PATHS, MOST_SCENARIOS = 500, 20
Shift = Annotated[str, Field(pattern=r"^[+*-]\d{1,12}(\.\d{1,12})?$")]
_SHIFT = "Columns known ahead, from the cutoff on: `+2` or `-1.5` is added, `*1.1` multiplies, a number stands instead."


class Scenario(StrictBody):
    """What else may come."""

    name: str = Field(min_length=1, max_length=100, description="As the answer repeats it.")
    shift: dict[str, Shift | Number] = Field(min_length=1, max_length=64, description=_SHIFT)


class Options(StrictBody):
    """What is wanted beside the forecasts; answered as JSON only. What cannot be given is null, and a warning says why.

    Peak, energy, paths and sum are read off the same coherent paths.
    """

    peak: bool = Field(False, description="How high the delivery day's (else the first whole day's) peak, and when.")
    energy: bool = Field(False, description="Energy of that day.")
    paths: int | None = Field(
        None, description=f"So many equally likely paths (1 to {MOST_PATHS}), the n-th of all series together.",
        ge=1, le=MOST_PATHS,
    )  # fmt: skip
    sum: bool = Field(False, description="Also forecast the sum of all series.")
    scenarios: Annotated[list[Scenario], Field(fail_fast=True)] = Field([], max_length=MOST_SCENARIOS)
    explanation: bool = Field(False, description="Why each forecast is what it is; of a few series.")

    @model_validator(mode="after")
    def _names(self) -> Options:
        names = [one.name for one in self.scenarios]
        if len(set(names)) < len(names):
            raise ValueError("two scenarios have one name")
        return self

    @property
    def drawn(self) -> bool:
        """Whether paths are needed."""
        return self.peak or self.energy or self.sum or self.paths is not None


class ForecastRequest(StrictBody):
    """Series with their history, or names of series that the store has, and what is asked about them."""

    series: Annotated[list[SeriesBody], Field(fail_fast=True)] = Field(min_length=1)
    unit: Unit | None = Field(None, description="Unit of `y` and of the answer; the model's where left out.")
    cutoff: str | None = Field(
        None, description="The moment the forecast is made for, with zone; nothing known later is used. "
        "Where left out: when the last known value became known.",
    )  # fmt: skip
    horizon: int | None = Field(
        None, description="Steps from the cutoff, for 15 days at the most; the model's where left out.",
        json_schema_extra={"minimum": 1},
    )  # fmt: skip
    delivery_day: str | None = Field(
        None, pattern=r"^(19|20|21)\d\d-\d\d-\d\d$", description="Instead of `horizon`: a day in each series' zone.",
        json_schema_extra={"format": "date"},
    )  # fmt: skip
    gate: str | None = Field(
        None, pattern=r"^D(-\d{1,2})?T\d\d:\d\d$", description="With `delivery_day`, instead of `cutoff`: when its "
        "forecast is due on the clock of the series' zone, such as `D-1T10:00` (ten o'clock on the day before).",
    )  # fmt: skip
    as_of: str | None = Field(
        None, description="For series without `history`: only what the store knew at this moment, with zone, is used. "
        "Where left out: the cutoff or the gate, else now.",
    )  # fmt: skip
    store: bool = Field(True, description="Whether the answer is kept in the ledger; false saves a write.")
    quantiles: Annotated[list[Level], Field(fail_fast=True)] | None = Field(
        None, min_length=1, max_length=99, description="Levels wanted; all of the model's where left out."
    )
    options: Options | None = Field(None, description="What is wanted beside the forecasts.")

    @model_validator(mode="after")
    def _one_span(self) -> ForecastRequest:
        if self.horizon is not None and self.delivery_day is not None:
            raise ValueError("give horizon or delivery_day, not both")
        if self.gate is not None and self.delivery_day is None:
            raise ValueError("a gate needs the delivery_day whose forecast is due then")
        if self.gate is not None and self.cutoff is not None:
            raise ValueError("give gate or cutoff, not both")
        return self

    @model_validator(mode="after")
    def _one_memory(self) -> ForecastRequest:
        """All series bring their history, or the store has all of it."""
        with_history = [one.unique_id for one in self.series if one.history is not None]
        if with_history and len(with_history) < len(self.series):
            lacking = next(one.unique_id for one in self.series if one.history is None)
            raise ValueError(
                f"series '{with_history[0]}' brings a history and series '{lacking}' does not: send the history of all "
                "series, or of none (then the store is asked)"
            )
        if with_history and self.as_of is not None:
            raise ValueError("as_of is for series whose history the store has; with history send cutoff")
        return self

    @property
    def stateful(self) -> bool:
        """Whether the store has the history."""
        return self.series[0].history is None


class ModelName(BaseModel):
    """Which model answered."""

    name: str = Field(description="Of the registered model.")
    version: str | None = Field(description="In the registry; null for a plain folder.")
    run_id: str | None = Field(description="Of the MLflow run that made it.")
    alias: str | None = Field(description="It was found by.")
    recipe: str | None = Field(description="How it was trained; null out of the ledger, which does not keep it.")


Figure = dict[str, float | str | None]


class HourChance(BaseModel):
    """How likely an hour is to hold the peak."""

    ds: str = Field(description="START of the hour, UTC.")
    probability: float


class Peak(BaseModel):
    """The highest period of a day, else of the whole span."""

    day: str | None = Field(description="Which day; null: the whole span.")
    value: dict[str, float] = Field(description="`mean` and quantiles.")
    hour: list[HourChance] = Field(description="Hours that may hold it; empty where a period is longer than an hour.")


class Total(BaseModel):
    """What is said about the sum of all series."""

    ds: list[str]
    mean: list[float]
    quantiles: dict[str, list[float]]
    peak: Peak | None = Field(None, description="Where asked for.")
    energy: Figure | None = Field(None, description="Where asked for.")


class SeriesForecast(BaseModel):
    """What is said about one series; all lists are as long as `ds`."""

    unique_id: str
    ds: list[str] = Field(description="START of each period, UTC.")
    mean: list[float] = Field(description="The expectation.")
    quantiles: dict[str, list[float]] = Field(description="By level, as `q0.1`.")
    rung: str = Field(description="Which step of the fallbacks said it: `champion`, or a lower one.")
    reason: str | None = Field(description="Why not a higher one.")
    peak: Peak | None = Field(None, description="Where asked for.")
    energy: Figure | None = Field(None, description="Where asked for: `mean`, quantiles, `unit` and `day`.")
    paths: list[list[float]] | None = Field(None, description="Where asked for: a list as long as `ds` for each path.")
    explanation: dict[str, Any] | None = Field(None, description="Where asked for: causes, and days that were alike.")


class ScenarioForecast(BaseModel):
    """What is said if a scenario comes."""

    name: str
    forecasts: list[SeriesForecast] | None = Field(description="Of the series that a model answered.")


class ForecastAnswer(BaseModel):
    """Forecasts in the order of the request, and what to know about them."""

    id: str | None = Field(description="GET /v1/forecasts/{id} finds it again; null where it was not to be kept.")
    recorded: bool = Field(description="Whether it is in the ledger for certain.")
    issued_at: str = Field(description="When it was given out (UTC).")
    model: ModelName | None = Field(description="null where no model spoke.")
    rung: str = Field(description="The lowest step of the fallbacks that any series needed.")
    cutoff: str = Field(description="Nothing that became known later was used (UTC).")
    unit: Unit
    quantiles: list[float]
    warnings: list[str] = Field(description="What the model had to do without, with the stamps missing.")
    forecasts: list[SeriesForecast]
    sum: Total | None = Field(None, description="Where asked for.")
    scenarios: list[ScenarioForecast] | None = Field(None, description="Where asked for.")
