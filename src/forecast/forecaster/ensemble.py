"""Several models as one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from forecast.features import Inputs
from forecast.forecaster.models import Arrays, Floats, Model, joined, parted, restored


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Members averaged by quantile: the mean of non-crossing quantiles does not cross.

    Source: Lichtendahl et al. 2013, "Is it better to average probabilities or quantiles?".

    Attributes:
        members: two or more models of the same inputs and levels.
    """

    members: tuple[Model, ...]
    kind = "ensemble"

    def quantiles(self, inputs: Inputs) -> Floats:
        """Quantiles [B, H, Q] in mean power."""
        said_MBHQ = np.stack([member.quantiles(inputs) for member in self.members])
        return np.asarray(said_MBHQ.mean(0, dtype=np.float64), dtype=np.float32)

    def arrays(self) -> Arrays:
        """Those of all members, each behind its number."""
        return joined({str(number): member for number, member in enumerate(self.members)})

    def settings(self) -> dict[str, object]:
        """Those of all members, with their kinds."""
        return {"members": [{"kind": member.kind, **member.settings()} for member in self.members]}

    @classmethod
    def restore(cls, settings: Mapping[str, Any], arrays: Arrays) -> Self:
        """All members again."""
        members = []
        for number, told in enumerate(settings["members"]):
            own = {name: value for name, value in told.items() if name != "kind"}
            members.append(restored(told["kind"], own, parted(arrays, str(number))))
        return cls(tuple(members))
