"""Graphs of a forecaster's networks as files: a network's place in the model, and the steps that a graph answers.

`graph-3.network-any.onnx` is the graph of the network inside member 3, for any number of whole hours; beside it
`graph-3.network-any.safetensors` holds an example and what torch answered to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from forecast.errors import ModelFolderError
from forecast.forecaster.ensemble import Ensemble
from forecast.forecaster.models import EXAMPLE, GRAPH, WEIGHTS_DIGEST, Arrays, Model
from forecast.forecaster.residual import Residual

Files = Mapping[str, bytes]


def networks(kind: str, told: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The settings of the networks of a model by their places: "" for a network alone, "3/network" in an ensemble.

    Args:
        kind: of the model.
        told: its settings.
    """
    if kind == "network":
        return {"": told}
    parts_told = {name: part for name, part in told.items() if name != "kind"}
    inside = parts_told if kind == "residual" else _numbered(told["members"]) if kind == "ensemble" else {}
    return {
        _within(name, inner): found
        for name, part in inside.items()
        for inner, found in networks(part["kind"], part).items()
    }


def parts(model: Model) -> Iterator[tuple[str, Model]]:
    """The networks of a model that are in memory, by their places."""
    if model.kind == "network":
        yield "", model
    inside = _numbered(model.members) if isinstance(model, Ensemble) else {}
    inside |= {"network": model.network} if isinstance(model, Residual) else {}
    for name, part in inside.items():
        for inner, found in parts(part):
            yield _within(name, inner), found


def as_files(place: str, written: Arrays) -> dict[str, bytes]:
    """A network's graphs and their examples as files, the examples first: where a graph is, its example is.

    Args:
        place: of the network.
        written: as `forecast.networks.export.exported` gives them.
    """
    graphs = {name: array for name, array in written.items() if name.startswith(f"{GRAPH}/")}
    files = {}
    for name, array in graphs.items():
        asked = name.removeprefix(f"{GRAPH}/")
        head, stem = f"{EXAMPLE}/{asked}/", _stem(place, asked)
        example = {key.removeprefix(head): value for key, value in written.items() if key.startswith(head)}
        files[f"{stem}.safetensors"] = save({key: value.copy(order="C") for key, value in example.items()})
        files[f"{stem}.onnx"] = array.tobytes()
    return files


def as_arrays(files: Files) -> Arrays:
    """What `as_files` wrote, each behind its network's place, so that a model's `restore` finds it beside the weights.

    Raises:
        ModelFolderError: an example is missing or broken.
    """
    arrays: Arrays = {}
    for name in [name for name in files if name.endswith(".onnx")]:
        place, asked = _parted(name)
        head = f"{place}/" if place else ""
        try:
            example = load(files[f"{name.removesuffix('.onnx')}.safetensors"])
        except (KeyError, SafetensorError) as error:
            raise ModelFolderError(
                f"the example of {name} is missing or broken", "it beside the graph", "train and register again"
            ) from error
        arrays |= {f"{head}{EXAMPLE}/{asked}/{key}": value for key, value in example.items()}
        arrays[f"{head}{GRAPH}/{asked}"] = np.frombuffer(files[name], dtype=np.uint8)
    return arrays


def digest_of(files: Files, place: str) -> str | None:
    """SHA-256 of the weights that a network's graph holds; None where there is no graph of it."""
    stems = [name.removesuffix(".onnx") for name in files if name.endswith(".onnx") and belongs(name, place)]
    told = [load(files[f"{stem}.safetensors"]) for stem in stems if f"{stem}.safetensors" in files]
    return told[0][WEIGHTS_DIGEST].tobytes().hex() if told else None


def belongs(name: str, place: str) -> bool:
    """Whether a file is about the network at this place."""
    return name.startswith(_stem(place, ""))


def places(files: Files) -> set[tuple[str, str]]:
    """Which networks have which graphs."""
    return {_parted(name) for name in files if name.endswith(".onnx")}


def _numbered(members: Sequence[Any]) -> dict[str, Any]:
    return {str(number): member for number, member in enumerate(members)}


def _within(name: str, inner: str) -> str:
    return f"{name}/{inner}" if inner else name


def _stem(place: str, asked: str) -> str:
    return f"graph-{place.replace('/', '.')}-{asked}"


def _parted(name: str) -> tuple[str, str]:
    """Place and steps of a graph's file.

    >>> _parted("graph-3.network-any.onnx"), _parted("graph--48.onnx")
    (('3/network', 'any'), ('', '48'))
    """
    _, place, asked = name.removesuffix(".onnx").split("-")
    return place.replace(".", "/"), asked
