"""Every mistake is answered with a problem that names series, column and stamps."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from starlette.testclient import TestClient

from forecast.errors import DataError
from serving.bodies import SeriesBody
from serving.rows import Rows

CUTOFF = pd.Timestamp("2014-04-13T00:00Z")
Body = dict[str, Any]
Change = Callable[[Body], object]


def north(body: Body) -> Body:
    """The second series."""
    one: Body = body["series"][1]
    assert one["unique_id"] == "north"
    return one


def history(body: Body) -> Body:
    """The second series' history."""
    past: Body = north(body)["history"]
    return past


def swap(values: list[Any]) -> None:
    """Two neighbours in the wrong order."""
    values[4], values[5] = values[5], values[4]


def hourly_to_half(past: Body) -> None:
    """The same values, half an hour apart."""
    size = len(past["ds"])
    past["ds"] = [f"{stamp:%Y-%m-%dT%H:%M:%SZ}" for stamp in pd.date_range(past["ds"][0], periods=size, freq="30min")]


def every_third(past: Body, first: int, rows: int) -> None:
    """Only every third row, for so many rows from `first` on."""
    kept = [row for row in range(len(past["ds"])) if not first <= row < first + 3 * rows or (row - first) % 3 == 2]
    past.update({name: [values[row] for row in kept] for name, values in past.items()})


