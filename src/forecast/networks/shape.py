"""`NetworkShape`: the sides of the arrays that a network is made for."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from forecast.errors import RecipeError


class NetworkShape(BaseModel):
    """The sides of the arrays that a network is made for.

    `context` and `horizon` are the usual lengths in steps; a call may use others. Column 0 of the past is the load.
    `past_load_columns` and `future_load_columns` are in the load's unit and are scaled with the window.
    `hour_columns` = (a, b) says that future columns a to b-1 are the one-hot local hour. `level_steps` newest steps
    make the window's level. `future_units` names, for each future column, the column whose deviation it is measured in
    (empty: each in its own). `base_column` is a future column with somebody's forecast: the network adds to it. The
    decoder walks in steps of `stride`: those of an hour. `peers` series, of which `peer_columns` are told at every
    cutoff, were learned together (0: a single one).

    Raises: RecipeError for quantiles that do not rise inside (0, 1), and columns that do not exist.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    past_columns: int = Field(ge=1)
    future_columns: int = Field(ge=0)
    static_columns: int = Field(default=0, ge=0)
    context: int = Field(ge=1)
    horizon: int = Field(ge=1)
    quantiles: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    past_load_columns: tuple[int, ...] = (0,)
    future_load_columns: tuple[int, ...] = ()
    future_units: tuple[int, ...] = ()
    hour_columns: tuple[int, int] | None = None
    level_steps: int = Field(default=168, ge=1)
    steps_per_hour: int = Field(default=1, ge=1)
    base_column: int | None = None
    stride: int = Field(default=1, ge=1)
    peers: int = Field(default=0, ge=0)
    peer_columns: int = Field(default=0, ge=0)

    @property
    def day_steps(self) -> int:
        """Steps in 24 hours, the level's week being seven of them; at least one."""
        return max(1, self.level_steps // 7)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        rising = all(low < high for low, high in zip(self.quantiles, self.quantiles[1:], strict=False))
        if not self.quantiles or not rising or self.quantiles[0] <= 0.0 or self.quantiles[-1] >= 1.0:
            raise RecipeError(f"quantiles {self.quantiles}", "levels that rise inside (0, 1)", "sort and correct them")
        _check_columns("past_load_columns", self.past_load_columns, self.past_columns)
        _check_columns("future_load_columns", self.future_load_columns, self.future_columns)
        _check_columns("future_units", self.future_units, self.future_columns)
        if len(self.future_units) not in (0, self.future_columns):
            raise RecipeError(
                f"{len(self.future_units)} future_units", f"{self.future_columns} or none", "name one for each column"
            )
        if self.base_column is not None:
            _check_columns("base_column", (self.base_column,), self.future_columns)
        first, end = self.hour_columns if self.hour_columns is not None else (0, 0)
        if self.hour_columns is not None and not 0 <= first < end <= self.future_columns:
            raise RecipeError(
                f"hour_columns {self.hour_columns} of {self.future_columns} future columns",
                "a slice (first, last + 1) of the future columns",
                "correct hour_columns",
            )
        return self


def _check_columns(name: str, columns: tuple[int, ...], count: int) -> None:
    beyond = [column for column in columns if not 0 <= column < count]
    if beyond:
        raise RecipeError(f"{name} {beyond}", f"column numbers from 0 to {count - 1}", "correct the column numbers")
