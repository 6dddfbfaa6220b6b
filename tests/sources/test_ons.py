"""ONS's yearly files: a local clock with daylight saving, conditional requests, and what real files hold."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pandas as pd
import pytest

from forecast import clock
from forecast.errors import DataError, DeclarationError, SourceError
from forecast.sources.contract import Batch, Mark
from forecast.sources.ons import Ons
from tests.builders import utc
from tests.sources.origin import Asked, Origin, Reply

HEADER = "id_subsistema;nom_subsistema;din_instante;val_cargaenergiahomwmed\n"


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with clock.using("2019-03-01T12:00Z"):
        yield


class Storage:
    """Files by year with an ETag that follows their content; 403 where there is none."""

    def __init__(self, **files: bytes | str) -> None:
        self.files = {name[1:]: text.encode() if isinstance(text, str) else text for name, text in files.items()}

    def __call__(self, asked: Asked) -> Reply:
        folder, name = asked.path.rsplit("/", 1)
        assert folder == "/dataset/curva-carga-ho"
        content = self.files.get(name.removeprefix("CURVA_CARGA_").split(".")[0])
        if content is None:
            return Reply(b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>", 403)
        tag = f'"{hash(content)}"'
        if asked.headers.get("if-none-match") == tag:
            return Reply(status=304, headers={"ETag": tag})
        return Reply(content, headers={"ETag": tag, "Last-Modified": "Fri, 01 Mar 2019 09:00:00 GMT"})


def lines(*stamps: str, name: str = "SE", first: float = 30000.5) -> str:
    rows = [f"{name};SUDESTE;{stamp}:00;{first + i}" for i, stamp in enumerate(stamps)]
    return "".join(f"{one}\n" for one in rows)


def source(origin: Origin, *names: str, start: int = 2018, **other: object) -> Ons:
    return Ons(names or ("SE",), start=start, base=origin.url, manners=origin.manners, **other)  # type: ignore[arg-type]


def read(origin: Origin, mark: Mark | None = None, **other: object) -> list[Batch]:
    return list(source(origin, **other).batches(mark))  # type: ignore[arg-type]


def test_one_batch_per_year_in_utc(origin: Origin) -> None:
    both = lines("2018-01-01 00:00", "2018-01-01 01:00") + lines("2018-01-01 00:00", name="S", first=9000)
    origin.answer = Storage(y2018=HEADER + both, y2019=HEADER + lines("2019-01-01 00:00"))
    first, second = source(origin, "SE", "S").batches(None)
    assert first.frame[["unique_id", "ds", "y"]].values.tolist() == [
        ["ons-S", utc("2018-01-01T02:00"), 9000.0],
        ["ons-SE", utc("2018-01-01T02:00"), 30000.5],
        ["ons-SE", utc("2018-01-01T03:00"), 30001.5],
    ]
    assert [info.unique_id for info in first.series] == ["ons-SE", "ons-S"]
    assert {(info.zone, info.unit, info.country) for info in first.series} == {("America/Sao_Paulo", "MW", "BR")}
    assert list(second.frame["ds"]) == [utc("2019-01-01T02:00")]


def test_the_hour_that_the_clock_repeats_is_there_once_or_twice(origin: Origin) -> None:
    night = ["2018-02-17 22:00", "2018-02-17 23:00", "2018-02-18 00:00"]
    origin.answer = Storage(y2018=HEADER + lines(*night))
    (once,) = read(origin)
    assert list(once.frame["ds"]) == [utc(f"2018-02-18T{hour}") for hour in ("00:00", "01:00", "03:00")]
    origin.answer = Storage(y2018=HEADER + lines(night[0], night[1], night[1], night[2]))
    (twice,) = read(origin)
    assert list(twice.frame["ds"]) == [utc(f"2018-02-18T0{hour}:00") for hour in range(4)]
    assert list(twice.frame["y"]) == [30000.5, 30001.5, 30002.5, 30003.5]
    assert (once.notes, twice.notes) == ((), ())


def test_a_row_for_the_hour_that_the_clock_skipped_is_left_out_and_told(origin: Origin) -> None:
    text = HEADER + lines("2018-11-03 23:00") + "SE;SUDESTE;2018-11-04 00:00:00;0E-8\n" + lines("2018-11-04 01:00")
    origin.answer = Storage(y2018=text)
    (batch,) = read(origin)
    assert list(batch.frame["ds"]) == [utc("2018-11-04T02:00"), utc("2018-11-04T03:00")]
    assert batch.notes == ("ONS has rows for hours that Brazil's clock skipped (2018-11-04 00:00); they were left out",)


def test_without_daylight_saving_nothing_is_skipped(origin: Origin) -> None:
    origin.answer = Storage(y2020=HEADER + lines("2020-11-01 00:00", "2020-11-01 01:00"))
    with clock.using("2020-12-01T00:00Z"):
        (batch,) = read(origin, start=2020)
    assert list(batch.frame["ds"]) == [utc("2020-11-01T03:00"), utc("2020-11-01T04:00")]


def test_unchanged_files_are_not_sent_again_and_revised_ones_are_read(origin: Origin) -> None:
    storage = Storage(
        y2017=HEADER + lines("2017-05-01 00:00"), y2018=HEADER + lines("2018-05-01 00:00"),
        y2019=HEADER + lines("2019-01-01 00:00"),
    )  # fmt: skip
    origin.answer = storage
    mark = read(origin, start=2017)[-1].mark
    assert sorted(mark["files"]) == ["2017", "2018", "2019"]
    origin.asked.clear()
    assert read(origin, mark, start=2017) == []
    assert [asked.path[-8:-4] for asked in origin.asked] == ["2018", "2019"]
    storage.files["2018"] = (HEADER + lines("2018-05-01 00:00", first=7)).encode()
    (revised,) = read(origin, mark, start=2017)
    assert list(revised.frame["y"]) == [7]
    assert read(origin, revised.mark, start=2017) == []


def test_another_subsystem_is_read_from_files_that_were_read_already(origin: Origin) -> None:
    origin.answer = Storage(y2019=HEADER + lines("2019-01-01 00:00") + lines("2019-01-01 00:00", name="S"))
    mark = read(origin, start=2019)[-1].mark
    (other,) = source(origin, "S", start=2019).batches(mark)
    assert list(other.frame["unique_id"]) == ["ons-S"]
    assert other.mark["files"]["2019"]["subsystems"] == ["S", "SE"]
    assert read(origin, other.mark, start=2019) == []


def test_the_file_of_a_new_year_may_not_be_there_yet(origin: Origin) -> None:
    origin.answer = Storage(y2018=HEADER + lines("2018-05-01 00:00"))
    assert len(read(origin)) == 1
    with pytest.raises(SourceError, match=r"no file of 2017 at .*CURVA_CARGA_2017.csv \(403\)"):
        read(origin, start=2017)


def test_duplicates_gaps_and_decimals(origin: Origin) -> None:
    text = HEADER + lines("2018-05-01 00:00", "2018-05-01 01:00", "2018-05-01 00:00", first=1)
    text += lines("2018-05-01 01:00", first=2) + "SE;SUDESTE;2018-05-01 02:00:00;\n"
    origin.answer = Storage(y2018=text)
    (batch,) = read(origin)
    assert list(batch.frame["y"]) == [3, 2]
    assert batch.notes == ("ONS has 1 hours twice with different numbers; the last one was taken",)


def test_parquet_files(origin: Origin) -> None:
    table = pd.DataFrame(
        {
            "id_subsistema": ["SE", "N"],
            "nom_subsistema": ["SUDESTE", "NORTE"],
            "din_instante": pd.to_datetime(["2018-05-01 00:00:00"] * 2),
            "val_cargaenergiahomwmed": ["30000.5", "5000"],  # texts in some years
        }
    )
    room = io.BytesIO()
    table.to_parquet(room)
    origin.answer = Storage(y2018=room.getvalue())
    (batch,) = read(origin, form="parquet")
    assert batch.frame[["ds", "y"]].values.tolist() == [[utc("2018-05-01T03:00"), 30000.5]]
    origin.first = [Reply(room.getvalue()[:-9])]
    assert len(read(origin, form="parquet")) == 1
    assert origin.slept[-2:] == [1, 0.5]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEADER.replace("val_carga", "val_demanda"), r"2018 has no column val_cargaenergiahomwmed, but id_subsistema"),
        (HEADER + "SE;SUDESTE;2018-05-01 00:00:00;12,5\n", r"holds 1 texts \(12,5\); expected numbers"),
        (HEADER + "SE;SUDESTE;01/05/2018 00:00;1\n", r"din_instante, holds 1 stamps of another form \(01/05/2018"),
    ],
)
def test_a_changed_file_is_named(origin: Origin, text: str, told: str) -> None:
    origin.answer = Storage(y2018=text)
    with pytest.raises(DataError, match=told):
        read(origin)


def test_a_new_column_is_ignored(origin: Origin) -> None:
    origin.answer = Storage(y2018=HEADER.strip() + ";val_nova\nSE;SUDESTE;2018-05-01 00:00:00;1;2\n")
    assert list(read(origin)[0].frame["y"]) == [1]


def test_unknown_subsystems_are_named(origin: Origin) -> None:
    with pytest.raises(DeclarationError, match=r"no subsystem SIN; expected some of N, NE, S, SE"):
        source(origin, "SIN")
