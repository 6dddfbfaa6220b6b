"""From files to files: a global network is trained on measured meters, and meters that have no value are forecast."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.cli import main
from forecast.forecaster import Forecaster
from forecast.sources import Declaration, read

RECIPE = """
name = "glob"
context = "2d"
features = { reach_days = 8, same_hour_days = 2 }
[model]
kind = "network"
network = { encoder = { kind = "gru", width = 8 }, decoder = { kind = "direct", width = 24 } }
training = { epochs = 5, windows_per_epoch = 512, rate = 1e-2, unseen = 0.3, final = "keep" }
"""
COLUMNS = ("--series", "series_id", "--target", "demand", "--static", "size", "--unit", "kW")
CUTOFF = ("--cutoff", "2018-08-25")
SIZES = {"small": 1.0, "large": 10.0}


def run(folder: Path, *words: object) -> int:
    """A command in a folder, as the console script does it; its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("COLUMNS", "200")
        patch.setenv("FORECAST_HOME", str(folder))
        patch.setattr(sys, "argv", ["forecast", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main()
    return int(stopped.value.code or 0)


def write_empty(folder: Path, name: str, hours: int = 24, **columns: object) -> None:
    """A CSV of meters with an empty demand column, from the cutoff on."""
    ds = pd.date_range("2018-08-25", periods=hours, freq="1h").strftime("%Y-%m-%d %H:%M")
    parts = [
        pd.DataFrame({"series_id": one, "timestamp": ds, "demand": "", "size": size}) for one, size in SIZES.items()
    ]
    pd.concat(parts).assign(**columns).to_csv(folder / name, index=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six measured meters in `history.csv`, a model `glob` that learned from them, empty meters in `new.csv`."""
    place, rng = tmp_path_factory.mktemp("meters"), np.random.default_rng(0)
    ds = pd.date_range("2018-07-24", "2018-08-25", freq="1h", inclusive="left")
    wave = 1 + 0.4 * np.cos((ds.hour.to_numpy() - 19) / 24 * 2 * np.pi)
    parts = [
        pd.DataFrame(
            {
                "series_id": f"m{number}", "timestamp": ds.strftime("%Y-%m-%d %H:%M"), "size": size,
                "demand": size * rng.uniform(0.9, 1.1) * wave * (1 + rng.normal(0, 0.02, len(ds))),
            }
        )
        for number, size in enumerate((1.0, 1.5, 3.0, 5.0, 7.0, 12.0))
    ]  # fmt: skip
    pd.concat(parts).to_csv(place / "history.csv", index=False)
    (place / "glob.toml").write_text(RECIPE)
    trained = run(place, "train", "history.csv", *COLUMNS, "--zone", "UTC", "--recipe", "glob.toml", "--out", "glob")
    assert trained == 0
    write_empty(place, "new.csv")
    return place


def test_empty_meters_by_command_and_by_library(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "predict", "new.csv", *COLUMNS, "--model", "glob", *CUTOFF, "--out", "new-forecast.csv") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "the level comes from the static columns (size)" in told
    assert "48 rows from 2018-08-25 00:00Z in kW" in told
    said = pd.read_csv(folder / "new-forecast.csv")
    for name, level in said.groupby("unique_id")["q0.5"].mean().items():
        assert level == pytest.approx(SIZES[str(name)], rel=0.25)
    declared = Declaration(
        series="series_id", target="demand", static="size", unit="kW", zone="UTC", forecast_only=True
    )
    demand = read(folder / "new.csv", declared)
    again = Forecaster.load(folder / "glob").predict(demand, [pd.Timestamp("2018-08-25T00:00Z")])
    np.testing.assert_allclose(again.frame["q0.9"], said["q0.9"], rtol=1e-6)


def test_one_row_a_meter_is_enough(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_empty(folder, "one.csv", hours=1)
    options = (*COLUMNS, "--model", "glob", *CUTOFF, "--out", "one-forecast.csv")
    assert run(folder, "predict", "one.csv", *options) == 2
    assert "Declare it with --freq" in capsys.readouterr().err
    assert run(folder, "predict", "one.csv", *options, "--freq", "1h", "--horizon", 3) == 0
    assert len(pd.read_csv(folder / "one-forecast.csv")) == 6


@pytest.mark.parametrize(
    ("columns", "options", "sentence"),
    [
        ({}, COLUMNS, "no value of demand is known that a forecast could follow"),
        ({}, (*COLUMNS, "--target", "load", *CUTOFF), "no column 'load'"),
        ({"demand": "closed"}, (*COLUMNS, *CUTOFF), "column 'demand': 48 values are not numbers"),
        ({"size": "big"}, (*COLUMNS, *CUTOFF), "column 'size': 48 values are not numbers"),
        ({"size": ""}, (*COLUMNS, *CUTOFF), "column 'size': a static covariate is missing"),
        ({}, (*COLUMNS, "--unit", "MW", *CUTOFF), "the unit is MW; expected kW"),
        ({}, (*COLUMNS[:4], "--unit", "kW", *CUTOFF), "Declare --static size"),
    ],
)
def test_mistakes_stay_mistakes(
    folder: Path, capsys: pytest.CaptureFixture[str], columns: dict[str, object], options: tuple[str, ...],
    sentence: str,
) -> None:  # fmt: skip
    write_empty(folder, "odd.csv", **columns)
    assert run(folder, "predict", "odd.csv", *options, "--model", "glob", "--out", "odd-forecast.csv") == 2
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert not (folder / "odd-forecast.csv").exists()


@pytest.mark.parametrize("command", ["check", "train", "explain"])
def test_only_predict_takes_them(folder: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    words = {"train": ("--recipe", "glob.toml", "--out", "none"), "explain": ("--json", *CUTOFF)}.get(command, ())
    data = ("glob", "new.csv") if command == "explain" else ("new.csv",)
    assert run(folder, command, *data, *COLUMNS, "--zone", "UTC", *words) == (1 if command == "check" else 2)
    told = capsys.readouterr()
    assert "every value of demand is missing; expected at least one number. Check --target" in " ".join(
        (told.out + told.err).split()
    )
