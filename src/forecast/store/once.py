"""Idempotency keys: the same key with the same body has the same answer, for a day."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, delete, insert, select

from forecast import clock
from forecast.errors import KeyReused
from forecast.store.schema import ANSWERED

KEPT_S = 24 * 3600


def answered(connection: Connection, key: str, body: bytes) -> bytes | None:
    """What was answered to a key, None where it is new or older than a day.

    Raises:
        KeyReused: it came with another body.
    """
    row = connection.execute(select(ANSWERED).where(ANSWERED.c.key == _digest(key.encode()))).first()
    if row is None or row.at < _now() - KEPT_S:
        return None
    if row.body != _digest(body):
        raise KeyReused(
            "the Idempotency-Key came before with another body", "a key of its own for every body",
            "send this body under a new key", column="Idempotency-Key",
        )  # fmt: skip
    return bytes(row.answer)


def note_answer(connection: Connection, key: str, body: bytes, answer: bytes) -> None:
    """Keeps an answer within the writer's transaction; those of the day before go."""
    digest = _digest(key.encode())
    connection.execute(delete(ANSWERED).where((ANSWERED.c.at < _now() - KEPT_S) | (ANSWERED.c.key == digest)))
    connection.execute(insert(ANSWERED).values(key=digest, body=_digest(body), at=_now(), answer=answer))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _now() -> int:
    return int(clock.now().timestamp())
