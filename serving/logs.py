"""How the log is written: JSON lines for machines, plain lines for a terminal; secrets are taken out of both."""

from __future__ import annotations

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Literal

import orjson

Form = Literal["json", "text"]
_SECRETS = (
    (re.compile(r"(?<=://)[^/@\s]*:[^@\s]*@"), "***@"),
    (re.compile(r"fk_([0-9a-f]{8})_[A-Za-z0-9_-]+"), r"fk_\1_***"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), r"\1 ***"),
    (re.compile(r"(?i)((?:password|passwd|pwd|secret|token|api[_-]?key|authorization)['\"]?\s*[=:]\s*['\"]?)[^\s'\",&]+"),
     r"\1***"),
)  # fmt: skip
TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def without_secrets(text: str) -> str:
    """A text with passwords, keys and tokens blotted out.

    >>> without_secrets("postgresql://me:word@db/load with fk_0011aabb_sEcReT, password=word")
    'postgresql://***@db/load with fk_0011aabb_***, password=***'
    """
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


class TextLines(logging.Formatter):
    """Lines for people."""

    def __init__(self) -> None:
        super().__init__(TEXT)

    def format(self, record: logging.LogRecord) -> str:
        """One record, and its traceback where it has one."""
        return without_secrets(super().format(record))


class JsonLines(logging.Formatter):
    """One JSON object a line: `at` (UTC), `level`, `logger`, `message`, then the record's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One record; a traceback becomes the field `error`."""
        message = record.getMessage()
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC), "level": record.levelname.lower(),
            "logger": record.name, "message": message if hasattr(record, "clean") else without_secrets(message),
        }  # fmt: skip
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["error"] = without_secrets(self.formatException(record.exc_info))
        return orjson.dumps(line, default=str, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS).decode()


def configure(form: Form | None) -> None:
    """Sends the log of this process to its error stream.

    Args:
        form: None is text on a terminal and JSON elsewhere.
    """
    chosen = form or ("text" if sys.stderr.isatty() else "json")
    # No line names threads or processes; to look them up for each costs.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if chosen == "json" else TextLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
