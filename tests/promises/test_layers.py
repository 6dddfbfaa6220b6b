"""The house keeps its shape: every room has a floor, one clock, short files, light start-up."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (ROOT / "src" / "forecast", ROOT / "serving", ROOT / "flows")
CATCH_ALL_NAMES = {"utils", "common", "helpers", "base", "manager"}
WALL_CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today")}
WALL_CLOCKS |= {("Timestamp", "now"), ("Timestamp", "utcnow"), ("Timestamp", "today"), ("time", "time")}
# Heavy packages that a start-up waits for; torch alone takes a second, mlflow and prefect several.
HEAVY = ("torch", "mlflow", "prefect", "sklearn", "matplotlib")


def sources() -> Iterator[Path]:
    for room in ROOMS:
        yield from sorted(room.rglob("*.py"))


def floors() -> set[str]:
    """The rooms that the layers contract of pyproject.toml names."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["id"] == "floors")
    return {name.strip(" ()") for layer in layers for name in layer.split(":")}


def test_every_room_stands_on_a_floor() -> None:
    folder = ROOT / "src" / "forecast"
    rooms = {p.stem for p in folder.glob("*.py")} | {p.parent.name for p in folder.glob("*/__init__.py")}
    homeless = {f"forecast.{room}" for room in rooms - {"__init__", "__main__"}} - floors()
    assert not homeless, f"name a floor for {sorted(homeless)} in [tool.importlinter] of pyproject.toml"


def test_every_package_folder_is_a_package() -> None:
    loose = {path.parent for path in sources() if not (path.parent / "__init__.py").exists()}
    assert not loose, f"these folders hold modules and lack an __init__.py: {sorted(map(str, loose))}"


def test_no_catch_all_rooms() -> None:
    names = {path for path in sources() if CATCH_ALL_NAMES & set(path.relative_to(ROOT).with_suffix("").parts)}
    assert not names, f"a file is named by its noun: {sorted(map(str, names))}"


def test_files_stay_short() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources()}
    assert lengths, "no sources were found"
    long = {name: length for name, length in lengths.items() if length > 300}
    assert not long, f"split by noun into a package with the same public names: {long}"


def wall_clock_reads(source: str) -> list[str]:
    """Calls that read the machine's clock; durations (perf_counter, monotonic) are no clock."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = node.func.value
        name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
        if (name, node.func.attr) in WALL_CLOCKS:
            found.append(f"line {node.lineno}: {ast.unparse(node.func)}")
    return found


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("import pandas as pd\nx = pd.Timestamp.now('UTC')", 1),
        ("from datetime import datetime, date\ndatetime.now(); date.today()", 2),
        ("import datetime\ndatetime.datetime.utcnow()", 1),
        ("import time\ntime.time(); time.perf_counter(); time.monotonic()", 1),
        ("from forecast import clock\nclock.now()", 0),
    ],
)
def test_the_search_for_wall_clocks_finds_them(source: str, count: int) -> None:
    assert len(wall_clock_reads(source)) == count


def test_only_the_clock_reads_the_time() -> None:
    reads = {
        str(path.relative_to(ROOT)): found
        for path in sources()
        if path.name != "clock.py" and (found := wall_clock_reads(path.read_text()))
    }
    assert not reads, f"take the time from forecast.clock.now(): {reads}"


def loaded_by(modules: str) -> set[str]:
    """Which heavy packages a fresh process holds after importing the modules."""
    program = f"import sys, {modules}\nprint(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_search_for_heavy_imports_finds_them() -> None:
    assert "torch" in loaded_by("torch")


def test_tables_and_windows_load_no_network() -> None:
    assert loaded_by("forecast.tables, forecast.windows, forecast.features") == set()


def test_help_is_quick_to_come() -> None:
    assert loaded_by("forecast.cli") == set()


def test_the_service_starts_light() -> None:
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "serving").glob("*.py")]
    names = sorted(name.removesuffix(".__init__") for name in modules if not name.endswith("__main__"))
    assert loaded_by(", ".join(names)) & {"torch", "mlflow", "prefect"} == set()
