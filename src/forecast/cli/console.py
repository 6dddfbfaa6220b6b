"""How the command line speaks: one console, progress bars, tables that a person reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

console = Console()

TITLES = {
    "mae": "MAE", "rmse": "RMSE", "mape": "MAPE %", "mase": "MASE", "bias": "bias", "pinball": "pinball",
    "coverage_80": "80% covers", "width_80": "80% width", "peak_mae": "peak MAE",
}  # fmt: skip
SHARES = ("coverage_80",)
FIRST = ("mae", "rmse", "mape", "coverage_80", "peak_mae")


class Bars:
    """Progress of training epochs and of folds, as bars; also a `backtest.WalkProgress`."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.tasks: dict[str, TaskID] = {}

    def of(self, model: str) -> TrainingBars:
        """The training bars of one model."""
        return TrainingBars(self, model)

    def epoch(self, model: str, stage: str, epoch: int, epochs: int, metrics: dict[str, float]) -> None:
        """Moves the training bar of a model."""
        loss = metrics.get("validation_loss", metrics.get("train_loss"))
        if stage != "learn":
            self._end(f"{model} learn")
        self.step(f"{model} {stage}", epoch, epochs, f"loss {loss:.4f}" if loss is not None else "")

    def fold(self, model: str, done: int, folds: int) -> None:
        """Moves a walk's bar."""
        self._end(f"{model} learn")
        self.step(f"{model} walk", done, folds)

    def step(self, name: str, done: int, total: int, note: str = "") -> None:
        """Moves any bar."""
        if name not in self.tasks:
            self.tasks[name] = self.progress.add_task(name, total=total, note="")
        self.progress.update(self.tasks[name], completed=done, total=total, note=note)

    def _end(self, name: str) -> None:
        """A stage that stopped early is over: its bar is full at the epoch that it reached."""
        if name in self.tasks:
            task = next(one for one in self.progress.tasks if one.id == self.tasks[name])
            self.progress.update(self.tasks[name], total=task.completed)


class TrainingBars:
    """The bars of one model; a `training.Progress`."""

    def __init__(self, bars: Bars, model: str) -> None:
        self.bars, self.model = bars, model

    def epoch(self, stage: str, epoch: int, epochs: int, metrics: dict[str, float]) -> None:
        """Moves the bar of a stage."""
        self.bars.epoch(self.model, stage, epoch, epochs, metrics)


@contextmanager
def bars() -> Iterator[Bars]:
    """Shows progress bars while the block runs."""
    columns = (
        TextColumn("{task.description:<28}"), BarColumn(bar_width=28), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        yield Bars(progress)


def scores_table(scores: pd.DataFrame, *, title: str, winner: str | None = None, unit: str = "MW") -> Table:
    """Models x metrics, best first, the winner marked; a narrow terminal gets the columns that matter most."""
    width = 18 + max(len(str(model)) for model in scores.index)
    shown = [name for name in TITLES if name in scores.columns and (console.width >= width + 95 or name in FIRST)]
    table = Table(
        title=title, title_justify="left", caption=CAPTION.format(unit=unit), caption_justify="left", box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )  # fmt: skip
    table.add_column("model", no_wrap=True)
    for name in shown:
        table.add_column(TITLES[name], justify="right", no_wrap=True)
    for model, row in scores.sort_values("mae").iterrows():
        marked = f"★ {model}" if model == winner else f"  {model}"
        table.add_row(
            marked, *[_number(row[name], name) for name in shown], style="bold green" if model == winner else ""
        )
    return table


CAPTION = "in {unit}; MAE, MAPE, MASE and peak MAE score the median (q0.5), RMSE and bias the mean"


def _number(value: float, name: str) -> str:
    if pd.isna(value):
        return "–"
    if name in SHARES:
        return f"{value:.1%}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"
