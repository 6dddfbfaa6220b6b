"""Options that several commands share, declared once: the data's and the walk's."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable
from copy import copy
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import pandas as pd
import typer

from forecast.calendars import read_events
from forecast.errors import DeclarationError
from forecast.sources import Declaration, describes_itself, read
from forecast.tables import Demand

if TYPE_CHECKING:
    from forecast.forecaster import ForecasterSpec
    from forecast.recipe import Recipe

_DATA = "The data"


def _option(text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=_DATA)


def _read_config(context: typer.Context, value: Path | None) -> Path | None:
    """Options of a TOML file stand where no flag was given."""
    if value is None:
        return None
    try:
        options = tomllib.loads(value.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeclarationError(
            f"--config {value} cannot be read ({error.strerror})", "a TOML file of options"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeclarationError(
            f"--config {value} is not TOML ({error})", 'lines such as zone = "Europe/Lisbon"'
        ) from error
    odd = sorted(name for name, option in options.items() if isinstance(option, dict) or name in ("data", "config"))
    if odd:
        raise DeclarationError(
            f"--config {value} holds {', '.join(odd)}", "options only, without tables, data or config"
        )
    mine = {str(parameter.name) for parameter in context.command.params}
    fields = {name.replace("-", "_"): _plain(option) for name, option in options.items()}
    unknown = sorted(set(fields) - mine - _others(context))
    if unknown:
        offered = ", ".join(sorted(mine - {"config", "help"}))
        raise DeclarationError(f"--config {value} holds unknown options {', '.join(unknown)}", f"some of {offered}")
    taken = {name: option for name, option in fields.items() if name in mine}
    context.default_map = {**(context.default_map or {}), **taken}
    return value


def _others(context: typer.Context) -> set[str]:
    """Options of the other commands: one file may serve them all."""
    commands = getattr(context.parent.command, "commands", {}) if context.parent is not None else {}
    return {str(parameter.name) for command in commands.values() for parameter in command.params}


def _plain(option: Any) -> Any:
    return ",".join(map(str, option)) if isinstance(option, list) else option


class DataOptions:
    """The data options as parameters; annotations are what the command line shows."""

    data: Annotated[
        str, typer.Argument(help="CSV or Parquet file, SQLAlchemy URL (with --query), or the word store or sample.")
    ]
    time: Annotated[str | None, _option("Column of the stamps [guessed: ds, timestamp, time, datetime, date].")] = None
    target: Annotated[str | None, _option("Column(s) of demand, comma-separated [guessed: y, demand, load].")] = None
    series: Annotated[str | None, _option("Column that names the series [guessed: unique_id].")] = None
    known: Annotated[str | None, _option("Covariates known ahead, comma-separated: temperature,holiday.")] = None
    past: Annotated[str | None, _option("Covariates known up to the cutoff only, comma-separated.")] = None
    static: Annotated[str | None, _option("Covariates that never change within a series, comma-separated.")] = None
    only: Annotated[str | None, _option("Series to read, comma-separated [all].")] = None
    zone: Annotated[str | None, _option("Civil zone: Australia/Melbourne, or an offset such as +01:00.")] = None
    stamp_zone: Annotated[str | None, _option("Clock of stamps without a zone, where it is not the civil one.")] = None
    stamp: Annotated[Literal["start", "end"], _option("Whether stamps mark the start or the end of their period.")] = (
        "start"
    )
    freq: Annotated[str | None, _option("Length of a period, such as 30min [read from the stamps].")] = None
    unit: Annotated[str, _option("MW, kW, GW, MWh or kWh.")] = "MW"
    available_at: Annotated[str | None, _option("Column that says when each row became known.")] = None
    delay: Annotated[str, _option("How long after its period's end a value becomes known.")] = "0h"
    decimal: Annotated[str, _option("Decimal mark of numbers in text, . or ,")] = "."
    country: Annotated[str | None, _option("Public holidays: ISO code such as PT or AU-VIC.")] = None
    countries: Annotated[str | None, _option("Of single series, where they differ: north=PT,south=ES-MD.")] = None
    events: Annotated[
        str | None, _option("CSV or Parquet of events: name, start, end, optionally series, country, subdivision.")
    ] = None
    query: Annotated[str | None, _option("SQL query, when DATA is a database URL.")] = None
    config: Annotated[
        Path | None,
        typer.Option(
            help="TOML file of options; a flag wins over it.",
            callback=_read_config,
            is_eager=True,
            rich_help_panel=_DATA,
        ),
    ] = None


class Data:
    """What the data options said.

    Attributes:
        data: path, URL or `sample`.
        declaration: columns, clock, unit.
        query: SQL, where data is a URL.
    """

    def __init__(self, values: dict[str, Any]) -> None:
        self.data: str = values["data"]
        self.query: str | None = values["query"]
        left = {name: value for name, value in values.items() if name not in ("data", "query", "config")}
        self.declaration = Declaration.of({name: value for name, value in left.items() if value is not None})

    def demand(self, *, forecast_only: bool = False) -> Demand:
        """The checked table; one that is only forecast from may hold series without any demand."""
        declaration = self.declaration.model_copy(update={"forecast_only": forecast_only})
        return read(self.data, declaration, query=self.query)

    def like(self, spec: ForecasterSpec) -> Data:
        """The same, with what was not declared taken from a model: zone, delay, countries, and the events it knows."""
        declared, learned = self.declaration, dict[str, Any]()
        if declared.events is not None:
            learned["event_names"] = spec.events
        if not describes_itself(self.data):
            learned |= self._as_learned(spec)
        kept = {name: getattr(declared, name) for name in declared.model_fields_set}
        twin = copy(self)
        twin.declaration = Declaration.of({**kept, **learned})
        return twin

    def _as_learned(self, spec: ForecasterSpec) -> dict[str, Any]:
        """What a table that does not describe itself takes from a model."""
        declared, learned = self.declaration, dict[str, Any]()
        if declared.zone is None:
            learned["zone"] = spec.zone
        if not declared.country:
            learned |= {"country": spec.country, "countries": {**spec.countries, **declared.countries}}
        if declared.available_at is None and declared.lag == pd.Timedelta(0):
            learned["delay"] = f"{spec.delay_seconds}s"
        return learned

    def unlearned(self, spec: ForecasterSpec) -> list[str]:
        """A warning about events of the file that a model did not learn."""
        if self.declaration.events is None:
            return []
        unread = [name for name in read_events(self.declaration.events).names if name not in spec.events]
        told = f"the model did not learn these events, and they are not read: {', '.join(unread)}; train again"
        return [told] if unread else []


def with_data(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the data options; it receives them as its first argument, a `Data`."""
    hints = get_type_hints(DataOptions, include_extras=True)
    names = list(hints)
    data = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, annotation=hints[name],
            default=getattr(DataOptions, name, inspect.Parameter.empty),
        )
        for name in names
    ]  # fmt: skip

    own_hints = get_type_hints(command, include_extras=True)
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=own_hints[parameter.name])
        for parameter in list(inspect.signature(command).parameters.values())[1:]
    ]

    @wraps(command)
    def run(**values: Any) -> Any:
        given = Data({name: values.pop(name) for name in names})
        return command(given, **values)

    run.__signature__ = inspect.Signature([*data, *own])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*data, *own]}
    del run.__wrapped__
    return run


