"""The same forecasts by MLflow's scoring protocol and by Open Inference Protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from forecast.forecaster import Forecaster
from forecast.registry.runs import running
from forecast.registry.writer import log_forecaster, open_store
from forecast.settings import Settings
from serving import create_app
from serving.keys import Keys

CUTOFF = pd.Timestamp("2014-04-13T00:00Z")
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def table(frame: pd.DataFrame) -> pd.DataFrame:
    """Twenty days before the cutoff, and the weather of the day after it."""
    rows = frame[(frame["ds"] >= CUTOFF - pd.Timedelta(days=20)) & (frame["ds"] < CUTOFF + pd.Timedelta(days=1))]
    rows = rows.assign(ds=[f"{ds:%Y-%m-%dT%H:%M:%SZ}" for ds in rows["ds"]]).reset_index(drop=True)
    ahead = pd.to_datetime(rows["ds"]) >= CUTOFF
    return rows.assign(y=rows["y"].mask(ahead), humidity=rows["humidity"].mask(ahead))


@pytest.fixture(scope="module")
def registered_model(logged: tuple[Settings, list[Any]], forecaster: Forecaster) -> Any:
    """The same forecaster as MLflow loads it."""
    import mlflow

    store = open_store(logged[0])
    with running(store, "protocols", {}) as run:
        return mlflow.pyfunc.load_model(log_forecaster(run, forecaster, None).uri)


def by_mlflow(model: Any, raw: str, media: str = "application/json") -> list[dict[str, Any]]:
    """What `mlflow models serve` answers."""
    from mlflow.pyfunc.scoring_server import invocations

    answer = invocations(raw, media, model, model.metadata.get_input_schema())
    assert answer.status == 200, answer.response
    predictions: list[dict[str, Any]] = json.loads(answer.response)["predictions"]
    return predictions


def same(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    """The same rows in the same order, numbers to rounding."""
    left, right = pd.DataFrame(ours), pd.DataFrame(theirs)
    assert list(left.columns) == list(right.columns)
    for name in ("cutoff", "ds"):
        left[name], right[name] = (pd.to_datetime(one[name], utc=True, format="ISO8601") for one in (left, right))
    pd.testing.assert_frame_equal(left, right, check_dtype=False, rtol=1e-5)


def split(table: pd.DataFrame, **params: Any) -> str:
    """As pandas writes it, without a NaN."""
    told = json.loads(table.to_json(orient="split", index=False))
    return json.dumps({"dataframe_split": told, **({"params": params} if params else {})})


FORMS = {
    "split": lambda table: json.loads(split(table)),
    "records": lambda table: {"dataframe_records": json.loads(table.to_json(orient="records"))},
    "instances": lambda table: {"instances": json.loads(table.to_json(orient="records"))},
    "inputs": lambda table: {"inputs": {name: table[name].tolist() for name in table}},
}


# ---- MLflow ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["split", "records"])
@pytest.mark.parametrize("params", [{}, {"cutoff": "2014-04-12T20:00Z", "horizon": 7, "quantiles": [0.1, 0.5]}])
def test_mlflow_says_the_same(
    client: TestClient, table: pd.DataFrame, registered_model: Any, form: str, params: dict[str, Any]
) -> None:
    raw = json.dumps(FORMS[form](table) | ({"params": params} if params else {}))
    answer = client.post("/invocations", content=raw, headers=JSON)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["predictions"]) == 3 * (7 if params else 24)
    same(answer.json()["predictions"], by_mlflow(registered_model, raw))


def test_mlflow_says_the_same_of_csv(client: TestClient, table: pd.DataFrame, registered_model: Any) -> None:
    raw = table.to_csv(index=False)
    answer = client.post("/invocations", content=raw, headers={"content-type": "text/csv"})
    same(answer.json()["predictions"], by_mlflow(registered_model, raw, "text/csv"))


def test_all_forms_say_the_same_as_v1(client: TestClient, table: pd.DataFrame, ask: Any) -> None:
    """NaN is missing, as Python writes it."""
    body = ask.body(CUTOFF, days=20) | {"store": False}
    wanted = {one["unique_id"]: one for one in ask.said(client, body)["forecasts"]}
    for form, made in FORMS.items():
        raw = json.dumps(made(table) | {"params": {"store": False}})
        answer = client.post("/invocations", content=raw, headers=JSON).json()
        assert (answer["rung"], answer["recorded"], answer["id"]) == ("champion", False, None), form
        rows = pd.DataFrame(answer["predictions"])
        for name, part in rows.groupby("unique_id"):
            assert part["ds"].tolist() == wanted[name]["ds"]
            np.testing.assert_allclose(part["q0.9"], wanted[name]["quantiles"]["q0.9"], rtol=1e-6)


def test_rows_in_another_order_of_series_are_sorted_by_name(client: TestClient, table: pd.DataFrame) -> None:
    turned = pd.concat([part for _, part in sorted(table.groupby("unique_id"), reverse=True)])
    first, second = (client.post("/invocations", content=split(one), headers=JSON).json() for one in (table, turned))
    assert first["predictions"] == second["predictions"]


@pytest.mark.parametrize(
    ("body", "status", "column"),
    [
        ({}, 422, None),
        ({"dataframe_records": [], "instances": []}, 422, None),
        ({"dataframe_records": []}, 422, "unique_id"),
        ({"dataframe_split": {"columns": ["unique_id", "ds", "y"], "data": [["a", "2014-01-01T00:00Z"]]}}, 422, "data"),
        ({"dataframe_split": {"columns": ["y", "y"], "data": [[1, 2]]}}, 422, "columns"),
        ({"dataframe_records": [{"unique_id": "a", "ds": "2014-01-01T00:00Z"}]}, 422, "y"),
        ({"dataframe_records": [{"unique_id": "a", "ds": "2014-01-01", "y": 1}]}, 422, "humidity"),
        ({"dataframe_records": [{f"c{n}": n} for n in range(100)]}, 422, None),
        ({"inputs": {"unique_id": ["a", "a"], "ds": ["2014-01-01T00:00Z"], "y": [1.0, 2.0]}}, 422, None),
        ({"inputs": {"unique_id": ["a"], "ds": ["2014-01-01T00:00Z"], "y": [1.0]}, "params": {"horizn": 3}}, 422,
         "horizn"),
    ],
)  # fmt: skip
def test_wrong_tables_are_refused(client: TestClient, body: Any, status: int, column: str | None) -> None:
    answer = client.post("/invocations", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json().get("column") == column


def test_wrong_cells_are_named(client: TestClient, table: pd.DataFrame) -> None:
    raw = table.astype({"temperature": object})
    raw.loc[5, "temperature"] = "warm"
    answer = client.post("/invocations", content=raw.to_csv(index=False), headers={"content-type": "text/csv"})
    assert (answer.status_code, answer.json()["column"], answer.json()["stamps"]) == (
        422,
        "temperature",
        ["row 5: warm"],
    )
    answer = client.post("/invocations", content=split(raw), headers=JSON)
    assert (answer.status_code, answer.json()["column"], answer.json()["series"]) == (422, "temperature", "east")
    sizes = table.assign(size=range(len(table)))
    assert client.post("/invocations", content=split(sizes), headers=JSON).json()["column"] == "size"
    naive = table.assign(ds=table["ds"].str.removesuffix("Z"))
    assert client.post("/invocations", content=split(naive), headers=JSON).json()["column"] == "ds"


@pytest.mark.parametrize(
    ("raw", "media", "status"),
    [
        (b"", "text/csv", 400),
        (b"\xff\xfe", "text/csv", 400),
        (b"{", "application/json", 400),
        (b"x", "text/plain", 415),
    ],
)
def test_bodies_that_are_none_are_refused(client: TestClient, raw: bytes, media: str, status: int) -> None:
    assert client.post("/invocations", content=raw, headers={"content-type": media}).status_code == status


def test_health_and_version(client: TestClient, settings: Settings) -> None:
    from importlib.metadata import version

    for path in ("/ping", "/health"):
        assert (client.get(path).status_code, client.get(path).text) == (200, "\n")
    assert client.get("/version").text == version("mlflow")
    with TestClient(create_app(settings)) as empty:
        assert [empty.get(path).status_code for path in ("/ping", "/health", "/v2/health/ready")] == [503] * 3
        assert empty.get("/v2/health/live").json() == {"live": True}


def test_without_a_model_the_fallbacks_answer(settings: Settings, table: pd.DataFrame) -> None:
    with TestClient(create_app(settings)) as empty:
        answer = empty.post("/invocations", content=split(table), headers=JSON).json()
        assert answer["rung"] == "seasonal_naive"
        assert len(answer["predictions"]) == 3 * 24
        assert empty.get("/v2/models/small").status_code == 503
        assert empty.post("/v2/models/small/infer", json={"inputs": []}).status_code == 503


# ---- Open Inference Protocol -----------------------------------------------------------------------------------------


def tensors(table: pd.DataFrame, **parameters: Any) -> dict[str, Any]:
    """A table as tensors."""
    inputs = []
    for name in table:
        values = json.loads(table[name].to_json(orient="values"))
        kind = "BYTES" if name in ("unique_id", "ds") else "FP64"
        inputs.append({"name": name, "shape": [len(values), 1], "datatype": kind, "data": values})
    return {"id": "42", "inputs": inputs, "parameters": parameters}


def test_the_server_and_its_model_are_described(client: TestClient) -> None:
    server = client.get("/v2").json()
    assert set(server) == {"name", "version", "extensions"}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/small/ready").json() == {"name": "small", "ready": True}
    model = client.get("/v2/models/small").json()
    assert [(one["name"], one["datatype"]) for one in model["inputs"]] == [
        ("unique_id", "BYTES"), ("ds", "BYTES"), ("y", "FP64"), ("humidity", "FP64"), ("temperature", "FP64"),
        ("size", "FP64"),
    ]  # fmt: skip
    assert {one["name"]: one["shape"] for one in model["outputs"]}["quantiles"] == [-1, 9]


def test_tensors_say_the_same_as_v1(client: TestClient, table: pd.DataFrame, ask: Any) -> None:
    asked = tensors(table, cutoff="2014-04-13T00:00Z", horizon=24, quantiles="0.1,0.9", store=False)
    answer = client.post("/v2/models/small/infer", json=asked).json()
    assert (answer["model_name"], answer["id"]) == ("small", "42")
    assert answer["parameters"] == {
        "recorded": False, "cutoff": "2014-04-13T00:00:00Z", "unit": "MW", "rung": "champion"
    }  # fmt: skip
    out = {one["name"]: np.array(one["data"]).reshape(one["shape"]) for one in answer["outputs"]}
    assert {name: one.shape for name, one in out.items()} == {
        "unique_id": (72,), "ds": (72,), "mean": (72,), "quantiles": (72, 2), "levels": (2,), "rung": (72,)
    }  # fmt: skip
    wanted = ask.said(client, ask.body(CUTOFF, days=20) | {"quantiles": [0.1, 0.9]})["forecasts"]
    for one in wanted:
        mine = out["unique_id"] == one["unique_id"]
        assert out["ds"][mine].tolist() == one["ds"]
        np.testing.assert_allclose(out["mean"][mine], one["mean"], rtol=1e-6)
        np.testing.assert_allclose(out["quantiles"][mine, 1], one["quantiles"]["q0.9"], rtol=1e-6)


def test_a_delivery_day_from_its_gate_and_one_output(client: TestClient, table: pd.DataFrame) -> None:
    asked = tensors(table, delivery_day="2014-04-13", gate="D-1T10:00", store=False)
    answer = client.post("/v2/models/small/infer", json=asked | {"outputs": [{"name": "mean"}]}).json()
    (mean,) = answer["outputs"]
    assert (mean["name"], mean["shape"], mean["datatype"]) == ("mean", [72], "FP64")
    assert answer["parameters"]["cutoff"] == "2014-04-12T00:00:00Z"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/models/other", 404), ("/v2/models/other/ready", 404), ("/v2/models/small/versions/3", 404),
        ("/v2/models/small/versions/3/ready", 404), ("/v2/models/small", 200),
    ],
)  # fmt: skip
def test_another_model_or_version_is_not_found(client: TestClient, path: str, status: int) -> None:
    assert client.get(path).status_code == status
    if status == 404:
        answer = client.post(path.removesuffix("/ready") + "/infer", json={"inputs": []})
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")
        assert "small is" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"shape": [3]}, "y"),
        ({"shape": [2, 252]}, "y"),
        ({"datatype": "BYTES"}, "y"),
        ({"datatype": "BOOL"}, "datatype"),
        ({"name": "unique_id"}, "unique_id"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(
    client: TestClient, table: pd.DataFrame, change: dict[str, Any], column: str
) -> None:
    asked = tensors(table, store=False)
    asked["inputs"][2] |= change
    answer = client.post("/v2/models/small/infer", json=asked)
    assert (answer.status_code, answer.json()["column"]) == (422, column)


def test_parameters_that_are_none_and_binary_bodies_are_refused(client: TestClient, table: pd.DataFrame) -> None:
    for name, value, column in (("horizn", 3, "parameters.horizn"), ("quantiles", "a", "parameters.quantiles"),
                                ("horizon", "3", "horizon")):  # fmt: skip
        answer = client.post("/v2/models/small/infer", json=tensors(table, **{name: value}))
        assert (answer.status_code, answer.json()["column"]) == (422, column)
    head = JSON | {"inference-header-content-length": "10"}
    assert client.post("/v2/models/small/infer", content=b"{}", headers=head).status_code == 415


# ---- the ledger, keys, and the description ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, plain: Forecaster) -> Iterator[tuple[TestClient, str]]:
    """A service with a store, and a key that may forecast."""
    settings = Settings.read(home=tmp_path_factory.mktemp("protocols"))
    keys, token = Keys().added("reader", ["forecast"])
    keys.write(settings.key_file)
    with TestClient(create_app(settings, plain)) as client:
        yield client, token


def test_answers_stand_in_the_ledger_and_need_a_key(kept: tuple[TestClient, str]) -> None:
    client, token = kept
    ds = [f"{one:%Y-%m-%dT%H:%MZ}" for one in pd.date_range("2014-04-01T00:00Z", periods=960, freq="30min")]
    table = pd.DataFrame({"unique_id": "town", "ds": ds, "y": [5.0 + n % 48 for n in range(960)]})
    calls: dict[str, Any] = {
        "/invocations": {"dataframe_records": table.to_dict("records")},
        "/v2/models/last-week/infer": tensors(table),
    }
    assert [client.get(path).status_code for path in ("/ping", "/health", "/v2/health/live", "/v2")] == [200] * 3 + [
        401
    ]
    ids = []
    for path, body in calls.items():
        assert client.post(path, json=body).status_code == 401
        answer = client.post(path, json=body, headers={"x-api-key": token}).json()
        ids.append(answer.get("id") if "predictions" in answer else answer["parameters"]["forecast_id"])
    told = [client.get(f"/v1/forecasts/{one}", headers={"x-api-key": token}).json() for one in ids]
    assert told[0]["forecasts"] == told[1]["forecasts"]
    assert len(told[0]["forecasts"][0]["ds"]) == 48


def test_names_alone_are_read_from_the_store(kept: tuple[TestClient, str]) -> None:
    client, token = kept
    asked = {"inputs": [{"name": "unique_id", "shape": [1], "datatype": "BYTES", "data": ["nowhere"]}]}
    answer = client.post("/v2/models/last-week/infer", json=asked, headers={"x-api-key": token})
    assert (answer.status_code, answer.json()["series"]) == (404, "nowhere")
    assert "the store holds no series" in answer.json()["detail"]


def test_the_examples_of_the_description_run(client: TestClient, plain_client: TestClient) -> None:
    for one in (client, plain_client):
        document = one.get("/openapi.json").json()
        for path in ("/invocations", "/v2/models/{name}/infer", "/v1/forecasts"):
            operation = document["paths"][path]["post"]
            names = {told["name"]: told["example"] for told in operation.get("parameters", ())}
            for media, content in operation["requestBody"]["content"].items():
                for name, example in content["examples"].items():
                    if name == "from_store":
                        continue
                    value = example["value"]
                    raw = value if isinstance(value, str) else json.dumps(value)
                    answer = one.post(path.format(**names), content=raw, headers={"content-type": media})
                    assert answer.status_code == 200, (path, name, answer.text)


def test_the_version_that_answers_may_be_named(registered: Any) -> None:
    registered.point("champion", 1)
    name, number = registered.settings.model_name, registered.numbers[1]
    history = {
        "unique_id": ["town"] * 480, "y": [5.0 + n % 24 for n in range(480)],
        "ds": [f"{ds:%Y-%m-%dT%H:%MZ}" for ds in pd.date_range("2014-04-01T00:00Z", periods=480, freq="1h")],
    }  # fmt: skip
    asked = tensors(pd.DataFrame(history), store=False)
    with TestClient(create_app(registered.settings)) as client:
        assert client.get(f"/v2/models/{name}").json()["versions"] == [number]
        assert client.get(f"/v2/models/{name}/versions/{number}/ready").json() == {"name": name, "ready": True}
        answer = client.post(f"/v2/models/{name}/versions/{number}/infer", json=asked).json()
        assert (answer["model_name"], answer["model_version"], answer["parameters"]["rung"]) == (
            name,
            number,
            "champion",
        )
        other = client.post(f"/v2/models/{name}/versions/{registered.numbers[0]}/infer", json=asked)
        assert other.status_code == 404
        assert f"version {number} is" in other.json()["detail"]
