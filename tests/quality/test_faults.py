"""The generator does what its table says, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.errors import DataError
from forecast.quality.faults import KINDS, SIZES, Fault, Kind, faults, inject
from forecast.quality.readings import Readings
from tests.quality.towns import table, town


@pytest.fixture(scope="module")
def demand():  # type: ignore[no-untyped-def]
    return table(pd.concat([town(name="north"), town(name="south", seed=1)]))


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_are_as_documented_and_seeded(demand, kind: Kind) -> None:  # type: ignore[no-untyped-def]
    drawn = list(faults(demand, kind, 60, seed=3))
    assert drawn == list(faults(demand, kind, 60, seed=3)) != list(faults(demand, kind, 60, seed=4))
    low, high = SIZES[kind]
    assert low <= min(one.size for one in drawn) < max(one.size for one in drawn) <= high
    assert {one.series for one in drawn} == {"north", "south"}
    assert {one.large for one in drawn} == {one.upward for one in drawn} == {True, False}


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_changes_its_own_span_only(demand, kind: Kind) -> None:  # type: ignore[no-untyped-def]
    fault = next(faults(demand, kind, 1, seed=1))
    wrong = inject(demand, fault)
    for before, after in zip(demand.series, wrong.series, strict=True):
        ds = demand.stamps(before)
        inside = (ds >= fault.first) & (ds <= fault.last) & (before.unique_id == fault.series)
        np.testing.assert_array_equal(demand.observed(before)[~inside], wrong.observed(after)[~inside])
        assert (demand.observed(before)[inside] != wrong.observed(after)[inside]).any() == inside.any()


def test_each_kind_is_what_it_is_called(demand) -> None:  # type: ignore[no-untyped-def]
    first = demand.series[0].start + pd.Timedelta("50D")
    y = demand.observed(demand.series[0])

    def after(kind: Kind, size: float, periods: int, upward: bool = True) -> np.ndarray:
        fault = Fault("north", kind, size, upward, first, first + (periods - 1) * demand.step)
        return inject(demand, fault).by_id["north"].values_TC[1200 : 1200 + periods, 0]

    np.testing.assert_allclose(after("level shift", 40, 48, upward=False), 0.6 * y[1200:1248], rtol=1e-6)
    np.testing.assert_allclose(after("unit slip", 5, 5), 1000 * y[1200:1205], rtol=1e-6)
    np.testing.assert_array_equal(after("stuck meter", 10, 10), y[1199])
    np.testing.assert_array_equal(after("stuck at zero", 10, 10), 0)
    np.testing.assert_array_equal(after("clock slip", 2, 48), y[1199:1247])
    np.testing.assert_array_equal(after("clock slip", 2, 48, upward=False), y[1201:1249])
    deviation = Readings.of(demand, demand.by_id["north"]).deviation_T[1200]
    np.testing.assert_allclose(after("spike", 5, 1) - y[1200], 5 * deviation, rtol=1e-3)


def test_no_room_for_a_fault_is_said() -> None:
    with pytest.raises(DataError, match="no stretch without gaps was found for a clock slip"):
        list(faults(table(town(days=1)), "clock slip", 1))
