"""Holidays against the dates that states published, weekends by country, bridge days, days before and after."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.calendars import Region, day_kinds, holiday_flags, holiday_kinds, named_holidays
from forecast.calendars.region import _known
from forecast.errors import DeclarationError

YEAR_2024 = [date(2024, 1, 1) + timedelta(days=number) for number in range(366)]
PUBLISHED = {
    "DE-BY": "01-01 01-06 03-29 04-01 05-01 05-09 05-20 05-30 10-03 11-01 12-25 12-26",
    "DE-SN": "01-01 03-29 04-01 05-01 05-09 05-20 10-03 10-31 11-20 12-25 12-26",
    "PT": "01-01 03-29 03-31 04-25 05-01 05-30 06-10 08-15 10-05 11-01 12-01 12-08 12-25",
    "BR-SP": "01-01 03-29 04-21 05-01 07-09 09-07 10-12 11-02 11-15 11-20 12-25",
    "AU-VIC": "01-01 01-26 03-11 03-29 03-30 03-31 04-01 04-25 06-10 09-27 11-05 12-25 12-26",
    "GB-SCT": "01-01 01-02 03-29 05-06 05-27 08-05 11-30 12-02 12-25 12-26",
    "AE": "01-01 04-08 04-09 04-10 04-11 04-12 06-15 06-16 06-17 06-18 07-07 09-15 12-02 12-03",
}
BRIDGES = {
    "DE-BY": "05-10 05-31 10-04 12-27",
    "PT": "04-26 05-31 08-16",
    "BR-SP": "07-08",
    "AU-VIC": "04-26 11-04 12-27",
    # Sunday to Thursday is the working week: the Sunday before a Monday, the Thursday after a Wednesday.
    "SA": "06-20 09-22",
    "AE": "",
}
REGIONS = [Region.of(code, part) for code, parts in sorted(_known().items()) for part in (None, *parts)]
regions = st.sampled_from(REGIONS)
days = st.dates(date(1995, 1, 1), date(2034, 12, 31))


def written(dates: list[date]) -> str:
    return " ".join(f"{day:%m-%d}" for day in dates)


def of_2024(flags: np.ndarray) -> str:
    return written([day for day, is_one in zip(YEAR_2024, flags, strict=True) if is_one])


@pytest.mark.parametrize("region", PUBLISHED)
def test_public_holidays_are_those_that_were_published_for_2024(region: str) -> None:
    assert of_2024(holiday_flags(YEAR_2024, region)) == PUBLISHED[region]
    assert (
        written([one.day for one in named_holidays(date(2024, 1, 1), date(2024, 12, 31), region)])
        == (PUBLISHED[region])
    )


@pytest.mark.parametrize(
    ("region", "inside", "outside"),
    [
        ("US-TX", "01-01 01-15 02-19 05-27 06-19 07-04 09-02 11-11 11-28 11-29 12-25", "11-05 10-31"),
        ("US", "11-28", "11-29"),
        ("IN", "01-26 08-15 10-02", "05-01"),
        ("IN-MH", "01-26 05-01 08-15 10-02", "06-02"),
    ],
)
def test_some_days_are_holidays_there_and_others_are_not(region: str, inside: str, outside: str) -> None:
    told = set(of_2024(holiday_flags(YEAR_2024, region)).split())
    assert set(inside.split()) <= told
    assert not set(outside.split()) & told


@pytest.mark.parametrize("region", BRIDGES)
def test_bridge_days_of_2024(region: str) -> None:
    assert of_2024(day_kinds(YEAR_2024, region).bridge) == BRIDGES[region]


@pytest.mark.parametrize(
    ("region", "day", "rest"),
    [
        ("AE", date(2021, 12, 31), True),  # the last Friday of the old weekend
        ("AE", date(2022, 1, 7), False),
        ("AE", date(2022, 1, 9), True),
        ("SA", date(2012, 1, 5), True),  # a Thursday, before the weekend moved
        ("SA", date(2014, 1, 9), False),
        ("SA", date(2014, 1, 11), True),
        ("IR", date(2024, 5, 11), False),  # Friday alone
        ("HK", date(2024, 5, 4), False),  # Sunday alone
        ("IN-MH", date(2024, 5, 4), True),
        ("CN", date(2024, 2, 4), False),  # a Sunday on which China worked
    ],
)
def test_weekends_follow_country_and_year(region: str, day: date, rest: bool) -> None:
    kinds = day_kinds([day], region)
    assert kinds.weekend.tolist() == [rest]
    assert kinds.working.tolist() == [not rest]


def test_a_bridge_is_made_by_a_holiday_and_not_by_the_weekend() -> None:
    # Brunei rests on Friday and Sunday: the Saturday between is no bridge.
    bridges = [day for day, is_one in zip(YEAR_2024, day_kinds(YEAR_2024, "BN").bridge, strict=True) if is_one]
    assert bridges
    assert not any(day.weekday() == 5 for day in bridges)


def test_without_a_country_there_are_weekends_and_no_holidays() -> None:
    kinds = day_kinds(YEAR_2024[:14], None)
    assert kinds.weekend.tolist() == [day.weekday() >= 5 for day in YEAR_2024[:14]]
    assert not (kinds.holiday | kinds.bridge | kinds.before | kinds.after).any()


def test_days_before_and_after_cross_the_turn_of_the_year() -> None:
    kinds = day_kinds([date(2023, 12, 31), date(2024, 1, 1), date(2024, 1, 2)], "PT")
    assert (kinds.before.tolist(), kinds.after.tolist()) == ([True, False, False], [False, False, True])


@given(regions, days, st.integers(1, 40))
def test_kinds_fit_together_in_every_region(region: Region, first: date, size: int) -> None:
    span = [first + timedelta(days=number) for number in range(size + 2)]
    kinds = day_kinds(span, str(region))
    off = kinds.holiday | kinds.weekend
    np.testing.assert_array_equal(kinds.working, ~off)
    np.testing.assert_array_equal(kinds.before[:-1], kinds.holiday[1:])
    np.testing.assert_array_equal(kinds.after[1:], kinds.holiday[:-1])
    strict = kinds.holiday & ~kinds.weekend
    expected = kinds.working[1:-1] & off[:-2] & off[2:] & (strict[:-2] | strict[2:])
    np.testing.assert_array_equal(kinds.bridge[1:-1], expected)
    alone = day_kinds([span[-1]], region.country, region.subdivision)
    assert (alone.bridge[0], alone.weekend[0]) == (kinds.bridge[-1], kinds.weekend[-1])


@given(st.sampled_from(sorted({region.country for region in REGIONS})), st.integers(1990, 2034))
def test_every_kind_that_is_offered_can_be_asked_for(country: str, year: int) -> None:
    for kind in holiday_kinds(country):
        for one in named_holidays(date(year, 3, 1), date(year, 11, 30), country, kinds=(kind,)):
            assert date(year, 3, 1) <= one.day <= date(year, 11, 30)
            assert one.name.strip()
            assert one.kind == kind


@given(regions)
def test_a_region_reads_back_as_written_in_any_case(region: Region) -> None:
    for text in (str(region), str(region).lower()):
        assert Region.of(text) == region
    assert region.within(Region(region.country))
    assert Region(region.country).within(region) is (region.subdivision is None)


def test_parts_are_known_by_their_names_and_countries_by_three_letters() -> None:
    assert Region.of("DE", "bayern") == Region.of("DEU-by") == Region.of("de-BAYERN") == Region("DE", "BY")
    assert Region.of("UK-Scotland") == Region("GB", "SCT")
    assert Region.of("AU-") == Region("AU")


def test_names_and_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    carnival, first = date(2024, 2, 13), date(2024, 2, 1)
    assert holiday_kinds("pt") == ("optional", "public")
    assert not holiday_flags([carnival], "PT")[0]
    (one,) = named_holidays(first, date(2024, 2, 28), "PT", kinds=("public", "optional"))
    assert (one.day, one.name, one.kind) == (carnival, "Carnival", "optional")
    (assumption,) = named_holidays(date(2024, 8, 1), date(2024, 8, 31), "DE-BY", kinds=("catholic",))
    assert assumption.day == date(2024, 8, 15)
    corpus = (date(2024, 5, 30), date(2024, 5, 30), "DE-BY")
    assert named_holidays(*corpus, language="de")[0].name == "Fronleichnam"
    # The environment's language changes no name.
    monkeypatch.setenv("LANGUAGE", "uk")
    monkeypatch.setenv("LANG", "uk_UA.UTF-8")
    assert named_holidays(*corpus)[0].name == "Corpus Christi"


def test_a_kind_that_a_country_has_not_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"kind 'bank' of PT; expected some of optional, public"):
        named_holidays(date(2024, 1, 1), date(2024, 1, 2), "PT", kinds=("bank",))


@pytest.mark.parametrize(
    ("country", "part", "words"),
    [
        ("DE", "XX", r"country 'DE' has no subdivision 'XX'; expected one of BB, BE"),
        ("DE-XX", None, r"country 'DE' has no subdivision 'XX'"),
        ("Germany", None, r"country 'Germany' is not known; expected an ISO code such as DE"),
        ("PT", "Atlantis", "country 'PT' has no subdivision 'Atlantis'"),
    ],
)
def test_unknown_regions_are_refused_with_known_ones(country: str, part: str | None, words: str) -> None:
    with pytest.raises(DeclarationError, match=words):
        Region.of(country, part)
