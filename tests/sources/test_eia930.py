"""EIA-930 as its API answers: stamps are ends, values are texts, demand and forecast become known at other times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from pydantic import SecretStr

from forecast import clock
from forecast.errors import DataError, DeclarationError, SourceError
from forecast.sources import eia930
from forecast.sources.contract import Batch, Mark
from forecast.sources.eia930 import Eia930
from forecast.sources.keys import Key
from tests.builders import utc
from tests.sources.origin import SECRET, Asked, Origin, Reply

KEY = Key("eia_key", SecretStr(SECRET), "api_key", "https://www.eia.gov/opendata/register.php")
NOW = "2024-03-11T12:30Z"
START = utc("2024-03-08")


def row(period: pd.Timestamp, kind: str, value: float | None, **other: Any) -> dict[str, Any]:
    return {
        "period": f"{period:%Y-%m-%dT%H}",
        "respondent": "ERCO",
        "respondent-name": "Electric Reliability Council of Texas, Inc.",
        "type": kind,
        "type-name": {"D": "Demand", "DF": "Day-ahead demand forecast"}[kind],
        "value": None if value is None else f"{value:g}",
        "value-units": "megawatthours",
    } | other


class Grid:
    """The table behind the API: demand up to 11:00, forecasts up to the end of tomorrow; the row of an hour END."""

    def __init__(self) -> None:
        ends = pd.date_range("2024-03-08T01:00Z", "2024-03-12T00:00Z", freq="1h")
        self.rows = [row(end, "D", 40000 + i) for i, end in enumerate(ends) if end <= utc("2024-03-11T11:00")]
        self.rows += [row(end, "DF", 50000 + i) for i, end in enumerate(ends)]

    def __call__(self, asked: Asked) -> Reply:
        assert asked.path == "/v2/electricity/rto/region-data/data/"
        assert asked.one("frequency") == "hourly"
        inside = [
            one
            for one in sorted(self.rows, key=lambda one: (one["period"], one["type"]))
            if asked.one("start") <= one["period"] <= asked.one("end")
            and one["type"] in asked.all("facets[type][]")
            and one["respondent"] in asked.all("facets[respondent][]")
        ]
        offset, length = int(asked.one("offset")), int(asked.one("length"))
        page = inside[offset : offset + length]
        return Reply.json(
            {
                "response": {
                    "warnings": [{"warning": "incomplete return", "description": "5000 rows"}],
                    "total": str(len(inside)),
                    "dateFormat": 'YYYY-MM-DD"T"HH24',
                    "frequency": "hourly",
                    "data": page,
                },
                "request": {"command": asked.path, "params": {"api_key": asked.one("api_key")}},
                "apiVersion": "2.1.8",
                "ExcelAddInVersion": "2.1.0",
            }
        )


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with clock.using(NOW):
        yield


@pytest.fixture
def grid(origin: Origin) -> Grid:
    grid = Grid()
    origin.answer = grid
    return grid


def source(origin: Origin, *codes: str) -> Eia930:
    return Eia930(codes or ("ERCO",), KEY, start=START, base=origin.url, manners=origin.manners)


def read(origin: Origin, mark: Mark | None = None) -> list[Batch]:
    return list(source(origin).batches(mark))


def test_stamps_are_starts_and_both_types_say_when_they_became_known(origin: Origin, grid: Grid) -> None:
    (batch,) = read(origin)
    demand = batch.frame.dropna(subset="y").set_index("ds")
    assert demand.index.min() == START
    assert demand.index.max() == utc("2024-03-11T10:00")
    assert demand.loc[START, "y"] == 40000
    assert demand["available_at"].isna().all()
    ahead = batch.frame.dropna(subset="demand_forecast").set_index("ds")
    assert (len(demand), len(ahead)) == (83, 96)
    assert batch.columns.known == ("demand_forecast",)
    (info,) = batch.series
    assert (info.unique_id, info.zone, info.unit) == ("eia930-ERCO", "America/Chicago", "MW")
    assert pd.Timedelta(str(info.delay)) == pd.Timedelta("2h")
    # 10 March is a day of 23 hours in Texas: it ends at 05:00Z and not at 06:00Z.
    known = ahead["available_at"]
    assert known[utc("2024-03-10T05:00")] == utc("2024-03-09T12:00")  # Saturday, 07:00 EST
    assert known[utc("2024-03-10T06:00")] == utc("2024-03-10T11:00")  # Sunday, 07:00 EDT
    assert known[utc("2024-03-11T04:00")] == utc("2024-03-10T11:00")
    assert known[utc("2024-03-11T05:00")] == utc("2024-03-11T11:00")


def test_a_forecast_is_not_read_before_it_is_due(origin: Origin, grid: Grid) -> None:
    with clock.using("2024-03-11T10:59Z"):
        (batch,) = read(origin)
    assert batch.frame.dropna(subset="demand_forecast")["ds"].max() == utc("2024-03-11T04:00")
    assert batch.frame["available_at"].max() <= utc("2024-03-11T10:59")


def test_all_pages_are_read(origin: Origin, grid: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read(origin)[0].frame
    monkeypatch.setattr(eia930, "PAGE", 50)
    origin.asked.clear()
    pd.testing.assert_frame_equal(read(origin)[0].frame, whole)
    assert [asked.one("offset") for asked in origin.asked] == ["0", "50", "100", "150"]
    assert origin.slept == [0.5, 0.5, 0.5]


def test_pages_that_end_before_what_was_announced_are_told(origin: Origin, grid: Grid) -> None:
    origin.answer = lambda asked: Reply.json({"response": {"total": "3", "data": []}})
    with pytest.raises(SourceError, match="announced 3 rows of ERCO and gave 0"):
        read(origin)


def test_the_second_run_reads_a_week_again_and_what_is_new(origin: Origin, grid: Grid) -> None:
    first = read(origin)
    assert first[-1].mark == {"until": {"ERCO": "2024-03-11T11:00:00+00:00"}}
    grid.rows.append(row(utc("2024-03-11T12:00"), "D", 1))
    grid.rows = [one | {"value": "7"} if one["period"] == "2024-03-08T03" else one for one in grid.rows]
    origin.asked.clear()
    (second,) = read(origin, first[-1].mark)
    assert origin.asked[0].one("start") == "2024-03-08T01"
    assert second.mark == {"until": {"ERCO": "2024-03-11T12:00:00+00:00"}}
    y = second.frame.dropna(subset="y").set_index("ds")["y"]
    assert (y[utc("2024-03-08T02:00")], y[utc("2024-03-11T11:00")]) == (7, 1)
    with clock.using("2024-03-25T12:00Z"):
        later = list(source(origin).batches(second.mark))
    assert origin.asked[-1].one("start") == "2024-03-08T01"  # a week back, but not before the beginning
    assert later[-1].mark == second.mark  # nothing new: it asks from there again


def test_long_spans_come_in_batches_with_a_mark_after_each(origin: Origin, grid: Grid) -> None:
    early = Eia930(("ERCO", "PJM"), KEY, start=utc("2023-09-01"), base=origin.url, manners=origin.manners)
    batches = list(early.batches({"until": {"MISO": "2024-01-01T00:00:00+00:00"}}))
    assert len(batches) == 4
    marks = [batch.mark["until"] for batch in batches]
    assert marks[0] == {"MISO": "2024-01-01T00:00:00+00:00", "ERCO": "2023-12-10T00:00:00+00:00"}
    assert marks[1]["ERCO"] == "2024-03-11T11:00:00+00:00"
    assert marks[3]["PJM"] == "2024-02-10T12:00:00+00:00"  # silent: only what is older than 30 days counts as read
    origin.asked.clear()
    list(early.batches(batches[0].mark))
    assert origin.asked[0].one("start") == "2023-12-03T01"


def test_rows_that_come_twice_are_one_and_contradictions_are_noted(origin: Origin, grid: Grid) -> None:
    grid.rows += [row(utc("2024-03-08T01:00"), "D", 40000), row(utc("2024-03-08T02:00"), "D", 99)]
    (batch,) = read(origin)
    y = batch.frame.dropna(subset="y").set_index("ds")["y"]
    assert y.index.is_unique
    assert y[utc("2024-03-08T01:00")] == 99
    assert batch.notes == ("eia930-ERCO: 1 periods came twice with different numbers; the last one was taken",)


def test_missing_values_say_nothing(origin: Origin, grid: Grid) -> None:
    grid.rows[0]["value"], grid.rows[1]["value"] = None, ""
    y = read(origin)[0].frame.dropna(subset="y")
    assert y["ds"].min() == utc("2024-03-08T02:00")


def test_new_fields_are_ignored_and_numbers_may_be_numbers(origin: Origin, grid: Grid) -> None:
    grid.rows = [one | {"timezone": "Central", "value": float(one["value"])} for one in grid.rows]
    assert len(read(origin)[0].frame) == 83 + 96


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"values": "1"}, r"no field 'value', but period"),
        ({"value": "many"}, r"field value holds 1 texts \(many\)"),
        ({"period": "2024-03-08 01:00"}, r"field period holds 1 stamps of another form \(2024-03-08 01:00\)"),
        ({"value-units": "gigawatthours"}, r"values are in gigawatthours; expected megawatthours"),
    ],
)
def test_a_changed_interface_is_named(origin: Origin, change: dict[str, str], told: str) -> None:
    one = row(utc("2024-03-08T01:00"), "D", 1) | change
    if "values" in change:
        del one["value"]
    origin.answer = lambda asked: Reply.json({"response": {"total": 1, "data": [one]}})
    with pytest.raises(DataError, match=told):
        read(origin)


@pytest.mark.parametrize(
    "answer", [[], {"data": []}, {"response": {"data": []}}, {"response": {"total": "x", "data": []}}]
)
def test_an_answer_without_a_table_is_named(origin: Origin, answer: object) -> None:
    origin.answer = lambda asked: Reply.json(answer)
    with pytest.raises(DataError, match=r"expected response.total and response.data"):
        read(origin)


def test_unknown_authorities_are_named(origin: Origin) -> None:
    with pytest.raises(DeclarationError, match=r"no balancing authority ERCOT; expected some of .*ERCO"):
        source(origin, "ERCOT")
