"""How connections are met: not too many, no endless headers, no caller who keeps one open by saying nothing.

uvicorn alone waits for the head of a request as long as the caller likes, and reads as much of it as comes.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.problems import KINDS, MEDIA_TYPE

HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 10.0


class Patient(HttpToolsProtocol):
    """uvicorn's protocol, with limits on the head of a request and on connections."""

    most = 512
    head_bytes = HEAD_BYTES
    head_seconds = HEAD_SECONDS

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._head: int | None = 0
        self._refused = False
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Takes a connection, or sends it away where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            self._refuse("busy", f"{self.most} connections are open already; send it again later.", 503)
            return
        self._patience = self.loop.call_later(self.head_seconds, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets a connection."""
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Reads on; a head that grows past its limit is refused."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._head is not None:
            self._head += len(data)
            if self._head > self.head_bytes:
                self._refuse("large-head", f"the headers have more than {self.head_bytes:,} bytes.", 431)
        elif self._patience is None and self.cycle is not None and self.cycle.response_complete:
            # Bytes that begin no request (empty lines, the rest of a refused body) keep a connection only so long.
            self._patience = self.loop.call_later(self.head_seconds, self._too_slow)

    def on_message_begin(self) -> None:
        """The head of a request begins: now it has to come."""
        super().on_message_begin()
        self._head = 0
        if self._patience is None:
            self._patience = self.loop.call_later(self.head_seconds, self._too_slow)

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._head = None
        self._rest()
        if sum(len(name) + len(value) for name, value in self.headers) + len(self.url) > self.head_bytes:
            self._refuse("large-head", f"the headers have more than {self.head_bytes:,} bytes.", 431)
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Reads on, unless the request was refused."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there, unless it was refused."""
        if not self._refused:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is answered as a problem, too."""
        self._refuse("http", msg, 400)

    def _rest(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _too_slow(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            # The request before is still being answered.
            self._patience = self.loop.call_later(self.head_seconds, self._too_slow)
        elif self._head is None:
            self.transport.close()
        else:
            self._refuse("slow-body", f"the head of the request did not arrive within {self.head_seconds:g} s.", 408)

    def _refuse(self, name: str, detail: str, status: int) -> None:
        """Answers without the application, and closes."""
        self._rest()
        self._refused = True
        if self.transport.is_closing():
            return
        told = {"type": f"/problems/{name}", "title": KINDS[name].title, "status": status, "detail": detail,
                "instance": "", "request_id": ""}  # fmt: skip
        body = json.dumps(told).encode()
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


def limited(most: int) -> type[Patient]:
    """The protocol of one server, which keeps at most so many connections."""
    return type("Patient", (Patient,), {"most": most})
