"""How a person writes a hierarchy: child:parent pairs in a line, or a CSV of the columns child and parent."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from forecast.errors import DeclarationError
from forecast.reconciliation.hierarchy import Hierarchy

FORM = 'pairs such as "north:all,south:all", or a CSV file with the columns child,parent'


def read_hierarchy(text: str) -> Hierarchy:
    """The hierarchy of a text of pairs, or of the CSV file that the text names.

    Rows of the file without a parent are roots or series without a family.

    Raises:
        DeclarationError: neither pairs nor a readable file, a child with two parents, or a circle of parents.

    >>> dict(read_hierarchy("north:all, south:all").parents)
    {'north': 'all', 'south': 'all'}
    """
    file = Path(text)
    if file.is_file():
        return Hierarchy(_one_parent_each(_rows(file)))
    if ":" not in text:
        raise DeclarationError(f"no file '{text}' and no pairs", FORM)
    return Hierarchy(_one_parent_each(_pair(part) for part in text.split(",") if part.strip()))


def _pair(text: str) -> tuple[str, str]:
    parts = [part.strip() for part in text.split(":")]
    if len(parts) != 2 or not all(parts):
        raise DeclarationError(
            f"the pair '{text.strip()}' is no child:parent", FORM, "names with a colon need the file"
        )
    return parts[0], parts[1]


def _rows(file: Path) -> list[tuple[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            table = list(csv.DictReader(lines, skipinitialspace=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DeclarationError(f"{file} cannot be read ({error})", FORM) from error
    if not table or not {"child", "parent"} <= table[0].keys():
        found = ", ".join(map(str, table[0])) if table else "no rows"
        raise DeclarationError(f"{file} holds {found}", "a header child,parent and a row per child")
    told = [((row["child"] or "").strip(), (row["parent"] or "").strip()) for row in table]
    return [(child, parent) for child, parent in told if child and parent]


def _one_parent_each(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    parents: dict[str, str] = {}
    for child, parent in pairs:
        if parents.setdefault(child, parent) != parent:
            raise DeclarationError(
                f"two parents, '{parents[child]}' and '{parent}'", "one parent for each child", series=child
            )
    return parents
