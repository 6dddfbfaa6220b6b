"""`Space`: a base recipe and which of its fields may take which values."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from forecast.errors import RecipeError
from forecast.recipe import Recipe

Scalar = bool | int | float | str
Params = Mapping[str, Scalar]
# They say what is scored, what it is called or where it runs; a lucky seed is no better forecaster.
FIXED = (
    "name", "description", "quantiles", "model.kind", "model.training.seed", "model.training.device",
    "model.training.compile", "model.training.precision", "model.training.threads",
)  # fmt: skip
PROBED = 256


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Range(_Frozen):
    """Numbers from `low` to `high`, both included; drawn evenly, or evenly in the logarithm.

    Attributes:
        low, high: the ends; of an integer field they are whole.
        log: even in the logarithm.
        step: only `low` plus whole multiples of it.
    """

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not (np.isfinite([self.low, self.high]).all() and self.low < self.high):
            raise RecipeError(f"a range from {self.low} to {self.high}", "low < high", "correct the search space")
        if self.log and (self.low <= 0 or self.step is not None):
            raise RecipeError(
                f"a logarithmic range from {self.low} with step {self.step}", "low > 0 and no step",
                "correct the search space",
            )  # fmt: skip
        if self.step is not None and not _whole((self.high - self.low) / self.step):
            raise RecipeError(
                f"a range from {self.low} to {self.high} with step {self.step}", "high = low + whole steps",
                "correct high",
            )  # fmt: skip
        return self

    @property
    def whole(self) -> bool:
        """Both ends, and the step, are written without a fraction."""
        return all(isinstance(one, int) for one in (self.low, self.high, self.step or 1))

    def holds(self, value: object) -> bool:
        """Whether the value can be drawn."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        return self.step is None or _whole((value - self.low) / self.step)

    def probes(self) -> list[int | float]:
        """The values to try on a recipe: all of a short integer range, else the ends."""
        if self.whole:
            every = list(range(int(self.low), int(self.high) + 1, int(self.step or 1)))
            if len(every) <= PROBED:
                return list(every)
        return [self.low, self.high]


class Space(_Frozen):
    """A base recipe and what a search may change in it.

    Attributes:
        recipe: the base.
        fields: by dotted name ("model.training.rate"), a `Range` or a list of choices; "model.members.*.training.rate"
            is one value for all members that have the field.

    Raises:
        RecipeError: a field that the recipe does not have, or a value that it refuses; both are named.

    >>> from forecast.recipes import RIDGE
    >>> space = Space(recipe=RIDGE, fields={"features.knots": Range(low=3, high=9)})
    >>> space.apply({"features.knots": 5}).features.knots
    5
    """

    recipe: Recipe
    fields: dict[str, Range | tuple[Scalar, ...]]

    @model_validator(mode="after")
    def _fits_the_recipe(self) -> Self:
        if not self.fields:
            raise RecipeError("a search space without fields", "one field or more", "see docs/validation.md")
        for name, values in self.fields.items():
            self._check_field(name, values)
            for value in values.probes() if isinstance(values, Range) else values:
                self.apply({name: value})
        return self

    def _check_field(self, name: str, values: Range | tuple[Scalar, ...]) -> None:
        current = _read(self._tree(), name)
        if re.sub(r"^model\.members\.(\*|\d+)\.", "model.", name) in FIXED:
            raise RecipeError(f"the search space changes {name}", "a field that makes the forecaster", f"remove {name}")
        if isinstance(current, dict | list):
            raise RecipeError(f"{name} holds {len(current)} values", "the name of one value, such as features.knots")
        if not isinstance(values, Range):
            if len(set(values)) < 2:
                raise RecipeError(f"{name} has {len(set(values))} choices", "two or more", f"remove {name}")
        elif isinstance(current, str | bool):
            raise RecipeError(f"a range of numbers for {name} = {current!r}", "a list of choices", f"correct {name}")
        elif isinstance(current, int) and not values.whole:
            raise RecipeError(f"{name} from {values.low} to {values.high}", "whole numbers", f"correct {name}")

    def apply(self, params: Params) -> Recipe:
        """The base recipe with these values; everything else stays.

        Raises:
            RecipeError: a field or value that the recipe does not accept.
        """
        return changed(self.recipe, params)

    def base_params(self) -> dict[str, Scalar] | None:
        """The base recipe's own values; None where one of them lies outside the space."""
        tree = self._tree()
        values = {name: _read(tree, name) for name in self.fields}
        return values if all(self._holds(name, value) for name, value in values.items()) else None

    @property
    def shortest_context(self) -> pd.Timedelta:
        """The shortest history that a recipe of the space reads."""
        contexts = self.fields.get("context", (self.recipe.context,))
        assert not isinstance(contexts, Range)  # a duration is no number
        return min(pd.Timedelta(str(one)) for one in contexts)

    def is_whole(self, name: str) -> bool:
        """Whether a range draws integers: the recipe's field is one, or is unset and the range is whole."""
        current, values = _read(self._tree(), name), self.fields[name]
        return isinstance(values, Range) and not isinstance(current, float) and values.whole

    def _holds(self, name: str, value: object) -> bool:
        values = self.fields[name]
        return values.holds(value) if isinstance(values, Range) else value in values

    def _tree(self) -> dict[str, Any]:
        return self.recipe.model_dump(mode="json")

    @classmethod
    def of(cls, recipe: Recipe, fields: Mapping[str, object]) -> Self:
        """The space of plain values, as a TOML file holds them.

        Raises:
            RecipeError: see above; also where a value is neither a range nor a list.
        """
        try:
            return cls.model_validate({"recipe": recipe, "fields": dict(fields)})
        except ValidationError as error:
            name = ".".join(map(str, error.errors()[0]["loc"][1:2])) or "the search space"
            raise RecipeError(
                f"{name} is neither a range nor a list ({error.errors()[0]['msg']})",
                "{ low = 0.001, high = 0.01, log = true } or [16, 32]", f"correct {name}",
            ) from error  # fmt: skip

    @classmethod
    def from_toml(cls, path: Path, recipe: Recipe) -> Self:
        """The space of a TOML file whose dotted keys are fields of the recipe.

        Raises:
            RecipeError: the file is missing, not TOML, or does not fit the recipe.
        """
        try:
            tree = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise RecipeError(f"search space {path} cannot be read ({error.strerror})", "a TOML file") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise RecipeError(f"search space {path} is not TOML ({error})", "see docs/validation.md") from error
        return cls.of(recipe, dict(_leaves(tree)))


