"""What a mail says, sent to a mail server on loopback; that parameters hold no secrets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from flows.notify import Mail

# Apprise's own, at import.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


class MailServer:
    """Takes one mail over SMTP.

    Attributes:
        port: where it listens.
        said: what it was told, line by line.
    """

    def __init__(self) -> None:
        self.said: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        link, _ = self._listener.accept()
        with link, link.makefile("rb") as lines:
            link.sendall(b"220 here\r\n")
            letter = False
            for raw in lines:
                line = raw.decode().rstrip("\r\n")
                self.said.append(line)
                if letter and line != ".":
                    continue
                letter = line.lower() == "data"
                link.sendall(b"354 go on\r\n" if letter else b"221 bye\r\n" if line == "quit" else b"250 ok\r\n")

    def close(self) -> None:
        """Listens no longer."""
        self._listener.close()


@pytest.fixture
def mails() -> Iterator[MailServer]:
    server = MailServer()
    yield server
    server.close()


def test_a_mail_is_sent(mails: MailServer) -> None:
    url = f"mailto://127.0.0.1:{mails.port}?from=forecast@example.org&to=shift@example.org&mode=insecure&format=text"
    block = Mail(url=SecretStr(url), notify_type="failure")
    with block.raise_on_failure():
        block.notify(subject="issue Failed", body="the gate is near")
    assert any(line.lower().startswith("rcpt to:<shift@example.org>") for line in mails.said)
    assert "Subject: issue Failed" in mails.said
    assert "the gate is near" in mails.said


def test_the_address_is_not_shown() -> None:
    block = Mail(url=SecretStr("mailto://user:secret@127.0.0.1?to=shift@example.org"))
    assert "secret" not in repr(block) + str(block.model_dump(mode="json"))
