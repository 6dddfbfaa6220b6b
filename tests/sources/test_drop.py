"""A folder into which others put files: whole ones once, broken ones named, unfinished ones later."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from forecast import clock
from forecast.errors import DataError, DeclarationError, PartlyRead
from forecast.sources import Declaration
from forecast.sources.delivery import Delivery
from forecast.sources.drop import DropFolder
from tests.sources.reading import Reader

NOW = pd.Timestamp("2024-02-01T00:00Z")
HOURLY = Declaration(freq="1h", zone="UTC")
Put = Callable[..., Path]


@pytest.fixture(autouse=True)
def now() -> Iterator[None]:
    with clock.using(NOW):
        yield


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Puts a file into the folder as if it had been written some minutes ago."""

    def placed(name: str, content: str | bytes | pd.DataFrame, minutes: float = 60) -> Path:
        path = tmp_path / name
        if isinstance(content, pd.DataFrame):
            content.to_parquet(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        seconds = (NOW - pd.Timedelta(minutes=minutes)).timestamp()
        os.utime(path, (seconds, seconds))
        return path

    return placed


def hours(*values: object, first: int = 0, header: str = "ds,unique_id,y") -> str:
    rows = [f"2024-01-01T{first + at:02d}:00Z,north,{value}" for at, value in enumerate(values)]
    return "\n".join([header, *rows, ""])


def reading(folder: Path, **options: object) -> DropFolder:
    return DropFolder(folder, HOURLY, **options)  # type: ignore[arg-type]


def test_files_come_once_in_the_order_in_which_they_were_written(tmp_path: Path, put: Put) -> None:
    put("z.csv", hours(1, 2), minutes=90)
    put("a.csv.gz", gzip.compress(hours(3, first=2).encode()), minutes=60)
    stamps = pd.to_datetime(["2024-01-01T03:00Z"])
    put("b.parquet", pd.DataFrame({"ds": stamps, "unique_id": "north", "y": [4.0]}), minutes=60)
    reader = Reader().read(reading(tmp_path))
    assert reader.values == [1, 2, 3, 4]
    assert [len(batch.frame) for batch in reader.batches] == [2, 1, 1]
    assert reader.batches[0].series[0].model_dump(exclude_none=True) == {
        "unique_id": "north", "zone": "UTC", "unit": "MW", "step": "0 days 01:00:00", "static": {},
    }  # fmt: skip
    assert reader.read(reading(tmp_path)).batches == []
    put("c.csv", hours(5, first=4), minutes=1)
    assert reader.read(reading(tmp_path)).values == [5]


def test_a_process_that_dies_goes_on_with_the_next_file(tmp_path: Path, put: Put) -> None:
    for at in range(4):
        put(f"{at}.csv", hours(at, first=at), minutes=60 - at)
    reader = Reader().read(reading(tmp_path), stop_after=2)
    assert reader.values == [0, 1]
    assert reader.read(reading(tmp_path)).values == [2, 3]


def test_a_large_file_comes_in_parts_and_counts_as_read_with_the_last(
    tmp_path: Path, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Delivery.batches, "__defaults__", (2,))
    put("a.csv", hours(1, 2, 3, 4, 5))
    reader = Reader().read(reading(tmp_path), stop_after=2)
    assert [len(batch.frame) for batch in reader.batches] == [2, 2]
    assert reader.read(reading(tmp_path)).values == [1, 2, 3, 4, 5]
    assert reader.read(reading(tmp_path)).values == []


def test_a_file_that_is_still_written_is_left(tmp_path: Path, put: Put) -> None:
    put("a.csv", hours(1))
    for name, minutes in {
        "b.csv.part": 60, "c.tmp": 60, ".d.csv": 60, "e.csv~": 60, "young.csv": 0.1, "tomorrow.csv": -60, "f.txt": 60,
    }.items():  # fmt: skip
        put(name, hours(2, first=1), minutes)
    (tmp_path / "archive").mkdir()
    reader = Reader().read(reading(tmp_path))
    assert reader.values == [1]
    assert reader.error is None
    for told in ("b.csv.part (unfinished", "c.tmp (", ".d.csv (hidden)", "e.csv~", "young.csv (changed 6 s ago)",
                 "tomorrow.csv (modified in the future", "neither .csv nor .csv.gz nor .parquet: f.txt"):  # fmt: skip
        assert told in reader.notes
    assert "archive" not in reader.notes
    assert "young" not in Reader().read(reading(tmp_path, settle=pd.Timedelta("5s"))).notes
    (tmp_path / "b.csv.part").rename(tmp_path / "b.csv")
    assert reader.read(reading(tmp_path)).values == [2]


def test_a_file_that_changes_under_the_reader_is_left(
    tmp_path: Path, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put("a.csv", hours(1))
    whole = DropFolder._read

    def slow(self: DropFolder, path: Path, *more: object) -> object:
        read = whole(self, path, *more)  # type: ignore[arg-type]
        put("a.csv", hours(1, 2), minutes=30)
        return read

    monkeypatch.setattr(DropFolder, "_read", slow)
    reader = Reader().read(reading(tmp_path))
    assert (reader.values, reader.error) == ([], None)
    assert f"{path.name} (changed while it was read)" in reader.notes
    monkeypatch.undo()
    assert reader.read(reading(tmp_path)).values == [1, 2]


def test_the_same_content_under_another_name_is_no_news(tmp_path: Path, put: Put) -> None:
    put("a.csv", hours(1), minutes=60)
    put("copy.csv", hours(1), minutes=50)
    reader = Reader().read(reading(tmp_path))
    assert reader.values == [1]
    assert "copy.csv holds what a.csv held: no news" in reader.notes
    put("a.csv", hours(7), minutes=40)
    assert reader.read(reading(tmp_path)).values == [7]
    for name in ("a.csv", "copy.csv"):
        (tmp_path / name).unlink()
    put("late.csv", hours(1), minutes=1)
    reader.read(reading(tmp_path))
    assert (reader.values, reader.error) == ([], None)
    assert "late.csv holds what a file that is gone held" in reader.notes


def test_a_changed_file_is_read_again_also_when_it_changes_back(tmp_path: Path, put: Put) -> None:
    reader = Reader()
    for minutes, values in ((60, (1, 2)), (50, (1, 3)), (40, (1, 2))):
        put("a.csv", hours(*values), minutes=minutes)
        assert reader.read(reading(tmp_path)).values == list(values)
    put("a.csv", hours(1, 2), minutes=30)
    assert reader.read(reading(tmp_path)).values == []


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("x.csv", hours(1, 2)[:-3], "the last line does not end"),
        ("x.csv", hours(1, "12x"), r"'y': 1 values are not numbers \(line 3: '12x'\)"),
        ("x.csv", hours(1).replace("T00", "T77"), "1 stamps cannot be read"),
        ("x.csv", hours(1).replace("north", "Zürich").encode("latin-1"), "is not UTF-8 text"),
        ("x.csv", b"", "is empty"),
        ("x.csv", "ds,unique_id,y\n", "a header and no rows"),
        ("x.csv", hours("", ""), "every value is missing"),
        ("x.csv", hours(1).replace("2024", "2030"), "stamped in the future"),
        ("x.csv", hours(1, 2).replace("T01:00", "T00:40"), "not on the clock of every 1h"),
        ("x.csv.gz", gzip.compress(hours(1).encode(), mtime=0)[:-9], "cannot be unpacked"),
        ("x.parquet", b"PAR1 half", "not a readable Parquet file"),
    ],
)
def test_a_broken_file_is_named_and_stops_no_other(
    tmp_path: Path, put: Put, name: str, content: str | bytes, told: str
) -> None:
    put("a.csv", hours(1), minutes=60)
    broken = put(name, content, minutes=50)
    put("z.csv", hours(9, first=5), minutes=40)
    reader = Reader().read(reading(tmp_path))
    assert reader.values == [1, 9]
    assert isinstance(reader.error, PartlyRead)
    with pytest.raises(PartlyRead, match=f"1 file of .* set aside, nothing of it is stored: {name}: .*{told}"):
        raise reader.error
    assert isinstance(reader.read(reading(tmp_path)).error, PartlyRead)
    broken.unlink()
    assert reader.read(reading(tmp_path)).error is None


