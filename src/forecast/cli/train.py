"""`forecast train`: one recipe, one model folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pandas as pd
import typer

from forecast.cli.console import bars, console
from forecast.cli.options import Data, Quality, check_workers, with_data
from forecast.errors import DeclarationError

if TYPE_CHECKING:
    from forecast.forecaster import Forecaster
    from forecast.tables import Demand
    from forecast.training import Fitted, TrainingReport

REACH = {
    "healthy": "they reach the oldest steps of the context",
    "vanishing": "next to nothing of them reaches the oldest steps of the context (docs/choosing.md, truncation)",
    "exploding": "those of the oldest steps outweigh the newest: lower training.rate or training.clip",
}
MOSTLY = 0.5


@with_data
def train(
    data: Data,
    recipe: Annotated[str, typer.Option(help="A named recipe, or a TOML file of your own.")] = "default",
    out: Annotated[Path, typer.Option(help="Folder for the model.")] = Path("model"),
    horizon: Annotated[int | None, typer.Option(help="Steps it will be asked for [one day].")] = None,
    every: Annotated[
        str, typer.Option(help="At which moments it will be asked: any, 1d (civil midnights), delivery-day, 6h.")
    ] = "any",
    gate: Annotated[str | None, typer.Option(help="When a delivery day is due, such as D-1T10:00.")] = None,
    until: Annotated[str | None, typer.Option(help="Learn only from what was known at this stamp.")] = None,
    quality: Quality = "keep",
    checkpoint: Annotated[
        Path | None, typer.Option(help="Folder for checkpoints: a killed run goes on from there, to the same bits.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Members of an ensemble that learn side by side [one per core].")
    ] = None,
    register: Annotated[str | None, typer.Option(help="Also register it under this name, as challenger.")] = None,
) -> None:
    """Train one recipe on DATA and write a model folder (JSON, safetensors and ONNX graphs, no pickle).

    Example: `forecast train demand.csv --zone Europe/Lisbon --recipe lstm --out model`
    """
    from forecast.forecaster import check_target
    from forecast.forecaster.exporting import with_graphs
    from forecast.recipe import Task
    from forecast.recipes import named, treated
    from forecast.training import cores, fit

    check_target(out)
    processes = workers if workers is not None else cores()
    check_workers(processes)
    demand = data.demand()
    chosen = treated(named(recipe), quality)
    if until is not None:
        demand = demand.as_of(aware(until, "--until", demand.series[0].zone))
    task = Task(horizon=_asked(horizon, every, gate, demand), every=every, gate=gate)
    check_horizon(task.horizon, demand)
    with bars() as shown:
        fitted = fit(demand, chosen, task, checkpoint=checkpoint, progress=shown.of(chosen.name), processes=processes)
    with_graphs(fitted.forecaster).save(out)
    report = fitted.report
    best = f", best epoch {report.best_epoch}" if report.best_epoch else ""
    console.print(
        f"[green]{chosen.name}[/] learned from {report.windows:,} windows in {report.seconds:.0f} s{best}; "
        f"written to {out}"
    )
    _report(fitted)
    if register is not None:
        from forecast.registry.writer import register_folder
        from forecast.settings import Settings

        version = register_folder(out, Settings.read(model_name=register), fitted.report, demand=demand)
        console.print(
            f"Registered as models:/{register}/{version}; `forecast serve --model models:/{register}/{version}`"
        )


def _report(fitted: Fitted) -> None:
    """What a training says of its gradients, of intervals where nothing was held out, and of columns not shown."""
    report = fitted.report
    if report.gradient_health:
        told = f"gradients: {report.gradient_health}, {REACH[report.gradient_health]}"
        colour = "green" if report.gradient_health == "healthy" else "yellow"
        console.print(f"[{colour}]{told}[/]", highlight=False, soft_wrap=True)
    clipped = last_clipped_share(report)
    if clipped > MOSTLY:
        console.print(
            f"[yellow]{clipped:.0%} of the last epoch's steps were clipped:[/] training.clip or training.rate may be "
            "too small or too large.", highlight=False, soft_wrap=True,
        )  # fmt: skip
    why = why_not_calibrated(fitted.forecaster)
    if why:
        console.print(f"[yellow]Its intervals are not calibrated:[/] {why}", highlight=False, soft_wrap=True)
    spec = fitted.forecaster.spec
    if spec.past and not spec.features.seasons:
        console.print(
            f"[yellow]Not shown to it: {', '.join(spec.past)}.[/] Known up to the cutoff only, and under a year of "
            "history: that would tell the season, not tomorrow."
        )


def last_clipped_share(report: TrainingReport) -> float:
    """Share of the last epoch's steps whose gradient was clipped, the largest of all members; 0 for a baseline."""
    last = {row.get("member"): float(row.get("clipped_share", 0.0)) for row in report.history}
    return max(last.values(), default=0.0)


def why_not_calibrated(forecaster: Forecaster) -> str:
    """Why nothing held out taught the intervals of a trained forecaster; "" where something did."""
    from forecast.calibration import Calibration
    from forecast.training.span import held_out_share

    spec, levels = forecaster.spec, forecaster.spec.recipe.quantiles
    if len(forecaster.ranks_DH) or spec.calibration != Calibration.none(levels):
        return ""
    share = held_out_share(spec.recipe)
    days = (pd.Timestamp(spec.trained_until) - pd.Timestamp(spec.trained_from)) / pd.Timedelta(days=1)
    return (
        f"{days:.1f} days of history are too little to hold the last {share:.0%} out, learn from the rest and compare. "
        f"What it says between {levels[0]:g} and {levels[-1]:g} promises no share of outcomes; add history."
    )


def _asked(horizon: int | None, every: str, gate: str | None, demand: Demand) -> int:
    """Steps that the forecaster will be asked for: those said, the way from a gate to its day's end, or a day."""
    from forecast.calendars import longest_reach

    if horizon is not None:
        return horizon
    if every == "delivery-day" and gate is not None:
        return longest_reach(gate, demand.step, demand.series[0].zone)
    return demand.steps_per_day


def check_horizon(steps: int, demand: Demand) -> None:
    """Whether a forecaster that learned so many steps could be asked for them, told before anything long begins.

    Raises:
        DeclarationError: no forecast reaches that far.
    """
    from forecast.forecaster import MAX_HORIZON_DAYS

    most = MAX_HORIZON_DAYS * demand.steps_per_day
    if steps > most:
        raise DeclarationError(
            f"a horizon of {steps} steps", f"{most} at most ({MAX_HORIZON_DAYS} days): no forecast reaches further",
            "correct --horizon, or choose a gate nearer to its day",
        )  # fmt: skip


def aware(text: str, option: str, zone: str) -> pd.Timestamp:
    """A stamp of the command line, on the series' clock; one without an offset is read in the series' zone.

    Raises:
        DeclarationError: it is no stamp.
    """
    from forecast import clock
    from forecast.calendars import moment_inside

    lived = clock.lived_zone(zone)
    try:
        stamp = pd.Timestamp(text)
        if stamp is pd.NaT:
            raise ValueError("no stamp")
        local = stamp if stamp.tzinfo is not None else stamp.tz_localize(clock.zone(lived), "NaT", "NaT")
        if local is pd.NaT:
            raise ValueError(f"on the clock of {lived} that moment occurs twice or not at all: give its offset")
    except Exception as error:
        raise DeclarationError(f"{option} is '{text}' ({error})", "a stamp such as 2014-07-01T00:00+10:00") from error
    return moment_inside(local.tz_convert("UTC"), zone)
