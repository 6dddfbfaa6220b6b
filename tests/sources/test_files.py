from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast import clock
from forecast.errors import DataError, DeclarationError
from forecast.sources import Declaration, open_source, read

Write = Callable[..., Path]
HOURS = [f"2014-01-01 {hour:02d}:00" for hour in range(6)]
LISBON = Declaration(zone="Europe/Lisbon")


def rows(values: list[object], separator: str = ",") -> list[str]:
    return [f"{stamp}{separator}{value}" for stamp, value in zip(HOURS, values, strict=False)]


def test_the_names_of_the_field_need_no_declaration(write: Write) -> None:
    path = write("unique_id,ds,y", "a,2014-01-01 00:00Z,1", "a,2014-01-01 01:00Z,2", "b,2014-01-01 00:00Z,3",
                 "b,2014-01-01 01:00Z,4")  # fmt: skip
    demand = read(path)
    assert [one.unique_id for one in demand.series] == ["a", "b"]
    assert demand.to_frame()["y"].tolist() == [1, 2, 3, 4]
    assert (demand.unit, demand.step, demand.source) == ("MW", pd.Timedelta("1h"), str(path))


def test_everything_that_can_be_declared(write: Write) -> None:
    path = write(
        "at;city;kWh;temp;rain;area;seen;comment",
        "2014-01-01 00:30;007;1,5;20,5;0;12;2014-01-01 02:00;x",
        "2014-01-01 01:00;007;;21;1;12;2014-01-01 03:00;",
        "2014-01-01 01:30;007;2,5;21,5;;12;;y",
    )
    declared = Declaration(
        time="at", target="kWh", series="city", known="temp", past="rain", static="area", zone="Australia/Melbourne",
        stamp_zone="+10:00", stamp="end", freq="30min", unit="kWh", available_at="seen", decimal=",", country="AU-VIC",
    )  # fmt: skip
    demand = read(path, declared)
    one = demand.by_id["007"]
    assert one.start == pd.Timestamp("2013-12-31T14:00Z")
    assert (one.zone, demand.country, one.static["area"]) == ("Australia/Melbourne", "AU-VIC", 12.0)
    np.testing.assert_array_equal(
        one.values_TC, np.array([[3.0, 0, 20.5], [np.nan, 1, 21], [5.0, np.nan, 21.5]], np.float32)
    )
    known = demand.as_of("2013-12-31T16:00Z")
    assert known.observed(known.series[0]).tolist()[0] == 3.0
    assert demand.output_factor == 0.5