def test_an_hour_that_the_clock_repeats_must_say_which_it_is(tmp_path: Path, put: Put) -> None:
    """Hourly files on a local clock, across 2024-10-27 in Lisbon: the second 01:00 must not become a revision."""
    declared = Declaration(freq="1h", zone="Europe/Lisbon")
    with clock.using("2024-11-01T00:00Z"):
        put("h00.csv", "ds,unique_id,y\n2024-10-27 00:00,north,1\n", minutes=60)
        put("h01.csv", "ds,unique_id,y\n2024-10-27 01:00,north,2\n", minutes=50)
        put("h01b.csv", "ds,unique_id,y\n2024-10-27 01:00,north,3\n", minutes=40)
        put("with.csv", "ds,unique_id,y\n2024-10-27T01:00+01:00,north,2\n2024-10-27T01:00+00:00,north,3\n", minutes=30)
        put("both.csv", "ds,unique_id,y\n2024-10-27 01:00,south,2\n2024-10-27 01:00,south,3\n", minutes=20)
        reader = Reader().read(DropFolder(tmp_path, declared))
    assert reader.values == [1, 2, 3, 2, 3]
    told = str(reader.error)
    assert "2 files" in told
    assert "h01.csv: " in told
    assert "h01b.csv: " in told
    assert "says this hour twice" in told


