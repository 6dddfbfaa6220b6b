"""What of a recipe's file does not fit, told by the names that stand in the file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

SHOWN = 5
Tables = tuple[type[BaseModel], ...]


def misfits(error: ValidationError, tree: Mapping[str, Any], top: type[BaseModel]) -> str:
    """The first fields that do not fit and why; a union of plain values says what each branch wants.

    Args:
        error: what pydantic found.
        tree: what the file holds.
        top: what it was read as.
    """
    told: dict[str, list[str]] = {}
    for one in error.errors():
        subject, why = _told(one, tree, top)
        told.setdefault(subject, []).append(why)
    paths = {subject: subject.partition(" = ")[0] for subject in told}
    # A list of which one entry does not fit is also found too short.
    deepest = [one for one in told if not any(path.startswith(f"{paths[one]}.") for path in paths.values())]
    return "; ".join(f"{one}: {' or '.join(told[one])}" for one in deepest[:SHOWN])


def _told(one: Any, tree: Any, top: type[BaseModel]) -> tuple[str, str]:
    """A field of the file with its value, and why it does not fit."""
    path, tables = _place(one["loc"], tree, (top,))
    name, wrong = ".".join(path) or "recipe", one["type"]
    if wrong == "extra_forbidden":
        return name, _unknown(path[-1], tables)
    if wrong == "missing":
        return name, "is missing"
    if wrong == "union_tag_not_found":
        return f"{name}.kind", f"is missing; one of {_kinds(tables)}"
    if wrong == "union_tag_invalid":
        return f"{name}.kind{_value(one['input'].get('kind'))}", f"none of {_kinds(tables)}"
    table = wrong in ("model_type", "model_attributes_type")
    return f"{name}{_value(one['input'])}", "must be a table" if table else one["msg"].removeprefix("Value error, ")


def _place(loc: tuple[int | str, ...], node: Any, tables: Tables) -> tuple[list[str], Tables]:
    """The path in the file of pydantic's place, and what the value there may be read as, or, of an unknown field, its
    table. pydantic's places also name the kind that a table was read as, and the branches of a union of plain values.
    """
    path: list[str] = []
    names_kind = False
    for part in loc:
        if isinstance(node, list) and isinstance(part, int):
            path.append(str(part))
            node, names_kind = node[part], len(tables) > 1
        elif names_kind:
            names_kind = False
        elif isinstance(node, dict) and (read_as := _read_as(tables, node)):
            path.append(str(part))
            field = read_as.model_fields.get(str(part))
            if field is None:
                return path, (read_as,)
            node, tables = node.get(part), _tables(field.annotation)
            names_kind = len(tables) > 1
        else:
            break
    return path, tables


def _tables(annotation: Any) -> Tables:
    """The models that an annotation names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,)
    return tuple(table for part in get_args(annotation) for table in _tables(part))


def _read_as(tables: Tables, node: Mapping[str, Any]) -> type[BaseModel] | None:
    """The one of several models whose kind a table names."""
    if len(tables) == 1:
        return tables[0]
    return next((table for table in tables if node.get("kind") in _kinds_of(table)), None)


def _kinds_of(table: type[BaseModel]) -> tuple[str, ...]:
    return get_args(table.model_fields["kind"].annotation)


def _kinds(tables: Tables) -> str:
    return ", ".join(repr(kind) for table in tables for kind in _kinds_of(table))


def _unknown(name: str, tables: Tables) -> str:
    fields = [field for table in tables for field in table.model_fields]
    near = get_close_matches(name, fields, 1)
    return f"no such field, did you mean {near[0]}?" if near else f"no such field; there are {', '.join(fields)}"


def _value(value: Any) -> str:
    """A single value as TOML writes it; a table or list says nothing."""
    return f" = {json.dumps(value, ensure_ascii=False)}" if isinstance(value, str | int | float) else ""
