"""`Rates`: how often each key may ask, as buckets of tokens in this process."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Left:
    """What is left to a caller.

    Attributes:
        allowed: whether this request was.
        per_minute: its limit.
        remaining: whole requests left now.
        wait_s: seconds until one more is.
    """

    allowed: bool
    per_minute: int
    remaining: int
    wait_s: int

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """`RateLimit-Policy` and `RateLimit`, as the IETF's draft has them."""
        policy, state = f'"key";q={self.per_minute};w=60', f'"key";r={self.remaining};t={self.wait_s}'
        return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", state.encode())]


class Rates:
    """A bucket for each caller: it holds a minute's requests and refills steadily.

    Args:
        ticks: seconds that only go forward.

    >>> rates = Rates(ticks=lambda: 0.0)
    >>> [rates.take("a", 2).allowed for _ in range(3)]
    [True, True, False]
    """

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, who: str, per_minute: int) -> Left:
        """One request of a caller."""
        now, pace = self._ticks(), per_minute / 60
        held, since = self._buckets.get(who, (float(per_minute), now))
        held = min(float(per_minute), held + (now - since) * pace)
        allowed = held >= 1
        held -= allowed
        self._buckets[who] = (held, now)
        wait = 0 if held >= 1 else math.ceil((1 - held) / pace)
        return Left(allowed, per_minute, int(held), wait)

    def keep(self, known: set[str]) -> None:
        """Forgets callers that are no longer known."""
        self._buckets = {who: bucket for who, bucket in self._buckets.items() if who in known}
