"""Open-Meteo's four APIs: actuals that are published late, forecasts in vintages, ensembles as mean and spread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest
from pydantic import SecretStr

from forecast import clock
from forecast.errors import DataError, DeclarationError
from forecast.sources.contract import Batch, Mark
from forecast.sources.keys import Key
from forecast.sources.open_meteo import Hosts, OpenMeteo
from forecast.tables import SeriesInfo
from tests.builders import utc
from tests.sources.origin import SECRET, Asked, Origin, Reply

KEY = Key("open_meteo_key", None, "apikey", "https://open-meteo.com/en/pricing", required=False)
NOW = utc("2024-03-20T09:40")
LISBON, PORTO = (38.72, -9.14), (41.15, -8.61)
SERIES = (
    SeriesInfo(unique_id="lisbon", latitude=LISBON[0], longitude=LISBON[1]),
    SeriesInfo(unique_id="lisbon-2", latitude=LISBON[0], longitude=LISBON[1]),
    SeriesInfo(unique_id="porto", latitude=PORTO[0], longitude=PORTO[1]),
    SeriesInfo(unique_id="nowhere"),
)


def answered(first: pd.Timestamp, last: pd.Timestamp, **columns: Callable[[int], float | None]) -> Reply:
    """An answer in its recorded shape; every column is a function of the hours since 2024-01-01."""
    times = [int(stamp.timestamp()) for stamp in pd.date_range(first, last, freq="1h")]
    hours = [(time - int(utc("2024-01-01").timestamp())) // 3600 for time in times]
    return Reply.json(
        {
            "latitude": 38.75, "longitude": -9.125, "generationtime_ms": 0.05, "utc_offset_seconds": 0,
            "timezone": "GMT", "timezone_abbreviation": "GMT", "elevation": 45.0,
            "hourly_units": {"time": "unixtime"} | dict.fromkeys(columns, "°C"),
            "hourly": {"time": times} | {name: [value(hour) for hour in hours] for name, value in columns.items()},
        }
    )  # fmt: skip


class Weather:
    """Archive: the hour itself; a forecast of N days before: N hundred thousand more; members: 0, 1, 2 more."""

    def __init__(self) -> None:
        self.run, self.today = utc("2024-03-20T06:12"), NOW.floor("D")

    def __call__(self, asked: Asked) -> Reply:
        if asked.path.endswith("meta.json"):
            assert asked.path == "/data/ecmwf_ifs025/static/meta.json"
            run = int(self.run.timestamp())
            return Reply.json({"last_run_initialisation_time": run - 9000, "last_run_availability_time": run})
        assert (asked.one("timeformat"), asked.one("timezone")) == ("unixtime", "GMT")
        wanted, columns = asked.one("hourly").split(","), {}
        for name in wanted:
            columns[name] = self._column(name)
            if asked.path == "/v1/ensemble":
                columns |= {f"{name}_member{k:02d}": self._column(name, k) for k in (1, 2)}
        if days := asked.all("start_date"):
            return answered(utc(days[0]), utc(asked.one("end_date")) + pd.Timedelta("23h"), **columns)
        first = self.today
        return answered(
            first, first + pd.Timedelta(days=int(asked.one("forecast_days"))) - pd.Timedelta("1h"), **columns
        )

    @staticmethod
    def _column(name: str, more: int = 0) -> Callable[[int], float | None]:
        back = int(name[-1]) if "_previous_day" in name else 0
        return lambda hour: float(hour + 100_000 * back + more)


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with clock.using(NOW):
        yield


@pytest.fixture
def weather(origin: Origin) -> Weather:
    weather = Weather()
    origin.answer = weather
    return weather


def source(origin: Origin, *parts: str, **other: Any) -> OpenMeteo:
    told = {"start": utc("2024-03-01"), "hosts": Hosts(*[origin.url] * 4), "manners": origin.manners} | other
    return OpenMeteo(told.pop("series", SERIES[:1]), told.pop("key", KEY), parts=parts, **told)  # type: ignore[arg-type]


def read(origin: Origin, *parts: str, mark: Mark | None = None, **other: Any) -> list[Batch]:
    return list(source(origin, *parts, **other).batches(mark))


def hour(text: str) -> int:
    return int((utc(text) - utc("2024-01-01")) // pd.Timedelta("1h"))


def test_the_archive_is_known_five_days_late(origin: Origin, weather: Weather) -> None:
    (batch,) = read(origin, "archive")
    (asked,) = origin.asked
    assert (asked.path, asked.one("latitude"), asked.one("longitude")) == ("/v1/archive", "38.72", "-9.14")
    rows = batch.frame.set_index("ds")
    assert (rows.index.min(), rows.index.max()) == (utc("2024-03-01"), utc("2024-03-15T08:00"))
    assert rows["temperature_2m"].iloc[0] == hour("2024-03-01")
    assert rows["available_at"].iloc[0] == utc("2024-03-06T01:00")
    assert rows["available_at"].max() <= NOW
    assert batch.columns.known == ("temperature_2m",)
    assert batch.frame["y"].isna().all()


def test_the_archive_goes_on_with_a_look_back(origin: Origin, weather: Weather) -> None:
    (first,) = read(origin, "archive", start=utc("2024-01-01"))
    assert first.mark == {"archive": {"lisbon": "2024-03-15T09:00:00+00:00"}}
    origin.asked.clear()
    with clock.using("2024-03-21T10:00Z"):
        (second,) = read(origin, "archive", mark=first.mark, start=utc("2024-01-01"))
    assert (origin.asked[0].one("start_date"), second.frame["ds"].max()) == ("2024-03-05", utc("2024-03-16T09:00"))


def test_long_spans_come_in_batches_with_a_mark_after_each(origin: Origin, weather: Weather) -> None:
    batches = read(origin, "archive", start=utc("2022-01-01"))
    assert len(batches) == 3
    ds = pd.concat([batch.frame for batch in batches])["ds"]
    assert ds.is_unique
    assert len(ds) == (ds.max() - ds.min()) // pd.Timedelta("1h") + 1
    origin.asked.clear()
    assert len(read(origin, "archive", mark=batches[1].mark, start=utc("2022-01-01"))) == 1
    assert origin.asked[0].one("start_date") == "2023-12-24"


def test_previous_runs_are_vintages(origin: Origin, weather: Weather) -> None:
    (batch,) = read(origin, "previous", back=(1, 2))
    assert origin.asked[0].one("hourly") == "temperature_2m_previous_day1,temperature_2m_previous_day2"
    one = batch.frame[batch.frame["ds"] == utc("2024-03-10T12:00")].set_index("available_at")["temperature_2m"]
    assert one.to_dict() == {
        utc("2024-03-08T19:00"): 200_000 + hour("2024-03-10T12:00"),
        utc("2024-03-09T19:00"): 100_000 + hour("2024-03-10T12:00"),
    }
    assert not batch.frame.duplicated(["ds", "available_at"]).any()
    assert batch.frame["available_at"].max() <= NOW
    origin.asked.clear()
    with clock.using("2024-03-21T10:00Z"):
        read(origin, "previous", mark=batch.mark)
    assert origin.asked[0].one("start_date") == "2024-03-18"


def test_previous_runs_begin_when_they_were_kept(origin: Origin, weather: Weather) -> None:
    batches = read(origin, "previous", start=utc("2020-01-01"))
    assert origin.asked[0].one("start_date") == "2024-01-01"
    assert batches[0].frame["ds"].min() == utc("2024-01-01")


def test_a_forecast_is_known_when_it_was_read_and_not_read_again_at_once(origin: Origin, weather: Weather) -> None:
    (batch,) = read(origin, "forecast", days=3)
    assert set(batch.frame["available_at"]) == {NOW}
    assert (batch.frame["ds"].min(), len(batch.frame)) == (utc("2024-03-20"), 72)
    with clock.using(NOW + pd.Timedelta("59min")):
        assert read(origin, "forecast", mark=batch.mark) == []
    with clock.using(NOW + pd.Timedelta("1h")):
        (later,) = read(origin, "forecast", mark=batch.mark)
    assert set(later.frame["available_at"]) == {NOW + pd.Timedelta("1h")}
    assert origin.asked[-1].all("models") == []


def test_a_named_run_gives_the_issue_time_and_is_read_once(origin: Origin, weather: Weather) -> None:
    named = {"model": "ecmwf_ifs025", "run_of": "ecmwf_ifs025"}
    (batch,) = read(origin, "forecast", **named)
    assert set(batch.frame["available_at"]) == {utc("2024-03-20T06:22")}
    assert [asked.path[:5] for asked in origin.asked] == ["/data", "/v1/f", "/data"]
    assert origin.asked[1].one("models") == "ecmwf_ifs025"
    with clock.using(NOW + pd.Timedelta("2h")):
        assert read(origin, "forecast", mark=batch.mark, **named) == []
    weather.run = utc("2024-03-20T12:12")
    with clock.using("2024-03-20T12:30Z"):
        (later,) = read(origin, "forecast", mark=batch.mark, **named)
    assert set(later.frame["available_at"]) == {utc("2024-03-20T12:22")}


def test_a_run_that_arrives_while_it_is_read_is_known_when_it_was_read(origin: Origin, weather: Weather) -> None:
    def moving(asked: Asked) -> Reply:
        reply = weather(asked)
        weather.run = utc("2024-03-20T09:20")
        return reply

    origin.answer = moving
    (batch,) = read(origin, "forecast", run_of="ecmwf_ifs025")
    assert set(batch.frame["available_at"]) == {NOW}
    weather.run = utc("2024-03-20T09:35")
    origin.answer = weather
    (other,) = read(origin, "forecast", run_of="ecmwf_ifs025")
    assert set(other.frame["available_at"]) == {NOW}  # not yet on all servers: nobody knows which run was given


def test_an_ensemble_is_a_mean_and_a_spread(origin: Origin, weather: Weather) -> None:
    (batch,) = read(origin, "ensemble", days=1)
    assert (origin.asked[0].path, origin.asked[0].one("models")) == ("/v1/ensemble", "icon_seamless")
    assert batch.columns.known == ("temperature_2m_mean", "temperature_2m_spread")
    first = batch.frame.iloc[0]
    assert first["temperature_2m_mean"] == hour("2024-03-20") + 1  # the control run and two members
    assert first["temperature_2m_spread"] == pytest.approx((2 / 3) ** 0.5)
    with clock.using(NOW + pd.Timedelta("2h")):
        assert read(origin, "ensemble", mark=batch.mark) == []


def test_sums_over_the_hour_before_move_to_its_start(origin: Origin, weather: Weather) -> None:
    variables = ("temperature_2m", "shortwave_radiation")
    (batch,) = read(origin, "archive", variables=variables)
    rows = batch.frame.set_index("ds").loc[utc("2024-03-02T12:00")]
    assert rows["shortwave_radiation"] == rows["temperature_2m"] + 1
    assert batch.frame["shortwave_radiation"].notna().all()
    (ensemble,) = read(origin, "ensemble", variables=variables, days=1)
    last = ensemble.frame.iloc[-1]
    assert pd.isna(last["shortwave_radiation_mean"])
    assert pd.notna(last["temperature_2m_mean"])


def test_series_at_one_place_share_a_request(origin: Origin, weather: Weather) -> None:
    first, second = read(origin, "forecast", series=SERIES, days=1)
    assert [asked.one("latitude") for asked in origin.asked] == ["38.72", "41.15"]
    assert first.frame["unique_id"].value_counts().to_dict() == {"lisbon": 24, "lisbon-2": 24}
    assert set(second.frame["unique_id"]) == {"porto"}
    assert set(second.mark["forecast"]) == {"lisbon", "lisbon-2", "porto"}


def test_parts_come_one_after_the_other_and_the_mark_keeps_them_all(origin: Origin, weather: Weather) -> None:
    batches = read(origin, "archive", "previous", "forecast", "ensemble")
    assert [sorted(batch.mark) for batch in batches] == [
        ["archive"], ["archive", "previous"], ["archive", "forecast", "previous"],
        ["archive", "ensemble", "forecast", "previous"],
    ]  # fmt: skip


def test_missing_values_say_nothing_and_twice_the_same_hour_is_one(origin: Origin) -> None:
    told = {"time": [1709251200, 1709254800, 1709254800], "temperature_2m": [None, 7, 8], "new_field": [1, 2, 3]}
    origin.answer = lambda asked: Reply.json({"hourly": told, "another": 1})
    (batch,) = read(origin, "archive")
    assert batch.frame[["ds", "temperature_2m"]].values.tolist() == [[utc("2024-03-01T01:00"), 8.0]]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"hourly": {"time": [1709251200], "temperature": [7]}}, r"no hourly temperature_2m, but time, temperature"),
        ({"hourly": {"time": [1709251200], "temperature_2m": [7, 8]}}, "no table of hours"),
        ({"hourly": {"hour": [1], "temperature_2m": [7]}}, "no table of hours"),
        ({"hours": {}}, "no table of hours"),
        ([], "no table of hours"),
        ({"hourly": {"time": [1709251200], "temperature_2m": ["warm"]}}, r"temperature_2m holds 1 texts \(warm\)"),
    ],
)
def test_a_changed_answer_is_named(origin: Origin, answer: object, told: str) -> None:
    origin.answer = lambda asked: Reply.json(answer)
    with pytest.raises(DataError, match=told):
        read(origin, "archive")


def test_an_ensemble_without_members_and_metadata_without_a_run_are_named(origin: Origin) -> None:
    origin.answer = lambda asked: answered(utc("2024-03-20"), utc("2024-03-20"), temperature_2m=float)
    with pytest.raises(DataError, match="has 1 members of temperature_2m"):
        read(origin, "ensemble")
    with pytest.raises(DataError, match="no last_run_availability_time"):
        read(origin, "forecast", run_of="ecmwf_ifs025")


def test_customers_have_their_own_addresses(origin: Origin, weather: Weather) -> None:
    key = Key("open_meteo_key", SecretStr(SECRET), "apikey", "https://open-meteo.com/en/pricing", required=False)
    assert Hosts().customer().previous == "https://customer-previous-runs-api.open-meteo.com"
    read(origin, "forecast", key=key)
    assert origin.asked[0].one("apikey") == SECRET


def test_series_without_a_place_and_unknown_parts_are_named(origin: Origin) -> None:
    with pytest.raises(DeclarationError, match=r"none of 1 series says where it is"):
        source(origin, "archive", series=SERIES[3:])
    with pytest.raises(DeclarationError, match=r"no part history; expected some of archive, previous"):
        source(origin, "history")
