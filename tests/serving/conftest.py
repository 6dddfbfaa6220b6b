"""A small trained network, the table it learned from, and the service around it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from forecast.forecaster import Forecaster
from forecast.networks.configs import DirectConfig, NetworkConfig, RecurrentConfig
from forecast.recipe import FeatureConfig, NetworkModel, Recipe, SeasonalNaiveModel, Task, TrainingConfig
from forecast.registry.runs import running
from forecast.registry.writer import log_forecaster, open_store, register
from forecast.settings import Settings
from forecast.tables import Columns, Demand
from forecast.training import fit
from serving import create_app

DAYS = 60
START = pd.Timestamp("2014-03-01T00:00Z")
TRAINED_UNTIL = START + pd.Timedelta(days=40)
COLUMNS = Columns(past=("humidity",), known=("temperature",), static=("size",))


def wavy(names: dict[str, float], days: int = DAYS) -> pd.DataFrame:
    """Hourly demand with a day, a week and noise; size scales it."""
    hours = np.arange(days * 24)
    draw = np.random.default_rng(7)
    parts = []
    for name, size in names.items():
        temperature = 15 + 8 * np.sin(2 * np.pi * hours / 24) + draw.normal(0, 2, len(hours))
        weekly = np.where((hours // 24) % 7 >= 5, -0.5, 0.5)
        y = size * (10 + 3 * np.sin(2 * np.pi * (hours - 6) / 24) + weekly + 0.05 * temperature)
        parts.append(
            pd.DataFrame(
                {
                    "unique_id": name, "ds": START + pd.to_timedelta(hours, "h"),
                    "y": y + draw.normal(0, 0.2 * size, len(hours)),
                    "humidity": draw.uniform(30, 90, len(hours)), "temperature": temperature, "size": size,
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    """Three series of sixty days."""
    return wavy({"east": 1.0, "north": 2.5, "west": 0.4})


@pytest.fixture(scope="session")
def demand(frame: pd.DataFrame) -> Demand:
    """The same, checked; the middle series lives in another zone."""
    zones = {"east": "Australia/Melbourne", "north": "Europe/Lisbon", "west": "Australia/Melbourne"}
    return Demand.from_frame(frame, columns=COLUMNS, zone=zones)


@pytest.fixture(scope="session")
def forecaster(demand: Demand) -> Forecaster:
    """A small LSTM that has seen forty days."""
    training = TrainingConfig(epochs=1, windows_per_epoch=256, batch=32, final="keep")
    network = NetworkConfig(encoder=RecurrentConfig(width=8, layers=1), decoder=DirectConfig(width=8))
    recipe = Recipe(
        name="small", model=NetworkModel(network=network, training=training), context="2d",
        features=FeatureConfig(reach_days=9),
    )  # fmt: skip
    return fit(demand.as_of(TRAINED_UNTIL), recipe, Task(horizon=24)).forecaster


@pytest.fixture(scope="session")
def plain() -> Forecaster:
    """Last week again, without covariates, on half-hours in GW."""
    hourly = wavy({"town": 1.0})[["unique_id", "ds", "y"]].set_index("ds")
    half = hourly.resample("30min").ffill().reset_index()
    demand = Demand.from_frame(half, zone="Australia/Melbourne", unit="GW")
    recipe = Recipe(name="last-week", model=SeasonalNaiveModel())
    return fit(demand.as_of(TRAINED_UNTIL), recipe, Task(horizon=48)).forecaster


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A service of one's own, without a registry."""
    home = tmp_path_factory.mktemp("home")
    # Said, for mlflow leaves the address of whatever it asked last in the environment of the process.
    registry = f"sqlite:///{home}/mlruns/mlflow.db"
    return Settings.read(home=home, mlflow_uri=registry, port=0, max_body_bytes=2_000_000, max_series=20)


@pytest.fixture(scope="session")
def client(settings: Settings, forecaster: Forecaster) -> Iterator[TestClient]:
    """The service with the small network."""
    with TestClient(create_app(settings, forecaster)) as one:
        yield one


@pytest.fixture(scope="session")
def plain_client(settings: Settings, plain: Forecaster) -> Iterator[TestClient]:
    """The service with last week again."""
    with TestClient(create_app(settings, plain)) as one:
        yield one


