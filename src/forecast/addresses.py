"""Addresses of databases, as they may be shown."""

from __future__ import annotations

import re

SECRET = re.compile(r"(?i)(pass|pwd|secret|token|key)")
"""Names of parameters that hold a secret."""


def shown(url: str) -> str:
    """A URL without its secrets.

    >>> shown("postgresql+psycopg://me:secret@db/load")
    'postgresql+psycopg://me:***@db/load'
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return re.sub(r"//.*@", "//***@", url)
    if "@" in str(parsed.host or ""):
        # A password with an @ that is not written as %40.
        return re.sub(r"//.*@", "//***@", url)
    query = {name: "***" if SECRET.search(name) else value for name, value in parsed.query.items()}
    return parsed.set(query=query).render_as_string(hide_password=True).replace("%2A%2A%2A", "***")
