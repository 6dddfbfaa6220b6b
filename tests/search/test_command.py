"""`forecast search` as a user meets it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import typer

from forecast.cli import mistakes
from forecast.cli import search as command
from forecast.recipe import Recipe
from forecast.search import recipe_toml
from tests.console import at_console
from tests.search.conftest import ridge, warm

SPACE = "model.alphas.0 = [10.0, 1e9]\n"
COLUMNS = ("--known", "temperature", "--horizon", "6", "--no-log")
SMALL = ("--recipe", "fixed.toml", "--space", "space.toml", "--trials", "2", "--folds", "1", "--fold-days", "4")
Forecast = Callable[..., tuple[int, str]]


@pytest.fixture
def forecast(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str]]:
    """Runs `search` as the console script does; exit code, and all that was printed."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command("search")(command.search)
    app.command("other")(lambda: None)
    ends = at_console(monkeypatch, capsys, tmp_path, partial(mistakes.run, app), columns=220)
    frame = warm(start="2023-12-01", days=130)
    frame[["unique_id", "ds", "y", "temperature"]].to_csv("pair.csv", index=False)
    frame[frame["unique_id"] == "north"][["ds", "y", "temperature"]].to_csv("one.csv", index=False)
    (tmp_path / "space.toml").write_text(SPACE)
    (tmp_path / "fixed.toml").write_text(recipe_toml(ridge(10.0)))

    def run(*arguments: object) -> tuple[int, str]:
        code, out, error = ends("forecast", "search", *arguments)
        return code, out + error

    return run


def test_a_search_shows_trials_and_writes_the_choice(forecast: Forecast, tmp_path: Path) -> None:
    words = ("one.csv", *COLUMNS, *SMALL, "--until", "2024-03-20", "--out", "mine.toml")
    code, told = forecast(*words)
    assert code == 0, told
    assert "2 trials, 0 of them pruned" in told
    assert "report none of them" in told
    assert Recipe.from_toml(tmp_path / "mine.toml") == ridge(10.0)
    assert (tmp_path / "mlruns" / "optuna.db").exists()
    code, again = forecast(*words)
    assert code == 0
    assert [line for line in again.splitlines() if "study" in line] == [
        line for line in told.splitlines() if "study" in line
    ]


def test_a_nested_search_shows_outer_figures_and_the_gap(forecast: Forecast, tmp_path: Path) -> None:
    days = ("--nested", "--start", "2024-03-20", "--end", "2024-03-23", "--refit", "2", "--out", "walk.parquet")
    code, told = forecast("one.csv", *COLUMNS, *SMALL, *days)
    assert code == 0, told
    for word in (
        "searched",
        "seasonal_naive_week",
        "gap",
        "promised",
        "delivered",
        "Outer folds, the figures to report",
    ):
        assert word in told
    walked = pd.read_parquet(tmp_path / "walk.parquet")
    assert set(walked["model"]) == {"searched", "ridge", "seasonal_naive_week"}


@pytest.mark.parametrize(("kind", "label"), [("series", "a model that never saw it"), ("period", "NOT as-of-correct")])
def test_leaving_out_says_what_it_is(forecast: Forecast, tmp_path: Path, kind: str, label: str) -> None:
    days = ("--leave-out", kind, "--start", "2023-12-29", "--end", "2023-12-30", "--out", "left.csv")
    code, told = forecast("pair.csv", *COLUMNS, "--recipe", "ridge", *days)
    assert code == 0, told
    assert label in " ".join(told.split())
    assert set(pd.read_csv(tmp_path / "left.csv")["unique_id"]) == {"north", "south"}


@pytest.mark.long
def test_the_usual_space_of_a_ridge_acts_and_says_what_it_leaves_out(forecast: Forecast) -> None:
    words = ("--recipe", "ridge", "--trials", "10", "--folds", "1", "--fold-days", "4")
    code, told = forecast("one.csv", *COLUMNS, *words)
    assert code == 0, told
    (line,) = [line for line in told.splitlines() if line.startswith("Not searched: ")]
    assert "model.per_series (it takes two series" in line
    assert "model.alphas.0 (the ridge itself chooses among 6 penalties)" in line
    assert "All trials score the same" not in told


@pytest.mark.long
def test_a_space_in_which_nothing_acts_is_told(forecast: Forecast, tmp_path: Path) -> None:
    (tmp_path / "idle.toml").write_text("model.per_series = [true, false]\n")
    words = ("--recipe", "ridge", "--space", "idle.toml", "--trials", "8", "--folds", "1", "--fold-days", "4")
    code, told = forecast("one.csv", *COLUMNS, *words)
    assert code == 0, told
    assert "All trials score the same: nothing in this search space acts on this table." in told


def test_the_days_of_a_walk_are_helped_with(forecast: Forecast) -> None:
    code, told = forecast("--help")
    assert code == 0
    for option, said in {"--start": "First civil day that --nested", "--end": "Last civil day that --nested"}.items():
        assert [line for line in told.splitlines() if f" {option} " in line and said in line], option


@pytest.mark.parametrize("out", ["nofolder/mine.toml", "folder.toml", "mine.csv"])
def test_where_the_choice_goes_is_checked_before_data_is_read(
    out: str, forecast: Forecast, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def early(*_: object, **__: object) -> None:
        raise AssertionError("--out is checked too late")

    (tmp_path / "folder.toml").mkdir()
    monkeypatch.setattr("forecast.cli.options.read", early)
    code, told = forecast("one.csv", *COLUMNS, *SMALL, "--out", out)
    assert code == 2, told
    assert f"--out {out}" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--nested",), "--nested without --start and --end"),
        (("--start", "2024-03-20"), "--start or --end alone"),
        (("--nested", "--leave-out", "period"), "one of the two"),
        (("--leave-out", "series", "--start", "2024-03-20", "--end", "2024-03-21", "--space", "space.toml"), "--space"),
        (("--nested", "--start", "2024-03-20", "--end", "2024-03-21", "--until", "2024-03-01"), "leave out --until"),
        (("--out", "mine.csv"), "ends in .toml"),
        (("--recipe", "ridge", "--trials", "0"), "0 trials"),
        (("--recipe", "ridge", "--folds", "0"), "0 folds; expected 1 or more"),
        (("--recipe", "ridge", "--fold-days", "0"), "folds of 0 days"),
        (("--recipe", "ridge", "--folds", "50"), "50 inner folds x 13 days"),
        (("--recipe", "ridge", "--fold-days", "500"), "4 inner folds x 500 days"),
        (("--recipe", "seasonal_naive_week"), "nothing to search"),
    ],
)
def test_a_mistake_is_one_sentence(forecast: Forecast, words: tuple[str, ...], told: str) -> None:
    code, said = forecast("one.csv", *COLUMNS, *words)
    assert code == 2, said
    assert told.lower() in said.lower()
