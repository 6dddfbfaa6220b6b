"""`forecast predict`: a trained model's forecast as a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from forecast.cli.console import console
from forecast.cli.options import Data, with_data
from forecast.cli.train import aware
from forecast.errors import DeclarationError


@with_data
def predict(
    data: Data,
    model: Annotated[str, typer.Option(help="Model folder, or models:/NAME@champion.")] = "model",
    cutoff: Annotated[str | None, typer.Option(help="The moment of the forecast [after the last known value].")] = None,
    horizon: Annotated[int | None, typer.Option(help="Steps to forecast [the model's task].")] = None,
    delivery_day: Annotated[
        str | None, typer.Option(help="Forecast this civil day instead, such as 2014-12-31.")
    ] = None,
    quantiles: Annotated[str | None, typer.Option(help="Levels, comma-separated [all of the model's].")] = None,
    out: Annotated[Path, typer.Option(help="Where to write: .csv or .parquet.")] = Path("forecast.csv"),
) -> None:
    """Forecast DATA with a trained model and write unique_id, ds, cutoff, model, mean and quantiles.

    Example: `forecast predict demand.csv --zone Europe/Lisbon --model model --horizon 48 --out forecast.csv`
    """
    from forecast import calendars
    from forecast.forecaster import Forecaster
    from forecast.registry.reader import resolve
    from forecast.settings import Settings

    check_out(out)
    if horizon is not None and delivery_day is not None:
        raise DeclarationError(f"--horizon {horizon} with --delivery-day {delivery_day}", "one of the two")
    forecaster = Forecaster.load(resolve(model, Settings.read()).folder)
    demand = data.like(forecaster.spec).demand()
    zone = demand.series[0].zone
    moment = aware(cutoff, "--cutoff", zone) if cutoff is not None else demand.last_known_end()
    spans = [calendars.delivery_day(delivery_day, zone)] if delivery_day is not None else None
    levels = _levels(quantiles)
    said = forecaster.predict(demand, [moment], horizon=horizon, spans=spans, quantiles=levels)
    write_table(said.frame.assign(model=said.model), out)
    begun = [f"{delivery_day} began before the cutoff: only the rest of it is forecast"]
    for warning in (*said.warnings, *(begun if spans is not None and spans[0][0] < moment else [])):
        console.print(f"[yellow]warning[/] {warning}", highlight=False, soft_wrap=True)
    console.print(f"{len(said.frame)} rows from {moment:%Y-%m-%d %H:%M}Z in {said.unit}, written to {out}")


def _levels(text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise DeclarationError(f"--quantiles is '{text}'", "levels such as 0.1,0.5,0.9") from None


def check_out(out: Path) -> None:
    """Whether a table can be written there, asked before anything long begins.

    Raises:
        DeclarationError: another kind of file, or a folder that does not exist.
    """
    if out.suffix not in (".csv", ".parquet"):
        raise DeclarationError(f"--out {out}", "a name that ends in .csv or .parquet")
    if not out.parent.is_dir():
        raise DeclarationError(f"--out {out}: folder {out.parent} does not exist", "an existing folder", "create it")


def write_table(frame: pd.DataFrame, out: Path) -> None:
    """Writes a forecast or walk table as CSV or Parquet in one step; the columns that name a row come first.

    Raises:
        DeclarationError: another kind of file, or a folder that does not exist.
        OSError: the system refused; a table that was there before stays.
    """
    check_out(out)
    first = [name for name in ("unique_id", "ds", "cutoff", "y", "model", "mean") if name in frame.columns]
    ordered = frame[[*first, *[name for name in frame.columns if name not in first]]]
    target = out.resolve()
    fresh = target.with_name(f".{target.name}.new-{os.getpid()}")
    try:
        if out.suffix == ".parquet":
            ordered.to_parquet(fresh, index=False)
        else:
            stamps = {name: ordered[name].dt.strftime("%Y-%m-%dT%H:%M:%SZ") for name in ("ds", "cutoff")}
            ordered.assign(**stamps).to_csv(fresh, index=False)
        fresh.replace(target)
    except OSError as error:
        error.filename = str(out)
        raise
    finally:
        fresh.unlink(missing_ok=True)
