"""`forecast predict`: a trained model's forecast as a file."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pandas as pd
import typer

from forecast.cli import recording
from forecast.cli.console import console
from forecast.cli.options import Data, with_data
from forecast.cli.reconciling import Errors, Parents, Reconcile, Reconciling
from forecast.cli.recording import Record
from forecast.cli.train import aware
from forecast.errors import DeclarationError, RequestError
from forecast.tables import quantile_columns

if TYPE_CHECKING:
    from forecast.forecaster import Forecaster
    from forecast.paths import Daily
    from forecast.tables import Demand, Forecast


EXAMINED, COMPARED_DAYS = 50, 120
"""Of so many series at most the history is examined before a forecast is told, and so much of it."""


@with_data
def predict(
    data: Data,
    model: Annotated[str, typer.Option(help="Model folder, or models:/NAME@champion.")] = "model",
    cutoff: Annotated[str | None, typer.Option(help="The moment of the forecast [after the last known value].")] = None,
    horizon: Annotated[int | None, typer.Option(help="Steps to forecast [the model's task].")] = None,
    delivery_day: Annotated[
        str | None, typer.Option(help="Forecast this civil day instead, such as 2014-12-31.")
    ] = None,
    gate: Annotated[
        str | None, typer.Option(help="Forecast that day from its gate, such as D-1T10:00 in the series' zone.")
    ] = None,
    quantiles: Annotated[str | None, typer.Option(help="Levels, comma-separated [all of the model's].")] = None,
    out: Annotated[Path, typer.Option(help="Where to write: .csv or .parquet.")] = Path("forecast.csv"),
    daily: Annotated[
        Path | None, typer.Option(help="Also write each whole day's peak, its hour and the energy: .csv or .parquet.")
    ] = None,
    parents: Parents = None,
    reconcile: Reconcile = None,
    errors: Errors = None,
    record: Record = False,
) -> None:
    """Forecast DATA with a trained model and write unique_id, ds, cutoff, model, mean and quantiles.

    Example: `forecast predict demand.csv --zone Europe/Lisbon --model model --horizon 48 --out forecast.csv`
    """
    from forecast.calendars import told
    from forecast.paths import Daily
    from forecast.registry.reader import resolve
    from forecast.registry.serving import load_here
    from forecast.settings import Settings
    from forecast.tables.forecast import check_levels

    _check_files(out, daily)
    _check_words(cutoff, horizon, delivery_day, gate)
    reconciling = Reconciling.of(parents, reconcile, errors, data.data)
    settings = Settings.read()
    found = resolve(model, settings)
    forecaster = load_here(found, settings)
    # Meters that are yet to be measured may stand in it: whether that will do, the model decides.
    demand = data.like(forecaster.spec).demand(forecast_only=True)
    offered = forecaster.spec.recipe.quantiles
    levels = check_levels(_levels(quantiles) or offered, offered)
    # Days are read off all levels, whichever are asked for.
    if gate is not None:
        said = forecaster.predict_days(demand, [str(delivery_day)], gate=gate)
    else:
        moment = _moment(cutoff, forecaster, demand)
        said = (
            _rest_of_day(forecaster, demand, delivery_day, moment, given=cutoff is not None)
            if delivery_day is not None
            else forecaster.predict(demand, [moment], horizon=horizon)
        )
    if reconciling is not None:
        said = reconciling.done(said, demand)
    if record:
        issued = recording.record(data.data, said, demand, found, delivery_day, gate)
        console.print(f"recorded in the ledger as {issued.id}", highlight=False)
    lived = told(said.frame, demand.zones)
    write_table(_only(levels, said, lived), out)
    for warning in (*said.warnings, *data.unlearned(forecaster.spec), *_dirt(demand, said)):
        console.print(f"[yellow]warning[/] {warning}", highlight=False, soft_wrap=True)
    first = lived["ds"].min()
    console.print(f"{len(said.frame)} rows from {first:%Y-%m-%d %H:%M}Z in {said.unit}, written to {out}")
    if daily is not None:
        _check_parts_of_days(demand, out)
        days = Daily.from_forecast(said, forecaster.ranks_DH, demand.zones)
        write_table(_only(levels, said, days.frame), daily)
        console.print(_told(days, daily), highlight=False)


def _dirt(demand: Demand, said: Forecast) -> list[str]:
    """What cannot be true in the two weeks that the forecast of each of a few series starts from."""
    from forecast.quality import examine

    if len(demand.series) > EXAMINED:
        return []
    cutoff = said.frame["cutoff"].min()
    recent, before = cutoff - pd.Timedelta(days=14), cutoff - pd.Timedelta(days=COMPARED_DAYS)
    report = examine(demand.as_of(cutoff).since(before))
    found = [one for one in report.findings if one.severity == "error" and one.last >= recent]
    return [
        f"{one.series}: {one.rule} from {one.first:%Y-%m-%d %H:%M}Z in the history that this forecast starts from "
        f"({one.size}); correct it at its source" for one in found
    ]  # fmt: skip


def _check_words(cutoff: str | None, horizon: int | None, delivery_day: str | None, gate: str | None) -> None:
    """Raises a DeclarationError where two options contradict each other."""
    if horizon is not None and delivery_day is not None:
        raise DeclarationError(f"--horizon {horizon} with --delivery-day {delivery_day}", "one of the two")
    if gate is not None and delivery_day is None:
        raise DeclarationError(f"--gate {gate} without --delivery-day", "the day whose forecast is due then")
    if gate is not None and cutoff is not None:
        raise DeclarationError(
            f"--gate {gate} with --cutoff {cutoff}", "one of the two: the gate says the moment of the forecast"
        )


def _moment(cutoff: str | None, forecaster: Forecaster, demand: Demand) -> pd.Timestamp:
    """The moment of the forecast: the one said, or the end of what is known."""
    return aware(cutoff, "--cutoff", demand.series[0].zone) if cutoff is not None else forecaster.next_cutoff(demand)


def _rest_of_day(
    forecaster: Forecaster, demand: Demand, day: str, moment: pd.Timestamp, *, given: bool
) -> Forecast:  # fmt: skip
    """The delivery day, or what is left of it; the warnings say where it has begun."""
    from forecast.calendars import delivery_day, moment_outside

    bounds = {zone: delivery_day(day, zone) for zone in dict.fromkeys(demand.zones.values())}
    if min(end for _, end in bounds.values()) <= moment:
        raise _over(day, moment_outside(moment, next(iter(bounds))), given=given)
    said = forecaster.predict_days(demand, [day], cutoff=moment)
    begun = [f"{day} began before the cutoff: only the rest of it is forecast"]
    late = any(start < moment for start, _ in bounds.values())
    return replace(said, warnings=(*said.warnings, *(begun if late else [])))


def _check_parts_of_days(demand: Demand, out: Path) -> None:
    """Raises a RequestError where a day has no peak hour and no sum."""
    if demand.step >= pd.Timedelta(days=1):
        raise RequestError(
            f"--daily of periods of {demand.step / pd.Timedelta(days=1):g} days: a day has a single period at the most",
            "several periods a day", f"read the days in {out}, and leave out --daily",
        )  # fmt: skip


def _over(day: str, moment: pd.Timestamp, *, given: bool) -> RequestError:
    """What to say of a delivery day that is over at the moment of the forecast."""
    what = "the cutoff" if given else "the last known value, at whose end a forecast begins"
    return RequestError(
        f"the day {day} lies before {what} ({moment:%Y-%m-%dT%H:%MZ})", "a day that is still to come",
        f"give a --cutoff before {day}, or a later --delivery-day",
    )  # fmt: skip


def _only(levels: tuple[float, ...], said: Forecast, frame: pd.DataFrame) -> pd.DataFrame:
    """A table of a forecast or of its days, with who said it, and without the levels that nobody asked for."""
    kept, every = (
        {f"{side}{name}" for side in ("", "peak_", "energy_") for name in quantile_columns(some)}
        for some in (levels, said.levels)
    )
    return frame.drop(columns=sorted((every - kept) & set(frame.columns))).assign(model=said.model)


def _told(days: Daily, file: Path) -> str:
    count = "1 day" if len(days.frame) == 1 else f"{len(days.frame)} days"
    return f"{count}, peaks in {days.unit} and energy in {days.energy_unit}, written to {file}"


def _check_files(out: Path, daily: Path | None) -> None:
    check_out(out)
    if daily is None:
        return
    check_out(daily, "--daily")
    if daily.resolve() == out.resolve():
        raise DeclarationError(f"--out and --daily are both {out}", "two files", "rename one")


def _levels(text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise DeclarationError(f"--quantiles is '{text}'", "levels such as 0.1,0.5,0.9") from None


def check_out(out: Path, option: str = "--out") -> None:
    """Whether a table can be written there, asked before anything long begins.

    Raises:
        DeclarationError: another kind of file, or a folder that does not exist.
    """
    if out.suffix not in (".csv", ".parquet"):
        raise DeclarationError(f"{option} {out}", "a name that ends in .csv or .parquet")
    check_folder(out, option)


def check_folder(out: Path, option: str = "--out") -> None:
    """Whether the folder of a file to be written exists.

    Raises:
        DeclarationError: it does not.
    """
    if not out.parent.is_dir():
        raise DeclarationError(f"{option} {out}: folder {out.parent} does not exist", "an existing folder", "create it")


def write_table(frame: pd.DataFrame, out: Path) -> None:
    """Writes a table of forecasts, of a walk or of days as CSV or Parquet in one step; what names a row comes first.

    Raises:
        DeclarationError: another kind of file, or a folder that does not exist.
        OSError: the system refused; a table that was there before stays.
    """
    check_out(out)
    first = [name for name in ("unique_id", "ds", "day", "cutoff", "y", "model", "mean") if name in frame.columns]
    ordered = frame[[*first, *[name for name in frame.columns if name not in first]]]
    target = out.resolve()
    fresh = target.with_name(f".{target.name}.new-{os.getpid()}")
    try:
        if out.suffix == ".parquet":
            ordered.to_parquet(fresh, index=False)
        else:
            stamps = [name for name in ("ds", "cutoff") if name in ordered.columns]
            said = {name: ordered[name].dt.strftime("%Y-%m-%dT%H:%M:%SZ") for name in stamps}
            ordered.assign(**said).to_csv(fresh, index=False)
        fresh.replace(target)
    except OSError as error:
        error.filename = str(out)
        raise
    finally:
        fresh.unlink(missing_ok=True)
