"""The built wheel works in an empty environment outside the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKED = ("pyproject.toml", "README.md", "LICENSE", "NOTICE", "src", "flows", "serving", "tests", "mlruns")


def run(command: list[str], folder: Path) -> str:
    """Output of a command that runs in `folder` and sees neither the checkout nor the user's Python settings."""
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "FORECAST_", "MLFLOW_TRACKING"))
    }
    done = subprocess.run(command, cwd=folder, env=plain, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: setuptools leaves a build/ folder whose stale files would be packed."""
    copy, out = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("dist")
    for name in PACKED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "*.db"))
        else:
            shutil.copy(source, copy / name)
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(copy)], copy)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def empty_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of a fresh environment that holds the wheel and borrows the dependencies of the one that tests."""
    home = tmp_path_factory.mktemp("empty") / "venv"
    run([sys.executable, "-m", "venv", str(home)], home.parent)
    python = home / "bin" / "python"
    run([str(python), "-m", "pip", "install", "-q", "--no-deps", "--no-index", str(wheel)], home.parent)
    site = Path(run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], home).strip())
    # A line in a .pth adds the folder behind the environment's own and, unlike site.addsitedir, runs none of
    # that folder's .pth files: the editable install of the checkout stays out.
    (site / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return python


def test_the_wheel_holds_the_product_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"forecast", "flows", "serving", f"demand_forecast-{wheel.name.split('-')[1]}.dist-info"}
    for folder, root in [("forecast", ROOT / "src"), ("flows", ROOT), ("serving", ROOT)]:
        sources = {path.relative_to(root).as_posix() for path in (root / folder).rglob("*.py")}
        assert sources <= set(names), f"the wheel lacks {sorted(sources - set(names))}"
    assert "forecast/py.typed" in names
    assert any(name.endswith("licenses/NOTICE") for name in names)


def test_the_packages_come_from_the_wheel(empty_python: Path, tmp_path: Path) -> None:
    program = "import forecast, flows, serving; print(forecast.__file__, flows.__file__, serving.__file__)"
    for file in run([str(empty_python), "-c", program], tmp_path).split():
        assert Path(file).is_relative_to(empty_python.parents[1])


@pytest.mark.parametrize(
    "arguments",
    [["forecast", "--help"], ["forecast", "demo", "--help"], ["forecast", "serve", "--help"]],
    ids=" ".join,
)
def test_the_console_script_answers(empty_python: Path, tmp_path: Path, arguments: list[str]) -> None:
    said = run([str(empty_python.parent / arguments[0]), *arguments[1:]], tmp_path)
    assert "Usage: forecast" in said
    assert list(tmp_path.iterdir()) == []


def test_the_flow_answers(empty_python: Path, tmp_path: Path) -> None:
    assert "usage" in run([str(empty_python), "-m", "flows.retrain", "--help"], tmp_path).lower()


def test_the_demo_goes_the_whole_way_outside_the_checkout(empty_python: Path, tmp_path: Path) -> None:
    said = run([str(empty_python.parent / "forecast"), "demo", "--recipe", "ridge", "--weeks", "2"], tmp_path)
    assert "answered 48 half-hours" in said
    assert "no weather" in said
    assert (tmp_path / "demo.png").stat().st_size > 10_000
    assert (tmp_path / "mlruns" / "mlflow.db").exists()


@pytest.mark.long
def test_the_flow_retrains_outside_the_checkout(empty_python: Path, tmp_path: Path) -> None:
    # The whole sample is what the demo beside this takes.
    hours = np.arange(90 * 24)
    stamps = pd.date_range("2024-01-01", periods=len(hours), freq="1h", tz="UTC")
    y = 100 + 20 * np.sin(hours * np.pi / 12) + np.random.default_rng(0).normal(0, 2, len(hours))
    pd.DataFrame({"ds": stamps, "y": y}).to_csv(tmp_path / "demand.csv", index=False)
    words = ["demand.csv", "--unit", "MW", "--recipe", "ridge", "--weeks", "1", "--register", "town"]
    said = run([str(empty_python), "-m", "flows.retrain", *words], tmp_path)
    assert "seasonal_naive_week" in said
    assert (tmp_path / "mlruns" / "mlflow.db").exists()
