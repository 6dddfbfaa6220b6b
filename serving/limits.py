"""How much of a request is read, and how long it may take: past the limit it is answered without reading all of it."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.problems import MEDIA_TYPE, problem
from serving.telemetry import Telemetry

LINGER_BYTES = 4 * 1024 * 1024
LINGER_SECONDS = 2.0


class _TooLarge(Exception):
    """The body grew past the limit while it was read."""


class BodyLimit:
    """ASGI middleware that answers 413 to bodies of more than `most` bytes, declared or streamed."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app, self.most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, unless it is too large."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if _declared(scope) > self.most:
            await self._refuse(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.most:
                raise _TooLarge
            return message

        try:
            await self.app(scope, counted, send)
        except _TooLarge:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, then reads a little more: a connection closed on unread data takes the answer with it."""
        size = f"{self.most:,} bytes"
        answer = problem(
            scope, "too-large", f"the body has more than {size}; expected at most {size}.",
            headers={"Connection": "close"}, found=f"more than {size}", expected=f"at most {size}",
            do="send fewer series or less history; GET /v1/models says how much is read",
        )  # fmt: skip
        assert answer.media_type == MEDIA_TYPE
        await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
        await send({"type": "http.response.body", "body": answer.body, "more_body": True})
        with anyio.move_on_after(LINGER_SECONDS):
            await _linger(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class _Running:
    """A request under way."""

    __slots__ = ("arriving", "begun", "late", "until")

    def __init__(self, until: float, arriving: bool) -> None:
        self.until, self.arriving, self.begun, self.late = until, arriving, False, False


class TimeLimit:
    """ASGI middleware that ends requests after `seconds`: 408 while the body still arrives, 503 afterwards.

    The ladder of fallbacks has its own, shorter deadline; this one catches slow callers and what hangs. 0 is no limit.
    One look at all requests, a few times within the limit, costs less than a timer for each.
    """

    def __init__(self, app: ASGIApp, seconds: float, telemetry: Telemetry) -> None:
        self.app, self.seconds, self.telemetry = app, seconds, telemetry
        self._running: dict[asyncio.Task[Any], _Running] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, for a while."""
        task = asyncio.current_task()
        if scope["type"] != "http" or not self.seconds or task is None:
            await self.app(scope, receive, send)
            return
        loop = task.get_loop()
        one = self._running[task] = _Running(loop.time() + self.seconds, _brings_body(scope))
        if self._loop is not loop:
            self._loop = loop
            self._look()

        async def watched() -> Message:
            message = await receive()
            one.arriving = bool(message.get("more_body", False))
            return message

        async def noted(message: Message) -> None:
            one.begun = True
            await send(message)

        try:
            await self.app(scope, watched, noted)
        except asyncio.CancelledError:
            if one.begun or not one.late:
                raise
            task.uncancel()
            await self._refuse(one, scope, receive, send)
        finally:
            self._running.pop(task, None)

    def _look(self) -> None:
        """Ends what is late, and looks again as long as anything runs."""
        assert self._loop is not None
        if not self._running:
            self._loop = None
            return
        now = self._loop.time()
        for task, one in self._running.items():
            if now >= one.until and not one.late:
                one.late = True
                task.cancel()
        self._loop.call_later(min(1.0, self.seconds / 8), self._look)

    async def _refuse(self, one: _Running, scope: Scope, receive: Receive, send: Send) -> None:
        name, what = ("slow-body", "the body did not arrive") if one.arriving else ("timeout", "there was no answer")
        self.telemetry.refusal(name)
        detail, headers = f"{what} within {self.seconds:g} s.", {"Connection": "close", "Retry-After": "1"}
        await problem(scope, name, detail, headers=headers)(scope, receive, send)


async def _linger(receive: Receive) -> None:
    left = LINGER_BYTES
    while left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body", False):
            return


def _brings_body(scope: Scope) -> bool:
    """Whether a request has a body, of a length that it declares or streamed."""
    return any(
        (name == b"content-length" and value != b"0") or name == b"transfer-encoding"
        for name, value in scope["headers"]
    )


def _declared(scope: Scope) -> int:
    """The size that the request declares; 0 where it streams."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0
