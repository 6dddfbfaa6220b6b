"""`Judge`: now and then, how yesterday's forecasts turned out over all series, for the service's telemetry."""

from __future__ import annotations

import logging

import anyio

from forecast.errors import ForecastError
from forecast.monitoring import Realised, realised, together
from forecast.store import Store
from serving.keeping import Keeper
from serving.telemetry import Telemetry

EVERY_S = 3600.0
FIRST_AFTER_S = 30.0
PAUSE_S = 0.1
"""Between two series: nobody who asks for a forecast shall wait for the judge."""
MOST = 500
"""So many series are judged at the most."""
log = logging.getLogger("serving")


class Judge:
    """Judges the last day of every series, one after the other, beside the answering of requests.

    Args:
        keeper: holds the store.
        telemetry: is told.
        every_s: seconds between two rounds.
        pause_s: between two series.
    """

    def __init__(
        self, keeper: Keeper, telemetry: Telemetry, every_s: float = EVERY_S, pause_s: float = PAUSE_S
    ) -> None:
        self._keeper, self._telemetry = keeper, telemetry
        self._every_s, self._pause_s = every_s, pause_s

    async def run(self) -> None:
        """Goes on until it is cancelled; a store that is down costs a round, nothing else."""
        await anyio.sleep(min(FIRST_AFTER_S, self._every_s))
        while True:
            try:
                await self.once()
            except ForecastError as error:
                log.warning("yesterday's forecasts are not judged: %s", error)
            await anyio.sleep(self._every_s)

    async def once(self) -> None:
        """One round.

        Raises:
            ForecastError: the store does not answer.
        """
        days: list[Realised] = []
        for name in await self._keeper.ask(_names):
            days.append(await self._keeper.ask(realised, name))
            await anyio.sleep(self._pause_s)
        self._telemetry.realised(*together(days))


def _names(store: Store) -> list[str]:
    return list(store.series())[:MOST]
