"""`forecast up`: Prefect's server, a worker, MLflow's server and the service on one machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecast.cli.console import console

if TYPE_CHECKING:
    from forecast.settings import Settings
    from forecast.supervising import Part

HERE = "127.0.0.1"
POOL = "forecast"
QUERY_S = "2"
"""Seconds between two looks of the worker at what is due; Prefect's own 10 are for servers far away."""


def up(
    schedules: Annotated[
        bool, typer.Option(help="Run the flows on their schedules; without, only what somebody starts.")
    ] = True,
    recipe: Annotated[str, typer.Option(help="Candidates of a retraining, comma-separated.")] = "lstm,ridge",
) -> None:
    """Start everything on this machine: Prefect, its worker, MLflow and the service; one Ctrl+C stops all of it.

    What dies is started again. Logs are in `mlruns/logs`, databases below `mlruns`; all ports are open to this machine
    only. MLflow is not started where FORECAST_MLFLOW_URI names a server.

    Example: `forecast up`, then open http://127.0.0.1:4200 (flows), :5000 (models) and :8000 (forecasts)
    """
    from forecast.settings import Settings
    from forecast.supervising import Supervisor, check_ports, only_one
    from serving.access import check_reach

    settings = Settings.read()
    check_reach(settings)
    with only_one(settings.mlruns / "up.lock"):
        check_ports(ports(settings))
        check_schedule(settings, recipe)
        stages = parts(settings, schedules, recipe)
        shown = [part for stage in stages for part in stage if part.address]
        say(f"Starting {', '.join(part.name for stage in stages for part in stage)}; logs are in {logs(settings)}")

        def ready() -> None:
            for part in shown:
                say(f"{part.name:<8} {part.address}")
            say("Ctrl+C stops all of it.")

        Supervisor(stages, say).run(ready)


def check_schedule(settings: Settings, recipe: str) -> None:
    """Ends where FORECAST_SCHEDULE does not fit, before anything is started: only a process with Prefect can tell."""
    if not settings.schedule:
        return
    command = [*_python("flows.deployed"), "--yaml", "--recipe", recipe]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment(settings)})
    if done.returncode:
        say(done.stderr.strip() or done.stdout.strip())
        raise typer.Exit(done.returncode)


