"""Serving on a port: until it is stopped, or while a block lasts."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import uvicorn

from forecast.errors import RequestError
from forecast.forecaster import Forecaster
from forecast.settings import Settings
from serving import logs
from serving.access import check_reach, is_loopback
from serving.app import create_app

STARTS_WITHIN_SECONDS = 120.0
log = logging.getLogger("serving")


def run(
    settings: Settings | None = None, forecaster: Forecaster | None = None,
    tell: Callable[[str], None] | None = None,
) -> None:  # fmt: skip
    """Serves until interrupted, with one process.

    Args:
        settings: where to listen and what to serve; read from the environment where None.
        forecaster: answers instead of the registered champion.
        tell: is handed the address once it is ours; the model is still to be loaded.

    Raises:
        RequestError: the address cannot be listened on, or is open to others without keys.
    """
    settings = settings or Settings.read()
    logs.configure(settings.log)
    check_reach(settings)
    if not is_loopback(settings.host) and not settings.key_file.exists():
        log.warning("listening on %s without keys: whoever reaches this address may do everything", settings.host)
    with _listening(settings) as listener:
        if tell is not None:
            tell(address(settings.host, listener.getsockname()[1]))
        try:
            _server(settings, forecaster).run(sockets=[listener])
        except KeyboardInterrupt:
            log.info("stopped")


@contextmanager
def running(settings: Settings | None = None, forecaster: Forecaster | None = None) -> Iterator[str]:
    """Serves in a thread of its own while the block lasts; port 0 takes a free one.

    Yields:
        the address, as "http://127.0.0.1:8000".

    Raises:
        RequestError: the address cannot be listened on, or is open to others without keys.
        RuntimeError: the service did not start.
    """
    settings = settings or Settings.read()
    check_reach(settings)
    with _listening(settings) as listener:
        server = _server(settings, forecaster)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="service", daemon=True)
        thread.start()
        try:
            _wait_for(server, thread)
            yield address(settings.host, listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(timeout=30)


def address(host: str, port: int) -> str:
    """The URL of a place that is listened on.

    >>> address("0.0.0.0", 8000)
    'http://127.0.0.1:8000'
    """
    reached = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{reached}:{port}"


def _server(settings: Settings, forecaster: Forecaster | None) -> uvicorn.Server:
    # Read by torch when it is first imported, which happens while the model is loaded.
    os.environ.setdefault("OMP_NUM_THREADS", str(settings.threads))
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    config = uvicorn.Config(
        create_app(settings, forecaster), access_log=False, log_config=None, server_header=False,
        timeout_keep_alive=15, timeout_graceful_shutdown=10, http=_protocol(settings), proxy_headers=False, ws="none",
    )  # fmt: skip
    return uvicorn.Server(config)


def _protocol(settings: Settings) -> Any:
    """uvicorn's with our limits; where httptools is missing, its plain one, which limits the head by itself."""
    if find_spec("httptools") is None:
        return "h11"
    from serving.connections import limited

    return limited(settings.max_connections)


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            raise RequestError(
                f"{settings.host} port {settings.port} cannot be listened on ({error.strerror})", "a free port",
                "stop what listens there, or set FORECAST_PORT (0 takes any free one)",
            ) from None  # fmt: skip
        yield listener
    finally:
        listener.close()


def _wait_for(server: uvicorn.Server, thread: threading.Thread) -> None:
    patience = time.monotonic() + STARTS_WITHIN_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > patience:
            raise RuntimeError("the service did not start; its log says why")
        time.sleep(0.02)
