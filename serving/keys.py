"""API keys: made, kept as hashes in a file, found again, revoked.

A key is `fk_ID_SECRET`. Its secret is 256 random bits, so one SHA-256 keeps it: nobody can try 2^256 of them. Slow
hashes (bcrypt, argon2) are for passwords, which people choose, and would cost every request what a forecast costs.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from forecast import clock
from forecast.errors import DeclarationError

Right = Literal["forecast", "ingest", "admin"]
RIGHTS: tuple[Right, ...] = get_args(Right)
_TOKEN = re.compile(r"fk_([0-9a-f]{8})_([A-Za-z0-9_-]{43})")


class Key(BaseModel):
    """What is kept of a key; not the key itself.

    Attributes:
        id: its public part, which logs show.
        name: who has it.
        scopes: what it may do.
        sha256: of the whole key.
        made_at: when, UTC.
        rate_per_minute: its own limit; None is that of the settings.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[0-9a-f]{8}$")
    name: str = Field(min_length=1, max_length=100)
    scopes: tuple[Right, ...] = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)
    made_at: str
    rate_per_minute: int | None = Field(None, ge=0)


class Keys(BaseModel):
    """All keys of a service, and the way to and from its file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: tuple[Key, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Keys:
        """The keys of a file; none where it is not there.

        Raises:
            DeclarationError: it holds something else.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return cls()
        except (ValidationError, OSError) as error:
            # What pydantic quotes may be a hash.
            raise DeclarationError(
                f"{path} holds no keys ({type(error).__name__})", "a file of `forecast keys add`", "restore it"
            ) from None

    def added(self, name: str, scopes: Iterable[str], rate_per_minute: int | None = None) -> tuple[Keys, str]:
        """With one more; and that key, which nobody can read again.

        Raises:
            DeclarationError: a scope is unknown, or the name is taken.
        """
        wanted = tuple(dict.fromkeys(scopes))
        unknown = [one for one in wanted if one not in RIGHTS]
        if unknown or not wanted:
            raise DeclarationError(f"scope '{', '.join(unknown)}'", f"some of {', '.join(RIGHTS)}")
        if any(one.name == name for one in self.keys):
            raise DeclarationError(f"a key called '{name}' is there already", "a new name", "revoke that key first")
        number = secrets.token_hex(4)
        token = f"fk_{number}_{secrets.token_urlsafe(32)}"
        key = Key.model_validate(
            {
                "id": number, "name": name, "scopes": wanted, "sha256": digest(token),
                "made_at": f"{clock.now():%Y-%m-%dT%H:%M:%SZ}", "rate_per_minute": rate_per_minute,
            }
        )  # fmt: skip
        return Keys(keys=(*self.keys, key)), token

    def without(self, who: str) -> Keys:
        """Without the key of this id or name.

        Raises:
            DeclarationError: there is none.
        """
        left = tuple(one for one in self.keys if who not in (one.id, one.name))
        if len(left) == len(self.keys):
            raise DeclarationError(f"no key is called '{who}'", "an id or a name that `forecast keys list` shows")
        return Keys(keys=left)

    def write(self, path: Path) -> None:
        """Replaces the file at once, readable by its owner only; a reader meets the old one or the new one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, made = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w") as file:
                json.dump(self.model_dump(mode="json"), file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(made, path)
        except BaseException:
            Path(made).unlink(missing_ok=True)
            raise


class KeyRing:
    """Keys by their id, to be asked once per request."""

    def __init__(self, keys: Keys) -> None:
        self._keys = {key.id: key for key in keys.keys}

    def of(self, token: str) -> Key | None:
        """Whose key this is; None for none of ours. Takes as long for an unknown id as for a wrong secret."""
        read = _TOKEN.fullmatch(token)
        if read is None:
            return None
        key = self._keys.get(read[1])
        same = hmac.compare_digest(digest(token), key.sha256 if key is not None else "0" * 64)
        return key if same else None


def digest(token: str) -> str:
    """What is kept of a key.

    >>> digest("fk_00000000_x")[:8]
    '68acad62'
    """
    return hashlib.sha256(token.encode()).hexdigest()
