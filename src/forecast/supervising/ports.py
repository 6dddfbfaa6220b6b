"""Whether ports are free, before anything is started on them."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Mapping

from forecast.errors import SupervisingError


def check_ports(wanted: Mapping[str, tuple[str, int]]) -> None:
    """Raises unless every port can be listened on.

    Args:
        wanted: host and port by the setting that names the port.

    Raises:
        SupervisingError: some are taken or are wanted twice; all of them are named.
    """
    twice = [port for port, count in Counter(port for _, port in wanted.values()).items() if count > 1]
    if twice:
        names = [name for name, (_, port) in wanted.items() if port in twice]
        raise SupervisingError(
            f"{' and '.join(names)} are the same port {twice[0]}", "a port for each", "change one of them"
        )
    busy = {name: at for name, at in wanted.items() if not _is_free(*at)}
    if busy:
        told = ", ".join(f"{host} port {port} ({name})" for name, (host, port) in busy.items())
        raise SupervisingError(
            f"something listens on {told} already", "free ports",
            f"stop what listens there, or set {' and '.join(busy)}; nothing was started",
        )  # fmt: skip


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((host, port))
        except OSError:
            return False
    return True