class Ask:
    """How a test asks."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def z(self, moments: pd.Series | pd.DatetimeIndex) -> list[str]:
        """Stamps as text."""
        return [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in moments]

    def body(
        self, cutoff: pd.Timestamp, *, only: str | None = None, days: int = 40, horizon: int = 24,
        zones: dict[str, str] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """A request about the rows before a cutoff, with the temperature of the horizon."""
        listed = []
        for name, rows in self.frame.groupby("unique_id", sort=False):
            past = rows[(rows["ds"] < cutoff) & (rows["ds"] >= cutoff - pd.Timedelta(days=days))]
            ahead = rows[(rows["ds"] >= cutoff) & (rows["ds"] < cutoff + pd.Timedelta(hours=horizon + 3))]
            listed.append(
                {
                    "unique_id": str(name),
                    "zone": (zones or {}).get(str(name), "Australia/Melbourne"),
                    "history": {"ds": self.z(past["ds"])}
                    | {column: past[column].tolist() for column in ("y", "humidity", "temperature")},
                    "future": {"ds": self.z(ahead["ds"]), "temperature": ahead["temperature"].tolist()},
                    "static": {"size": float(rows["size"].iloc[0])},
                }
            )
        series = [one for one in listed if only in (None, one["unique_id"])]
        return {"series": series, "cutoff": self.z([cutoff])[0], "horizon": horizon}

    def post(self, client: TestClient, content: Any) -> dict[str, Any]:
        """The answer to a request that has one."""
        answer = client.post("/v1/forecasts", json=content)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        said: dict[str, Any] = answer.json()
        return said

    def said(self, client: TestClient, content: Any) -> dict[str, Any]:
        """The answer without what is another one every time."""
        told = self.post(client, content)
        return {name: value for name, value in told.items() if name not in ("id", "issued_at")}

    def refused(self, client: TestClient, content: Any, status: int = 422) -> dict[str, Any]:
        """The problem that a request is answered with."""
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        answer = client.post("/v1/forecasts", content=raw, headers={"content-type": "application/json"})
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        problem: dict[str, Any] = answer.json()
        assert problem["status"] == status
        assert problem["request_id"] == answer.headers["x-request-id"]
        assert "Traceback" not in answer.text
        assert "--" not in problem["detail"], "advice for the command line"
        return problem


@pytest.fixture(scope="session")
def ask(frame: pd.DataFrame) -> Ask:
    """How a test asks."""
    return Ask(frame)


# ---- a registry --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Registered:
    """Versions of one model in a registry that tests share; each test has a model of its own.

    Attributes:
        settings: of a service that follows it.
        numbers: the versions, as registered; each says other quantiles about the same history.
    """

    settings: Settings
    numbers: tuple[str, ...]

    def point(self, alias: str, place: int | None) -> None:
        """Lets an alias point to the version at this place of `numbers`; None removes it."""
        client, name = open_store(self.settings).client, self.settings.model_name
        if place is None:
            client.delete_registered_model_alias(name, alias)
        else:
            client.set_registered_model_alias(name, alias, self.numbers[place])

    @property
    def database(self) -> Path:
        """The registry's file."""
        return Path(self.settings.mlflow_uri.removeprefix("sqlite:///"))


@pytest.fixture(scope="session")
def three(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Folders of three forecasters that read the same and differ in how sure they are."""
    folders = []
    for place, noise in enumerate((0.1, 0.5, 2.0)):
        frame = wavy({"town": 1.0, "port": 3.0})[["unique_id", "ds", "y"]]
        frame["y"] += np.random.default_rng(place).normal(0, noise, len(frame))
        known = Demand.from_frame(frame, zone="Australia/Melbourne").as_of(TRAINED_UNTIL)
        recipe = Recipe(name=f"noise-{place}", model=SeasonalNaiveModel())
        folders.append(tmp_path_factory.mktemp("three") / "model")
        fit(known, recipe, Task(horizon=24)).forecaster.save(folders[-1])
    return tuple(folders)


@pytest.fixture(scope="session")
def logged(tmp_path_factory: pytest.TempPathFactory, three: tuple[Path, ...]) -> tuple[Settings, list[Any]]:
    """A registry that tests share, for making its tables takes seconds; and the three, logged in it once."""
    home = tmp_path_factory.mktemp("followed")
    settings = Settings.read(home=home, mlflow_uri=f"sqlite:///{home}/mlruns/mlflow.db")
    store = open_store(settings)
    with running(store, "three", {}) as run:
        return settings, [log_forecaster(run, Forecaster.load(folder), None) for folder in three]


@pytest.fixture
def registered(logged: tuple[Settings, list[Any]], request: pytest.FixtureRequest, tmp_path: Path) -> Registered:
    """The three as versions 1 to 3 of a model of one's own; no alias points to any of them."""
    shared, ones = logged
    name = re.sub(r"\W+", "-", request.node.name).strip("-")
    own = Settings.read(home=tmp_path, mlflow_uri=shared.mlflow_uri, model_name=name, port=0, follow_s=0.05)
    return Registered(own, tuple(register(one, own) for one in ones))