DATA_MISTAKES: dict[str, tuple[Change, str | None, list[str], str]] = {
    "missing column": (lambda b: history(b).pop("humidity"), "humidity", [], "no column 'humidity' in history"),
    "missing known column": (
        lambda b: north(b)["future"].pop("temperature"), "temperature", [], "no column 'temperature' in future",
    ),
    "missing static": (lambda b: north(b).pop("static"), "size", [], "no static covariate 'size'"),
    "unsorted": (lambda b: swap(history(b)["ds"]), "ds", ["2014-03-04T04:00Z"], "not in time order"),
    "duplicates": (
        lambda b: history(b)["ds"].__setitem__(5, "2014-03-04T04:00:00Z"), "ds", ["2014-03-04T04:00Z"],
        "1 stamps occur twice",
    ),
    "naive": (
        lambda b: history(b)["ds"].__setitem__(5, "2014-03-04T05:00:00"), "ds", ["2014-03-04T05:00:00"],
        "1 stamps have no zone",
    ),
    "date without a time": (
        lambda b: history(b)["ds"].__setitem__(5, "2014-03-04"), "ds", ["2014-03-04"], "1 stamps have no zone",
    ),
    "not a stamp": (lambda b: history(b)["ds"].__setitem__(5, "noon"), "ds", ["noon"], "1 stamps cannot be read"),
    "no such day": (
        lambda b: history(b)["ds"].__setitem__(5, "2014-02-30T00:00Z"), "ds", ["2014-02-30T00:00Z"],
        "1 stamps cannot be read",
    ),
    "stamp is a number": (lambda b: history(b)["ds"].__setitem__(5, 7), "ds", ["row 5: 7"], "are not stamps"),
    "mixed frequency": (
        lambda b: history(b)["ds"].__setitem__(5, "2014-03-04T05:10:00Z"), "ds", ["2014-03-04T05:10Z"],
        "not on the clock",
    ),
    "another step for a day": (
        lambda b: every_third(history(b), 6, 24), "ds",
        [f"{stamp:%Y-%m-%dT%H:%MZ}" for stamp in pd.date_range("2014-03-04T08:00Z", periods=20, freq="3h")],
        "the stamps change between every 01:00:00 and every 03:00:00: mixed frequencies",
    ),
    "another step for most of it": (
        lambda b: every_third(history(b), 6, 310), "ds",
        [f"{stamp:%Y-%m-%dT%H:%MZ}" for stamp in pd.date_range("2014-03-04T08:00Z", periods=20, freq="3h")],
        "mixed frequencies",
    ),
    "another step": (lambda b: hourly_to_half(history(b)), "ds", [], "a step of 00:30:00; expected the 01:00:00"),
    "text in numbers": (
        lambda b: history(b)["y"].__setitem__(5, "11,5"), "y", ["2014-03-04T05:00:00Z: '11,5'"],
        "1 of 960 values are not numbers",
    ),
    "true in numbers": (
        lambda b: history(b)["humidity"].__setitem__(5, True), "humidity", ["2014-03-04T05:00:00Z: True"],
        "are not numbers",
    ),
    "absurd number": (
        lambda b: history(b)["y"].__setitem__(5, 1e300), "y", ["2014-03-04T05:00:00Z: 1e+300"], "are not numbers",
    ),
    "shorter column": (lambda b: history(b)["y"].pop(), "y", [], "959 values beside 960 stamps"),
    "no period at all": (
        lambda b: north(b).update(history={"ds": [], "y": [], "humidity": [], "temperature": []}, future=None), "ds",
        [], "neither history nor future has a period",
    ),
    "all null and unsorted": (
        lambda b: (history(b).update(y=[None] * 960), swap(history(b)["ds"])), "ds", ["2014-03-04T04:00Z"],
        "not in time order",
    ),
    "future overlaps": (
        lambda b: north(b)["future"]["ds"].__setitem__(0, "2014-04-12T23:00:00Z"), "ds", ["2014-04-12T23:00Z"],
        "1 stamps of `future` lie within the history",
    ),
    "late stamp of another length": (
        lambda b: history(b).update(available_at=[None]), "available_at", [], "1 values beside 960 stamps",
    ),
    "step of a month": (
        lambda b: history(b).update(start=history(b).pop("ds")[0], step="P1M"), "step", [], "step 'P1M' is no length",
    ),
    "step that is none": (
        lambda b: history(b).update(start=history(b).pop("ds")[0], step="soon"), "step", [], "step 'soon' is no length",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DATA_MISTAKES)
def test_data_mistakes(client: TestClient, ask: Any, name: str) -> None:
    change, column, stamps, told = DATA_MISTAKES[name]
    content = ask.body(CUTOFF)
    change(content)
    problem = ask.refused(client, content)
    assert (problem["type"], problem["series"]) == ("/problems/data", "north")
    assert (problem["column"], problem["stamps"] if stamps else stamps) == (column, stamps)
    assert told in problem["detail"]
    assert problem["expected"]
    assert problem["do"]


def test_gaps_that_come_evenly_by_chance_are_gaps(client: TestClient, ask: Any) -> None:
    content = ask.body(CUTOFF)
    every_third(history(content), 6, 23)
    assert len(ask.post(client, content)["forecasts"]) == 3


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have(client: TestClient, ask: Any, literal: str) -> None:
    content = ask.body(CUTOFF)
    history(content)["y"][5] = "HERE"
    raw = json.dumps(content).replace('"HERE"', literal).encode()
    problem = ask.refused(client, raw)
    assert (problem["series"], problem["column"]) == ("north", "y")
    assert problem["stamps"][0].startswith("2014-03-04T05:00:00Z: ")


def test_values_of_y_from_the_future(client: TestClient, ask: Any) -> None:
    content = {
        "series": [
            {
                "unique_id": "east", "static": {"size": 1},
                "history": {"start": "2199-01-01T00:00Z", "step": "1h", "y": [1], "humidity": [1], "temperature": [1]},
            }
        ]
    }  # fmt: skip
    problem = ask.refused(client, content)
    assert (problem["column"], problem["stamps"]) == ("y", ["2199-01-01T00:00Z"])
    assert "1 values of y are stamped in the future" in problem["detail"]


def test_counted_stamps_beyond_all_clocks() -> None:
    spec: Any = SimpleNamespace(
        step=pd.Timedelta("1D"), zone="UTC", past=(), known=(), static=(), starts_from_static=False
    )
    history = {"start": "2199-12-31T00:00Z", "step": "P1D", "y": [1.0] * 23_000}
    body = SeriesBody.model_validate({"unique_id": "a", "history": history})
    with pytest.raises(DataError, match="23,000 periods of P1D from 2199-12-31T00:00Z on reach past the year 2262"):
        Rows.of(body, spec)


REQUEST_MISTAKES: dict[str, tuple[Change, str | None, str]] = {
    "unknown quantile": (lambda b: b.update(quantiles=[0.33]), None, "quantiles 0.33 are not offered"),
    "no quantile": (lambda b: b.update(quantiles=[]), "quantiles", "quantiles: list should have at least 1 item"),
    "horizon 0": (lambda b: b.update(horizon=0), None, "a horizon of 0 steps; expected 1 to 360"),
    "horizon below 0": (lambda b: b.update(horizon=-1), None, "a horizon of -1 steps"),
    "huge horizon": (lambda b: b.update(horizon=10**9), None, "a horizon of 1000000000 steps"),
    "horizon beyond 64 bits": (lambda b: b.update(horizon=10**30), "horizon", "horizon: "),
    "horizon as text": (lambda b: b.update(horizon="24"), "horizon", "horizon: input should be a valid integer"),
    "horizon and day": (lambda b: b.update(delivery_day="2014-04-14"), None, "give horizon or delivery_day, not both"),
    "day that is none": (
        lambda b: (b.pop("horizon"), b.update(delivery_day="2014-02-30")), "delivery_day", "'2014-02-30' is not a date",
    ),
    "day written otherwise": (lambda b: b.update(delivery_day="14.4.2014"), "delivery_day", "should match pattern"),
    "day that is over": (
        lambda b: (b.pop("horizon"), b.update(delivery_day="2014-04-12")), "delivery_day", "before the cutoff",
    ),
    "day too far away": (
        lambda b: (b.pop("horizon"), b.update(delivery_day="2029-01-01")), "delivery_day",
        "the delivery day 2029-01-01 ends 5378 days after the cutoff 2014-04-13T00:00Z; expected a day that ends by "
        "2014-04-28T00:00Z. Ask for a day within 15 days of it",
    ),
    "day just too far away": (
        lambda b: (b.pop("horizon"), b.update(delivery_day="2014-04-28")), "delivery_day",
        "the delivery day 2014-04-28 ends 16 days after the cutoff",
    ),
    "unknown field": (lambda b: b.update(horizont=24), "horizont", "unknown field 'horizont'"),
    "no series": (lambda b: b.update(series=[]), "series", "series: list should have at least 1 item"),
    "series missing": (lambda b: b.pop("series"), "series", "no field 'series'"),
    "unknown unit": (lambda b: b.update(unit="furlong"), "unit", "unit: "),
    "unit of another size": (lambda b: b.update(unit="kW"), "unit", "expected MW or MWh"),
    "naive cutoff is data": (lambda b: b.update(cutoff=5), "cutoff", "cutoff: input should be a valid string"),
    "too many series": (lambda b: b.update(series=b["series"][:1] * 21), None, "21 series; expected at most 20"),
    "too many fields": (lambda b: b.update({f"f{n}": 1 for n in range(100)}), None, "fields; expected at most 64"),
}  # fmt: skip


@pytest.mark.parametrize("name", REQUEST_MISTAKES)
def test_request_mistakes(client: TestClient, ask: Any, name: str) -> None:
    change, column, told = REQUEST_MISTAKES[name]
    content = ask.body(CUTOFF)
    change(content)
    problem = ask.refused(client, content)
    assert problem["type"] == "/problems/request"
    assert problem.get("column") == column
    assert told in problem["detail"]


SERIES_MISTAKES: dict[str, tuple[Change, str, str, str]] = {
    "unknown field": (lambda b: north(b).update(zome="x"), "request", "zome", "unknown field 'series.1.zome'"),
    "y missing": (lambda b: history(b).pop("y"), "request", "y", "no field 'series.1.history.y'"),
    "y no list": (lambda b: history(b).update(y=3), "request", "y", "series.1.history.y: input should be a valid list"),
    "two clocks": (
        lambda b: history(b).update(start="2014-03-04T00:00Z", step="1h"), "request", "history", "either ds, or start",
    ),
    "unknown zone": (lambda b: north(b).update(zone="Mars/Base"), "declaration", "zone", "zone 'Mars/Base' is not"),
    "a file as zone": (lambda b: north(b).update(zone="../../etc/passwd"), "declaration", "zone", "is not known"),
    "control characters": (
        lambda b: b["series"].insert(1, {**north(b), "unique_id": "a\x00"}), "request", "unique_id",
        "unique_id: a name holds a control character",
    ),
    "twice": (lambda b: b["series"].append(north(b)), "request", "unique_id", "the series comes twice"),
}  # fmt: skip


@pytest.mark.parametrize("name", SERIES_MISTAKES)
def test_mistakes_of_a_series(client: TestClient, ask: Any, name: str) -> None:
    change, kind, column, told = SERIES_MISTAKES[name]
    content = ask.body(CUTOFF)
    change(content)
    problem = ask.refused(client, content)
    assert (problem["type"], problem["column"]) == (f"/problems/{kind}", column)
    assert problem["series"] == ("a\x00" if name == "control characters" else "north")
    assert told in problem["detail"]


def test_a_naive_cutoff(client: TestClient, ask: Any) -> None:
    problem = ask.refused(client, ask.body(CUTOFF) | {"cutoff": "2014-04-13T00:00:00"})
    assert (problem["type"], problem["column"]) == ("/problems/data", "cutoff")
    assert problem["stamps"] == ["2014-04-13T00:00:00"]


@pytest.mark.parametrize("cutoff", ["2013-01-01T00:00Z", "2014-03-04T00:59Z", "2015-01-01T00:00Z", "2199-12-31T00:00Z"])
def test_no_known_value_near_the_cutoff(client: TestClient, ask: Any, cutoff: str) -> None:
    problem = ask.refused(client, ask.body(CUTOFF) | {"cutoff": cutoff})
    assert (problem["type"], problem["series"], problem["column"]) == ("/problems/not-enough-history", "east", "y")
    assert "the series has values from 2014-03-04T00:00Z to 2014-04-12T23:00Z" in problem["detail"]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "the body is empty"),
        (b"   ", "the body is empty"),
        (b"{", "the body is not JSON"),
        (b"unique_id,ds,y\n", "the body is not JSON"),
        (b"\xff\xfe", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
    ],
)
def test_what_is_no_json(client: TestClient, ask: Any, raw: bytes, told: str) -> None:
    problem = ask.refused(client, raw, 400)
    assert problem["type"] == "/problems/malformed"
    assert told in problem["detail"]