def test_all_broken_files_are_named(tmp_path: Path, put: Put) -> None:
    for at in range(7):
        put(f"{at}.csv", hours("?"))
    error = Reader().read(reading(tmp_path)).error
    assert all(f"{at}.csv: " in str(error) for at in range(7))


def test_a_column_that_was_renamed_is_told_and_can_be_declared(tmp_path: Path, put: Put) -> None:
    put("a.csv", hours(1, header="ds,unique_id,y"), minutes=60)
    put("b.csv", hours(2, first=1, header="ds,unique_id,Load MW"), minutes=50)
    put("c.csv", hours(3, first=2, header="ds,meter,y"), minutes=40)
    reader = Reader().read(reading(tmp_path))
    assert reader.values == [1]
    told = str(reader.error)
    assert "b.csv: no demand column was recognised; the file has ds, unique_id, Load MW" in told
    assert "expected the columns of earlier files (ds, unique_id, y)" in told
    assert '--renamed "Load MW=y"' in told
    assert "c.csv: the columns are others than those of the files before; the file has ds, meter, y" in told
    reader.read(reading(tmp_path, renamed={"Load MW": "y", "meter": "unique_id"}))
    assert (reader.values, reader.error) == ([2, 3], None)
    assert set(reader.frame["unique_id"]) == {"north"}


def test_a_renamed_column_of_a_parquet_file(tmp_path: Path, put: Put) -> None:
    frame = pd.DataFrame({"When": pd.to_datetime(["2024-01-01T00:00Z"]), "Load MW": [5.0], "rest": ["x"]})
    put("a.parquet", frame)
    reader = Reader().read(reading(tmp_path, renamed={"When": "ds", "Load MW": "y"}))
    assert (reader.values, reader.error) == ([5.0], None)


def test_moments_of_knowledge_may_come_in_later_and_not_get_lost(tmp_path: Path, put: Put) -> None:
    known = "ds,unique_id,y,available_at\n2024-01-01T01:00Z,north,2,2024-01-01T09:00Z\n"
    put("a.csv", hours(1), minutes=60)
    put("b.csv", known, minutes=50)
    put("c.csv", hours(3, first=2), minutes=40)
    reader = Reader().read(reading(tmp_path))
    assert reader.values == [1, 2]
    assert reader.frame["available_at"].iloc[1] == pd.Timestamp("2024-01-01T09:00Z")
    assert "c.csv: no column 'available_at'" in str(reader.error)


