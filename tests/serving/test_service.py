"""The rest of the service: health, models, description, problems, limits, and a start without a champion."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import jsonschema
import pytest
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient

from forecast.errors import DataError, ModelFolderError, RegistryError
from forecast.forecaster import Forecaster
from forecast.registry.folders import folder_digest
from forecast.registry.reader import ModelRef, Pointer
from forecast.registry.versions import ModelVersion
from forecast.settings import Settings
from serving import create_app
from serving.bodies import ForecastAnswer
from serving.desk import Desk
from serving.follower import Follower
from serving.forecasts import SMALL, _read
from serving.loader import Champion, Served
from serving.models import ModelsAnswer, _registered
from serving.problems import KINDS, Problem, of_error
from serving.telemetry import Telemetry


@pytest.fixture(params=["network with covariates", "last week on half-hours"])
def either(request: pytest.FixtureRequest, client: TestClient, plain_client: TestClient) -> TestClient:
    """Each of the two services."""
    return client if request.param.startswith("network") else plain_client


def test_the_root_leads_to_the_pages(client: TestClient) -> None:
    assert 'href="/docs"' in client.get("/").text
    assert "openapi.json" in client.get("/docs").text


def test_alive_and_ready(client: TestClient) -> None:
    assert client.get("/livez").json() == {"status": "alive"}
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["model"]["name"]) == (200, "small")


def test_models_say_what_they_need(either: TestClient) -> None:
    said = either.get("/v1/models").json()
    ModelsAnswer.model_validate(said)
    (info,) = said["models"]
    if info["recipe"] == "small":
        assert info["needs"]["history_columns"] == ["y", "humidity", "temperature"]
        assert (info["needs"]["step"], info["needs"]["future_columns"]) == ("PT60M", ["temperature"])
        assert (info["zone"], info["series"], info["weather"]) == (
            "Australia/Melbourne", ["east", "north", "west"], "actual (optimistic)",
        )  # fmt: skip
    else:
        assert (info["unit"], info["kind"], info["needs"]["step"]) == ("GW", "seasonal_naive", "PT30M")


def test_the_registry_is_listed_on_request(client: TestClient) -> None:
    assert client.get("/v1/models?registered=true").json()["registered"] == []
    wrong = client.get("/v1/models?registered=perhaps")
    assert (wrong.status_code, wrong.json()["type"], wrong.json()["column"]) == (422, "/problems/request", "registered")


@pytest.mark.parametrize(
    ("address", "page"),
    [
        (
            {"mlflow_uri": "https://me:secret@mlflow.example/"},
            "https://mlflow.example/#/models/town%20hall/versions/3?workflowType=machine_learning",
        ),
        (
            {"mlflow_page": "http://seen:5000"},
            "http://seen:5000/#/models/town%20hall/versions/3?workflowType=machine_learning",
        ),
        ({"mlflow_uri": "sqlite:///mlflow.db"}, None),
    ],
)
def test_a_version_leads_to_its_page_in_mlflow(tmp_path: Path, address: dict[str, str], page: str | None) -> None:
    settings = Settings.read(home=tmp_path, **address)
    one = ModelVersion("town hall", "3", None, "2024-05-01T00:00:00Z")
    assert _registered(one, settings)["mlflow"] == page


def test_every_example_of_the_description_is_answered(either: TestClient) -> None:
    document = either.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    content = document["paths"]["/v1/forecasts"]["post"]["requestBody"]["content"]["application/json"]
    assert set(content["examples"]) >= {"counted", "written_out", "delivery_day", "from_store"}
    given = document["paths"]["/v1/observations"]["post"]["requestBody"]["content"]
    for media, part in given.items():
        (example,) = part["examples"].values()
        raw = example["value"] if isinstance(example["value"], str) else json.dumps(example["value"])
        answer = either.post("/v1/observations", content=raw, headers={"content-type": media})
        assert answer.status_code == 200, answer.text
        documented(document, "/v1/observations", "post", answer)
    for example in content["examples"].values():
        jsonschema.validate(example["value"], {**content["schema"], "components": document["components"]})
        answer = either.post("/v1/forecasts", json=example["value"])
        assert answer.status_code == 200, answer.text
        ForecastAnswer.model_validate(answer.json())
        documented(document, "/v1/forecasts", "post", answer)


def documented(document: Any, path: str, method: str, answer: httpx.Response) -> None:
    """Holds an answer against what the description says about it."""
    response = document["paths"][path][method]["responses"][str(answer.status_code)]
    schema = response["content"][answer.headers["content-type"]]["schema"]
    jsonschema.validate(answer.json(), {**schema, "components": document["components"]})


def test_answers_are_as_described(client: TestClient, homeless: TestClient) -> None:
    document = client.get("/openapi.json").json()
    documented(document, "/v1/models", "get", client.get("/v1/models?registered=true"))
    documented(document, "/v1/forecasts", "post", client.post("/v1/forecasts", json={}))
    documented(document, "/v1/forecasts", "post", client.post("/v1/forecasts"))
    for path in ("/livez", "/readyz"):
        documented(document, path, "get", client.get(path))
    documented(document, "/readyz", "get", homeless.get("/readyz"))


def test_the_description_holds_together(client: TestClient) -> None:
    text = client.get("/openapi.json").text
    document = json.loads(text)
    schemas = document["components"]["schemas"]
    assert "HTTPValidationError" not in text
    for reference in {part.split('"')[0] for part in text.split('"$ref":"#/components/schemas/')[1:]}:
        assert reference in schemas
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            assert operation["tags"]
            assert "application/problem+json" in operation["responses"]["default"]["content"]
    assert {"/v1/forecasts", "/v1/models", "/livez", "/readyz", "/metrics"} <= set(document["paths"])
    assert document["info"]["title"]
    assert document["info"]["description"]


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nothing", 404, "not-found"),
        ("GET", "/v1/observations", 405, "method"),
        ("DELETE", "/livez", 405, "method"),
    ],
)
def test_wrong_addresses_are_problems(client: TestClient, method: str, path: str, status: int, kind: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = Problem.model_validate(answer.json())
    assert (problem.type, problem.status, problem.instance) == (f"/problems/{kind}", status, path)


def test_a_405_names_every_method(client: TestClient) -> None:
    assert client.delete("/v1/forecasts").headers["allow"] == "GET, POST"
    assert client.delete("/livez").headers["allow"] == "GET"
    assert client.post("/v1/series/a/skill").headers["allow"] == "GET"


def test_a_type_of_problem_can_be_followed(client: TestClient) -> None:
    for name, kind in KINDS.items():
        answer = client.get(f"/problems/{name}")
        assert answer.status_code == 200
        assert kind.title in answer.text
    assert client.get("/problems/unheard").status_code == 404


def test_names_of_requests(client: TestClient) -> None:
    assert client.get("/livez", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    first, second = (client.get("/livez", headers={"x-request-id": "a b\tc"}).headers["x-request-id"] for _ in "12")
    assert first != second
    assert len(first) == 32
    assert client.get("/livez").headers["x-content-type-options"] == "nosniff"


def test_secrets_in_addresses_are_not_repeated() -> None:
    error = RegistryError("MLflow at postgresql://user:word@host/db does not answer")
    assert b"word" not in of_error({}, error).body
    assert b"postgresql://host/db" in of_error({}, error).body


def test_advice_for_the_command_line_is_not_given_over_http() -> None:
    told = json.loads(of_error({}, DataError("no zone", "aware stamps", "declare it with --zone", series="a")).body)
    assert told["do"] == "correct the request and send it again"
    assert "--zone" not in told["detail"]


# ---- limits ------------------------------------------------------------------------------------------------------


class _Counted:
    """A large body that knows how much of it was read."""

    def __init__(self, size: int) -> None:
        self.size, self.read = size, 0

    async def parts(self) -> Any:
        while self.read < self.size:
            self.read += 65536
            yield b" " * 65536


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_of_200_mb_is_not_read(settings: Settings, plain: Forecaster, declared: bool) -> None:
    body = _Counted(200_000_000)

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(settings, plain))
        headers = {"content-type": "application/json"} | ({"content-length": str(body.size)} if declared else {})
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as caller:
            return await caller.post("/v1/forecasts", content=body.parts(), headers=headers)

    answer = anyio.run(send)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/too-large"
    assert "2,000,000 bytes" in answer.json()["detail"]
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    assert body.read < 10_000_000


def test_a_body_at_the_limit_is_read(settings: Settings, plain: Forecaster) -> None:
    with TestClient(create_app(settings, plain)) as caller:
        headers = {"content-type": "application/json"}
        most = settings.max_body_bytes
        assert caller.post("/v1/forecasts", content=b" " * most, headers=headers).status_code == 400
        assert caller.post("/v1/forecasts", content=b" " * (most + 1), headers=headers).status_code == 413


def test_too_many_callers_are_sent_away() -> None:
    async def crowd() -> list[Any]:
        desk, door = Desk(at_once=1, most_waiting=2), threading.Event()
        said: list[Any] = []

        async def one() -> None:
            try:
                said.append(await desk.do(lambda: 200 if door.wait(30) else 0))
            except HTTPException as error:
                said.append((error.status_code, error.headers))

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(one)
                await anyio.sleep(0.02)
            assert said == [(503, {"Retry-After": "1"})] * 2, "one works, two wait"
            door.set()
        return said[2:]

    assert anyio.run(crowd) == [200, 200, 200]


def test_the_service_answers_while_it_computes(
    settings: Settings, plain: Forecaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(settings, plain)
    began, door = threading.Event(), threading.Event()

    def slow(*_: object) -> object:
        began.set()
        assert door.wait(30)
        return _read(*_)  # type: ignore[arg-type]

    monkeypatch.setattr("serving.forecasts._read", slow)

    async def both() -> tuple[int, int]:
        statuses: list[int] = []
        service = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")
        async with service as caller, anyio.create_task_group() as group:

            async def forecast() -> None:
                content = {"unknown": "x" * SMALL}
                statuses.append((await caller.post("/v1/forecasts", json=content)).status_code)

            group.start_soon(forecast)
            await anyio.to_thread.run_sync(began.wait)
            alive = (await caller.get("/livez")).status_code
            assert statuses == []
            door.set()
        return alive, statuses[0]

    assert anyio.run(both) == (200, 422)


def test_a_defect_is_answered_without_a_traceback(
    settings: Settings, plain: Forecaster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> bytes:
        raise KeyError("secret detail")

    monkeypatch.setattr("serving.forecasts.said", broken)
    with TestClient(create_app(settings, plain)) as caller, caplog.at_level(logging.INFO):
        assert caller.get("/readyz").status_code == 200, "a warm-up that fails stops nobody"
        reply = caller.post("/v1/forecasts", json={}, headers={"x-request-id": "bad-1"})
    assert (reply.status_code, reply.json()["type"]) == (500, "/problems/internal")
    assert (reply.json()["request_id"], reply.headers["x-request-id"]) == ("bad-1", "bad-1")
    assert "secret" not in reply.text
    assert "secret detail" in caplog.text, "the log has the cause"


# ---- without a champion ------------------------------------------------------------------------------------------


@pytest.fixture
def homeless(tmp_path: Path) -> Iterator[TestClient]:
    """A service that finds no registry."""
    settings = Settings.read(home=tmp_path, mlflow_uri=f"sqlite:///{tmp_path}/none.db")
    with TestClient(create_app(settings)) as one:
        yield one


def test_without_a_champion_the_process_lives_and_says_what_to_do(homeless: TestClient) -> None:
    assert homeless.get("/livez").status_code == 200
    one = {"unique_id": "a", "history": {"ds": ["2014-06-01T00:00Z"], "y": [1.0]}}
    for reply in (homeless.get("/readyz"), homeless.post("/v1/forecasts", json={"series": [one]})):
        assert (reply.status_code, reply.headers["content-type"]) == (503, "application/problem+json")
        problem = reply.json()
        assert problem["type"] == "/problems/no-model"
        assert "forecast train" in problem["do"]
        assert reply.headers["retry-after"] == "30"
    assert homeless.get("/v1/models").json()["models"] == []
    document = homeless.get("/openapi.json").json()
    body = document["paths"]["/v1/forecasts"]["post"]["requestBody"]["content"]["application/json"]
    assert "examples" not in body


def test_a_model_folder_is_loaded_when_the_service_starts(tmp_path: Path, plain: Forecaster) -> None:
    plain.save(tmp_path / "model")
    with TestClient(create_app(Settings.read(home=tmp_path, model=str(tmp_path / "model")))) as one:
        (info,) = one.get("/v1/models").json()["models"]
    assert (info["name"], info["version"], info["recipe"]) == ("last-week", None, "last-week")
    assert len(info["digest"]) == 64


def test_a_broken_model_folder_is_a_problem(tmp_path: Path, plain: Forecaster) -> None:
    plain.save(tmp_path / "model")
    (tmp_path / "model" / "weights.safetensors").write_bytes(b"broken")
    with TestClient(create_app(Settings.read(home=tmp_path, model=str(tmp_path / "model")))) as one:
        answer = one.get("/readyz")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/no-model")
    assert "not as it was written" in answer.json()["detail"]


def test_an_unforeseen_failure_while_loading_is_kept_and_logged(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("deep inside")

    monkeypatch.setattr("serving.follower.pointers", broken)
    champion = Champion()
    Follower(settings, champion, Telemetry()).start()
    with pytest.raises(ModelFolderError, match="ZeroDivisionError"):
        champion.now()
    assert "deep inside" in caplog.text


def test_a_given_forecaster_is_served_as_it_is(plain: Forecaster) -> None:
    served = Served.given(plain)
    assert served.forecaster is plain
    assert Champion(served).now() is served


def test_an_answer_names_the_registered_version(
    tmp_path: Path, plain: Forecaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain.save(tmp_path / "model")
    asked: list[str] = []

    def found(uri: str, _: Settings) -> ModelRef:
        asked.append(uri)
        return ModelRef("demand", "3", "run-7", "champion", tmp_path / "model", folder_digest(tmp_path / "model"))

    monkeypatch.setattr("serving.follower.pointers", lambda *_: {"champion": Pointer("3", "")})
    monkeypatch.setattr("serving.follower.resolve", found)
    history = {"start": "2014-06-01T00:00Z", "step": "30min", "y": [1.0, 2.0] * 200}
    with TestClient(create_app(Settings.read(home=tmp_path))) as one:
        reply = one.post("/v1/forecasts", json={"series": [{"unique_id": "town", "history": history}]}).json()
    assert asked == ["models:/demand/3"], "once, when it starts"
    assert reply["model"] == {
        "name": "demand", "version": "3", "run_id": "run-7", "alias": "champion", "recipe": "last-week",
    }  # fmt: skip
