"""A real server whose champion moves fifty times while callers ask: nobody is refused, and no answer mixes versions."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from forecast.forecaster import Forecaster
from forecast.forecaster.exporting import with_graphs
from forecast.registry.runs import running as open_run
from forecast.registry.writer import log_forecaster, open_store, register
from forecast.settings import Settings
from serving import running
from serving.bodies import ForecastRequest
from serving.parsing import parse
from serving.questions import Question
from tests.serving.conftest import Registered

SWAPS, CALLERS = 50, 4
ROOT = Path(__file__).resolve().parents[2]


def history(size: float) -> dict[str, Any]:
    y = [round(size * (10 + hour % 24 / 7 + hour // 24 / 100), 3) for hour in range(24 * 9)]
    return {"start": "2014-06-01T00:00Z", "step": "1h", "y": y}


BODY = json.dumps(
    {"series": [{"unique_id": "town", "history": history(1)}, {"unique_id": "port", "history": history(3)}]}
).encode()


def expected(folder: Path) -> list[dict[str, Any]]:
    """What one version says, computed without any service."""
    forecaster = Forecaster.load(folder)
    request: ForecastRequest = parse(BODY, most_series=10)
    question = Question.of(request, forecaster.spec, most_rows=10_000)
    frame = forecaster.predict(question.demand, [question.cutoff]).frame
    columns = ["mean", *(name for name in frame.columns if name.startswith("q0"))]
    return [
        {name: frame.loc[frame["unique_id"] == series, name].to_numpy() for name in columns}
        for series in ("town", "port")
    ]


def same(said: dict[str, Any], wanted: list[dict[str, Any]]) -> bool:
    """Whether every number of every series is that of one version."""
    return all(
        np.allclose({"mean": one["mean"], **one["quantiles"]}[name], values, rtol=1e-5, atol=0)
        for one, numbers in zip(said["forecasts"], wanted, strict=True)
        for name, values in numbers.items()
    )


class Callers:
    """Threads that ask without a pause and keep what they are told."""

    def __init__(self, url: str) -> None:
        self.url, self.stop = url, threading.Event()
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.errors: list[Exception] = []
        self._threads = [threading.Thread(target=self._ask) for _ in range(CALLERS)]

    def _ask(self) -> None:
        with httpx.Client(headers={"content-type": "application/json"}, timeout=60) as caller:
            while not self.stop.is_set():
                try:
                    answer = caller.post(f"{self.url}/v1/forecasts", content=BODY)
                    self.answers.append((answer.status_code, answer.json()))
                except Exception as error:
                    self.errors.append(error)

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(60)


def served(url: str) -> dict[str, Any]:
    told: dict[str, Any] = httpx.get(f"{url}/v1/status", timeout=30).json()
    return told


def wait_for(url: str, number: str) -> None:
    until = time.monotonic() + 60
    while (told := served(url))["champion"]["version"] != number:
        assert time.monotonic() < until, told
        time.sleep(0.01)


def test_fifty_swaps_under_load(registered: Registered, three: tuple[Path, ...]) -> None:
    wanted = dict(zip(registered.numbers, map(expected, three), strict=True))
    registered.point("champion", 0)
    with running(registered.settings) as url, Callers(url) as callers:
        for count in range(1, SWAPS + 1):
            registered.point("champion", count % 3)
            wait_for(url, registered.numbers[count % 3])
        callers.stop.set()
        metrics = httpx.get(f"{url}/metrics", timeout=30).text
        last = served(url)
    assert callers.errors == []
    assert {status for status, _ in callers.answers} == {200}
    assert len(callers.answers) > SWAPS
    assert {said["model"]["version"] for _, said in callers.answers} == set(registered.numbers)
    for _, said in callers.answers:
        number = said["model"]["version"]
        assert [other for other in wanted if same(said, wanted[other])] == [number]
    assert f'forecast_swaps_total{{outcome="swapped"}} {SWAPS}.0' in metrics
    assert (last["previous"]["version"], last["challenger"], last["follower"]["refused"]) == ("2", None, [])


@pytest.fixture
def networks(logged: tuple[Settings, list[Any]], forecaster: Forecaster, tmp_path: Path) -> Registered:
    """Two versions of a small LSTM with its graphs, in the registry that tests share."""
    settings = Settings.read(home=tmp_path, mlflow_uri=logged[0].mlflow_uri, model_name="networks", port=0)
    first = with_graphs(forecaster)
    later = first.spec.model_copy(update={"trained_from": "2014-03-02T00:00:00+00:00"})
    store = open_store(logged[0])
    with open_run(store, "networks", {}) as run:
        ones = [log_forecaster(run, one, None) for one in (first, replace(first, spec=later))]
    return Registered(settings, tuple(register(one, settings) for one in ones))


def test_a_process_that_swaps_networks_imports_neither_mlflow_nor_torch(
    networks: Registered, ask: Any, tmp_path: Path
) -> None:
    _answers_and_swaps(networks, json.dumps(ask.body(pd.Timestamp("2014-04-13T00:00Z"))).encode(), tmp_path)


def test_a_process_that_swaps_imports_neither_mlflow_nor_torch(registered: Registered, tmp_path: Path) -> None:
    _answers_and_swaps(registered, BODY, tmp_path)


def _answers_and_swaps(registered: Registered, body: bytes, tmp_path: Path) -> None:
    """Ten answers of each of two versions by a service of its own, which then tells what it has imported."""
    registered.point("champion", 0)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = (
        "import sys, serving; from forecast.settings import Settings; serving.run(Settings.read()); "
        "print('loaded', *(name for name in ('torch', 'mlflow', 'sklearn', 'onnx') if name in sys.modules))"
    )
    settings = registered.settings
    variables = {
        "FORECAST_PORT": str(port), "FORECAST_MLFLOW_URI": settings.mlflow_uri, "FORECAST_FOLLOW_S": "0.05",
        "FORECAST_MODEL_NAME": settings.model_name, "PYTHONPATH": f"{ROOT}/src:{ROOT}",
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, **variables}, cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        _ready(url, process)
        for place in (1, 0):
            for _ in range(10):
                said = httpx.post(f"{url}/v1/forecasts", content=body, headers={"content-type": "application/json"})
                assert (said.status_code, said.json()["rung"]) == (200, "champion"), said.text
            registered.point("champion", place)
            wait_for(url, registered.numbers[place])
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, told.splitlines()[-1]) == (0, "loaded"), told


def _ready(url: str, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.ConnectError:
            time.sleep(0.05)
    pytest.fail("the service did not become ready")


def test_the_registry_goes_and_comes_back_under_load(registered: Registered, tmp_path: Path) -> None:
    database = tmp_path / "own.db"
    database.write_bytes(registered.database.read_bytes())
    own = Registered(
        Settings.model_validate({**registered.settings.model_dump(), "mlflow_uri": f"sqlite:///{database}"}),
        registered.numbers,
    )
    own.point("champion", 0)
    with running(own.settings) as url, Callers(url) as callers:
        database.rename(tmp_path / "away.db")
        until = time.monotonic() + 60
        while served(url)["follower"]["last_error"] is None:
            assert time.monotonic() < until
            time.sleep(0.02)
        assert served(url)["champion"]["version"] == "1"
        (tmp_path / "away.db").rename(database)
        own.point("champion", 2)
        wait_for(url, "3")
        assert served(url)["follower"]["last_error"] is None
    assert callers.errors == []
    assert {status for status, _ in callers.answers} == {200}