def test_versions_of_a_value_are_passed_on(tmp_path: Path, put: Put) -> None:
    issued = "2024-01-01T06:00Z,n,,7.5,2023-12-31T00:00Z\n2024-01-01T06:00Z,n,,8.5,2023-12-31T12:00Z\n"
    measured = "2024-01-01T06:00Z,n,3,,2024-01-01T08:00Z\n"
    put("a.csv", f"ds,unique_id,y,temperature,available_at\n{issued}{measured}")
    source = DropFolder(tmp_path, HOURLY.model_copy(update={"known": ("temperature",)}))
    reader = Reader().read(source)
    assert reader.error is None
    assert reader.frame["temperature"].tolist()[:2] == [7.5, 8.5]
    assert reader.batches[0].columns.known == ("temperature",)
    put("b.csv", f"ds,unique_id,y,temperature,available_at\n{measured.replace('T08', 'T05')}", minutes=1)
    assert "1 rows of measured values were available before their period began" in str(reader.read(source).error)


def test_static_columns_describe_the_series(tmp_path: Path, put: Put) -> None:
    put("a.csv", "ds,unique_id,y,area\n2024-01-01T00:00Z,n,1,12\n2024-01-01T01:00Z,n,1,12\n2024-01-01T00:00Z,s,1,\n")
    source = DropFolder(tmp_path, HOURLY.model_copy(update={"static": ("area",)}))
    reader = Reader().read(source)
    assert [one.static for one in reader.batches[0].series] == [{"area": 12.0}, {}]
    assert list(reader.frame.columns) == ["unique_id", "ds", "y"]
    put("b.csv", "ds,unique_id,y,area\n2024-01-01T02:00Z,n,1,12\n2024-01-01T03:00Z,n,1,13\n")
    assert "'area': a static covariate changes" in str(reader.read(source).error)


def test_few_late_values_are_a_delivery_like_any_other(tmp_path: Path, put: Put) -> None:
    rows = [("03:00", "north", 1), ("09:00", "north", 2), ("10:00", "north", 3), ("05:00", "south", 4)]
    put("late.csv", "ds,unique_id,y\n" + "".join(f"2024-01-01T{at}Z,{name},{y}\n" for at, name, y in rows))
    put("lone.csv", hours(5))
    put("apart.csv", hours(6).replace("T00", "T02") + hours(7).replace("T00", "T22").split("\n")[1] + "\n")
    for declared in (HOURLY, Declaration(zone="UTC")):
        reader = Reader().read(DropFolder(tmp_path, declared))
        assert (sorted(reader.values), reader.error) == ([1, 2, 3, 4, 5, 6, 7], None)
    put("lone.csv", hours(5).replace("2024", "2030"), minutes=1)
    assert "in the future" in str(Reader().read(DropFolder(tmp_path, Declaration(zone="UTC"))).error)


def test_other_options_read_every_file_again(tmp_path: Path, put: Put) -> None:
    put("a.csv", hours(1, 2, 3))
    reader = Reader().read(reading(tmp_path))
    reader.read(reading(tmp_path, since=pd.Timestamp("2024-01-01T01:00Z")))
    assert reader.values == [2, 3]
    assert "every file is read again" in reader.notes
    assert reader.read(reading(tmp_path, since=pd.Timestamp("2024-01-01T01:00Z"), line_end=False)).batches == []


def test_a_file_without_a_last_line_end_where_all_are_so(tmp_path: Path, put: Put) -> None:
    put("a.csv", hours(1, 2).rstrip())
    assert Reader().read(reading(tmp_path, line_end=False)).values == [1, 2]


def test_who_stores_may_set_a_file_aside(tmp_path: Path, put: Put) -> None:
    put("a.csv", hours(1), minutes=60)
    put("b.csv", hours(2, first=1), minutes=50)
    batches = reading(tmp_path).batches(None)
    first = next(batches)
    second = batches.throw(DataError("not on its clock"))  # type: ignore[attr-defined]
    assert (first.frame["y"].tolist(), second.frame["y"].tolist()) == ([1], [2])
    assert list(second.mark["files"]) == ["b.csv"]
    with pytest.raises(PartlyRead, match=r"a\.csv: not on its clock"):
        list(batches)


def test_folders_and_options_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no folder .*nowhere"):
        list(reading(tmp_path / "nowhere").batches(None))
    with pytest.raises(DeclarationError, match="--stamp end without --freq"):
        DropFolder(tmp_path, Declaration(stamp="end"))
    assert DropFolder(tmp_path, HOURLY).name == str(tmp_path)
