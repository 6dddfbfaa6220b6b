"""The command line as a user meets it: files in, files out, exit codes, and one sentence for a mistake."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import LISBON, Forecast

QUANTILES = [f"q0.{level}" for level in range(1, 10)]
WALK = ("backtest", "CITY", "--zone", "Europe/Lisbon", "--start", "2024-03-29", "--end", "2024-04-02")


def test_train_predict_and_walk_write_the_same_columns(city: Path, forecast: Forecast, tmp_path: Path) -> None:
    code, told = forecast("train", city, *LISBON, "--recipe", "tiny.toml", "--out", "model", "--every", "1d")
    assert code == 0, told
    assert "learned from" in told
    code, told = forecast("predict", city, *LISBON, "--model", "model", "--cutoff", "2024-04-05", "--out", "said.csv")
    assert code == 0, told
    said = pd.read_csv(tmp_path / "said.csv")
    assert list(said.columns) == ["unique_id", "ds", "cutoff", "model", "mean", *QUANTILES]
    assert len(said) == 24
    assert said["ds"].iloc[0] == "2024-04-04T23:00:00Z"
    code, told = forecast(
        "backtest", city, *LISBON, "--start", "2024-03-29", "--end", "2024-04-02", "--every", "delivery-day", "--gate",
        "D-1T10:00", "--recipe", "tiny.toml,ridge,seasonal_naive_week", "--out", "walk.parquet",
    )  # fmt: skip
    assert code == 0, told
    walk = pd.read_parquet(tmp_path / "walk.parquet")
    assert list(walk.columns) == ["unique_id", "ds", "cutoff", "y", "model", "mean", *QUANTILES]
    assert set(walk["model"]) == {"tiny", "ridge", "seasonal_naive_week"}
    hours = walk[walk["model"] == "tiny"].groupby("cutoff").size()
    assert sorted(hours) == [23, 24, 24, 24, 24]
    assert "★" in told
    assert "weather: actual (optimistic)" in " ".join(told.split())


def test_options_in_a_file_and_a_flag_that_wins(city: Path, forecast: Forecast, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(
        'zone = "Europe/Lisbon"\nknown = ["temperature"]\nrecipe = "ridge"\nout = "one"\n'
    )
    code, told = forecast("train", city, "--config", "run.toml", "--out", "two")
    assert code == 0, told
    assert (tmp_path / "two" / "manifest.json").exists()
    assert not (tmp_path / "one").exists()
    (tmp_path / "wrong.toml").write_text('zoen = "Europe/Lisbon"\n')
    code, told = forecast("train", city, "--config", "wrong.toml")
    assert code == 2
    assert "unknown options zoen" in told


@pytest.mark.long
def test_audit_says_that_no_bit_moved(city: Path, forecast: Forecast) -> None:
    code, told = forecast("audit", city, *LISBON, "--recipe", "tiny.toml,ridge")
    assert code == 0, told
    assert told.count("no bit moved") == 2


def test_check_says_no_with_exit_code_1(city: Path, forecast: Forecast, tmp_path: Path) -> None:
    assert forecast("check", city, *LISBON)[0] == 0
    lines = city.read_text().splitlines()
    lines[5] = lines[5].replace(",", ",oops", 1)
    (tmp_path / "bad.csv").write_text("\n".join(lines))
    code, told = forecast("check", tmp_path / "bad.csv", *LISBON)
    assert code == 1
    assert "line 6" in told


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("predict", "CITY", "--zone", "Europe/Lisbon", "--model", "nowhere"), 2, "no folder nowhere"),
        (("predict", "CITY", "--zone", "Europe/Lisbon", "--model", "models:/none@champion"), 2, "there is no registry"),
        (("train", "CITY", "--zone", "Europe/Atlantis"), 2, "zone 'Europe/Atlantis' is not known"),
        (("train", "missing.csv", "--zone", "UTC"), 2, "missing.csv"),
        (("train", "CITY", "--zone", "Europe/Lisbon", "--recipe", "lstmm"), 2, "no recipe 'lstmm'"),
        (("train", "CITY", "--zone", "Europe/Lisbon", "--unit", "W"), 2, "unit 'W' is not known"),
        (("train", "CITY", "--zone", "Europe/Lisbon", "--until", "2024-02-02"), 2, "context 168 + horizon 24"),
        (("train", "CITY", "--zone", "Europe/Lisbon", "--recipe", "ridge", "--horizon", "0"), 2, "horizon"),
        (("backtest", "CITY", "--zone", "UTC", "--start", "2024-03-01", "--end", "2024-03-02", "--refit", "x"),
         2, "--refit is 'x'"),
        ((*WALK, "--workers", "0"), 2, "--workers is 0; expected 1 or more"),
        (("train", "CITY", "--zone", "Europe/Lisbon", "--workers", "0"), 2, "--workers is 0; expected 1 or more"),
        ((*WALK, "--warm"), 2, "--warm with --refit never; expected a refit that can be warm"),
        (("predict", "CITY", "--zone", "Europe/Lisbon", "--daily", "days.txt"), 2, "--daily days.txt"),
        (("predict", "CITY", "--zone", "Europe/Lisbon", "--daily", "forecast.csv"), 2, "--out and --daily are both"),
        ((*WALK, "--recipe", "ridge, ridge"), 2, "holds ridge more than once"),
        ((*WALK, "--recipe", "ridge,"), 2, "no recipe ''"),
        (("bench", "vic-z", "--data", "none.parquet"), 2, "no protocol 'vic-z'"),
        (("bench", "vic-a", "--data", "none.parquet"), 2, "none.parquet"),
        (("train", "CITY", "--frobnicate"), 2, "No such option"),
    ],
)  # fmt: skip
def test_mistakes_get_a_sentence_and_code_2(
    arguments: tuple[str, ...], code: int, sentence: str, city: Path, forecast: Forecast
) -> None:
    got, told = forecast(*[str(city) if argument == "CITY" else argument for argument in arguments])
    assert got == code, told
    assert sentence in " ".join(told.split()), told


@pytest.mark.parametrize(
    "command", ["demo", "check", "train", "backtest", "search", "predict", "explain", "serve", "audit", "bench"]
)
def test_help_teaches_with_an_example(command: str, forecast: Forecast) -> None:
    code, told = forecast(command, "--help")
    assert code == 0
    assert "Example" in told or command == "demo"


def test_our_own_fault_is_named_without_a_traceback(
    city: Path, forecast: Forecast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("forecast.training.fit", broken)
    code, told = forecast("train", city, *LISBON, "--recipe", "ridge")
    assert code == 3
    assert "FORECAST_DEBUG=1" in told


@pytest.mark.parametrize("out", ["walk.txt", "nowhere/walk.csv"])
@pytest.mark.parametrize("command", ["backtest", "predict"])
def test_out_is_checked_before_data_is_read(
    command: str, out: str, forecast: Forecast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def early(*_: object, **__: object) -> None:
        raise AssertionError("--out is checked too late")

    monkeypatch.setattr("forecast.training.fit", early)
    monkeypatch.setattr("forecast.cli.options.read", early)
    walk = ("--start", "2024-03-29", "--end", "2024-04-02") if command == "backtest" else ()
    code, told = forecast(command, "missing.csv", *LISBON, *walk, "--out", out)
    assert code == 2, told
    assert f"--out {out}" in told


@pytest.mark.parametrize("out", ["said.csv", "said.parquet"])
def test_a_table_that_cannot_be_written_keeps_the_one_before(
    out: str, city: Path, forecast: Forecast, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert forecast("train", city, *LISBON, "--recipe", "seasonal_naive_week", "--out", "model")[0] == 0
    (tmp_path / out).write_text("before")
    names = sorted(path.name for path in tmp_path.iterdir())

    def full(_: pd.DataFrame, path: Path, **__: object) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    code, told = forecast("predict", city, *LISBON, "--model", "model", "--out", out)
    assert code == 2, told
    assert f"The system refused: No space left on device: {out}" in told
    assert (tmp_path / out).read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_blanks_between_recipes_do_not_matter(city: Path, forecast: Forecast) -> None:
    walk = ("--start", "2024-04-01", "--end", "2024-04-02")
    code, told = forecast("backtest", city, *LISBON, *walk, "--recipe", "seasonal_naive_day, seasonal_naive_week")
    assert code == 0, told


def test_warm_refits_go_on_from_the_fold_before(city: Path, forecast: Forecast, tmp_path: Path) -> None:
    words = ("backtest", city, *LISBON, "--start", "2024-04-01", "--end", "2024-04-04", "--recipe", "tiny.toml")
    tables = []
    for name, more in {"anew": (), "warm": ("--warm",)}.items():
        code, told = forecast(*words, "--refit", "2", *more, "--out", f"{name}.parquet")
        assert code == 0, told
        assert f"refit 2{', warm' if more else ''}, weather" in " ".join(told.split())
        tables.append(pd.read_parquet(tmp_path / f"{name}.parquet").set_index("cutoff")["q0.5"])
    same = (tables[0] == tables[1]).groupby(level="cutoff").all()
    assert same.tolist() == [True, True, False, False]


ENSEMBLE = """
name = "both"
context = "2d"
[features]
reach_days = 8
same_hour_days = 2
knots = 2
[model]
kind = "ensemble"
[[model.members]]
kind = "network"
network = { encoder = { kind = "gru", width = 4 }, decoder = { kind = "direct", width = 8 } }
training = { epochs = 1, windows_per_epoch = 32 }
[[model.members]]
kind = "ridge"
"""


@pytest.mark.long
def test_an_ensemble_learns_the_same_on_one_core_and_on_two(city: Path, forecast: Forecast, tmp_path: Path) -> None:
    (tmp_path / "both.toml").write_text(ENSEMBLE)
    for count in (1, 2):
        out = ("--workers", count, "--out", f"model{count}")
        code, told = forecast("train", city, *LISBON, "--every", "1d", "--recipe", "both.toml", *out)
        assert code == 0, told
    assert (tmp_path / "model1" / "manifest.json").read_text() == (tmp_path / "model2" / "manifest.json").read_text()
