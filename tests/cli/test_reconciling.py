"""`forecast predict --parents`: children sum to parents in the file that a user gets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.builders import long_frame
from tests.cli.conftest import Forecast

PARENTS = "hill:north,lake:north,north:city,south:city"
NAMES = ("hill", "lake", "south", "north", "city")


@pytest.fixture
def towns(tmp_path: Path) -> Path:
    """Three towns, a half and the city, as a file."""
    parts = long_frame(days=40, names=("hill", "lake", "south"), zone="Europe/Lisbon")[["unique_id", "ds", "y"]]
    wide = parts.pivot(index="ds", columns="unique_id", values="y").round(2)
    wide["north"] = wide["hill"] + wide["lake"]
    wide["city"] = (wide["north"] + wide["south"]) * 1.02  # losses
    file = tmp_path / "towns.csv"
    wide.melt(ignore_index=False, value_name="y").reset_index().to_csv(file, index=False)
    return file


def train(towns: Path, forecast: Forecast) -> None:
    words = ("--zone", "Europe/Lisbon", "--recipe", "seasonal_naive_week", "--out", "model", "--horizon", 24)
    code, told = forecast("train", towns, *words)
    assert code == 0, told


def test_children_sum_to_parents(towns: Path, forecast: Forecast, tmp_path: Path) -> None:
    train(towns, forecast)
    code, told = forecast("predict", towns, "--parents", PARENTS, "--out", "sums.parquet")
    assert code == 0, told
    assert "in the history 'city' is not the sum of its 2 children: they differ by 1.96%" in told
    said = pd.read_parquet(tmp_path / "sums.parquet")
    for column in ("mean", *(f"q0.{tenth}" for tenth in range(1, 10))):
        wide = said.pivot(index="ds", columns="unique_id", values=column)
        assert wide["north"].to_numpy() == pytest.approx((wide["hill"] + wide["lake"]).to_numpy(), rel=1e-9)
        assert wide["city"].to_numpy() == pytest.approx((wide["north"] + wide["south"]).to_numpy(), rel=1e-9)
    assert forecast("predict", towns, "--out", "base.parquet")[0] == 0
    base = pd.read_parquet(tmp_path / "base.parquet")
    assert not np.allclose(base["q0.5"], said["q0.5"])


def test_past_errors_from_a_walk(towns: Path, forecast: Forecast, tmp_path: Path) -> None:
    train(towns, forecast)
    code, told = forecast(
        "backtest", towns, "--zone", "Europe/Lisbon", "--start", "2024-02-15", "--end", "2024-02-25", "--recipe",
        "seasonal_naive_day,seasonal_naive_week", "--out", "walk.csv",
    )  # fmt: skip
    assert code == 0, told
    pairs = "\n".join(",".join(pair.split(":")) for pair in PARENTS.split(","))
    (tmp_path / "parents.csv").write_text(f"child,parent\n{pairs}\n")
    made = {}
    for method in ("bottom-up", "mint"):
        code, told = forecast(
            "predict", towns, "--parents", "parents.csv", "--reconcile", method, "--errors", "walk.csv", "--out",
            "f.csv",
        )  # fmt: skip
        assert code == 0, told
        made[method] = pd.read_csv(tmp_path / "f.csv")["q0.5"].to_numpy()
    assert not np.allclose(made["mint"], made["bottom-up"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--reconcile", "mint"), "--reconcile without --parents"),
        (("--parents", PARENTS, "--reconcile", "mint"), "method mint without past errors"),
        (("--parents", PARENTS, "--reconcile", "wls"), "method 'wls' is not known"),
        (("--parents", "none.csv"), "no file 'none.csv' and no pairs"),
        (("--parents", PARENTS, "--errors", "none.csv"), "--errors none.csv cannot be read"),
        (("--parents", PARENTS, "--errors", "towns.csv"), "--errors towns.csv lacks cutoff, mean"),
    ],
)
def test_mistakes_are_named(words: tuple[str, ...], told: str, towns: Path, forecast: Forecast, tmp_path: Path) -> None:
    code, said = forecast("predict", towns, *words, "--out", "none.parquet")
    assert code == 2, said
    assert told in said
    assert not (tmp_path / "none.parquet").exists()


def test_a_parent_that_is_not_forecast(towns: Path, forecast: Forecast, tmp_path: Path) -> None:
    train(towns, forecast)
    code, said = forecast("predict", towns, "--parents", "hill:valley", "--out", "none.csv")
    assert code == 2, said
    assert "the forecast has no valley" in said
    assert not (tmp_path / "none.csv").exists()
