"""Every connector in the same trouble: refusals, quotas, broken answers and keys; and the words that name them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import SecretStr

from forecast import clock
from forecast.errors import DeclarationError, SourceError
from forecast.settings import Settings
from forecast.sources.connectors import connector
from forecast.sources.contract import Batch, Source
from forecast.sources.open_meteo import Hosts
from forecast.store import Store
from forecast.tables import SeriesInfo
from tests.builders import utc
from tests.sources.origin import SECRET, Asked, Origin, Reply

NOW = "2024-03-20T09:40Z"
HERE = (SeriesInfo(unique_id="lisbon", latitude=38.72, longitude=-9.14),)
SETTINGS = Settings(eia_key=SecretStr(SECRET), entsoe_key=SecretStr(SECRET), open_meteo_key=SecretStr(SECRET))
DOCUMENT = b"""<?xml version="1.0" encoding="utf-8"?>
<GL_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-6:generationloaddocument:3:0"><TimeSeries>
<quantity_Measure_Unit.name>MAW</quantity_Measure_Unit.name><curveType>A01</curveType><Period>
<timeInterval><start>2024-03-19T00:00Z</start><end>2024-03-19T01:00Z</end></timeInterval><resolution>PT60M</resolution>
<Point><position>1</position><quantity>5000</quantity></Point></Period></TimeSeries></GL_MarketDocument>"""
CURVE = b"id_subsistema;nom_subsistema;din_instante;val_cargaenergiahomwmed\nSE;SUDESTE;2024-03-18 21:00:00;5000\n"


def eia(asked: Asked) -> Reply:
    row = {
        "period": "2024-03-19T01",
        "respondent": "ERCO",
        "type": "D",
        "value": "5000",
        "value-units": "megawatthours",
    }
    return Reply.json({"response": {"total": "1", "data": [row]}, "request": {"params": dict(asked.query)}})


def meteo(asked: Asked) -> Reply:
    return Reply.json({"hourly": {"time": [int(utc("2024-03-19").timestamp())], "temperature_2m": [5000]}})


@dataclass(frozen=True)
class Case:
    """A connector, its recorded-shape answer, and the parameter and setting of its key."""

    text: str
    answer: Callable[[Asked], Reply]
    parameter: str | None
    variable: str = ""


CASES = [
    Case("eia930:ERCO", eia, "api_key", "FORECAST_EIA_KEY"),
    Case("ons:SE", lambda asked: Reply(CURVE, headers={"ETag": '"1"'}), None),
    Case("open-meteo:forecast", meteo, "apikey", "FORECAST_OPEN_METEO_KEY"),
]
if find_spec("entsoe"):
    CASES.append(Case("entsoe:PT", lambda asked: Reply(DOCUMENT), "securityToken", "FORECAST_ENTSOE_KEY"))


@pytest.fixture(params=CASES, ids=lambda case: case.text)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with clock.using(NOW):
        yield


def made(case: Case, origin: Origin) -> Source:
    """The connector as the command line makes it, pointed at the loopback."""
    source: Any = connector(case.text, SETTINGS, HERE, since=utc("2024-03-10"))
    where: dict[str, Any] = {"hosts": Hosts(*[origin.url] * 4)} if hasattr(source, "hosts") else {"base": origin.url}
    return replace(source, manners=origin.manners, **where)


def read(case: Case, origin: Origin) -> list[Batch]:
    return list(made(case, origin).batches(None))


def test_the_good_way(case: Case, origin: Origin) -> None:
    origin.answer = case.answer
    (batch,) = read(case, origin)
    column = "temperature_2m" if case.text.startswith("open-meteo") else "y"
    rows = batch.frame.dropna(subset=column)
    assert list(rows[column]) == [5000]
    assert list(rows["ds"]) == [utc("2024-03-19")]
    assert str(rows["ds"].dtype) == "datetime64[ns, UTC]"
    assert json.loads(json.dumps(batch.mark)) == batch.mark
    if case.parameter:
        assert origin.asked[0].one(case.parameter) == SECRET


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_names_its_variable(case: Case, origin: Origin, status: int) -> None:
    origin.answer = lambda asked: Reply.json({"error": {"message": f"Invalid key {SECRET}"}}, status)
    told = rf"refuses the key .*set {case.variable}" if case.parameter else rf"\({status}"
    if case.text == "ons:SE" and status == 403:
        assert read(case, origin) == []  # the storage's word for a file that is not there yet
        return
    with pytest.raises(SourceError, match=f"(?i){told}") as caught:
        read(case, origin)
    assert "s3cr3t" not in str(caught.value) or not case.parameter


def test_too_many_requests_then_good(case: Case, origin: Origin) -> None:
    origin.first = [Reply(status=429, headers={"Retry-After": "60"}), Reply(b"oops", 500)]
    origin.answer = case.answer
    assert len(read(case, origin)) == 1
    assert origin.slept[:2] == [60, 2]


def test_too_many_requests_without_an_end(case: Case, origin: Origin) -> None:
    origin.answer = lambda asked: Reply(b"too many", 429)
    with pytest.raises(SourceError, match=r"failed 6 times in a row .*429: too many"):
        read(case, origin)


def test_an_answer_that_breaks_off(case: Case, origin: Origin) -> None:
    whole = case.answer(Asked("", [], {})).body
    origin.first = [Reply(whole, cut=20), Reply(whole[:-20])]
    origin.answer = case.answer
    (batch,) = read(case, origin)
    assert len(batch.frame) >= 1
    assert origin.slept[:2] == [1, 2]


def test_no_key_in_any_text(case: Case, origin: Origin, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    origin.first = [Reply(b"oops", 500)]
    origin.answer = case.answer
    source = made(case, origin)
    batches = list(source.batches(None))
    logged = "".join(f"{record.getMessage()}{record.args!r}" for record in caplog.records)
    told = [repr(source), str(source), source.name, json.dumps(batches[0].mark), str(batches[0].notes), logged]
    told += [str(batch.frame) for batch in batches]
    assert "HTTP Request" in logged
    assert all("s3cr3t" not in text for text in told)


def test_stored_batches_stay_good_where_a_later_one_fails(origin: Origin) -> None:
    case = CASES[0]
    source: Any = replace(made(case, origin), start=pd.Timestamp("2023-09-01T00:00Z"))
    origin.answer = case.answer
    origin.first = [case.answer(Asked("", [], {}))]
    got = source.batches(None)
    first = next(got)
    origin.answer = lambda asked: Reply(b"gone", 410)
    with pytest.raises(SourceError, match="410: gone"):
        next(got)
    origin.answer = case.answer
    origin.asked.clear()
    assert len(list(source.batches(first.mark))) == 2
    assert origin.asked[0].one("start") == "2023-12-03T01"


def test_the_store_takes_it_and_a_second_reading_is_no_news(case: Case, origin: Origin, tmp_path: Path) -> None:
    origin.answer = case.answer
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        store.describe(HERE[0].model_copy(update={"step": "1h"}))
        first = store.ingest(made(case, origin))
        assert (first.new, first.revised) == (1 + case.text.startswith("entsoe"), 0)
        with clock.using(utc(NOW) + pd.Timedelta("30min")):
            second = store.ingest(made(case, origin))
        assert (second.new, second.revised) == (0, 0)


def test_words_name_connectors() -> None:
    eia = connector("eia930: PJM , ERCO,PJM", SETTINGS)
    assert (eia.respondents, eia.name) == (("PJM", "ERCO"), "eia930:ERCO,PJM")  # type: ignore[attr-defined]
    assert connector("ons:SE,S", SETTINGS, since=pd.Timestamp("2015-01-01", tz="Europe/Lisbon")).start == 2015  # type: ignore[attr-defined]
    weather: Any = connector("open-meteo", SETTINGS, HERE)
    assert (weather.parts, weather.series) == (("archive", "previous", "forecast"), HERE)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("eia:ERCO", r"no connector is called 'eia'; expected one of eia930, entsoe, ons, open-meteo"),
        ("eia930", r"'eia930' does not say what to read; expected for instance eia930:ERCO,PJM"),
        ("ons: ,", r"does not say what to read"),
        ("ons:SIN", r"no subsystem SIN"),
        ("open-meteo:weather", r"no part weather"),
        ("open-meteo", r"none of 0 series says where it is"),
    ],
)
def test_unknown_words_are_named(text: str, told: str) -> None:
    with pytest.raises(DeclarationError, match=f"(?i){told}"):
        connector(text, SETTINGS)


def test_keys_come_from_the_environment_and_show_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORECAST_EIA_KEY", SECRET)
    settings = Settings.read()
    assert "s3cr3t" not in f"{settings}{settings!r}{settings.model_dump_json()}"
    source: Any = connector("eia930:ERCO", settings)
    assert source.key.value == SECRET
    unset: Any = connector("eia930:ERCO", Settings.read(eia_key=None))
    with pytest.raises(SourceError, match="expected a key in FORECAST_EIA_KEY"):
        next(unset.batches(None))
