"""A caller that costs little: keep-alive connections that send prepared requests, one after the other or at a rate.

`benchmarks/serving.py` runs it in a process of its own, bound to another core than the server:
python benchmarks/load.py ADDRESS BODIES --clients 8 --seconds 8 [--rate 500] [--core 1]. It prints a line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

END = b"\r\n\r\n"


class Caller(asyncio.Protocol):
    """One connection; answers are counted by their status and timed."""

    def __init__(self) -> None:
        self.buffer, self.answer = b"", None
        self.loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_result((0, b"the connection was closed"))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(END)
        if not found:
            return
        size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(rest) >= size:
            self.buffer = b""
            self.answer.set_result((int(head[9:12]), rest[:size]))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        self.answer = self.loop.create_future()
        self.transport.write(request)
        return await self.answer


def prepared(address: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A whole request."""
    parts = urlsplit(address)
    lines = {"Host": parts.netloc, "Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    told = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {parts.path} HTTP/1.1\r\n{told}\r\n".encode() + body


async def load(
    address: str, requests: list[bytes], *, clients: int, seconds: float, rate: float | None,
    heard: Callable[[int, bytes], None] | None = None,
) -> dict[str, object]:  # fmt: skip
    """Asks for some seconds.

    Args:
        address: of the server.
        requests: whole ones, taken in turn.
        clients: connections.
        seconds: how long.
        rate: requests a second, sent when their time has come whether others are answered or not; None: each client
            asks again as soon as it has its answer. Times count from when a request was due.
        heard: is told status and body of every answer.
    """
    parts = urlsplit(address)
    loop, spent, bad, number = asyncio.get_running_loop(), [], [], 0
    begun = time.perf_counter()

    async def one() -> None:
        nonlocal number
        _, caller = await loop.create_connection(Caller, parts.hostname, parts.port)
        while True:
            mine, number = number, number + 1
            due = time.perf_counter() if rate is None else begun + mine / rate
            if due - begun >= seconds:
                break
            await asyncio.sleep(max(0.0, due - time.perf_counter()) if rate is not None else 0)
            status, body = await caller.ask(requests[mine % len(requests)])
            spent.append(time.perf_counter() - due)
            if heard is not None:
                heard(status, body)
            if status != 200:
                bad.append(body[:300].decode(errors="replace"))
        caller.transport.close()

    await asyncio.gather(*(one() for _ in range(clients)))
    lasted, spent = time.perf_counter() - begun, sorted(spent)
    told = {"requests": len(spent), "seconds": lasted, "per_second": len(spent) / lasted, "bad": len(bad)}
    told |= {f"p{share}_ms": 1000 * spent[min(len(spent) - 1, len(spent) * share // 100)] for share in (50, 99)}
    return told | {"first_bad": bad[:1]}


def main() -> None:
    """Prints what was measured, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("bodies", type=Path, help="one JSON body a line")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--core", type=int)
    parser.add_argument("--key")
    options = parser.parse_args()
    if options.core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {options.core})
    headers = {"Authorization": f"Bearer {options.key}"} if options.key else {}
    requests = [prepared(options.address, one, headers) for one in options.bodies.read_bytes().splitlines()]
    told = load(options.address, requests, clients=options.clients, seconds=options.seconds, rate=options.rate)
    print(json.dumps(asyncio.run(told)))


if __name__ == "__main__":
    main()
