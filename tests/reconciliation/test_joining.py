"""A parent in MW beside children in kW or kWh."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.errors import DataError, RequestError
from forecast.reconciliation import Hierarchy, joined, reconcile
from tests.reconciliation.families import drawn, said, values, wide

PARTS = Hierarchy({"a": "all", "b": "all"})


def test_units_are_converted() -> None:
    rng = np.random.default_rng(0)
    top = said(drawn(["all"], rng), freq="30min", model="lstm")
    leaves = drawn(["a", "b"], rng)
    whole = joined([top, said({name: one * 500 for name, one in leaves.items()}, freq="30min", unit="kWh")])
    assert whole.unit == "MW"
    assert whole.model == "lstm+ridge"
    assert values(whole, ["a", "b"]) == pytest.approx(np.stack([leaves["a"], leaves["b"]]))
    in_kw = joined([top, said({"a": leaves["a"]}, freq="30min")], unit="kW")
    assert values(in_kw, ["all"]) == pytest.approx(1000 * values(top, ["all"]))
    made = wide(reconcile(whole, PARTS, "structural"))
    assert made["all"].to_numpy() == pytest.approx((made["a"] + made["b"]).to_numpy())


def test_what_cannot_be_joined() -> None:
    rng = np.random.default_rng(1)
    top = said(drawn(["all"], rng))
    with pytest.raises(DataError, match="the forecasts have mixed frequencies"):
        joined([top, said(drawn(["a"], rng), freq="30min", model="lstm")])
    with pytest.raises(DataError, match="the same levels"):
        joined([top, said({"a": [[1.0], [1.0]]}, levels=(0.5,))])
    with pytest.raises(DataError, match="says the same period twice"):
        joined([top, top])
    with pytest.raises(DataError, match="single periods in several units"):
        joined([said(drawn(["a"], rng, steps=1)), said(drawn(["b"], rng, steps=1), unit="kWh")])
    with pytest.raises(RequestError, match="no forecast to join"):
        joined([])