def test_several_demand_columns_are_several_series(write: Write) -> None:
    path = write("time,north,south,temp", *[f"{stamp},{at},{at + 10},{at + 20}" for at, stamp in enumerate(HOURS)])
    declared = Declaration(target="north,south", known="temp", zones={"north": "+00:00", "south": "+01:00"})
    demand = read(path, declared)
    north, south = demand.series
    assert (north.unique_id, south.unique_id) == ("north", "south")
    assert south.start == north.start - pd.Timedelta("1h")
    assert south.values_TC[0].tolist() == [10, 20]
    only = read(path, Declaration(target="north,south", only="south", zone="UTC"))
    assert [one.unique_id for one in only.series] == ["south"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("blank", ["", " ", None])
def test_meters_without_a_value_are_for_tables_that_are_only_forecast_from(
    tmp_path: Path, kind: str, blank: str | None
) -> None:
    frame = pd.DataFrame({"ds": HOURS * 2, "unique_id": ["new"] * 6 + ["other"] * 6, "y": blank, "size": 3.0})
    path = tmp_path / f"new.{kind}"
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    declared = Declaration(zone="Europe/Lisbon", static="size")
    with pytest.raises(DataError, match=r"'new': every value of demand is missing.*Check --target"):
        read(path, declared)
    demand = read(path, declared.model_copy(update={"forecast_only": True}))
    assert [(one.unique_id, len(one), one.static["size"]) for one in demand.series] == [
        ("new", 6, 3.0), ("other", 6, 3.0),
    ]  # fmt: skip
    assert np.isnan(demand.arena_RC).all()


def test_future_rows_may_carry_what_is_known_ahead(write: Write) -> None:
    path = write("ds,y,temp", "2014-01-01 00:00,1,5", "2014-01-01 01:00,2,6", "2014-01-01 02:00,,7")
    with clock.using("2014-01-01T02:00Z"):
        demand = read(path, Declaration(zone="UTC", known="temp"))
    assert len(demand.series[0]) == 3


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators(write: Write, separator: str) -> None:
    path = write(f"ds{separator}y", *rows([1, 2, 3], separator))
    assert read(path, LISBON).to_frame()["y"].tolist() == [1, 2, 3]


def test_gzip_byte_order_mark_and_blank_lines(write: Write) -> None:
    text = "\ufeff\nds, y ,\n" + "2014-01-01 00:00,1,\n\n2014-01-01 01:00,2,\n\n"
    path = write(gzip.compress(text.encode()), name="demand.CSV.gz")
    path.write_bytes(gzip.compress(text.encode()))
    assert read(path, LISBON).to_frame()["y"].tolist() == [1, 2]
    path.write_bytes(gzip.compress(text.replace("01:00,2", "01:00,two").encode()))
    with pytest.raises(DataError, match="line 5: 'two'"):
        read(path, LISBON)


def test_parquet_keeps_its_index_as_a_column(tmp_path: Path) -> None:
    stamps = pd.date_range("2014-01-01", periods=3, freq="30min", tz="Europe/Lisbon", name="timestamp")
    path = tmp_path / "demand.parquet"
    pd.DataFrame({"demand": [1.0, 2.0, 3.0], "other": "x"}, index=stamps).to_parquet(path)
    demand = read(path)
    assert demand.series[0].start == pd.Timestamp("2014-01-01T00:00Z")
    assert demand.to_frame()["y"].tolist() == [1, 2, 3]


HALF_HOURS = [f"2014-01-0{1 + n // 24} {n % 24:02d}:{minute}" for n in range(26) for minute in ("00", "30")]
THEN_HOURS = [f"2014-01-0{3 + n // 24} {n % 24:02d}:00" for n in range(40)]
BAD: dict[str, tuple[list[str | bytes], dict[str, object], str]] = {
    "missing column": (["ds,y", *rows([1, 2])], {"known": "temp"}, r"no column 'temp'; expected it among ds, y"),
    "no demand column": (["ds,kw", *rows([1, 2])], {}, r"no demand column was .*found ds, kw.*--target"),
    "no time column": (["at,y", *rows([1, 2])], {}, r"no time column was recognised.*--time"),
    "two columns of one name": (["ds,y,y", "2014-01-01,1,2"], {}, r"2 columns are called 'y'"),
    "unsorted": (
        ["ds,y", *rows([1, 2, 3])[::-1]], {},
        r"not in time order \(line 3: 2014-01-01T01:00Z, line 4.*Sort the table",
    ),
    "duplicates": (
        ["ds,y", *rows([1, 2]), *rows([1, 2])[1:]], {}, r"1 stamps occur twice \(line 4: 2014-01-01T01.*--series"
    ),
    "naive": (["ds,y", *rows([1, 2])], {"zone": None}, r"column 'ds': the stamps carry no zone.*--zone"),
    "mixed frequency": (
        ["ds,y", *rows([1, 2, 3, 4]), "2014-01-01 03:30,5"], {}, r"not on the clock of every 1h \(line 6:"
    ),
    "mixed frequency of series": (
        ["unique_id,ds,y", *[f"a,{row}" for row in rows([1, 2])], "b,2014-01-01 00:00,1", "b,2014-01-01 00:30,1"], {},
        r"mixed frequencies \(a: every 1h, b: every 30min\)",
    ),
    "a frequency that changes": (
        ["ds,y", *[f"{stamp},1" for stamp in [*HALF_HOURS, *THEN_HOURS]]], {},
        r"every 30min to every 1h: mixed frequencies.*--freq 30min",
    ),
    "another frequency": (["ds,y", *rows([1, 2])], {"freq": "15min"}, r"every 1h, never every 15min as declared"),
    "a coarser frequency": (["ds,y", *rows([1, 2, 3])], {"freq": "2h"}, r"1 stamps are not on .* every 2h \(line 3"),
    "text in numbers": (["ds,y", *rows([1, "err", 3])], {}, r"'y': 1 values are not numbers \(line 3: 'err'\)"),
    "comma decimals": (["ds;y", *rows(["4382,8", "4263,4"], ";")], {}, r"line 2: '4382,8'.*--decimal ,"),
    "comma decimals among commas": (
        ["ds,y", *rows(["4382,8", "4263,4"])], {}, r"2 lines have more fields than the 2.*line 2.*--decimal ,"
    ),
    "quoted comma decimals": (["ds,y", *rows(['"4382,8"', '"4263,4"'])], {}, r"line 2: '4382,8'.*--decimal ,"),
    "too many fields": (["ds,y", *rows([1, 2]), "2014-01-01 02:00,3,4,5,6"], {}, r"not a table .*line 4.*2 fields"),
    "empty": ([], {}, r"demand.csv is empty"),
    "blank": (["", " ", ""], {}, r"demand.csv is empty"),
    "header only": (["ds,y"], {}, r"a header and no rows"),
    "header and blanks": (["ds,y", "", ""], {}, r"a header and no rows"),
    "all missing": (["ds,y", *rows(["", "NaN", ""])], {}, r"series 'y': every value of demand is missing"),
    "one series missing": (
        ["unique_id,ds,y", *[f"a,{row}" for row in rows([1, 2])], *[f"b,{row}" for row in rows(["", ""])]], {},
        r"series 'b': every value of demand is missing",
    ),
    "inf": (["ds,y", *rows([1, "inf", 3])], {}, r"column 'y': 1 values are infinite.*\(line 3\)"),
    "inf in a covariate": (["ds,y,t", *rows(["1,1", "2,-inf"])], {"past": "t"}, r"'t': 1 values are infinite"),
    "future": (
        ["ds,y", "2013-01-01 00:00,1", "2200-01-01 00:00,2"], {"freq": "1h"},
        r"1 values of demand are stamped in the future \(line 3:",
    ),
    "one row": (["ds,y", *rows([1])], {}, r"one row is too few.*--freq"),
    "no stamp": (["ds,y", *rows([1, 2]), ",3"], {}, r"column 'ds': 1 stamps are missing \(line 4\)"),
    "no series name": (["unique_id,ds,y", "a,2014-01-01,1", ",2014-01-02,1"], {}, r"name no series \(line 3\)"),
    "no such series": (["unique_id,ds,y", "a,2014-01-01,1"], {"only": "b"}, r"no series b; expected some of a"),
    "not UTF-8": (
        [b"ds,y,ort", "2014-01-01,1,Köln".encode("latin1")], {}, r"not UTF-8 text \(line 2 holds the byte 0xf6\)"
    ),
    "zero bytes": (["ds,y", b"2014-01-01,\0\0", "2014-01-02,1"], {}, r"damaged \(line 2 holds zero bytes\)"),
    "an open quotation": (["ds,y", '2014-01-01,"1', "2014-01-02,1"], {}, r"not a table .*Close the quotation mark"),
    "half days of a clock that changes": (
        ["ds,y", *(f"2014-03-{day} {hour}:00,{day}" for day in (28, 29, 30, 31) for hour in ("00", "12"))], {},
        r"every 12h by the clock of Europe/Lisbon, but not once that clock changes.*--stamp-zone",
    ),
    "known before it happened": (
        ["ds,y,available_at", "2014-01-01 00:00,1,2014-01-01 01:00", "2014-01-01 01:00,1,2013-01-01 00:00"], {},
        r"available before their period",
    ),
    "a static that changes": (["ds,y,area", *rows(["1,1", "2,2"])], {"static": "area"}, r"static covariate changes"),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "options", "told"), BAD.values(), ids=BAD)
