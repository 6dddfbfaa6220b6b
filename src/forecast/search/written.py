"""A recipe as the TOML text that `Recipe.from_toml` reads."""

from __future__ import annotations

import json
from typing import Any, get_args

from forecast.networks.configs import NetworkConfig
from forecast.recipe import Recipe

LEFT_OUT_BY_FALSE = tuple(
    name for name, field in NetworkConfig.model_fields.items() if type(None) in get_args(field.annotation)
)


def recipe_toml(recipe: Recipe) -> str:
    """Every field of a recipe as TOML; reading it again gives an equal recipe.

    >>> from forecast.recipes import RIDGE
    >>> print(recipe_toml(RIDGE).splitlines()[0])
    name = "ridge"
    """
    return "\n".join(_table(recipe.model_dump(mode="json"), "")).strip() + "\n"


def _table(tree: dict[str, Any], path: str) -> list[str]:
    own = [f"{name} = {_value(value)}" for name, value in _said(tree).items() if not isinstance(value, dict)]
    head = ["", f"[{path}]"] if path and own else []
    lines = head + own
    for name, value in tree.items():
        if isinstance(value, dict):
            lines += _table(value, f"{path}.{name}".lstrip("."))
    return lines


def _said(tree: dict[str, Any]) -> dict[str, Any]:
    """What stands in the file: TOML has no null, and `highway = false` is how a recipe leaves it out."""
    told = {name: False if name in LEFT_OUT_BY_FALSE and value is None else value for name, value in tree.items()}
    return {name: value for name, value in told.items() if value is not None}


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_value(one)}" for name, one in _said(value).items()) + " }"
    return repr(value)
