"""Figures of an explanation show its numbers, its unit and its clock."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from forecast.errors import DataError
from forecast.explanations import Attention, Explanation, SimilarDay, SimilarDays
from forecast.plots.explanations import COLOURS, attention_map, attribution_bars, explanation_figures, figures
from forecast.plots.explanations import similar_days_fan as fan
from forecast.plots.paper import FORECAST
from forecast.recipe import Task
from forecast.recipes import named
from forecast.training import fit
from tests.builders import long_frame, make_demand, utc

CUTOFF = pd.Timestamp("2014-10-05T00:00", tz="Australia/Melbourne").tz_convert("UTC")
HOURS = np.arange(24)


@pytest.fixture
def explanation() -> Explanation:
    """A day of 23 local hours in 24 steps; inertia takes away at night what it adds by day."""
    groups: dict[str, np.ndarray] = {
        "calendar": 20.0 + 0 * HOURS,
        "weather": 3.0 * HOURS,
        "inertia": 40.0 * np.sin(HOURS / 4),
    }
    baseline_H = 4000 + 100 * np.sin(HOURS / 24 * 2 * np.pi)
    forecast_H = np.asarray(baseline_H + np.sum(list(groups.values()), axis=0), dtype=np.float64)
    length = pd.Timedelta(hours=1)
    before = pd.date_range(CUTOFF - 48 * length, periods=48, freq=length)
    attention = Attention(before, length, np.full((24, 48), 1 / 46) * (np.arange(48) > 1), np.arange(48) > 1, 1)
    past = [CUTOFF - pd.Timedelta(days=back) for back in (7, 2, 1)]
    days = [SimilarDay(day, 0.99 - place / 10, baseline_H + place) for place, day in enumerate(past)]
    return Explanation(
        "victoria", "gru", "MW", "Australia/Melbourne", CUTOFF, pd.date_range(CUTOFF, periods=24, freq="1h"),
        forecast_H, baseline_H, groups, pd.DatetimeIndex(past), (0.1, 0.5, 0.9),
        np.stack([forecast_H - 90, forecast_H, forecast_H + 90], axis=1), attention, "",
        SimilarDays("the final state of the encoder (gru)", tuple(days), 40),
    )  # fmt: skip


def words(figure: Figure) -> str:
    figure.canvas.draw()
    told = [text.get_text() for axis in figure.axes for text in [*axis.texts, axis.xaxis.label, axis.yaxis.label]]
    told += [axis.get_title(loc="left") for axis in figure.axes]
    return " | ".join([*told, *[text.get_text() for legend in figure.legends for text in legend.get_texts()]])


def test_bars_add_up_to_forecast_minus_baseline(explanation: Explanation) -> None:
    figure = attribution_bars(explanation)
    bottom = figure.axes[1]
    bars = [one for one in bottom.containers if isinstance(one, BarContainer)]
    heights = np.array([[bar.get_height() for bar in one] for one in bars])
    np.testing.assert_allclose(heights, list(explanation.groups.values()))
    tops = np.array([[bar.get_y() + bar.get_height() for bar in one] for one in bars])
    for place in range(24):
        up, down = heights[:, place] > 0, heights[:, place] < 0
        assert tops[up, place].max() == pytest.approx(heights[up, place].sum())
        assert tops[down, place].min(initial=0) == pytest.approx(heights[down, place].sum())
    assert (heights < 0).any()
    assert [to_hex(one[0].get_facecolor()) for one in bars] == [COLOURS[name].lower() for name in explanation.groups]
    told = words(figure)
    for part in ("demand [MW]", "added to the baseline [MW]", "calendar", "weather", "inertia", "3 past days",
                 "series victoria · from 05 Oct 2014 00:00", "local time (Australia/Melbourne)"):  # fmt: skip
        assert part in told, part


def test_the_map_shows_percent_by_lead_and_greys_what_is_unknown(explanation: Explanation) -> None:
    figure = attention_map(explanation)
    picture = figure.axes[0].images[0]
    shown = np.ma.masked_invalid(picture.get_array())
    assert shown.shape == (24, 48)
    assert np.ma.getmaskarray(shown)[:, :2].all()
    np.testing.assert_allclose(shown.filled(0).sum(1), 100)
    assert figure.axes[0].yaxis_inverted()
    assert "weight [% per hour; even: 2.2]" in words(figure)


def test_similar_days_lie_under_the_forecast(explanation: Explanation) -> None:
    figure = fan(explanation)
    lines = figure.axes[0].lines
    np.testing.assert_array_equal(
        [line.get_ydata() for line in lines[:3]], [d.outcome_H for d in explanation.similar.days]
    )
    np.testing.assert_array_equal(lines[3].get_ydata(), explanation.forecast_H)
    assert to_hex(lines[3].get_color()) == FORECAST.lower()
    assert "Sun 28 Sep 2014 (0.990)" in words(figure)
    assert "80 % band" in words(figure)


def test_a_long_name_does_not_squeeze_the_picture(explanation: Explanation) -> None:
    widths = []
    for name in ("victoria", "victoria" * 20):
        figure = fan(replace(explanation, unique_id=name))
        figure.canvas.draw()
        widths.append(figure.axes[0].get_position().width)
    assert widths[0] == pytest.approx(widths[1])


def test_without_attention_there_is_no_map_and_a_reason(explanation: Explanation) -> None:
    blind = replace(explanation, attention=None, no_attention="a ridge looks at nothing")
    assert set(explanation_figures(blind)) == {"explanation", "similar days"}
    with pytest.raises(DataError, match="a ridge looks at nothing"):
        attention_map(blind)


def test_one_step_and_a_correction_can_be_drawn(explanation: Explanation) -> None:
    assert explanation.attention is not None
    one = replace(
        explanation, ds=explanation.ds[:1], forecast_H=explanation.forecast_H[:1] + 5, levels=(0.5,),
        baseline_H=explanation.baseline_H[:1], quantiles_HQ=explanation.quantiles_HQ[:1, 1:2],
        groups={name: share[:1] for name, share in explanation.groups.items()} | {"error correction": np.array([5.0])},
        attention=replace(explanation.attention, weights_HL=explanation.attention.weights_HL[:1]),
        similar=replace(explanation.similar, days=()),
    )  # fmt: skip
    drawn = explanation_figures(one)
    assert set(drawn) == {"explanation", "similar days", "attention"}
    assert "error correction" in words(drawn["explanation"])


def test_the_figures_of_a_run_are_one_call() -> None:
    demand = make_demand(long_frame(days=40, names=("north",)))
    ridge = fit(demand.as_of("2024-02-20T00:00Z"), named("ridge"), Task(horizon=24)).forecaster
    drawn = figures(ridge, demand, utc("2024-02-22"))
    assert set(drawn) == {"explanation", "similar days"}
    assert all(isinstance(one, Figure) for one in drawn.values())
