"""A network on the shoulders of a ridge: it reads the ridge's forecast as one more column and says what is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np

from forecast.features import Inputs
from forecast.forecaster.models import Arrays, Floats, Model, joined, parted, restored


class PointModel(Model, Protocol):
    """A model that also says one number per step."""

    def point(self, inputs: Inputs) -> Floats:
        """What it says, [B, H] in mean power."""
        ...


def with_base(inputs: Inputs, base_BH: Floats) -> Inputs:
    """The inputs with a forecast as the last column ahead; hidden where a window has no known load to relate it to."""
    known_B11 = np.asarray(inputs.past_mask_BLP[:, :, :1].max(1, keepdims=True) > 0, dtype=np.float32)
    base_BH1 = base_BH[:, :, None].astype(np.float32) * known_B11
    future_BHF = np.concatenate([inputs.future_BHF, base_BH1], axis=2)
    mask_BHF = np.concatenate([inputs.future_mask_BHF, np.broadcast_to(known_B11, base_BH1.shape)], axis=2)
    return replace(inputs, future_BHF=future_BHF, future_mask_BHF=mask_BHF)


@dataclass(frozen=True, eq=False)
class Residual:
    """A base and a network that corrects it.

    Attributes:
        base: forecasts by itself.
        network: reads the base's forecast as its last column ahead, and adds to it.
    """

    base: PointModel
    network: Model
    kind = "residual"

    def quantiles(self, inputs: Inputs) -> Floats:
        """Quantiles [B, H, Q] in mean power."""
        return self.network.quantiles(with_base(inputs, self.base.point(inputs)))

    def arrays(self) -> Arrays:
        """Those of both."""
        return joined({"base": self.base, "network": self.network})

    def settings(self) -> dict[str, object]:
        """Those of both, with their kinds."""
        parts = {"base": self.base, "network": self.network}
        return {name: {"kind": part.kind, **part.settings()} for name, part in parts.items()}

    @classmethod
    def restore(cls, settings: Mapping[str, Any], arrays: Arrays) -> Self:
        """Both again."""
        parts: dict[str, Any] = {}
        for name, told in settings.items():
            own = {key: value for key, value in told.items() if key != "kind"}
            parts[name] = restored(told["kind"], own, parted(arrays, name))
        return cls(**parts)
