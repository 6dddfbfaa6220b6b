"""ENTSO-E through entsoe-py: documents as the platform sends them, in hours and in quarters of an hour."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pandas as pd
import pytest
from pydantic import SecretStr

from forecast import clock
from forecast.errors import DataError, DeclarationError, SourceError
from forecast.sources.contract import Batch, Mark
from forecast.sources.entsoe import Entsoe
from forecast.sources.keys import Key
from tests.builders import utc
from tests.sources.origin import SECRET, Asked, Origin, Reply

pytest.importorskip("entsoe", reason="needs entsoe-py, which comes with the extra 'entsoe'")

KEY = Key("entsoe_key", SecretStr(SECRET), "securityToken", "https://transparency.entsoe.eu")
START = utc("2024-10-26")
LOAD, AHEAD = "A16", "A01"
NOTHING = """<?xml version="1.0" encoding="UTF-8"?>
<Acknowledgement_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0">
<mRID>be3917c7-0704-4</mRID><createdDateTime>2024-10-28T10:45:36Z</createdDateTime>
<Reason><code>999</code><text>No matching data found for Data item</text></Reason>
</Acknowledgement_MarketDocument>"""


def period(start: str, values: list[float], minutes: int = 60, positions: list[int] | None = None) -> str:
    begin = utc(start)
    length = max(positions or [len(values)])
    end = begin + length * pd.Timedelta(minutes=minutes)
    points = "".join(
        f"<Point><position>{place}</position><quantity>{value:g}</quantity></Point>"
        for place, value in zip(positions or range(1, len(values) + 1), values, strict=True)
    )
    return f"""<Period><timeInterval><start>{begin:%Y-%m-%dT%H:%MZ}</start><end>{end:%Y-%m-%dT%H:%MZ}</end>
</timeInterval><resolution>PT{minutes}M</resolution>{points}</Period>"""


def document(*periods: str, process: str = LOAD, curve: str = "A01") -> str:
    series = "".join(
        f"""<TimeSeries><mRID>{number}</mRID><businessType>A04</businessType><objectAggregation>A01</objectAggregation>
<outBiddingZone_Domain.mRID codingScheme="A01">10YPT-REN------W</outBiddingZone_Domain.mRID>
<quantity_Measure_Unit.name>MAW</quantity_Measure_Unit.name><curveType>{curve}</curveType>{one}</TimeSeries>"""
        for number, one in enumerate(periods, 1)
    )
    return f"""<?xml version="1.0" encoding="utf-8"?>
