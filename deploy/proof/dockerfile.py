"""What a Dockerfile says, as much of it as this project's one uses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

_LINE = re.compile(r"([A-Z]+)\s+(.*)", re.DOTALL)


@dataclass
class Stage:
    """One `FROM`.

    Attributes:
        name: after AS.
        parent: another stage, or an image.
        steps: instructions in their order, as ("RUN", "pip install ...").
    """

    name: str
    parent: str
    steps: list[tuple[str, str]] = field(default_factory=list)


def stages(path: Path) -> dict[str, Stage]:
    """The stages of a Dockerfile by name, in their order.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "Dockerfile"
    >>> _ = file.write_text("FROM debian AS one\\nRUN a \\\\\\n  && b\\nFROM one AS two\\n")
    >>> {name: (stage.parent, stage.steps) for name, stage in stages(file).items()}
    {'one': ('debian', [('RUN', 'a && b')]), 'two': ('one', [])}
    """
    found: dict[str, Stage] = {}
    for word, rest in _instructions(path.read_text()):
        if word == "FROM":
            parent, _, name = rest.partition(" AS ")
            found[name] = Stage(name, parent)
        elif found:
            list(found.values())[-1].steps.append((word, rest))
    return found


def chain(found: dict[str, Stage], name: str) -> list[tuple[str, str]]:
    """The instructions of a stage, those of its parents first."""
    stage = found[name]
    before = chain(found, stage.parent) if stage.parent in found else []
    return before + stage.steps


def _instructions(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    matches = [_LINE.fullmatch(line) for line in joined.splitlines()]
    assert all(matches), "a line that is no instruction"
    return [(match[1], match[2].strip()) for match in matches if match]