def value_of(recipe: Recipe, name: str) -> Scalar:
    """The recipe's value of a dotted field; with a `*`, of the first member that has it.

    Raises:
        RecipeError: the recipe has no such field.
    """
    value: Scalar = _read(recipe.model_dump(mode="json"), name)
    return value


def changed(recipe: Recipe, params: Params) -> Recipe:
    """The recipe with these values of dotted fields; everything else stays.

    Raises:
        RecipeError: a field or value that the recipe does not accept.
    """
    tree = recipe.model_dump(mode="json")
    for name, value in params.items():
        _write(tree, name, value)
    try:
        return Recipe.model_validate(tree)
    except (ValidationError, RecipeError) as error:
        told = ", ".join(f"{name} = {value}" for name, value in params.items())
        why = str(error.errors()[0]["msg"]) if isinstance(error, ValidationError) else str(error).rstrip(".")
        raise RecipeError(
            f"recipe '{recipe.name}' does not accept {told} ({why})", "values that the recipe accepts",
            "correct the search space",
        ) from error  # fmt: skip


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Dotted names and values of nested tables; a table with `low` or `high` is a range."""
    for name, value in tree.items():
        if isinstance(value, dict) and not {"low", "high"} & set(value):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _whole(number: float) -> bool:
    return bool(abs(number - round(number)) < 1e-9)


def _places(tree: Any, name: str) -> list[tuple[Any, Any]]:
    """Where a dotted field stands: once, or, with a `*`, in every member of the list there that has it."""
    before, star, after = name.partition(".*.")
    if not star:
        return [_parent(tree, name)]
    members, found = _read(tree, before), []
    for number in range(len(members) if isinstance(members, list) else 0):
        with suppress(RecipeError):
            found += _places(tree, f"{before}.{number}.{after}")
    if not found:
        raise RecipeError(f"no member of {before} has the field {after}", "a field of one of them", f"correct {name}")
    return found


def _parent(tree: Any, name: str) -> tuple[Any, Any]:
    """The container of a dotted field and its key; members of a list go by number."""
    node, passed = tree, ""
    *parts, last = name.split(".")
    for part in [*parts, last]:
        key: Any = int(part) if isinstance(node, list) and part.isdecimal() else part
        known = key in node if isinstance(node, dict) else isinstance(node, list) and key in range(len(node))
        if not known:
            offered = ", ".join(map(str, node)) if isinstance(node, dict) else "nothing below it"
            raise RecipeError(f"the recipe has no field {name}", f"in {passed or 'it'}: {offered}", f"correct {name}")
        container, node, passed = node, node[key], f"{passed}.{part}".lstrip(".")
    return container, key


def _read(tree: Any, name: str) -> Any:
    container, key = _places(tree, name)[0]
    return container[key]


def _write(tree: Any, name: str, value: Scalar) -> None:
    for container, key in _places(tree, name):
        container[key] = value
