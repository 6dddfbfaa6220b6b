"""A service in a process of its own, for the demo, and a real request to it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd

from forecast.errors import ForecastError
from forecast.settings import Settings
from forecast.tables import Demand

READY_SECONDS = 60


@contextmanager
def service(settings: Settings) -> Iterator[str]:
    """Starts `forecast serve` on a free loopback port, waits until it is ready, and stops it in the end.

    Raises:
        ForecastError: it did not become ready.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    variables = {
        "FORECAST_HOME": str(settings.home), "FORECAST_MLRUNS": str(settings.mlruns),
        "FORECAST_MLFLOW_URI": settings.mlflow_uri, "FORECAST_MODEL_NAME": settings.model_name,
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "forecast", "serve", "--port", str(port)],
        env={**os.environ, **variables}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        _wait(address, process)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait(address: str, process: subprocess.Popen[str]) -> None:
    for _ in range(READY_SECONDS * 5):
        if process.poll() is not None:
            told = process.stderr.read().strip() if process.stderr else ""
            raise ForecastError(f"the service stopped while starting ({told})", "a service that becomes ready")
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=2):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    raise ForecastError(f"the service was not ready after {READY_SECONDS} s", "a champion in the registry")


def request_day(address: str, demand: Demand, day: str) -> tuple[dict[str, Any], pd.DataFrame]:
    """Asks a running service for one delivery day of the first series; only what was known at its start is sent.

    Returns:
        the answer, and its forecast as a frame: ds, cutoff, mean, q*.
    """
    from forecast.calendars import delivery_day

    one = demand.series[0]
    cutoff, end = delivery_day(day, one.zone)
    frame = demand.as_of(cutoff).to_frame()
    recent = frame[(frame["ds"] >= cutoff - pd.Timedelta(days=21)) & (frame["ds"] < cutoff)]
    ahead = frame[(frame["ds"] >= cutoff) & (frame["ds"] < end)]
    body = {
        "unit": demand.unit,
        "cutoff": cutoff.isoformat(),
        "delivery_day": day,
        "series": [
            {
                "unique_id": one.unique_id,
                "zone": one.zone,
                "history": _columns(recent, ("y", *demand.columns.past, *demand.columns.known)),
                "future": _columns(ahead, demand.columns.known),
            }
        ],
    }
    request = urllib.request.Request(
        f"{address}/v1/forecasts", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            answer: dict[str, Any] = json.load(response)
    except urllib.error.HTTPError as error:
        raise ForecastError(
            f"the service answered {error.code}: {error.read().decode()[:500]}", "a forecast"
        ) from error
    said = answer["forecasts"][0]
    frame = pd.DataFrame({"ds": pd.to_datetime(said["ds"], utc=True), "mean": said["mean"], **said["quantiles"]})
    return answer, frame.assign(cutoff=cutoff)


def _columns(frame: pd.DataFrame, names: tuple[str, ...]) -> dict[str, list[Any]]:
    stamps = frame["ds"].dt.strftime("%Y-%m-%dT%H:%M:%SZ").tolist()
    return {"ds": stamps, **{name: [None if pd.isna(x) else float(x) for x in frame[name]] for name in names}}
