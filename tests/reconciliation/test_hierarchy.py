"""Who is a part of whom: how it is told, and what cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from forecast.errors import DeclarationError
from forecast.reconciliation import Hierarchy, read_hierarchy
from forecast.tables import SeriesInfo
from tests.reconciliation.families import CITY


def test_a_tree_of_three_levels() -> None:
    (family,) = CITY.families
    assert family.names == ("city", "north", "south", "hill", "lake", "port", "mill")
    assert family.summing_PM.toarray().tolist() == [[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1]]
    leaves_MK = np.array([[1.0], [2.0], [4.0], [8.0]])
    assert family.whole(leaves_MK)[:, 0].tolist() == [15, 3, 12, 1, 2, 4, 8]
    assert family.constraints_PN @ family.whole(leaves_MK) == pytest.approx(np.zeros((3, 1)))


def test_several_roots_and_leaves_at_different_depths() -> None:
    made = Hierarchy({"a1": "a", "b1": "b", "b2": "b", "b21": "b2"})
    assert [family.names for family in made.families] == [("a", "a1"), ("b", "b2", "b1", "b21")]
    assert made.names == {"a", "a1", "b", "b1", "b2", "b21"}


def test_the_registry_of_series_tells_it() -> None:
    infos = [SeriesInfo(unique_id=name, parent=parent) for name, parent in (("n", "all"), ("s", "all"), ("all", None))]
    infos.append(SeriesInfo(unique_id="alone"))
    assert dict(Hierarchy.of_series(infos).parents) == {"n": "all", "s": "all"}


@pytest.mark.parametrize(
    ("infos", "told"),
    [
        ([("n", "al"), ("all", None)], "series 'n': its parent 'al' is not known; expected one of all, n"),
        ([("n", None)], "no series has a parent"),
    ],
)
def test_a_registry_that_tells_none(infos: list[tuple[str, str | None]], told: str) -> None:
    with pytest.raises(DeclarationError, match=told):
        Hierarchy.of_series([SeriesInfo(unique_id=name, parent=parent) for name, parent in infos])


@pytest.mark.parametrize(
    ("parents", "told"),
    [
        ({"a": "a"}, "a is a part of a"),
        ({"x": "a", "a": "b", "b": "c", "c": "a"}, "a is a part of b is a part of c is a part of a"),
    ],
)
def test_a_circle_is_named(parents: dict[str, str], told: str) -> None:
    with pytest.raises(DeclarationError, match=f"a circle of parents: {told};"):
        Hierarchy(parents)


def test_pairs_and_file_say_the_same(tmp_path: Path) -> None:
    file = tmp_path / "parents.csv"
    file.write_text("child,parent,note\nnorth,all,\nsouth, all,x\nall,,\nalone,,\n")
    assert read_hierarchy(str(file)) == read_hierarchy("north:all, south:all,") == Hierarchy(
        {"north": "all", "south": "all"}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("north", "no file 'north' and no pairs"),
        ("north:all:x", "the pair 'north:all:x' is no child:parent"),
        ("north:", "the pair 'north:' is no child:parent"),
        ("north:a,north:b", "series 'north': two parents, 'a' and 'b'"),
        ("a:b,b:a", "a circle of parents"),
    ],
)
def test_pairs_that_cannot_be_read(text: str, told: str) -> None:
    with pytest.raises(DeclarationError, match=told):
        read_hierarchy(text)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"unique_id,above\nn,all\n", "holds unique_id, above; expected a header child,parent"),
        (b"", "holds no rows"),
        (b"child,parent\nn\xff,all\n", "cannot be read"),
        (b"child,parent\nn,\n", "no series has a parent"),
    ],
)
def test_files_that_cannot_be_read(content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "parents.csv").write_bytes(content)
    with pytest.raises(DeclarationError, match=told):
        read_hierarchy(str(tmp_path / "parents.csv"))
