"""What can sit inside a `Forecaster`: anything that turns `Inputs` into quantiles and itself into arrays."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from forecast.errors import ModelFolderError
from forecast.features import Inputs

Floats = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[Any]]


class Model(Protocol):
    """A fitted model.

    `kind` names it in folders; `quantiles` answers [B, H, Q] in mean power, not yet calibrated; `arrays` and
    `settings` hold all of it; `restore` builds it again from the two.
    """

    kind: str

    def quantiles(self, inputs: Inputs) -> Floats:
        """Quantiles [B, H, Q] of some windows, in mean power."""
        ...

    def arrays(self) -> Arrays:
        """Its fitted arrays by name."""
        ...

    def settings(self) -> dict[str, object]:
        """What rebuilds it beside the arrays; plain JSON."""
        ...

    @classmethod
    def restore(cls, settings: Mapping[str, object], arrays: Arrays) -> Self:
        """The model again, bit for bit."""
        ...


GRAPH, EXAMPLE, WEIGHTS_DIGEST = "graph", "example", "weights"
"""Before the arrays of a network's ONNX graphs and of their examples, where it is restored from them."""
_GRAPHS = "graphs"
_HOMES = {
    "network": "forecast.networks.runtime:NetworkRuntime",
    _GRAPHS: "forecast.networks.onnx_runtime:GraphRuntime",
    "seasonal_naive": "forecast.baselines:SeasonalNaive",
    "ridge": "forecast.baselines:HourlyRidge",
    "trees": "forecast.baselines:QuantileTrees",
    "residual": "forecast.forecaster.residual:Residual",
    "ensemble": "forecast.forecaster.ensemble:Ensemble",
}


def joined(models: Mapping[str, Model]) -> Arrays:
    """The arrays of several models, each behind its name and a slash."""
    return {f"{name}/{key}": array for name, model in models.items() for key, array in model.arrays().items()}


def parted(arrays: Arrays, name: str) -> Arrays:
    """The arrays of one of several models."""
    return {key.removeprefix(f"{name}/"): array for key, array in arrays.items() if key.startswith(f"{name}/")}


def restored(kind: str, settings: Mapping[str, object], arrays: Arrays) -> Model:
    """A model again; a network with graphs among its arrays answers from them, and torch is not imported.

    Raises:
        ModelFolderError: this version does not know the kind, or a graph does not answer as torch does.
    """
    graphs = kind == "network" and any(name.startswith(f"{GRAPH}/") for name in arrays)
    return model_class(_GRAPHS if graphs else kind).restore(settings, arrays)


def model_class(kind: str) -> type[Model]:
    """The class of a kind of model, imported only now (a service without networks never imports torch).

    Raises:
        ModelFolderError: this version does not know the kind.
    """
    if kind not in _HOMES:
        raise ModelFolderError(f"model kind '{kind}'", f"one of {', '.join(_HOMES)}", "update the product")
    module, name = _HOMES[kind].split(":")
    chosen: type[Model] = getattr(import_module(module), name)
    return chosen
