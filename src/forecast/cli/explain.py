"""`forecast explain`: why a model forecasts what it forecasts."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from forecast import clock
from forecast.cli.console import console
from forecast.cli.options import Data, with_data
from forecast.cli.train import aware
from forecast.errors import DeclarationError, ModelFolderError

if TYPE_CHECKING:
    from forecast.explanations import Explanation


def _model_first(command: Any) -> Any:
    """The model is the command's first word, before DATA."""
    told: inspect.Signature = command.__signature__
    ordered = sorted(told.parameters.values(), key=lambda parameter: parameter.name != "model")
    command.__signature__ = told.replace(parameters=ordered)
    return command


@_model_first
@with_data
def explain(
    data: Data,
    model: Annotated[str, typer.Argument(help="Model folder, or models:/NAME@champion.")],
    cutoff: Annotated[str | None, typer.Option(help="The moment of the forecast [after the last known value].")] = None,
    horizon: Annotated[int | None, typer.Option(help="Steps to forecast [the model's task].")] = None,
    unique_id: Annotated[str | None, typer.Option(help="The series to explain [the only one].")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the figures [explanation; none with --json].")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON instead of tables.")] = False,
) -> None:
    """Explain a forecast: what calendar, weather and inertia add to the baseline, and which past days were alike.

    Example: `forecast explain model demand.csv --zone Europe/Lisbon --cutoff 2014-12-31 --out explanation`
    """
    from forecast.explanations import explain as explained
    from forecast.forecaster import Forecaster
    from forecast.registry.reader import resolve
    from forecast.settings import Settings

    folder = out if out is not None or as_json else Path("explanation")
    if folder is not None and folder.exists() and not folder.is_dir():
        raise DeclarationError(f"--out {folder} is a file", "a folder for the figures", "name another")
    _check_model(model, data.data)
    forecaster = Forecaster.load(resolve(model, Settings.read()).folder)
    demand = data.like(forecaster.spec).demand()
    zone = demand.series[0].zone
    moment = aware(cutoff, "--cutoff", zone) if cutoff is not None else demand.last_known_end()
    told = explained(forecaster, demand, moment, unique_id=unique_id, horizon=horizon)
    if as_json:
        typer.echo(json.dumps(told.as_dict(), allow_nan=False))
    else:
        _print(told)
    if folder is not None:
        written = _draw(told, folder)
        if not as_json:
            console.print(f"figures written to {', '.join(map(str, written))}", highlight=False, soft_wrap=True)


def _check_model(model: str, data: str) -> None:
    """Whether the command's first word can be a model; the two words are easily swapped."""
    folder = Path(model).expanduser()
    if model.startswith("models:") or folder.is_dir():
        return
    found = f"MODEL is {model}, " + ("a file" if folder.exists() else "and there is no such folder")
    other = Path(data).expanduser()
    swapped = data.startswith("models:") or (other / "manifest.json").is_file()
    advice = f"swap the two: forecast explain {data} {model}" if swapped else "name the model first, then the data"
    raise ModelFolderError(found, "a folder that `forecast train --out` wrote, or models:/NAME@champion", advice)


def _print(told: Explanation) -> None:
    console.print(_causes(told), _alike(told))
    if told.attention is None:
        console.print(f"attention: none, {told.no_attention}", highlight=False, soft_wrap=True)
    else:
        place = int(np.argmax(told.attention.weights_HL.mean(0)))
        console.print(f"attention: most of all on {_clock(told.attention.ds[place], told.zone)}", highlight=False)
    for warning in told.warnings:
        console.print(f"[yellow]warning[/] {warning}", highlight=False, soft_wrap=True)


def _causes(told: Explanation) -> Table:
    frame = told.frame()
    title = f"{told.unique_id} by {told.model}, from {_clock(told.cutoff, told.zone)} ({told.zone}), in {told.unit}"
    names = [name for name in frame.columns if name not in ("lead_hours", "ds")]
    days = f"{len(told.references)} past days that began at the same clock"
    caption = f"baseline: what {told.model} says on average for {days}; baseline + causes = forecast"
    for name in told.not_given:
        caption += f"\n{told.label(name)}: what leaving its columns empty does to the forecast"
    heads = [told.label(name).replace(" ", "\n") for name in names]
    table = _table(title, caption, ["lead h", "starts", *heads])
    digits = _digits(told)
    for row in frame.to_dict("records"):
        shown = [f"{row[name]:{'+' if name in told.groups else ''},.{digits}f}" for name in names]
        table.add_row(f"{row['lead_hours']:g}", _clock(row["ds"], told.zone, "%a %m-%d %H:%M"), *shown)
    return table


def _alike(told: Explanation) -> Table:
    caption = f"cosine of {told.similar.space}; {told.similar.candidates} days looked at"
    columns = ["cutoff", "similarity", "mean outcome", "lowest", "highest"]
    table = _table("The most similar past days", caption, columns)
    for day in told.similar.days:
        numbers = [f"{of(day.outcome_H):,.{_digits(told)}f}" for of in (np.nanmean, np.nanmin, np.nanmax)]
        table.add_row(_clock(day.cutoff, told.zone), f"{day.similarity:.4f}", *numbers)
    return table


def _table(title: str, caption: str, columns: list[str]) -> Table:
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left", box=SIMPLE_HEAD,
                  padding=(0, 1, 0, 0))  # fmt: skip
    for name in columns:
        table.add_column(name, justify="left" if name in ("starts", "cutoff") else "right", no_wrap=True)
    return table


def _draw(told: Explanation, folder: Path) -> list[Path]:
    from forecast.plots.explanations import explanation_figures

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in explanation_figures(told).items():
        written.append(folder / f"{name.replace(' ', '-')}.png")
        figure.savefig(written[-1], dpi=130)
    return written


def _clock(moment: Any, zone: str, form: str = "%a %Y-%m-%d %H:%M") -> str:
    return str(moment.tz_convert(clock.zone(zone)).strftime(form))


def _digits(told: Explanation) -> int:
    """Decimals that show the thousandth of a forecast."""
    return 1 if np.abs(told.forecast_H).max() >= 100 else 3
