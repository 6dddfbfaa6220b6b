"""How answers leave the house: JSON with every digit of every number, written by orjson."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z


def encode(content: Any) -> bytes:
    """JSON of plain values and NumPy arrays; datetime64 is UTC and ends in Z.

    >>> import numpy as np
    >>> encode({"ds": np.array(["2014-12-31"], dtype="datetime64[s]"), "mean": np.array([0.1])})
    b'{"ds":["2014-12-31T00:00:00Z"],"mean":[0.1]}'
    """
    return orjson.dumps(content, option=_OPTIONS)


class JsonAnswer(Response):
    """A JSON response from plain values, or from bytes that are JSON already."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The body."""
        return content if isinstance(content, bytes) else encode(content)