<GL_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-6:generationloaddocument:3:0">
<mRID>f51ec17f</mRID><revisionNumber>1</revisionNumber><type>A65</type>
<process.processType>{process}</process.processType>{series}</GL_MarketDocument>"""


class Platform:
    """Documents by process type; every question may be asked for any span."""

    def __init__(self, **documents: str) -> None:
        self.documents = documents

    def __call__(self, asked: Asked) -> Reply:
        assert asked.one("documentType") == "A65"
        assert asked.one("outBiddingZone_Domain") in ("10YPT-REN------W", "10Y1001A1001A82H")
        text = self.documents.get(asked.one("processType"), NOTHING)
        return Reply(text.encode(), headers={"Content-Type": "text/xml"})


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with clock.using("2024-10-28T12:30Z"):
        yield


def source(origin: Origin, *zones: str, **other: object) -> Entsoe:
    told = {"start": START, "base": f"{origin.url}/api", "manners": origin.manners} | other
    return Entsoe(zones or ("PT",), KEY, **told)  # type: ignore[arg-type]


def read(origin: Origin, mark: Mark | None = None, **other: object) -> list[Batch]:
    return list(source(origin, **other).batches(mark))


def values(batch: Batch, column: str) -> dict[str, float]:
    rows = batch.frame.dropna(subset=column)
    return {f"{ds:%dT%H:%M}": value for ds, value in zip(rows["ds"], rows[column], strict=True)}


def test_load_and_forecast_by_the_hour(origin: Origin) -> None:
    hours = [float(5000 + hour) for hour in range(49)]  # the clock goes back on 27 October: local days of 24 and 25 h
    origin.answer = Platform(
        A16=document(period("2024-10-25T22:00", hours)), A01=document(period("2024-10-26T22:00", hours), process=AHEAD)
    )
    (batch,) = read(origin)
    load = values(batch, "y")
    assert (len(load), load["26T00:00"], load["27T22:00"]) == (47, 5002, 5048)
    ahead = batch.frame.dropna(subset="demand_forecast").set_index("ds")["available_at"]
    assert len(ahead) == 49
    # The market's day of 27 October begins at 22:00Z; its gate minus two hours is 10:00 CEST of the day before.
    assert ahead[utc("2024-10-26T22:00")] == utc("2024-10-26T08:00")
    assert ahead[utc("2024-10-27T22:00")] == utc("2024-10-26T08:00")
    assert ahead[utc("2024-10-27T23:00")] == utc("2024-10-27T09:00")
    (info,) = batch.series
    assert (info.unique_id, info.zone, info.unit, info.country) == ("entsoe-PT", "Europe/Lisbon", "MW", "PT")
    assert (info.step, info.delay) == ("0 days 01:00:00", "0 days 01:00:00")
    assert batch.mark == {"until": {"PT": "2024-10-27T23:00:00+00:00"}, "step": {"PT": "0 days 01:00:00"}}


def test_the_question_carries_the_span_and_the_token(origin: Origin) -> None:
    origin.answer = Platform()
    read(origin)
    load, ahead = origin.asked
    assert (load.one("processType"), ahead.one("processType")) == (LOAD, AHEAD)
    assert (load.one("periodStart"), load.one("periodEnd")) == ("202410260000", "202410301300")
    assert load.all("securityToken") == [SECRET]


def test_quarters_of_an_hour_stay_what_they_are(origin: Origin) -> None:
    origin.answer = Platform(A16=document(period("2024-10-27T00:00", [1, 2, 3, 6, 5], 15)))
    (batch,) = read(origin)
    assert values(batch, "y") == {"27T00:00": 1, "27T00:15": 2, "27T00:30": 3, "27T00:45": 6, "27T01:00": 5}
    assert batch.mark["step"] == {"PT": "0 days 00:15:00"}
    assert batch.mark["until"] == {"PT": "2024-10-27T01:15:00+00:00"}


def test_a_zone_that_changes_to_quarters_goes_on_by_the_hour(origin: Origin) -> None:
    mixed = document(period("2024-10-27T00:00", [10, 11]), period("2024-10-27T02:00", [1, 2, 3, 6, 5], 15))
    origin.answer = Platform(A16=mixed)
    (batch,) = read(origin)
    assert values(batch, "y") == {"27T00:00": 10, "27T01:00": 11, "27T02:00": 3}
    origin.answer = Platform(A16=document(period("2024-10-28T00:00", [4, 4, 8, 8], 15)))
    (later,) = read(origin, batch.mark)
    assert values(later, "y") == {"28T00:00": 6}
    origin.answer = Platform(A16=mixed)
    with pytest.raises(DataError, match=r"entsoe-PT.*periods of 60 minutes; expected 15 minutes or less"):
        read(origin, step=pd.Timedelta("15min"))


def test_a_curve_that_leaves_repeated_values_out_is_filled(origin: Origin) -> None:
    origin.answer = Platform(A16=document(period("2024-10-27T00:00", [7, 9], positions=[1, 4]), curve="A03"))
    assert values(read(origin)[0], "y") == {"27T00:00": 7, "27T01:00": 7, "27T02:00": 7, "27T03:00": 9}


def test_no_data_is_an_answer_also_as_a_refusal(origin: Origin) -> None:
    origin.answer = lambda asked: Reply(NOTHING.encode(), 400)
    (batch,) = read(origin)
    assert batch.frame.empty
    assert batch.mark["until"] == {"PT": "2024-09-28T12:00:00+00:00"}
    origin.answer = lambda asked: Reply(NOTHING.replace("No matching", "Unexpected").encode(), 400)
    with pytest.raises(SourceError, match=r"does not accept the request \(Unexpected data found"):
        read(origin)


def test_the_second_run_looks_back_and_sees_revised_values(origin: Origin) -> None:
    platform = Platform(A16=document(period("2024-10-27T00:00", [1, 2])))
    origin.answer = platform
    mark = read(origin)[-1].mark
    platform.documents["A16"] = document(period("2024-10-27T00:00", [1, 5, 3]))
    origin.asked.clear()
    (second,) = read(origin, mark, look_back=pd.Timedelta("1D"))
    assert origin.asked[0].one("periodStart") == "202410260200"
    assert values(second, "y") == {"27T00:00": 1, "27T01:00": 5, "27T02:00": 3}
    assert second.mark["until"] == {"PT": "2024-10-27T03:00:00+00:00"}


def test_long_spans_and_several_zones_come_in_batches(origin: Origin) -> None:
    origin.answer = Platform()
    batches = list(source(origin, "PT", "DE_LU", start=utc("2024-08-01")).batches(None))
    assert len(batches) == 8
    assert batches[0].mark == {"until": {"PT": "2024-08-31T00:00:00+00:00"}}
    assert set(batches[-1].mark["until"]) == {"PT", "DE_LU"}
    origin.asked.clear()
    list(source(origin, "PT", start=utc("2024-08-01")).batches(batches[0].mark))
    assert origin.asked[0].one("periodStart") == "202408240000"


def test_values_that_come_twice_are_one(origin: Origin) -> None:
    twice = document(period("2024-10-27T00:00", [1, 2]), period("2024-10-27T01:00", [2, 3]))
    origin.answer = Platform(A16=twice)
    (batch,) = read(origin)
    assert (values(batch, "y"), batch.notes) == ({"27T00:00": 1, "27T01:00": 2, "27T02:00": 3}, ())
    origin.answer = Platform(A16=twice.replace("<quantity>2<", "<quantity>9<", 1))
    (batch,) = read(origin)
    assert values(batch, "y")["27T01:00"] in (2, 9)
    assert batch.notes == ("entsoe-PT: 1 periods came twice with different numbers; the last one was taken",)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("quantity>", "amount>", r"cannot be read \(AttributeError"),
        ("TimeSeries>", "Series>", r"cannot be read \(ValueError"),
        ("PT60M", "PT7M", r"cannot be read \(NotImplementedError"),
        (">1</quantity", ">many</quantity", r"cannot be read \(ValueError"),
        ("MAW", "KWT", r"values are in KWT; expected MAW"),
    ],
)
def test_a_changed_document_is_named(origin: Origin, old: str, new: str, told: str) -> None:
    origin.answer = Platform(A16=document(period("2024-10-27T00:00", [1])).replace(old, new))
    with pytest.raises(DataError, match=f"series 'entsoe-PT': .*{told}"):
        read(origin)


def test_a_new_element_is_ignored(origin: Origin) -> None:
    text = document(period("2024-10-27T00:00", [1])).replace("</Point>", "<quality>A04</quality></Point>")
    origin.answer = Platform(A16=text)
    assert values(read(origin)[0], "y") == {"27T00:00": 1}


def test_half_a_document_is_not_read(origin: Origin) -> None:
    whole = document(period("2024-10-27T00:00", [1, 2, 3]))
    origin.answer = Platform(A16=whole)
    origin.first = [Reply(whole.encode()[:-80])]
    assert len(values(read(origin)[0], "y")) == 3
    assert origin.slept[0] == 1
    origin.answer = lambda asked: Reply(whole.encode()[:-80])
    with pytest.raises(SourceError, match="bytes that are not whole XML"):
        read(origin)


def test_unknown_zones_and_a_missing_package_are_named(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeclarationError, match=r"no bidding zone XX; expected some of .*DE_LU"):
        source(origin, "XX")
    monkeypatch.setitem(sys.modules, "entsoe.mappings", None)
    with pytest.raises(DeclarationError, match=r"not installed.*demand-forecast\[entsoe\]"):
        source(origin)
