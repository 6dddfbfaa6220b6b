"""What `benchmarks/serving.py` serves and asks: 168 hours x 10 columns of history, 48 hours x 9 quantiles ahead."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
from safetensors.numpy import save_file

from forecast.forecaster import Forecaster
from forecast.networks.configs import DirectConfig, NetworkConfig, RecurrentConfig
from forecast.recipe import NetworkModel, Recipe, Task, TrainingConfig
from forecast.sources import Batch
from forecast.store import Store
from forecast.tables import Columns, Demand, SeriesInfo
from forecast.training import fit
from forecast.windows import origins_at

PAST = tuple(f"x{place}" for place in range(9))
HOURS, AHEAD, SERIES = 168, 48, 40
COLUMNS = Columns(past=PAST)
FIRST = pd.Timestamp("2024-01-01T00:00Z")


def table(days: int = 60, names: tuple[str, ...] = ("city",), seed: int = 0) -> pd.DataFrame:
    """Hourly demand and nine columns beside it."""
    hours, draw, parts = np.arange(days * 24), np.random.default_rng(seed), []
    for name in names:
        y = 100 + 20 * np.sin(2 * np.pi * hours / 24) + draw.normal(0, 2, len(hours))
        beside = {column: draw.normal(15, 5, len(hours)).round(6) for column in PAST}
        ds = FIRST + pd.to_timedelta(hours, "h")
        parts.append(pd.DataFrame({"unique_id": name, "ds": ds, "y": y.round(6), **beside}))
    return pd.concat(parts, ignore_index=True)


def trained() -> Forecaster:
    """An LSTM of width 128, a perceptron per step, calendar and lags; hardly trained, as speed needs no skill."""
    demand = Demand.from_frame(table(), columns=COLUMNS, zone="Europe/Lisbon")
    network = NetworkConfig(encoder=RecurrentConfig(kind="lstm", width=128), decoder=DirectConfig(width=64), patch="1h")
    learning = TrainingConfig(epochs=1, windows_per_epoch=256, batch=32, final="keep")
    recipe = Recipe(name="bench", model=NetworkModel(network=network, training=learning), context="7d")
    return fit(demand, recipe, Task(horizon=AHEAD)).forecaster


def bodies(*, store: bool) -> list[bytes]:
    """Requests with their history, each of other numbers; about 16 kB each."""
    made = []
    for seed in range(32):
        rows = table(14, seed=seed + 1).iloc[-HOURS:]
        history = {"start": f"{rows['ds'].iloc[0]:%Y-%m-%dT%H:%MZ}", "step": "PT1H", "y": rows["y"].tolist()}
        history |= {name: rows[name].tolist() for name in PAST}
        made.append(orjson.dumps({"series": [{"unique_id": "city", "history": history}], "store": store}))
    return made


def peer_bodies() -> list[bytes]:
    """The same history as MLflow's own JSON format for tensors has it."""
    made = []
    for seed in range(32):
        rows = table(14, seed=seed + 1).iloc[-HOURS:]
        made.append(json.dumps({"inputs": [rows[["y", *PAST]].to_numpy().tolist()]}).encode())
    return made


def names() -> tuple[str, ...]:
    """The series of the store."""
    return tuple(f"meter-{place:03d}" for place in range(SERIES))


def stored_bodies(*, store: bool, moments: int = 1) -> list[bytes]:
    """Requests about stored series, each as of one of several moments; of one: the end of what is stored."""
    ends = [FIRST + pd.Timedelta(days=21) - pd.Timedelta(hours=back) for back in range(moments)]
    return [
        orjson.dumps({"series": [{"unique_id": name}], "as_of": f"{end:%Y-%m-%dT%H:%MZ}", "store": store})
        for end in ends
        for name in names()
    ]


def fill(url: str) -> None:
    """Puts three weeks of every series into a store."""
    frame = table(21, names(), seed=7)
    infos = tuple(SeriesInfo(unique_id=name, zone="Europe/Lisbon", unit="MW", step="1h") for name in names())
    with Store.open(url) as store:
        store.add(Batch(frame, COLUMNS, infos, {"done": True}), "bench")


def peer(forecaster: Forecaster, folder: Path, tracking: str) -> str:
    """Logs the peer; returns the path of the MLflow model."""
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    spec, demand = forecaster.spec, Demand.from_frame(table(), columns=COLUMNS, zone="Europe/Lisbon")
    reader = spec.column_reader
    windows = reader.window_set(demand, origins_at(demand, [demand.last_known_end()]), AHEAD)
    inputs = reader.inputs(windows, reader.clock(windows), np.arange(1))
    rest = {
        "clock": inputs.past_BLP[:, :, 10:], "future_BHF": inputs.future_BHF,
        "future_mask_BHF": inputs.future_mask_BHF, "static_BS": inputs.static_BS, "peers_BSD": inputs.peers_BSD,
    }  # fmt: skip
    save_file({name: np.ascontiguousarray(value) for name, value in rest.items()}, folder / "rest.safetensors")
    forecaster.save(folder / "model")
    mlflow.set_tracking_uri(tracking)
    tensors = [TensorSpec(np.dtype(np.float32), shape) for shape in ((-1, HOURS, 10), (-1, AHEAD, 9))]
    logged = mlflow.pyfunc.log_model(
        name="peer", python_model=str(Path(__file__).with_name("serving_peer.py")),
        artifacts={"forecaster": str(folder / "model"), "rest": str(folder / "rest.safetensors")},
        signature=ModelSignature(Schema(tensors[:1]), Schema(tensors[1:])), pip_requirements=[],
    )  # fmt: skip
    from mlflow.artifacts import download_artifacts

    return str(download_artifacts(logged.model_uri, dst_path=str(folder / "peer")))
