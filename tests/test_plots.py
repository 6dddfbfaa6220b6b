"""Figures say what they show: units, the zone of their clock, who won; and touch no global state."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from forecast import plots
from forecast.errors import DataError
from forecast.metrics import score
from forecast.plots.paper import FORECAST, PALETTE, styles
from forecast.tables import LEVELS, quantile_column

ZONE = "Australia/Melbourne"
ZONES = {"victoria": ZONE}


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    ds = pd.date_range("2014-10-01", periods=24 * 12, freq="1h", tz=ZONE).tz_convert("UTC")
    hour = np.arange(len(ds))
    return pd.DataFrame({"unique_id": "victoria", "ds": ds, "y": 4800 + 700 * np.sin(2 * np.pi * hour / 24)})


@pytest.fixture(scope="module")
def walk(history: pd.DataFrame) -> pd.DataFrame:
    """Six days of two models; the fifth of October, a day of 23 hours, is among them."""
    parts = []
    for model, miss in (("gru", 50.0), ("seasonal_naive_week", -200.0)):
        for day in range(5, 11):
            part = history.iloc[24 * day : 24 * (day + 1)]
            said = {quantile_column(level): part["y"] + miss + 400 * (level - 0.5) for level in LEVELS}
            parts.append(part.assign(cutoff=part["ds"].iloc[0], model=model, mean=part["y"] + miss, **said))
    return pd.concat(parts, ignore_index=True)


def last_of(walk: pd.DataFrame, model: str = "gru") -> pd.DataFrame:
    mine = walk[walk["model"] == model]
    return mine[mine["cutoff"] == mine["cutoff"].max()]


def png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def words(figure: Figure) -> str:
    """Everything that is written on a figure."""
    figure.canvas.draw()
    axes: list[Axes] = figure.axes
    told = [text.get_text() for one in axes for text in one.texts]
    told += (
        [one.get_title(loc="left") for one in axes]
        + [one.get_xlabel() for one in axes]
        + [one.get_ylabel() for one in axes]
    )
    told += [label.get_text() for one in axes for label in (*one.get_xticklabels(), *one.get_yticklabels())]
    told += [
        text.get_text()
        for legend in (*figure.legends, *[one.get_legend() for one in axes])
        if legend
        for text in legend.get_texts()
    ]
    return " | ".join(told)


def test_a_fan_names_unit_zone_and_what_happened(history: pd.DataFrame, walk: pd.DataFrame) -> None:
    one = last_of(walk)
    figure = plots.fan_chart(history, one, one[["ds", "y"]], title="Victoria", unit="GW", zone=ZONE)
    told = words(figure)
    for word in (
        "Victoria",
        "demand [GW]",
        f"local time ({ZONE})",
        "what happened",
        "80 % band",
        "cutoff",
        "series victoria · gru",
    ):
        assert word in told
    assert len(png(figure)) > 10_000


def test_a_fan_holds_the_very_numbers(history: pd.DataFrame, walk: pd.DataFrame) -> None:
    one = last_of(walk)
    (axis,) = plots.fan_chart(history, one, zone=ZONE).axes
    lines = {line.get_label(): line for line in axis.get_lines()}
    assert np.array_equal(lines["forecast (median)"].get_ydata(), one["q0.5"])
    assert "what happened" not in lines
    known = lines["known before"].get_ydata()
    assert len(known) < len(history)
    assert known[-1] == history[history["ds"] < one["ds"].min()]["y"].iloc[-1]
    assert len(axis.collections) == 4


def test_ticks_stand_at_local_midnight(history: pd.DataFrame, walk: pd.DataFrame) -> None:
    one = last_of(walk)
    told = words(plots.fan_chart(history, one, zone=ZONE))
    # Of the cutoff in Melbourne; in UTC it is still the 10th.
    assert one["cutoff"].iloc[0].day == 10
    assert "11 Oct" in told


def test_a_fan_without_quantiles_is_a_line(history: pd.DataFrame, walk: pd.DataFrame) -> None:
    one = last_of(walk)[["unique_id", "ds", "cutoff", "mean"]]
    (axis,) = plots.fan_chart(history, one).axes
    assert not axis.collections
    assert np.array_equal(axis.get_lines()[1].get_ydata(), one["mean"])


@pytest.mark.parametrize("column", ["cutoff", "model"])
def test_several_forecasts_are_not_one(history: pd.DataFrame, walk: pd.DataFrame, column: str) -> None:
    several = walk[walk["cutoff"] == walk["cutoff"].max()] if column == "model" else walk[walk["model"] == "gru"]
    with pytest.raises(DataError, match=f"several {column}"):
        plots.fan_chart(history, several)


def test_an_empty_forecast_is_named(history: pd.DataFrame, walk: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="empty"):
        plots.fan_chart(history, walk.iloc[:0])


def test_the_demos_picture_says_how_far_off_both_were(history: pd.DataFrame, walk: pd.DataFrame) -> None:
    figure = plots.demo_picture(history, walk, model="gru", yardstick="seasonal_naive_week", zone=ZONE, days=4)
    told = words(figure)
    for word in (
        "gru 50 MW",
        "seasonal_naive_week 200 MW",
        "what really happened",
        f"local time ({ZONE})",
        "demand [MW]",
    ):
        assert word in told
    shown = next(line for line in figure.axes[0].get_lines() if line.get_label() == "what really happened")
    assert len(shown.get_ydata()) == 4 * 24
    assert len(png(figure)) > 10_000


def test_the_demos_picture_needs_a_model_of_the_walk(history: pd.DataFrame, walk: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no model 'lstm'"):
        plots.demo_picture(history, walk, model="lstm")
    two = pd.concat([walk, walk.assign(unique_id="tasmania")])
    with pytest.raises(DataError, match="several series"):
        plots.demo_picture(history, two, model="gru")


def test_errors_are_drawn_by_lead_and_local_hour(walk: pd.DataFrame) -> None:
    figure = plots.error_by_lead_and_hour(walk, zones=ZONES, unit="MW")
    told = words(figure)
    for word in (
        "hours from the cutoff",
        f"hour of the day ({ZONE})",
        "mean absolute error [MW]",
        "gru",
        "seasonal_naive_week",
    ):
        assert word in told
    heights = [set(np.round(line.get_ydata(), 6)) for axis in figure.axes for line in axis.get_lines()]
    assert heights == [{50.0}, {200.0}, {50.0}, {200.0}]


def test_calibration_counts_what_stayed_below(walk: pd.DataFrame) -> None:
    figure = plots.calibration_diagram(walk, zones=ZONES)
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    # gru's quantiles lie 50 + 400 (level - 0.5) above y: all of them from 0.4 on.
    assert np.array_equal(lines["gru"].get_ydata(), [0, 0, 0, 1, 1, 1, 1, 1, 1])
    assert "80 % is promised" in words(figure)
    assert len(png(figure)) > 10_000
    with pytest.raises(DataError, match="no quantile"):
        plots.calibration_diagram(walk.drop(columns=[quantile_column(level) for level in LEVELS]))


def test_unmeasured_periods_do_not_count_as_missed(walk: pd.DataFrame) -> None:
    holed = walk.assign(y=walk["y"].where(walk["ds"] < walk["cutoff"].max()))
    before, after = (plots.calibration_diagram(one).axes[0].get_lines()[1].get_ydata() for one in (walk, holed))
    assert np.array_equal(before, after)


def test_bars_are_ordered_and_the_winner_is_coloured(walk: pd.DataFrame) -> None:
    figure = plots.comparison_bars(score(walk), unit="MW", subtitle="weather: none")
    (axis,) = figure.axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["seasonal_naive_week", "gru"]
    assert [to_hex(bar.get_facecolor()) == FORECAST.lower() for bar in axis.patches] == [False, True]
    assert "mae [MW], lower is better" in words(figure)
    crowned = plots.comparison_bars(score(walk), winner="seasonal_naive_week").axes[0]
    assert [to_hex(bar.get_facecolor()) == FORECAST.lower() for bar in crowned.patches] == [True, False]


def test_bars_of_nothing_are_refused() -> None:
    with pytest.raises(DataError, match="no model has a figure"):
        plots.comparison_bars(pd.DataFrame({"model": ["a"], "mae": [float("nan")]}))


def test_a_gradient_that_vanishes_crosses_the_line() -> None:
    steep = words(plots.gradient_report({"rnn": 0.8 ** np.arange(168), "gru": 0.99 ** np.arange(168)}))
    flat = words(plots.gradient_report((0.99 ** np.arange(168)).tolist()))
    assert "vanishing" in steep
    assert "rnn" in steep
    assert "vanishing" not in flat
    with pytest.raises(DataError, match="no gradient norm"):
        plots.gradient_report([0.0, float("nan")])


def test_models_are_told_apart_and_yardsticks_are_grey() -> None:
    names = ["rnn", "lstm", "gru", "attention", "transformer", "ridge", "trees", "default", "seasonal_naive_week"]
    drawn = styles(names)
    colours = [drawn[name]["color"] for name in names]
    assert len(set(colours)) == len(names)
    assert drawn["seasonal_naive_week"]["color"] not in PALETTE


def test_pyplot_stays_out() -> None:
    program = "import sys, forecast.plots; print('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "False", done.stderr
