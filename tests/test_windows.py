"""Windows without copies, equal to the plain loop that anyone would write."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.errors import NotEnoughHistory
from forecast.tables import Demand
from forecast.windows import Origins, RawBatch, WindowSet, origins_at, origins_every, training_origins_at
from tests.builders import long_frame, make_demand, plain, utc


def loop(demand: Demand, frame: pd.DataFrame, batch: RawBatch, reach: int, horizon: int) -> RawBatch:
    """The reference: one window, one row, one column after the other, from the frame."""
    rule = demand.step + demand.delay
    known_at = frame["ds"] + rule
    if "available_at" in frame:
        known_at = frame["available_at"].fillna(known_at)
    table = frame.assign(known_at=known_at).set_index(["unique_id", "ds"])
    columns, observed = demand.columns.dynamic, demand.columns.observed
    values, mask = np.zeros_like(batch.values_BWC), np.zeros_like(batch.mask_BWC)
    target, target_mask = np.zeros_like(batch.target_BH), np.zeros_like(batch.target_mask_BH)
    for n, (series, row, cutoff) in enumerate(zip(batch.series_B, batch.row_B, batch.cutoff_B, strict=True)):
        one, moment = demand.series[series], pd.Timestamp(cutoff, tz="UTC")
        shown = min(moment, demand.known_until) if demand.known_until is not None else moment
        for w, place in enumerate(range(row - reach, row + horizon)):
            key = (one.unique_id, one.start + place * demand.step)
            if key not in table.index:
                continue
            found = table.loc[key]
            for c, name in enumerate(columns):
                if np.isfinite(found[name]) and (name not in observed or found["known_at"] <= shown):
                    values[n, w, c], mask[n, w, c] = found[name], True
            late = demand.known_until is not None and found["known_at"] > demand.known_until
            if w >= reach and np.isfinite(found["y"]) and not late:
                target[n, w - reach], target_mask[n, w - reach] = found["y"], True
    return RawBatch(values, mask, target, target_mask, batch.series_B, batch.row_B, batch.cutoff_B)


@settings(max_examples=25)
@given(
    st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from(["0h", "90min", "30h"]), st.booleans(),
    st.sampled_from(["1h", "30min", "2h"]), st.sampled_from([None, "2024-01-21T18:30Z"]),
)  # fmt: skip
def test_a_gather_equals_the_loop(
    seed: int, late: bool, delay: str, listed: bool, freq: str, known_until: str | None
) -> None:
    rng = np.random.default_rng(seed)
    frame = pd.concat(
        [
            long_frame(days=3, freq=freq, names=["a"], gaps=0.2, late=late, seed=seed),
            long_frame(days=2, freq=freq, names=["b"], start="2024-01-21", late=late, seed=seed + 1),
        ]
    )
    frame = frame[rng.random(len(frame)) > 0.1]
    demand = make_demand(frame, delay=delay)
    demand = demand.as_of(known_until) if known_until else demand
    reach, horizon = int(rng.integers(1, 20)), int(rng.integers(1, 9))
    if listed:
        hours = rng.uniform(-20, 90, size=5)
        origins = origins_at(demand, [utc("2024-01-20") + pd.Timedelta(hours=hour).round("1min") for hour in hours])
    else:
        origins = Origins(np.array([2, 0]), 3, np.array([8, 15]))
    windows = WindowSet(demand, origins, reach, horizon)
    batch = windows.gather(rng.permutation(len(windows))[:8])
    for name, expected in vars(loop(demand, frame, batch, reach, horizon)).items():
        np.testing.assert_array_equal(getattr(batch, name), expected, err_msg=name)


def test_what_is_masked_is_zero_and_nothing_is_nan() -> None:
    demand = make_demand(long_frame(days=10, gaps=0.5), delay="5h")
    batch = WindowSet(demand, origins_every(demand, context=24, horizon=12), 48, 12).gather(np.arange(50))
    assert (batch.values_BWC[~batch.mask_BWC] == 0).all()
    assert np.isfinite(batch.values_BWC).all()
    assert (batch.target_BH[~batch.target_mask_BH] == 0).all()
    assert not batch.mask_BWC[:, 43:, 0].any()
    assert batch.mask_BWC[:, 48:, 2].all()


def test_a_narrower_table_shows_less_whatever_the_cutoff() -> None:
    demand = make_demand(long_frame(days=10))
    late = origins_at(demand, [utc("2024-01-29")])
    wide = WindowSet(demand, late, 72, 24).gather(np.arange(2))
    narrow = WindowSet(demand.as_of("2024-01-28T00:00Z"), late, 72, 24).gather(np.arange(2))
    assert wide.mask_BWC[:, :72, 0].all()
    assert wide.target_mask_BH.all()
    assert narrow.mask_BWC[:, :48, 0].all()
    assert not narrow.mask_BWC[:, 48:, 0].any()
    assert not narrow.target_mask_BH.any()


def test_a_batch_does_not_write_into_the_table() -> None:
    demand = make_demand(long_frame(days=5))
    before = demand.arena_RC.tobytes()
    batch = WindowSet(demand, origins_every(demand, context=5, horizon=3), 5, 3).gather(np.arange(4))
    batch.values_BWC[:] = -1
    batch.target_BH[:] = -1
    assert demand.arena_RC.tobytes() == before


def test_the_set_of_windows_copies_nothing() -> None:
    ds = pd.date_range(utc("2024-01-01"), periods=5000, freq="1h")
    frame = pd.concat([pd.DataFrame({"unique_id": f"m{k:02}", "ds": ds, "y": 1.0 * k}) for k in range(50)])
    demand = Demand.from_frame(frame)
    tracemalloc.start()
    windows = WindowSet(demand, origins_every(demand, context=168, horizon=24), 600, 24)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(windows) == 50 * (5000 - 168 - 24 + 1)
    assert peak < 0.1 * demand.arena_RC.nbytes
    assert all(np.shares_memory(one.values_TC, demand.arena_RC) for one in demand.series)
    assert all(np.shares_memory(one.values_TC, demand.arena_RC) for one in demand.since(ds[100]).series)


@settings(max_examples=60)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(1, 12), st.integers(1, 8), st.integers(1, 7),
    st.integers(0, 50),
)  # fmt: skip
def test_evenly_spaced_origins_equal_a_list(
    lengths: list[int], context: int, horizon: int, stride: int, hidden: int
) -> None:
    parts = [
        pd.DataFrame({"unique_id": f"s{k}", "ds": pd.date_range(utc("2024-01-01"), periods=size, freq="1h"), "y": 1.0})
        for k, size in enumerate(lengths)
    ]
    cutoff = utc("2024-01-01") + hidden * pd.Timedelta("1h")
    demand = Demand.from_frame(pd.concat(parts), freq="1h").as_of(cutoff)
    expected = [
        (number, row)
        for number, size in enumerate(lengths)
        for row in range(context, min(size, hidden) - horizon + 1, stride)
    ]
    if not expected:
        with pytest.raises(NotEnoughHistory, match=rf"at least {context + horizon} \(context {context} \+ horizon"):
            origins_every(demand, context=context, horizon=horizon, stride=stride)
        return
    origins = origins_every(demand, context=context, horizon=horizon, stride=stride)
    series, rows, cutoffs = origins.at(np.arange(len(origins)), demand)
    assert list(zip(series.tolist(), rows.tolist(), strict=True)) == expected
    assert [pd.Timestamp(c, tz="UTC") for c in cutoffs] == [
        utc("2024-01-01") + row * demand.step for _, row in expected
    ]


@settings(max_examples=60)
@given(st.integers(-5000, 10_000), st.sampled_from(["1h", "30min", "10min", "1D"]), st.sampled_from(["UTC", "+05:45"]))
def test_the_first_step_is_the_first_period_at_or_after_the_cutoff(minutes: int, freq: str, zone: str) -> None:
    demand = plain(np.ones(60), freq=freq)
    cutoff = utc("2024-01-01") + pd.Timedelta(minutes=minutes)
    from forecast import clock

    _, row, moment = origins_at(demand, [cutoff.tz_convert(clock.zone(zone))]).at(np.array([0]), demand)
    first = demand.series[0].start + int(row[0]) * demand.step
    assert pd.Timedelta(0) <= first - cutoff < demand.step
    assert pd.Timestamp(moment[0], tz="UTC") == cutoff


def test_listed_training_origins_have_context_behind_and_their_last_target_known() -> None:
    frame = pd.concat([long_frame(days=4, names=["a"]), long_frame(days=2, names=["b"], start="2024-01-22")])
    demand = make_demand(frame).as_of("2024-01-23T12:00Z")
    midnights = pd.date_range(utc("2024-01-18"), utc("2024-01-26"), freq="1D")
    origins = training_origins_at(demand, midnights, context=20, horizon=24)
    series, _, moments = origins.at(np.arange(len(origins)), demand)
    told = [(int(s), str(pd.Timestamp(m).date())) for s, m in zip(series, moments, strict=True)]
    assert told == [(0, "2024-01-21"), (0, "2024-01-22")]
    with pytest.raises(NotEnoughHistory, match="84 known steps"):
        training_origins_at(demand, midnights, context=80, horizon=24)
