"""`python -m forecast.forecaster.exporting FOLDER INTO`: graphs of a model's networks, written beside its folder.

The command line and retrainings call `with_graphs` before they save; a process without torch calls `write_beside`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from forecast.errors import ForecastError, ModelFolderError
from forecast.forecaster.folder import store_whole
from forecast.forecaster.forecaster import Forecaster
from forecast.forecaster.graphs import as_files, belongs, digest_of, parts, places
from forecast.forecaster.models import Model

PATIENCE_S = 1800
_ANSWER = "answer: "


def with_graphs(forecaster: Forecaster) -> Forecaster:
    """The same forecaster with graphs of all its networks, which `save` writes into the folder; takes seconds each.

    A network answers any number of whole hours from one graph; one that hears itself step by step answers as many steps
    as it learned, or fewer.
    """
    files, networks = dict(forecaster.graphs), list(parts(forecaster.model))
    if not networks:
        return forecaster
    from forecast.networks.onnx_runtime import weights_digest

    for place, network in networks:
        if digest_of(files, place) != weights_digest(network.arrays()):
            files = {name: data for name, data in files.items() if not belongs(name, place)}
            files |= _exported(network, place, None)
    return replace(forecaster, graphs=files)


def write_beside(folder: Path, into: Path, place: str | None = None, steps: int | None = None) -> None:
    """Lets a process of its own write the graphs that are missing; this one never imports torch.

    Args:
        folder: the model's; it stays as it is.
        into: a folder for graphs of this model's weights; several processes may ask at once.
        place, steps: one network, and the horizon that its graph is for; graphs of all networks where None.

    Raises:
        ModelFolderError: torch is not installed, or the graphs cannot be written.
    """
    if importlib.util.find_spec("torch") is None:
        raise ModelFolderError(
            f"the model in {folder} has no graph of what is asked, and torch, which writes it, is not installed",
            "a model that was registered with its graphs", "register it again where torch is, or install torch here",
        )  # fmt: skip
    wanted = [] if steps is None else [place or "", str(steps)]
    command = [sys.executable, "-m", "forecast.forecaster.exporting", str(folder), str(into), *wanted]
    quiet = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, env=quiet)
    except subprocess.TimeoutExpired as error:
        raise ModelFolderError(f"the graphs of {folder} were not written within {PATIENCE_S} s") from error
    lines = [line for line in done.stdout.splitlines() if line.startswith(_ANSWER)]
    told = json.loads(lines[-1].removeprefix(_ANSWER)) if lines else None
    if told is None:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ModelFolderError(f"the graphs of {folder} could not be written ({last})")
    if told:
        raise ModelFolderError(*told)


def main(arguments: list[str]) -> None:
    """Writes what is missing and says so as its last line."""
    folder, into = (Path(one) for one in arguments[:2])
    told: list[str] = []
    try:
        if len(arguments) > 2:
            _write_one(folder, into, arguments[2], int(arguments[3]))
        else:
            _write_all(folder, into)
    except ForecastError as error:
        told = [error.found, error.expected, error.do]
    except OSError as error:
        told = [f"graphs cannot be written into {into} ({error.strerror})", "a folder that this user may write",
                "set FORECAST_MLRUNS to one"]  # fmt: skip
    print(_ANSWER + json.dumps(told))


def _write_all(folder: Path, into: Path) -> None:
    with _alone(into):
        forecaster = Forecaster.load(folder, beside=into)
        held = set(forecaster.graphs)
        _keep(into, {name: data for name, data in with_graphs(forecaster).graphs.items() if name not in held})


def _write_one(folder: Path, into: Path, place: str, steps: int) -> None:
    with _alone(into):
        forecaster = Forecaster.load(folder, beside=into)
        if (place, str(steps)) not in places(forecaster.graphs):
            _keep(into, _exported(dict(parts(forecaster.model))[place], place, steps))


def _exported(model: Model, place: str, steps: int | None) -> dict[str, bytes]:
    from forecast.networks.export import exported
    from forecast.networks.runtime import NetworkRuntime

    if not isinstance(model, NetworkRuntime):
        raise ModelFolderError("graphs can be written of a network that torch holds", "a model loaded with torch")
    return as_files(place, exported(model.network, steps))


def _keep(into: Path, files: dict[str, bytes]) -> None:
    """Whole files, the example before its graph: whoever sees a graph finds its example."""
    for name, data in sorted(files.items(), key=lambda item: item[0].endswith(".onnx")):
        store_whole(into / name, data)


@contextmanager
def _alone(into: Path) -> Iterator[None]:
    """One process at a time; the next one finds what the first one wrote."""
    import fcntl

    into.mkdir(parents=True, exist_ok=True)
    with (into / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    main(sys.argv[1:])