@pytest.mark.parametrize(
    "raw", [b"null", b"[]", b"3", b'"text"', b'{"series": 3}', b'{"series": [3]}', b'{"series": [{}]}']
)
def test_json_of_another_shape(client: TestClient, ask: Any, raw: bytes) -> None:
    assert ask.refused(client, raw)["type"] == "/problems/request"


def test_half_a_character_is_refused_and_quoted(client: TestClient, ask: Any) -> None:
    content = json.dumps(ask.body(CUTOFF)).replace('"unique_id": "north"', '"unique_id": "\\ud800"').encode()
    ask.refused(client, content)


@pytest.mark.parametrize(
    "headers",
    [{"content-type": "text/csv"}, {}, {"content-type": "application/json", "content-encoding": "gzip"}],
)
def test_bodies_that_are_not_declared_as_json(client: TestClient, headers: dict[str, str]) -> None:
    answer = client.post("/v1/forecasts", content=b"{}", headers=headers)
    assert answer.status_code == 415
    assert answer.json()["type"] == "/problems/media-type"


def test_too_many_periods(client: TestClient, ask: Any) -> None:
    content = ask.body(CUTOFF, only="east")
    content["series"][0]["future"] = {"ds": ["2199-12-31T00:00:00Z"], "temperature": [1.0]}
    problem = ask.refused(client, content)
    assert "periods; expected at most 200,000 in one request" in problem["detail"]


def test_thousands_of_mistakes_are_answered_at_once(client: TestClient, ask: Any) -> None:
    content = ask.body(CUTOFF, only="east")
    content["series"][0]["history"]["y"] = ["x"] * 300_000
    problem = ask.refused(client, content)
    assert "300000 of 300000 values are not numbers" in problem["detail"]
    assert len(problem["stamps"]) == 20
