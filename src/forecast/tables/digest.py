"""What a table shows, as one number."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from forecast.tables.demand import Demand

Bools = npt.NDArray[np.bool_]


def digest_of(demand: Demand) -> str:
    """SHA-256 of everything that a table shows."""
    head = [demand.columns.dynamic, str(demand.step), demand.unit, str(demand.delay), demand.country]
    total = hashlib.sha256(json.dumps(head).encode())
    for one in demand.series:
        told = [one.unique_id, one.zone, one.start.value, dict(one.static), *filter(None, [one.country])]
        total.update(json.dumps(told).encode())
        # Up to the last shown value: rows that are appended later do not change what was known.
        for name in demand.columns.dynamic:
            shown_T = demand.observed(one, name)
            total.update(shown_T[: _length(np.isfinite(shown_T))].tobytes() + b"|")
        if one.available_at_T is not None:
            known_T = demand.known_rows(one) & np.isfinite(one.values_TC[:, : len(demand.columns.observed)]).any(1)
            total.update(np.where(known_T, one.available_at_T, -1)[: _length(known_T)].tobytes() + b"|")
        if demand.doubted_R is not None:
            total.update(b"doubted" + demand.doubted_R[one.first_row : one.first_row + len(one)].tobytes())
        for name, versions in sorted(demand.versions.items()):
            mine = versions.rows(one.first_row, len(one))
            counts_T = np.diff(mine.first_R1)
            for part in (counts_T[: _length(counts_T > 0)], mine.available_V, mine.values_V):
                total.update(name.encode() + part.tobytes() + b"|")
    return total.hexdigest()


def _length(shown_T: Bools) -> int:
    """How many rows there are up to the last one shown."""
    return len(shown_T) - int(np.argmax(shown_T[::-1])) if shown_T.any() else 0
