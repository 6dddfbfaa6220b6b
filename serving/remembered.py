"""What was served last, kept beside the cached folders: a service that starts while the registry is down takes it."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import pandas as pd

from forecast.registry.reader import ModelRef, Pointer
from serving.swaps import Refused, Roles

log = logging.getLogger("serving")


@dataclass(frozen=True)
class Remembered:
    """The versions of one service.

    Attributes:
        served: best first.
        refused: by alias, the versions that are not to be served.
    """

    served: tuple[ModelRef, ...] = ()
    refused: Mapping[str, Refused] = field(default_factory=dict)

    @classmethod
    def read(cls, cache: Path, uri: str) -> Self:
        """What was written for the model of this name; nothing where that cannot be read."""
        try:
            told = json.loads(_place(cache, uri).read_text())
            served = tuple(_ref(one, cache) for one in told["served"])
            return cls(served, {alias: _refused(one) for alias, one in told["refused"].items()})
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("what was served last cannot be read (%s)", error)
            return cls()


def remember(cache: Path, uri: str, roles: Roles, refused: Mapping[str, Refused]) -> None:
    """Writes down what is served, in one step; a disk that refuses costs a line in the log."""
    served = [one.ref for one in (roles.champion, roles.previous) if one is not None]
    content = {
        "served": [_plain(ref, cache) for ref in served if ref.folder.is_relative_to(cache)],
        "refused": {alias: one.told(alias) for alias, one in refused.items()},
    }
    room = ""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        handle, room = tempfile.mkstemp(prefix=".serving-", dir=cache)
        with os.fdopen(handle, "w") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        Path(room).replace(_place(cache, uri))
    except OSError as error:
        log.warning("what is served cannot be written down (%s)", error)
        if room:
            Path(room).unlink(missing_ok=True)


def _place(cache: Path, uri: str) -> Path:
    return cache / f"serving-{quote(uri, safe='')}.json"


def _plain(ref: ModelRef, cache: Path) -> dict[str, Any]:
    return {
        "name": ref.name, "version": ref.version, "run_id": ref.run_id, "alias": ref.alias,
        "folder": str(ref.folder.relative_to(cache)), "digest": ref.digest,
    }  # fmt: skip


def _ref(plain: Mapping[str, Any], cache: Path) -> ModelRef:
    return ModelRef(**{**plain, "folder": cache / plain["folder"]})


def _refused(plain: Mapping[str, Any]) -> Refused:
    again = plain["again_at"]
    return Refused(
        Pointer(plain["version"], plain["digest"]), plain["why"], pd.Timestamp(plain["since"]),
        pd.Timestamp(again) if again else None,
    )  # fmt: skip