def say(text: str) -> None:
    """One line, at once, also into a pipe."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def logs(settings: Settings) -> Path:
    """Where the parts write what they say."""
    return settings.mlruns / "logs"


def ports(settings: Settings) -> dict[str, tuple[str, int]]:
    """Who listens where, by the setting that says so."""
    ours = {
        "FORECAST_PREFECT_PORT": (HERE, settings.prefect_port), "FORECAST_WORKER_PORT": (HERE, settings.worker_port),
        "FORECAST_PORT": (settings.host, settings.port),
    }  # fmt: skip
    return ours if _elsewhere(settings) else ours | {"FORECAST_MLFLOW_PORT": (HERE, settings.mlflow_port)}


def parts(settings: Settings, schedules: bool, recipe: str) -> list[list[Part]]:
    """What runs, in the order in which it starts."""
    options = ("--recipe", recipe, "--rescue", *([] if schedules else ["--no-schedules"]))
    registering = (*_python("flows.deployed"), *options)
    around = environment(settings)
    servers = [_prefect(settings, around), *([] if _elsewhere(settings) else [_mlflow(settings, around)])]
    return [servers, [_runner(settings, around), _service(settings, around)], [_worker(settings, around, registering)]]


def environment(settings: Settings) -> dict[str, str]:
    """What all parts are told: where things are, and that nothing is told to anybody else."""
    prefect = settings.mlruns / "prefect"
    tracking = settings.mlflow_uri if _elsewhere(settings) else f"http://{HERE}:{settings.mlflow_port}"
    return {
        "FORECAST_HOME": str(settings.home), "FORECAST_MLRUNS": str(settings.mlruns), "FORECAST_MLFLOW_URI": tracking,
        "FORECAST_STORE": settings.store, "MLFLOW_TRACKING_URI": tracking, "MLFLOW_DISABLE_TELEMETRY": "true",
        "PREFECT_API_URL": f"http://{HERE}:{settings.prefect_port}/api", "PREFECT_HOME": str(prefect),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_UI_STATIC_DIRECTORY": str(prefect / "ui"),
        # In memory they would be lost with the server, and what they hold would stay taken.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_LOGGING_COLORS": "false", "PREFECT_CLI_PROMPT": "false", "PYTHONUNBUFFERED": "1",
        "PREFECT_WORKER_QUERY_SECONDS": os.environ.get("PREFECT_WORKER_QUERY_SECONDS", QUERY_S),
        "PREFECT_WORKER_WEBSERVER_HOST": HERE, "PREFECT_WORKER_WEBSERVER_PORT": str(settings.worker_port),
        "GIT_PYTHON_REFRESH": "quiet", "FORECAST_WARM_SOCKET": str(settings.mlruns / "runner.sock"),
    }  # fmt: skip


def _prefect(settings: Settings, around: dict[str, str]) -> Part:
    from forecast.supervising import Part

    address = f"http://{HERE}:{settings.prefect_port}"
    command = (*_python("prefect"), "server", "start", "--host", HERE, "--port", str(settings.prefect_port))
    return Part(
        "Prefect", command, logs(settings) / "prefect.log", f"{address}/api/health", address, around,
        folder=settings.home,
    )  # fmt: skip


def _mlflow(settings: Settings, around: dict[str, str]) -> Part:
    from forecast.supervising import Part

    address = f"http://{HERE}:{settings.mlflow_port}"
    settings.artifacts.mkdir(parents=True, exist_ok=True)
    # Everybody on this machine reads and writes artifacts where they lie, so that they are there without a server, too.
    command = (
        *_python("mlflow"), "server", "--backend-store-uri", settings.mlflow_uri, "--host", HERE, "--port",
        str(settings.mlflow_port), "--workers", "1", "--no-serve-artifacts", "--default-artifact-root",
        settings.artifacts.as_uri(),
    )  # fmt: skip
    # It would take itself for its own server.
    own = {name: value for name, value in around.items() if name != "MLFLOW_TRACKING_URI"}
    # Jobs for language models: seven idle processes of 160 MB each.
    own["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    log = logs(settings) / "mlflow.log"
    return Part("MLflow", command, log, f"{address}/health", address, own, folder=settings.home)


def _runner(settings: Settings, around: dict[str, str]) -> Part:
    from forecast.supervising import Part

    place = around["FORECAST_WARM_SOCKET"]
    return Part(
        "runner", (*_python("flows.warm"), place), logs(settings) / "runner.log", f"unix:{place}", None, around,
        folder=settings.home,
    )  # fmt: skip


def _worker(settings: Settings, around: dict[str, str], registering: tuple[str, ...]) -> Part:
    from forecast.supervising import Part

    command = (
        *_python("prefect"), "worker", "start", "--pool", POOL, "--type", "process", "--name", POOL,
        "--with-healthcheck", "--no-create-pool-if-not-found",
    )  # fmt: skip
    health = f"http://{HERE}:{settings.worker_port}/health"
    return Part(
        "worker", command, logs(settings) / "worker.log", health, None, around, registering, settings.home,
        stops_within_s=30,
    )  # fmt: skip


def _service(settings: Settings, around: dict[str, str]) -> Part:
    from forecast.supervising import Part
    from serving.server import address

    at = address(settings.host, settings.port)
    return Part(
        "service", (*_python("forecast"), "serve"), logs(settings) / "service.log", f"{at}/livez", at, around,
        folder=settings.home,
    )  # fmt: skip


def _python(module: str) -> tuple[str, ...]:
    return sys.executable, "-m", module


def _elsewhere(settings: Settings) -> bool:
    """Whether MLflow is a server that somebody else keeps."""
    return settings.mlflow_uri.startswith(("http://", "https://"))
