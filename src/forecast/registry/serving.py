"""`load_for_serving`: a forecaster that answers without torch, scikit-learn or mlflow in this process.

`load_here` takes torch where it is installed.
"""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path

from forecast.errors import ModelFolderError
from forecast.forecaster import Forecaster, read_spec
from forecast.forecaster.exporting import write_beside
from forecast.forecaster.folder import read_graphs, verify
from forecast.forecaster.graphs import as_arrays, belongs, parts
from forecast.forecaster.loading import without_graph
from forecast.forecaster.models import Arrays, parted
from forecast.registry.reader import ModelRef
from forecast.settings import Settings

GRAPHS = "graphs"
"""Below the cache: graphs of folders that came without, a folder for each digest."""


def load_for_serving(ref: ModelRef, settings: Settings) -> Forecaster:
    """The forecaster of a version; its networks answer from ONNX graphs, after each was compared with torch.

    A folder without graphs gets them beside it in the cache, written by a process of its own; so does a network that is
    asked for steps that none of its graphs answers, while the question waits.

    Args:
        ref: from `resolve`.
        settings: where the cache is, and how many threads one answer may use.

    Raises:
        ModelFolderError: the folder is broken; a graph answers otherwise than torch; graphs are missing and torch,
            which writes them, is not installed.
    """
    beside = settings.cache / GRAPHS / ref.digest[:16]
    signed = read_graphs(ref.folder, verify(ref.folder))
    lacking = without_graph(read_spec(ref.folder), signed)
    try:
        forecaster = _loaded(ref.folder, beside, bool(lacking), settings.threads)
    except ModelFolderError:
        if not _held(beside):
            raise
        # What the cache holds can be made again; what is signed can not.
        for name in _held(beside):
            (beside / name).unlink(missing_ok=True)
        forecaster = _loaded(ref.folder, beside, bool(lacking), settings.threads)
    for place, network in parts(forecaster.model):
        if hasattr(network, "maker"):
            network.maker = partial(_made, ref.folder, beside, place)
    return forecaster


def load_here(ref: ModelRef, settings: Settings) -> Forecaster:
    """The forecaster of a version on torch, the reference; where torch is not installed, on the graphs in its folder.

    Raises:
        ModelFolderError: as `load_for_serving`.
    """
    return Forecaster.load(ref.folder) if find_spec("torch") is not None else load_for_serving(ref, settings)


def _loaded(folder: Path, beside: Path, wanting: bool, threads: int) -> Forecaster:
    if wanting and without_graph(read_spec(folder), _held(beside)):
        write_beside(folder, beside)
    return Forecaster.load(folder, "onnx", beside=beside, threads=threads)


def _made(folder: Path, beside: Path, place: str, steps: int) -> Arrays:
    """A network's graph for a number of steps, as its runtime takes it in."""
    write_beside(folder, beside, place, steps)
    files = {name: data for name, data in _held(beside).items() if belongs(name, place) and f"-{steps}." in name}
    arrays = as_arrays(files)
    return parted(arrays, place) if place else arrays


def _held(beside: Path) -> dict[str, bytes]:
    return read_graphs(beside, [path.name for path in beside.iterdir()]) if beside.is_dir() else {}
