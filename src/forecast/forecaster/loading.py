"""What a model folder holds, read and put together: by torch, or by graphs alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from forecast.errors import ModelFolderError
from forecast.forecaster import folder as _folder
from forecast.forecaster.graphs import as_arrays, networks, places
from forecast.forecaster.models import Arrays, Floats, Model, restored
from forecast.forecaster.spec import ForecasterSpec

RANKS = "calibration/ranks"
Runtime = Literal["torch", "onnx", "auto"]


@dataclass(frozen=True, eq=False)
class Loaded:
    """The parts of a `Forecaster`, as its folder holds them."""

    spec: ForecasterSpec
    model: Model
    ranks_DH: Floats
    graphs: Mapping[str, bytes]


def load(folder: Path, runtime: Runtime = "torch", beside: Path | None = None, threads: int = 1) -> Loaded:
    """Reads a folder, its digests checked.

    Args:
        folder: the model's.
        runtime: see `Forecaster.load`.
        beside: a folder of more graphs, made of this one's weights (`forecast.forecaster.exporting`).
        threads: of one answer from graphs.

    Raises:
        ModelFolderError: the folder is missing, broken, changed, of another version, or lacks graphs.
    """
    manifest = _folder.verify(folder)
    spec, arrays = _folder.read_spec(folder), _folder.read_arrays(folder)
    graphs = _folder.read_graphs(folder, manifest)
    if beside is not None and beside.is_dir():
        graphs |= _folder.read_graphs(beside, [path.name for path in beside.iterdir()])
    ranks_DH = arrays.pop(RANKS, np.zeros((0, 0), dtype=np.float32))
    lacking = without_graph(spec, graphs)
    if runtime == "onnx" and lacking:
        raise ModelFolderError(
            f"{folder} holds no graphs of {len(lacking)} of its networks", "one of each",
            "write them with `python -m forecast.forecaster.exporting`, or register the model again",
        )  # fmt: skip
    if runtime == "torch" or lacking or not graphs:
        return Loaded(spec, _model(folder, spec, arrays), ranks_DH, graphs)
    from forecast.networks.onnx_runtime import answering_with

    with answering_with(threads):
        return Loaded(spec, _model(folder, spec, arrays | as_arrays(graphs)), ranks_DH, graphs)


def without_graph(spec: ForecasterSpec, graphs: Mapping[str, bytes]) -> list[str]:
    """The places of the model's networks of which no graph is there."""
    there = {place for place, _ in places(graphs)}
    return [place for place in networks(spec.model_kind, spec.model) if place not in there]


def _model(folder: Path, spec: ForecasterSpec, arrays: Arrays) -> Model:
    try:
        return restored(spec.model_kind, spec.model, arrays)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelFolderError(
            f"the weights in {folder} do not fit its {_folder.SPEC} ({error})", "both from one training", "train again"
        ) from error
