"""`forecast bench` as a user meets it, on a protocol of two days."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from forecast import protocols
from forecast.cli import main
from forecast.protocols import Protocol
from forecast.protocols.beside import BESIDE
from forecast.recipe import TreesModel
from tests.builders import long_frame, make_demand
from tests.console import at_console

Forecast = Callable[..., tuple[int, str]]
FAST = "seasonal_naive_day,seasonal_naive_week"


@pytest.fixture
def forecast(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str]]:
    """Runs a command as the console script does, "vic-a" being two days of `long_frame`."""
    ends = at_console(monkeypatch, capsys, tmp_path, main)
    small = Protocol(
        name="vic-a", about="two days", read=lambda _: make_demand(long_frame()), days=("2024-03-14", "2024-03-15"),
        clock="UTC", horizon=24, scored=2 * 24 * 2, checks={}, assumptions=("the weather is kind",),
    )  # fmt: skip
    monkeypatch.setitem(protocols.PROTOCOLS, "vic-a", small)

    def run(*arguments: object) -> tuple[int, str]:
        code, out, error = ends("forecast", "bench", *arguments, "--no-log")
        return code, out + error

    return run


def test_ours_stand_beside_the_peers_and_the_goals(forecast: Forecast, tmp_path: Path) -> None:
    code, told = forecast("vic-a", "--data", "any", "--recipe", FAST, "--out", "walk.parquet")
    assert code == 0, told
    lines = told.splitlines()
    (ours,) = [line for line in lines if "★ seasonal_naive_day" in line]
    (peer,) = [line for line in lines if "neuralforecast GRU" in line]
    assert "here" in ours
    assert "101.1" in peer
    (source,) = [line for line in lines if line.startswith("(2)")]
    assert protocols.MEASURED.startswith(source.removeprefix("(2)").strip())
    assert "(2)" in peer
    goals = told[told.index("Goals, judged on seasonal_naive_day") :]
    assert "≤ 77.0" in goals
    assert "needs --peers" in goals
    assert "Taken for granted: the weather is kind." in told
    assert "80 % interval" in told
    table = pd.read_parquet(tmp_path / "walk.parquet")
    assert len(table) == 2 * 2 * 24 * 2


def test_one_seed_one_output(forecast: Forecast) -> None:
    def tables(seed: int) -> str:
        code, told = forecast("vic-a", "--data", "any", "--recipe", "ridge", "--seed", seed)
        assert code == 0, told
        return told[told.index("80 % interval") :]

    assert tables(3) == tables(3)


def test_a_warm_bench_says_so(forecast: Forecast) -> None:
    code, told = forecast("vic-a", "--data", "any", "--recipe", FAST, "--refit", "1", "--warm")
    assert code == 0, told
    assert "refit 1, warm;" in told
    assert "in 2 folds" in told


def test_peers_run_beside_and_judge_the_goals(forecast: Forecast, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lightgbm", reason="needs the extra 'bench'")
    for name, recipe in BESIDE.items():
        if isinstance(recipe.model, TreesModel):
            few = recipe.model.model_copy(update={"iterations": 10})
            monkeypatch.setitem(BESIDE, name, recipe.model_copy(update={"model": few}))
    code, told = forecast("vic-a", "--data", "any", "--recipe", FAST, "--peers")
    assert code == 0, told
    for name in ("lightgbm", "ridge_lightgbm", "ridge_step"):
        assert [line for line in told.splitlines() if line.strip().startswith(name) and "here" in line], name
    assert "needs --peers" not in told


def test_peers_without_lightgbm_name_the_extra(forecast: Forecast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    code, told = forecast("vic-a", "--data", "any", "--recipe", FAST, "--peers")
    assert code == 2, told
    assert "the extra 'bench'" in told


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("vic-z", "--data", "none.parquet"), "no protocol 'vic-z'; expected one of vic-a, vic-b, vic-dec, eia-33"),
        (("vic-b", "--data", "none.parquet"), "no file none.parquet"),
        (("tet", "--data", "none.parquet"), "no file none.parquet"),
        (("vic-a", "--data", "any", "--recipe", "lstmm"), "no recipe 'lstmm'"),
        (("vic-a", "--data", "any", "--recipe", "ridge,ridge"), "holds ridge more than once"),
        (("vic-a", "--data", "any", "--refit", "often"), "--refit is 'often'"),
        (("vic-a", "--data", "any", "--warm"), "--warm with --refit never"),
        (("vic-a", "--data", "any", "--workers", "0"), "--workers is 0"),
        (("vic-a", "--data", "any", "--seed", "-1"), "--seed"),
        (("vic-a", "--data", "any", "--out", "walk.txt"), "--out walk.txt"),
    ],
)
def test_mistakes_get_a_sentence_and_code_2(arguments: tuple[str, ...], sentence: str, forecast: Forecast) -> None:
    code, told = forecast(*arguments)
    assert code == 2, told
    assert sentence in " ".join(told.split()), told


def test_the_help_says_which_file_each_protocol_needs(forecast: Forecast) -> None:
    code, told = forecast("--help")
    assert code == 0
    text = " ".join(told.replace("│", " ").split())
    for words in ("half-hourly Victoria", "hourly EIA-930", "eia930_series.csv beside it", "ten-minute Tetouan"):
        assert words in text
    assert all(f" {name}" in text for name in protocols.PROTOCOLS)


def test_a_recipe_may_not_be_called_like_a_peer(forecast: Forecast, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('name = "lightgbm"\n[model]\nkind = "ridge"\n')
    code, told = forecast("vic-a", "--data", "any", "--recipe", "mine.toml", "--peers")
    assert code == 2, told
    assert "a recipe is called lightgbm" in told
