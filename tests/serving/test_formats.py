"""The same numbers in JSON, CSV, Parquet and Arrow, as `Accept` says."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from forecast.forecaster import Forecaster
from forecast.settings import Settings
from serving import create_app
from serving.formats import ARROW, CSV, JSON, PARQUET

HISTORY = {"start": "2014-06-01T00:00+10:00", "step": "PT30M", "y": [1.1 + (n % 48) / 7 for n in range(480)]}
BODY = {"series": [{"unique_id": 'a "town", =1', "history": HISTORY}], "horizon": 4, "quantiles": [0.1, 0.9]}


@pytest.fixture(scope="module")
def caller(settings: Settings, plain: Forecaster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    url = f"sqlite:///{tmp_path_factory.mktemp('formats')}/store.db"
    with TestClient(create_app(settings.model_copy(update={"store": url}), plain)) as one:
        yield one


def ask(caller: TestClient, accept: str) -> httpx.Response:
    return caller.post("/v1/forecasts", json=BODY, headers={"accept": accept})


def read(answer: httpx.Response) -> list[dict[str, Any]]:
    """The rows of a table, stamps as text."""
    media = answer.headers["content-type"].split(";")[0]
    if media == CSV:
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        words = ("unique_id", "cutoff", "ds", "rung")
        return [{name: cell if name in words else float(cell) for name, cell in row.items()} for row in rows]
    if media == PARQUET:
        table = pq.read_table(io.BytesIO(answer.content))
    else:
        table = pa.ipc.open_stream(io.BytesIO(answer.content)).read_all()
    assert str(table.schema.field("ds").type) == "timestamp[ms, tz=UTC]"
    return [
        {name: f"{cell:%Y-%m-%dT%H:%M:%SZ}" if hasattr(cell, "year") else cell for name, cell in row.items()}
        for row in table.to_pylist()
    ]


def rows(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The same rows out of JSON."""
    return [
        {"unique_id": one["unique_id"], "cutoff": answer["cutoff"], "ds": ds, "mean": one["mean"][place],
         **{name: values[place] for name, values in one["quantiles"].items()}, "rung": one["rung"]}
        for one in answer["forecasts"] for place, ds in enumerate(one["ds"])
    ]  # fmt: skip


@pytest.mark.parametrize("media", [CSV, PARQUET, ARROW])
def test_every_table_holds_the_numbers_of_json(caller: TestClient, media: str) -> None:
    answer = ask(caller, media)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(media)
    assert answer.headers["vary"] == "Accept"
    id = answer.headers["x-forecast-id"]
    plainly = caller.get(f"/v1/forecasts/{id}").json()
    assert read(answer) == rows(plainly)
    assert read(caller.get(f"/v1/forecasts/{id}", headers={"accept": media})) == rows(plainly)
    listed = caller.get("/v1/forecasts", params={"series": plainly["forecasts"][0]["unique_id"], "limit": 1},
                        headers={"accept": media})  # fmt: skip
    assert [one["mean"] for one in read(listed)] == plainly["forecasts"][0]["mean"]


def test_observations_come_in_every_format_and_go_back_as_csv(caller: TestClient) -> None:
    values = [0.1, None, 1 / 3]
    history = {"start": "2014-06-01T00:00Z", "step": "PT1H", "y": values, "wind": [1.0, 2.0, 3.0]}
    assert caller.post("/v1/observations", json={"series": [{"unique_id": "o", "history": history}]}).status_code == 200
    told = caller.get("/v1/series/o/observations").json()
    assert told["columns"]["y"] == values
    text = caller.get("/v1/series/o/observations", headers={"accept": CSV}).text
    assert text.splitlines()[2] == "o,2014-06-01T01:00:00Z,,2.0"
    again = caller.post("/v1/observations", content=text, headers={"content-type": CSV}).json()
    assert (again["rows"], again["unchanged"], again["new"]) == (5, 5, 0)
    table = pq.read_table(io.BytesIO(caller.get("/v1/series/o/observations", headers={"accept": PARQUET}).content))
    assert table.column("y").to_pylist() == values


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", JSON), ("*/*", JSON), ("text/*", CSV), ("application/*", JSON), ("text/csv;q=0.5, */*;q=0.4", CSV),
        (f"{PARQUET}, {CSV};q=0.9", PARQUET), (f"application/json;q=0, {ARROW};q=0.1", ARROW),
        ("application/json; q=0.2, text/csv; q=0.7", CSV), ("*/*;q=0.1, application/json;q=0", CSV),
        ("TEXT/CSV", CSV), ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
    ],
)  # fmt: skip
def test_who_accepts_several_gets_the_one_preferred(caller: TestClient, accept: str, media: str) -> None:
    answer = ask(caller, accept)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith(media)


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "application/x-protobuf, image/*", "*/*;q=0"])
def test_what_is_not_spoken_here_is_refused_before_any_work(caller: TestClient, accept: str) -> None:
    service = caller.app.state.service  # type: ignore[attr-defined]
    before = service.ledger.counts["recorded"]
    answer = ask(caller, accept)
    assert (answer.status_code, answer.json()["type"]) == (406, "/problems/not-acceptable")
    assert PARQUET in answer.json()["detail"]
    assert service.ledger.counts["recorded"] == before
