"""A tracking server asked over HTTP: a real one that hands out artifacts itself, and ones that misbehave."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.request import urlopen

import pytest

from forecast.errors import ModelFolderError, RegistryError
from forecast.forecaster import Forecaster
from forecast.registry import resolve, rest, versions
from forecast.registry.reader import pointers
from forecast.registry.runs import running
from forecast.registry.writer import LoggedForecaster, log_forecaster, open_store, promote, register
from forecast.settings import Settings
from forecast.training import Fitted


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# MLflow's own application; its command line would also start workers for jobs, which takes half a minute.
SERVE = """
import sys
from mlflow.server import app, handlers
from werkzeug.serving import run_simple
handlers.initialize_backend_stores(sys.argv[1], sys.argv[1], "mlflow-artifacts:/")
run_simple("127.0.0.1", int(sys.argv[2]), app, threaded=True)
"""


@pytest.fixture(scope="module")
def server(store_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A tracking server that hands out artifacts itself."""
    home, port = tmp_path_factory.mktemp("server"), free_port()
    database, uri = f"sqlite:///{home}/mlflow.db", f"http://127.0.0.1:{port}"
    if (store_home / "mlruns" / "mlflow.db").exists():
        shutil.copy(store_home / "mlruns" / "mlflow.db", home / "mlflow.db")
    variables = {
        "_MLFLOW_SERVER_FILE_STORE": database, "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true", "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(home / "artifacts"),
    }  # fmt: skip
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, database, str(port)], stdout=log, stderr=log, cwd=home,
            env={**os.environ, **variables},
        )  # fmt: skip
        try:
            wait_for(f"{uri}/health", process, home / "log")
            yield uri
        finally:
            process.kill()
            process.wait(30)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            with urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"no answer: {log.read_text()}")


@pytest.fixture(scope="module")
def served(
    server: str, log_ridge: Callable[[Settings], LoggedForecaster], tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """A client of that server; one version is registered and promoted."""
    settings = Settings.read(home=tmp_path_factory.mktemp("client"), mlflow_uri=server, experiment="served")
    promote(register(log_ridge(settings), settings, scores={"skill_vs_naive": 0.5}), None, settings, first=True)
    return settings


def test_a_champion_comes_over_http(served: Settings) -> None:
    found = resolve(served.champion, served)
    assert (found.version, found.alias) == ("1", "champion")
    assert Forecaster.load(found.folder).spec.name == "ridge"
    assert not (served.home / "mlruns" / "artifacts").exists()
    (only,) = versions(served)
    assert (only.aliases, only.tags["recipe"]) == (("champion",), "ridge")


def test_what_the_server_does_not_have_is_named(served: Settings) -> None:
    with pytest.raises(RegistryError, match="has no alias 'challenger'"):
        resolve(f"models:/{served.model_name}@challenger", served)
    with pytest.raises(RegistryError, match="has no version 7"):
        resolve(f"models:/{served.model_name}/7", served)


def test_a_service_follows_an_alias_over_http(served: Settings, fitted: dict[str, Fitted]) -> None:
    from serving.follower import Follower
    from serving.loader import Champion
    from serving.telemetry import Telemetry

    champion = Champion()
    follower = Follower(served, champion, Telemetry())
    follower.start()
    first = champion.now()
    assert (first.ref.version, first.ref.alias) == ("1", "champion")
    store = open_store(served)
    naive = next(one.forecaster for name, one in fitted.items() if name != "ridge")
    with running(store, "another", {}) as run:
        number = register(log_forecaster(run, naive, None), served)
    client = store.client
    client.set_registered_model_alias(served.model_name, "champion", number)
    follower.look()
    assert (champion.now().ref.version, champion.previous(), follower.error) == (number, first, None)
    client.set_registered_model_alias(served.model_name, "champion", "1")
    assert pointers(served.model_name, served)["champion"].digest == first.ref.digest
    assert pointers("nobody", served) == {}


def test_a_server_that_is_gone_is_noticed_at_once(tmp_path: Path) -> None:
    settings = Settings.read(home=tmp_path, mlflow_uri=f"http://127.0.0.1:{free_port()}")
    began = time.monotonic()
    with pytest.raises(RegistryError, match="does not answer"):
        pointers("demand", settings)
    assert time.monotonic() - began < rest.PAUSE_S * 2, "a look is not tried again; the next one is due soon"


# ---- servers that misbehave -------------------------------------------------------------------------------------


class Misbehaving(BaseHTTPRequestHandler):
    """Answers every GET with the next status of `statuses`, then with the last one; notes what it was sent."""

    statuses: ClassVar[list[int]] = [500]
    seen: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        self.seen.append(self.headers.get("Authorization"))
        body = b'{"message": "a grumpy server"}' if status != 200 else b'{"model_versions": []}'
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def grumpy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Settings]:
    monkeypatch.setattr(rest, "PAUSE_S", 0.0)
    monkeypatch.setattr(Misbehaving, "seen", [])
    with HTTPServer(("127.0.0.1", 0), Misbehaving) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        yield Settings.read(home=tmp_path, mlflow_uri=f"http://127.0.0.1:{httpd.server_port}")
        httpd.shutdown()
        thread.join()


def test_a_server_that_fails_is_tried_again_then_named(grumpy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Misbehaving, "statuses", [500])
    with pytest.raises(RegistryError, match=r"does not answer \(a grumpy server\)"):
        resolve(grumpy.champion, grumpy)
    assert len(Misbehaving.seen) == rest.TRIES


def test_a_hiccup_is_survived(grumpy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Misbehaving, "statuses", [503, 200])
    assert versions(grumpy) == []


def test_a_server_that_wants_a_password_is_asked_once(grumpy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Misbehaving, "statuses", [401])
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "lovelace")
    with pytest.raises(RegistryError, match="MLFLOW_TRACKING_USERNAME"):
        resolve(grumpy.champion, grumpy)
    assert Misbehaving.seen == ["Basic YWRhOmxvdmVsYWNl"]


def test_nobody_at_home_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "PAUSE_S", 0.0)
    settings = Settings.read(home=tmp_path, mlflow_uri=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(RegistryError, match="does not answer"):
        resolve(settings.champion, settings)


def test_artifacts_that_are_gone_are_named(served: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    elsewhere = Settings.read(home=tmp_path, mlflow_uri=served.mlflow_uri)
    monkeypatch.setattr(rest, "FOLDER", "nothing")
    with pytest.raises(ModelFolderError, match="holds no readable forecaster"):
        resolve(elsewhere.champion, elsewhere)
