"""Our figures beside the peers', and whether the goals are reached, as tables for a person."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

if TYPE_CHECKING:
    from forecast.protocols import Goal, Protocol

HERE = "here"
TITLES = {
    "mae": "MAE", "mape_median": "median MAPE %", "mape_mean": "mean MAPE %", "wins": "wins", "winkler_80": "Winkler",
    "width_80": "80% width", "peak_mae": "peak MAE", "coverage_pooled": "80% covers",
    "coverage_lowest_hour": "lowest hour", "coverage_lowest_quarter": "lowest quarter",
    "coverage_low": "95 % bootstrap, low end", "coverage_high": "95 % bootstrap, high end",
}  # fmt: skip
SHARES = ("coverage_", "gain_")


def figures_table(protocol: Protocol, scores: pd.DataFrame, ours: Collection[str], title: str) -> Table:
    """Every system's headline figures and where they come from, the best first; sources are named below."""
    table = _table(title, ["system", *[_title(name) for name in protocol.headline], "source"])
    sources = list(dict.fromkeys(peer.source for peer in protocol.peers))
    rows: list[tuple[float, list[str], str]] = []
    for model, row in scores.iterrows():
        mine = model in ours
        cells = [f"{'★' if mine else ' '} {model}", *[_number(row[name], name) for name in protocol.headline], HERE]
        rows.append((float(row[protocol.headline[0]]), cells, "bold green" if mine else ""))
    for peer in protocol.peers:
        said = [_range(peer.figures.get(name), name) for name in protocol.headline]
        cells = [f"  {peer.name}", *said, f"({sources.index(peer.source) + 1})"]
        rows.append((peer.low(protocol.headline[0]), cells, ""))
    for _, cells, style in sorted(rows, key=lambda row: row[0]):
        table.add_row(*cells, style=style)
    table.caption = "\n".join(f"({number}) {source}" for number, source in enumerate(sources, 1))
    table.caption_justify = "left"
    return table


def intervals_table(scores: pd.DataFrame, unit: str) -> Table:
    """The 80 % interval of every model that ran, and its error on each day's peak hour; a column per model."""
    names = ["coverage_lowest_hour", "coverage_lowest_quarter", "width_80", "winkler_80", "peak_mae"]
    title = f"80 % interval over all rows, days drawn whole; widths, Winkler and peak MAE in {unit}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("figure", no_wrap=True)
    for model in scores.index:
        table.add_column(str(model), justify="right", overflow="fold")
    table.add_row("80% covers", *[_number(value, "coverage_pooled") for value in scores["coverage_pooled"]])
    ends = zip(scores["coverage_low"], scores["coverage_high"], strict=True)
    table.add_row("95 % bootstrap", *[f"{low:.1%}–{high:.1%}" for low, high in ends])
    for name in names:
        table.add_row(_title(name), *[_number(value, name) for value in scores[name]])
    return table


def goals_table(protocol: Protocol, scores: pd.DataFrame, model: str) -> Table:
    """Each goal of a protocol, what the model reached, and the verdict."""
    table = _table(f"Goals, judged on {model}", ["figure", "goal", "reached", ""])
    for goal in protocol.goals:
        held = reached(goal, scores, model)
        word = "needs --peers" if held is None else "reached" if held else "not reached"
        style = "" if held is None else "green" if held else "red"
        value = _number(float(scores.loc[model, goal.figure]), goal.figure)
        table.add_row(_title(goal.figure), _bound(goal), value, word, style=style)
    return table


def reached(goal: Goal, scores: pd.DataFrame, model: str) -> bool | None:
    """Whether a model's figure is within the goal; None where a peer to undercut did not run."""
    value = float(scores.loc[model, goal.figure])
    if goal.at_most is not None:
        return value <= goal.at_most
    if goal.at_least is not None:
        return value >= goal.at_least
    if not set(goal.below) <= set(scores.index):
        return None
    return bool((value < scores.loc[list(goal.below), goal.figure]).all())


def _table(title: str, columns: list[str]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for place, name in enumerate(columns):
        text = place == 0 or name in ("source", "goal", "")
        # Where it is narrow, the names of the rows give way and not the figures.
        table.add_column(name, justify="left" if text else "right", no_wrap=place > 0)
    return table


def _title(name: str) -> str:
    if name in TITLES:
        return TITLES[name]
    figure, _, series = name.partition("_")
    return f"MAE {series}" if figure == "mae" else f"below the better naive, {series}"


def _bound(goal: Goal) -> str:
    if goal.at_most is not None:
        return f"≤ {_number(goal.at_most, goal.figure)}"
    if goal.at_least is not None:
        return f"≥ {_number(goal.at_least, goal.figure)}"
    return f"below {', '.join(goal.below)}"


def _range(value: float | tuple[float, float] | None, name: str) -> str:
    if isinstance(value, tuple):
        return "–".join(_number(one, name) for one in value)
    return _number(float("nan") if value is None else value, name)


def _number(value: float, name: str) -> str:
    if pd.isna(value):
        return "–"
    if name.startswith(SHARES):
        return f"{value:.1%}"
    if name == "wins":
        return f"{value:.0f}"
    return f"{value:.2f}" if name.startswith("mape") else f"{value:,.1f}"
