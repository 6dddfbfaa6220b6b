"""Peers as data, goals, and the checks that refuse another file."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from forecast import protocols
from forecast.cli.bench import seeded
from forecast.cli.standing import reached
from forecast.errors import DataError, DeclarationError
from forecast.protocols import Goal, Peer, Protocol, judge, prove
from forecast.protocols.eia import against_operators
from forecast.protocols.judgement import gains, interval_figures
from forecast.recipes import named
from forecast.training import fit
from tests.builders import TINY, long_frame, make_demand

NAIVE, RIDGE = named("seasonal_naive_day"), named("ridge")


def small(demand_rows: int = 2 * 24 * 2) -> Protocol:
    """Two days of `long_frame` day ahead, from midnights at UTC-6, under the name (and the peers) of vic-a."""
    return Protocol(
        name="vic-a", about="two days", read=lambda _: make_demand(long_frame()), days=("2024-03-14", "2024-03-15"),
        clock="-06:00", horizon=24, scored=demand_rows, checks={},
    )  # fmt: skip


def test_every_protocol_has_goals_and_peers_with_a_source() -> None:
    assert list(protocols.PROTOCOLS) == ["vic-a", "vic-b", "vic-dec", "eia-33", "eia-33+", "tet"]
    for protocol in protocols.PROTOCOLS.values():
        assert protocol.goals
        assert all(peer.source for peer in protocol.peers)
        leading = [peer.low(protocol.headline[0]) for peer in protocol.peers]
        assert leading == sorted(leading)
        assert not any(math.isnan(figure) for figure in leading)
        assert all(set(peer.figures) <= set(protocol.headline) for peer in protocol.peers)
    assert {peer.source for peer in protocols.VIC_DEC.peers} == {"published by skforecast"}
    assert protocols.VIC_A.peers[0].mae == 80.1


def test_a_range_counts_from_its_lower_end() -> None:
    peer = Peer(name="a network", figures={"mae": (86.0, 87.7)})
    assert (peer.mae, peer.source) == (86.0, protocols.MEASURED)
    assert math.isnan(peer.low("wins"))


@pytest.mark.parametrize("bounds", [{}, {"at_most": 1.0, "at_least": 0.0}, {"at_most": 1.0, "below": ["lightgbm"]}])
def test_a_goal_has_one_bound(bounds: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="one of at_most, at_least and below"):
        Goal.model_validate({"figure": "mae", **bounds})


def test_goals_are_reached_at_their_bound() -> None:
    scores = pd.DataFrame({"mae": {"ours": 77.0, "lightgbm": 77.0, "other": 80.0}})
    assert reached(Goal(figure="mae", at_most=77), scores, "ours")
    assert not reached(Goal(figure="mae", at_most=76.9), scores, "ours")
    assert reached(Goal(figure="mae", at_least=77), scores, "ours")
    assert reached(Goal(figure="mae", below=("other",)), scores, "ours")
    assert not reached(Goal(figure="mae", below=("other", "lightgbm")), scores, "ours")
    assert reached(Goal(figure="mae", below=("nobody",)), scores, "ours") is None


def test_cutoffs_are_midnights_of_the_protocols_clock() -> None:
    demand = make_demand(long_frame())
    plan = small().plan(demand)
    assert [f"{cutoff:%dT%H:%M%z}" for cutoff in plan.cutoffs] == ["14T06:00+0000", "15T06:00+0000"]


def test_a_judgement_scores_the_truth_and_names_gains() -> None:
    demand = make_demand(long_frame(gaps=0.02))
    protocol = small()
    truth = demand.to_frame()[["unique_id", "ds"]].assign(y=1000.0)
    fits = {"naive": partial(fit, recipe=NAIVE, task=protocol.task(demand))}
    walked, scores = judge(protocol, demand, fits, truth=truth)
    assert (walked.table["y"] == 1000.0).all()
    by_hand = (walked.table["q0.5"] - 1000.0).abs().groupby(walked.table["unique_id"]).mean().mean()
    assert scores.loc["naive", "mae"] == pytest.approx(by_hand)
    inside = (walked.table["q0.1"] <= 1000.0) & (walked.table["q0.9"] >= 1000.0)
    assert scores.loc["naive", "coverage_pooled"] == pytest.approx(inside.mean())


def test_gains_are_shares_of_the_better_period_before() -> None:
    scores = pd.DataFrame({"mae": [1.0], "mae_north": [60.0], "mae_south": [50.0]}, index=["ours"])
    known = pd.DataFrame({"mae_north": [100.0, 80.0], "mae_south": [40.0, 90.0]}, index=["day", "week"])
    assert gains(scores, known).loc["ours"].round(6).to_dict() == {"gain_north": 0.25, "gain_south": -0.25}


def test_another_number_of_rows_is_refused() -> None:
    demand = make_demand(long_frame())
    with pytest.raises(DataError, match="96 scored rows; expected 95 under vic-a"):
        prove(small(95), demand)


def test_another_figure_of_the_day_before_is_refused() -> None:
    demand = make_demand(long_frame())
    found = float(prove(small(), demand).loc["day", "mae"])
    prove(replace(small(), checks={"day": {"mae": round(found, 1)}}), demand)
    with pytest.raises(DataError, match=rf"a day before reaches mae {found:.2f}; expected 999.9 under vic-a"):
        prove(replace(small(), checks={"day": {"mae": 999.9}}), demand)


def test_intervals_are_judged_by_hour_quarter_and_day() -> None:
    cutoffs = pd.date_range("2024-01-01", periods=8, freq="D", tz="UTC").repeat(24)
    ds = pd.date_range("2024-01-01", periods=8 * 24, freq="1h", tz="UTC")
    outside = (ds.hour == 5) | (cutoffs >= pd.Timestamp("2024-01-07", tz="UTC"))
    table = pd.DataFrame({
        "model": "m", "unique_id": "a", "cutoff": cutoffs, "ds": ds, "y": np.where(outside, 9.0, 0.0), "mean": 0.0,
        "q0.1": -1.0, "q0.5": 0.0, "q0.9": 1.0,
    })  # fmt: skip
    # The civil hour of UTC+02:00 that is never inside is 7; it is pooled over the days.
    found = interval_figures(table, {"a": "+02:00"}).loc["m"]
    assert found["coverage_pooled"] == pytest.approx(6 * 23 / (8 * 24))
    assert found["coverage_lowest_hour"] == 0
    assert found["coverage_lowest_quarter"] == 0
    assert found["coverage_low"] < found["coverage_pooled"] < found["coverage_high"] <= 23 / 24


def test_a_model_without_quantiles_has_no_coverage() -> None:
    table = prove_table().drop(columns=["q0.1", "q0.5", "q0.9"])
    assert interval_figures(table, {"a": "UTC"}).isna().all(axis=None)


def prove_table() -> pd.DataFrame:
    ds = pd.date_range("2024-01-01", periods=24, freq="1h", tz="UTC")
    told = {"model": "m", "unique_id": "a", "cutoff": ds[0], "ds": ds, "y": 1.0, "mean": 1.0}
    return pd.DataFrame({**told, "q0.1": 0.0, "q0.5": 1.0, "q0.9": 2.0})


def test_operators_are_beaten_series_by_series() -> None:
    scored = pd.DataFrame({"unique_id": ["a", "a", "b"], "y": [100.0, 200.0, 50.0], "operator": [110.0, np.nan, 49.0]})
    by_series = pd.DataFrame({"model": ["m"] * 2, "unique_id": ["a", "b"], "mape": [9.0, 3.0]})
    found = against_operators(by_series, scored).loc["m"]
    assert found.to_dict() == {"mape_median": 6.0, "mape_mean": 6.0, "wins": 1.0}


@pytest.mark.parametrize("name", list(protocols.PROTOCOLS))
def test_a_missing_and_a_wrong_file_are_named(name: str, tmp_path: Path) -> None:
    read = protocols.named(name).read
    with pytest.raises(DataError, match=r"no file .*none\.parquet; expected the .* table as Parquet"):
        read(tmp_path / "none.parquet")
    wrong = tmp_path / "wrong.parquet"
    pd.DataFrame({"load": [1.0]}).to_parquet(wrong)
    with pytest.raises(DataError, match=r"wrong\.parquet is not the .* table .*; expected columns timestamp"):
        read(wrong)
    wrong.write_text("no parquet at all")
    with pytest.raises(DataError, match=r"wrong\.parquet is not the .* table"):
        read(wrong)


def test_an_unknown_protocol_is_named() -> None:
    with pytest.raises(DeclarationError, match=r"no protocol 'vic-z'; expected one of vic-a, vic-b"):
        protocols.named("vic-z")


def test_a_seed_reaches_the_training_and_nothing_else() -> None:
    other = seeded(TINY, 7)
    assert other.model.training.seed == 7  # type: ignore[union-attr]
    assert other.model_copy(update={"model": TINY.model}) == TINY
    assert seeded(TINY, None) == TINY
    assert seeded(RIDGE, 7) == RIDGE
