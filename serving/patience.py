"""`Patience`: waits for a model only so long, and leaves one that hangs alone for a while."""

from __future__ import annotations

import asyncio
import logging
import weakref

from serving.engine import Engine, Said
from serving.questions import Question
from serving.served import Served

log = logging.getLogger("serving")


class Patience:
    """Asks an engine.

    A version that did not answer in time is left alone until it has answered after all, or a while is over: else every
    caller would wait in vain.

    Args:
        engine: lets a version answer.
        rest_s: how long one that hangs is left alone.
    """

    def __init__(self, engine: Engine, rest_s: float) -> None:
        self._engine, self._rest_s = engine, rest_s
        self._until: weakref.WeakKeyDictionary[Served, float] = weakref.WeakKeyDictionary()

    def resting(self, served: Served) -> bool:
        """Whether a version is left alone now."""
        return self._until.get(served, 0.0) > asyncio.get_running_loop().time()

    async def ask(self, served: Served, question: Question, seconds: float) -> Said:
        """What a version says, if it does so in time.

        Raises:
            TimeoutError: it did not, or it is left alone.
            Exception: what asking it raised.
        """
        if self.resting(served):
            raise TimeoutError
        known = self._engine.known(served, question)
        if known is not None:
            return known
        loop = asyncio.get_running_loop()
        answer, came = self._engine.put(served, question), loop.create_future()
        answer.add_done_callback(lambda _: _tell(came, True))
        timer = loop.call_later(seconds, _tell, came, False)
        try:
            if await came:
                return answer.result()
        except asyncio.CancelledError:
            answer.cancel()
            raise
        finally:
            timer.cancel()
        # Not cancelled: its thread goes on all the same, and its answer tells that the version can be asked again.
        self._until[served] = loop.time() + self._rest_s
        answer.add_done_callback(lambda late: self._came(served, late))
        raise TimeoutError

    def _came(self, served: Served, late: asyncio.Future[Said]) -> None:
        self._until.pop(served, None)
        if not late.cancelled() and late.exception() is not None:
            log.warning("%s failed after its deadline: %s", served, late.exception())


def _tell(came: asyncio.Future[bool], in_time: bool) -> None:
    if not came.done():
        came.set_result(in_time)
