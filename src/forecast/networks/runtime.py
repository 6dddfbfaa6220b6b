"""A trained network as a `Forecaster` runs it: NumPy in, NumPy out, torch in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from forecast.networks.arrays import load_arrays, state_arrays
from forecast.networks.configs import NetworkConfig
from forecast.networks.inputs import Inputs
from forecast.networks.network import DemandNetwork, build
from forecast.networks.shape import NetworkShape

Floats = npt.NDArray[np.float32]


def prepare_torch() -> None:
    """Flushes denormal numbers: vanishing gradients otherwise slow a recurrent network five times."""
    torch.set_flush_denormal(True)


Six = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


def tensors(inputs: Inputs, device: str = "cpu") -> Six:
    """The six inputs of `DemandNetwork.forward`; on a CPU they share the arrays' memory."""
    arrays = (
        inputs.past_BLP, inputs.past_mask_BLP, inputs.future_BHF, inputs.future_mask_BHF, inputs.static_BS,
        inputs.peers_BSD,
    )  # fmt: skip
    past, past_mask, future, future_mask, static, peers = (torch.from_numpy(array).to(device) for array in arrays)
    return past, past_mask, future, future_mask, static, peers


@dataclass(frozen=True, eq=False)
class NetworkRuntime:
    """A network that answers.

    Attributes:
        network: the trained network, in evaluation mode.
    """

    network: DemandNetwork
    kind = "network"

    def quantiles(self, inputs: Inputs) -> Floats:
        """Quantiles [B, H, Q] in mean power."""
        prepare_torch()
        with torch.inference_mode():
            answer: Floats = self.network(*tensors(inputs)).float().numpy()
        return answer

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All weights and buffers."""
        return dict(state_arrays(self.network))

    def settings(self) -> dict[str, object]:
        """Config and shape."""
        return {
            "config": self.network.config.model_dump(mode="json"),
            "shape": self.network.shape.model_dump(mode="json"),
        }

    @classmethod
    def restore(cls, settings: Mapping[str, object], arrays: dict[str, npt.NDArray[Any]]) -> Self:
        """The network again, bit for bit."""
        network = build(
            NetworkConfig.model_validate(settings["config"]), NetworkShape.model_validate(settings["shape"]), seed=0
        )
        load_arrays(network, arrays)
        return cls(network.eval())
