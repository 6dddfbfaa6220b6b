"""All zones of the installed tzdata, and one of each kind: zones with the same history since 2000 are told once."""

from __future__ import annotations

import struct
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from zoneinfo import TZPATH, available_timezones

SINCE = 915_148_800  # 1999-01-01T00:00Z
LAST_YEAR = 2035

Rules = tuple[tuple[tuple[int, int], ...], int, bytes]


@lru_cache(maxsize=1)
def all_zones() -> list[str]:
    """The names of all zones."""
    return sorted(available_timezones())


@lru_cache(maxsize=1)
def distinct_zones() -> dict[str, list[str]]:
    """One zone of every kind, and all that share its changes from 2000 on."""
    kinds: dict[Rules, list[str]] = {}
    for name in all_zones():
        kinds.setdefault(rules(name), []).append(name)
    return {names[0]: names for names in kinds.values()}


@lru_cache(maxsize=1024)
def rules(name: str) -> Rules:
    """What a zone's file says: its changes since 1999 (Unix seconds, offset after), the offset before, later rules.

    Source: RFC 8536, version 2 and later. Read here byte by byte, so that it is a second opinion on `calendars`.
    """
    raw = _file(name)
    *_, leaps, times, types, letters = counts = struct.unpack(">6l", raw[20:44])
    at = 44 + times * 5 + types * 6 + letters + leaps * 8 + counts[0] + counts[1]  # past the block of 32 bits
    *_, leaps, times, types, letters = counts = struct.unpack(">6l", raw[at + 20 : at + 44])
    at += 44
    moments = struct.unpack(f">{times}q", raw[at : at + times * 8])
    kinds = raw[at + times * 8 : at + times * 9]
    at += times * 9
    offsets = [struct.unpack(">l", raw[at + kind * 6 : at + kind * 6 + 4])[0] for kind in range(types)]
    footer = raw[at + types * 6 + letters + leaps * 12 + counts[0] + counts[1] :]
    told = [(moment, offsets[kind]) for moment, kind in zip(moments, kinds, strict=True)]
    before = [offset for moment, offset in told if moment < SINCE]
    last, changed = before[-1] if before else offsets[0], []
    first = last
    for moment, offset in told:
        if moment >= SINCE and offset != last:
            changed.append((moment, offset))
            last = offset
    return tuple(changed), first, footer


def _file(name: str) -> bytes:
    for root in TZPATH:
        path = Path(root) / name
        if path.is_file():
            return path.read_bytes()
    return files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