_WALK = "The walk"

Start = Annotated[
    str, typer.Option(help="First civil day that is forecast, such as 2024-07-01.", rich_help_panel=_WALK)
]
End = Annotated[str, typer.Option(help="Last civil day that is forecast, such as 2024-12-31.", rich_help_panel=_WALK)]
Every = Annotated[
    str,
    typer.Option(help="When forecasts are issued: 1d (civil midnights), delivery-day, 6h, ...", rich_help_panel=_WALK),
]
Gate = Annotated[str | None, typer.Option(help="When a delivery day is due, such as D-1T10:00.", rich_help_panel=_WALK)]
Horizon = Annotated[int | None, typer.Option(help="Steps to forecast [one day].", rich_help_panel=_WALK)]
Refit = Annotated[str, typer.Option(help="Train again: never, monthly, or after N cutoffs.", rich_help_panel=_WALK)]
Warm = Annotated[
    bool,
    typer.Option(
        "--warm", help="Train again from the fit before, with few epochs, instead of anew.", rich_help_panel=_WALK
    ),
]
Quality = Annotated[
    Literal["keep", "mask"],
    typer.Option(help="What quality finds wrong: keep it, or mask it, so that it is neither learned nor scored."),
]
Workers = Annotated[int, typer.Option(help="Processes that work side by side.", rich_help_panel=_WALK)]


def parse_refit(text: str) -> str | int:
    """ "never", "monthly", or a number of cutoffs.

    Raises:
        DeclarationError: it is none of them.
    """
    if text in ("never", "monthly"):
        return text
    if text.isdigit() and int(text) > 0:
        return int(text)
    raise DeclarationError(f"--refit is '{text}'", "never, monthly, or a number of cutoffs from 1")


def parse_recipes(text: str) -> list[Recipe]:
    """The recipes of `--recipe`, comma-separated.

    Raises:
        RecipeError: there is none of a name. DeclarationError: one stands there twice.
    """
    from forecast.recipes import named

    recipes = [named(name.strip()) for name in text.split(",")]
    names = [one.name for one in recipes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DeclarationError(f"--recipe {text} holds {', '.join(twice)} more than once", "every recipe once")
    return recipes


def check_workers(workers: int) -> None:
    """Raises a DeclarationError unless there is somebody to work."""
    if workers < 1:
        raise DeclarationError(f"--workers is {workers}", "1 or more")
