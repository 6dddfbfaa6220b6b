"""`forecast demo`: the whole way on a real sample, in a few minutes."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pandas as pd
import typer

from forecast.cli.console import bars, console, scores_table

if TYPE_CHECKING:
    from forecast.registry.report import RetrainingLog
    from forecast.retraining import Judgement, RetrainingPlan
    from forecast.settings import Settings
    from forecast.tables import Demand

RECIPES = ("lstm", "gru", "attention", "ridge", "trees", "seasonal_naive_day")
HELD_BACK = "2014-12-30"
ZONE = "Australia/Melbourne"
BLIND = "no weather"


def demo(
    out: Annotated[Path, typer.Option(help="Where the picture goes.")] = Path("demo.png"),
    weeks: Annotated[int, typer.Option(help="Weeks that are walked forward.")] = 4,
    recipe: Annotated[str, typer.Option(help="Recipes, comma-separated.")] = ",".join(RECIPES),
) -> None:
    """Train, judge, promote and serve on a real sample: half-hourly demand of the state of Victoria, 2014.

    Everything is logged to MLflow under `mlruns/`; the last day stays unseen until the service has forecast it.
    """
    from forecast.retraining import RetrainingPlan, judge, publish, read_judgement, take_table, train_winner
    from forecast.settings import Settings
    from forecast.sources import SAMPLE_ORIGIN, Declaration

    began = time.monotonic()
    settings = Settings.read(model_name="demo")
    plan = RetrainingPlan(
        recipes=tuple(recipe.split(",")), weeks=weeks, until=f"{HELD_BACK}T00:00+11:00", train_every="1d"
    )  # fmt: skip
    work = settings.mlruns / "work" / "demo"
    _say(1, "The sample")
    console.print(SAMPLE_ORIGIN, highlight=False)
    table, digest = take_table("sample", Declaration(), work)
    console.print(f"17,520 half-hours checked; SHA-256 of the table {digest[:16]}…")
    _say(2, f"Training {len(plan.candidates)} recipes and walking forward over the last {weeks} weeks")
    folders = _walk_all(table, plan, work)
    judgement_path = judge(table, list(folders.values()), plan, settings, work)
    judgement = read_judgement(judgement_path)
    _say(3, f"Once more without future temperature: {judgement.winner}")
    blind = _walk_blind(judgement.winner, plan, work)
    _show(judgement, blind)
    _say(4, "Training the winner on everything, logging to MLflow, promoting")
    with bars() as shown:
        winner = train_winner(table, judgement_path, plan, work, progress=shown.of(judgement.winner))
    log = publish(table, list(folders.values()), judgement_path, winner, plan, settings, "2014-12 demo victoria")
    _tell_verdict(judgement, log)
    _say(5, f"Serving the champion, and asking it over HTTP for {HELD_BACK}, a day that nobody has seen yet")
    _ask_and_draw(settings, table, out)
    _farewell(log, out, time.monotonic() - began)


def _say(number: int, text: str) -> None:
    console.print(f"\n[bold cyan]{number}. {text}[/]", highlight=False)


def _walk_all(table: Path, plan: RetrainingPlan, work: Path) -> dict[str, Path]:
    """All recipes, two at a time; folders in the plan's order."""
    from forecast.cli.side_by_side import side_by_side
    from forecast.retraining import walk_recipe

    with bars() as shown:
        jobs = {name: partial(walk_recipe, table, name, plan, work) for name in plan.candidates}
        return side_by_side(jobs, shown)


def _walk_blind(winner: str, plan: RetrainingPlan, work: Path) -> pd.Series:
    """The winner's scores when it is not told the weather ahead."""
    from forecast import metrics
    from forecast.forecaster import read_spec
    from forecast.retraining import take_table, walk_recipe
    from forecast.sources import Declaration

    table, _ = take_table("sample", Declaration(past=("temperature",)), work / "blind")
    with bars() as shown:
        folder = walk_recipe(table, winner, plan, work / "blind", training=shown.of(winner))
    scales = read_spec(folder / "fold-000").scales
    return metrics.score(pd.read_parquet(folder / "walk.parquet"), scales=scales, zones={"victoria": ZONE}).loc[winner]