def test_bad_files(write: Write, lines: list[str | bytes], options: dict[str, object], told: str) -> None:
    with pytest.raises(DataError, match=told):
        read(write(*lines), Declaration.of({"zone": "Europe/Lisbon"} | options))


def test_files_that_cannot_be_opened(tmp_path: Path, write: Write) -> None:
    with pytest.raises(DataError, match=r"no file .*nowhere\.csv"):
        read(tmp_path / "nowhere.csv")
    with pytest.raises(DataError, match=r"no file .*nowhere\.parquet"):
        read(tmp_path / "nowhere.parquet")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="is a folder"):
        read(tmp_path / "folder.csv")
    with pytest.raises(DataError, match=r"of no known kind; expected a \.csv"):
        read(write("x", name="demand.xlsx"))
    with pytest.raises(DataError, match=r"cannot be unpacked"):
        read(write("ds,y", name="demand.csv.gz"))
    whole = gzip.compress(b"ds,y\n" * 1000)
    with pytest.raises(DataError, match=r"cannot be unpacked"):
        read(write(whole[: len(whole) // 2], name="demand.csv.gz"))


def test_broken_parquet(tmp_path: Path) -> None:
    path = tmp_path / "demand.parquet"
    pd.DataFrame({"ds": pd.date_range("2014", periods=1000, freq="1h", tz="UTC"), "y": 1.0}).to_parquet(path)
    whole = path.read_bytes()
    for broken in (b"", b"PAR1 no", whole[:-100], whole[:50] + b"\0" * 200 + whole[250:]):
        path.write_bytes(broken)
        with pytest.raises(DataError, match=r"not a readable Parquet file"):
            read(path)
    pd.DataFrame({"ds": [], "y": []}).to_parquet(path)
    with pytest.raises(DataError, match="holds no rows"):
        read(path)


def test_a_query_needs_a_database(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"both --query and demand\.csv"):
        open_source("demand.csv", query="SELECT 1")
    with pytest.raises(DeclarationError, match=r"postgresql://me:\*\*\*@db/x without a query.*--query"):
        open_source("postgresql://me:secret@db/x")


@pytest.mark.parametrize("zone", ["Australia/Melbourne", "America/New_York"])
@pytest.mark.parametrize("step", ["15min", "30min", "1h"])
@pytest.mark.parametrize("stamp", ["start", "end"])
def test_a_year_of_wall_clock_stamps_comes_back(tmp_path: Path, zone: str, step: str, stamp: str) -> None:
    starts = pd.date_range("2013-03-01", "2014-05-01", freq=step, tz="UTC")
    shift = pd.Timedelta(step) if stamp == "end" else pd.Timedelta(0)
    written = (starts + shift).tz_convert(clock.zone(zone)).tz_localize(None)
    table = pd.DataFrame({"ds": written, "east": np.arange(len(starts)) % 97, "west": np.arange(len(starts)) % 89})
    table.to_csv(tmp_path / "demand.csv", index=False)
    demand = read(tmp_path / "demand.csv", Declaration(target="east,west", zone=zone, stamp=stamp))
    for one, size in zip(demand.series, (97, 89), strict=True):
        assert list(demand.stamps(one)) == list(starts)
        np.testing.assert_array_equal(one.values_TC[:, 0], np.arange(len(starts)) % size)