def _show(judgement: Judgement, blind: pd.Series) -> None:
    scores = judgement.table
    scores.loc[f"{judgement.winner}, {BLIND}"] = blind.reindex(scores.columns)
    title = "Walk-forward, day ahead from local midnight; weather: actual (optimistic), but for the line without"
    console.print(scores_table(scores, title=title, winner=judgement.winner, unit="GW"))
    naive = scores.loc["seasonal_naive_week", "mae"]
    gain = 1 - scores.loc[judgement.winner, "mae"] / naive
    console.print(
        f"★ {judgement.winner} errs {gain:.0%} less than the same hour of last week. These weeks chose the winner, so "
        "its own line is a little flattering; the day in step 5 chose nothing.",
        highlight=False,
    )


def _tell_verdict(judgement: Judgement, log: RetrainingLog) -> None:
    told = f"[green]promoted to champion[/] (version {log.version})" if log.promoted else "[yellow]not promoted[/]"
    console.print(f"{judgement.winner}: {told}")
    for reason in judgement.verdict.reasons:
        console.print(f"  {reason}", highlight=False, markup=False)


def _ask_and_draw(settings: Settings, table: Path, out: Path) -> None:
    from forecast.cli.service import request_day, service
    from forecast.plots import fan_chart
    from forecast.tables import load_demand

    demand = load_demand(table)
    with service(settings) as address:
        answer, forecast = request_day(address, demand, HELD_BACK)
    actual = _actual(demand)
    error = forecast.merge(actual, on="ds")
    inside = error["y"].between(error["q0.1"], error["q0.9"]).mean()
    model, missed = answer["model"], (error["q0.5"] - error["y"]).abs().mean()
    console.print(
        f"POST {address}/v1/forecasts answered {len(forecast)} half-hours from {model['name']} version "
        f"{model['version']} ({model['recipe']}):",
        highlight=False,
    )
    console.print(
        f"peak {forecast['q0.5'].max():.2f} GW forecast, {actual['y'].max():.2f} GW happened; mean absolute error "
        f"{missed:.3f} GW; {inside:.0%} of the day lay inside the 80 % band.",
        highlight=False,
    )
    console.print(
        "That day lies between Christmas and New Year, and a single year of data holds no earlier one to learn from: "
        "an honest test, not a flattering one.",
        highlight=False,
    )
    before = demand.as_of(forecast["cutoff"].iloc[0]).to_frame()[["ds", "y"]].dropna()
    figure = fan_chart(before, forecast, actual, title=f"Victoria, {HELD_BACK}, asked over HTTP", unit="GW", zone=ZONE)
    figure.savefig(out, dpi=140)


def _actual(demand: Demand) -> pd.DataFrame:
    from forecast.calendars import delivery_day

    first, last = delivery_day(HELD_BACK, ZONE)
    frame = demand.to_frame()[["ds", "y"]]
    return frame[(frame["ds"] >= first) & (frame["ds"] < last)]


def _farewell(log: RetrainingLog, out: Path, seconds: float) -> None:
    console.print(
        f"\n[bold green]Done in {seconds:.0f} s.[/] The picture is {out.resolve()}", highlight=False, soft_wrap=True
    )
    console.print("Compare the models:  make ui       then open http://127.0.0.1:5000", highlight=False)
    for name, url in log.urls.items():
        console.print(f"  {name:<11} {url}", highlight=False, soft_wrap=True)
    console.print("Serve the champion:  forecast serve --model models:/demo@champion", highlight=False)
    console.print("                     then open http://127.0.0.1:8000 (the API is under /docs)", highlight=False)
    console.print("Your own data:       forecast check your.csv --zone Europe/Lisbon", highlight=False)
