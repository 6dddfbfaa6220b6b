"""`python -m flows.retrain`: without a server, with the command line's data options, and mistakes as sentences."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows import terminal
from flows.retrain import app, command
from forecast.cli.mistakes import run
from forecast.cli.options import DataOptions
from forecast.retraining import RetrainingPlan


def _run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A process of its own, in another folder, with no server named."""
    paths = [str(Path(__file__).parents[2]), *filter(None, sys.path)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "FORECAST_HOME": str(folder)}
    env.pop("PREFECT_API_URL", None)
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=env, capture_output=True, text=True, timeout=300
    )  # fmt: skip


def test_mistake_in_the_data_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("ds,y\n2024-01-01 00:00,1\n2024-01-01 01:00,abc\n2024-01-01 02:00,2\n", encoding="utf-8")
    done = _run("-m", "flows.retrain", str(path), "--zone", "UTC", "--recipe", "ridge", folder=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("DataError: ")
    assert "line 3" in done.stderr
    assert done.stderr.count("\n") == 1


def test_import_brings_no_torch(tmp_path: Path) -> None:
    done = _run("-c", "import sys, flows.retrain; sys.exit('torch' in sys.modules)", folder=tmp_path)
    assert done.returncode == 0, done.stderr


def test_help_shows_every_data_option() -> None:
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    for name in DataOptions.__annotations__:
        assert name == "data" or f"--{name.replace('_', '-')}" in shown


@pytest.mark.parametrize(
    "words",
    [
        ["--recipe", "nosuch"],
        ["--horizon", "0"],
        ["--refit", "daily"],
        ["--register", "a/b"],
        ["--until", "now?"],
        ["--reconcile", "mint"],
        ["--parents", "nosuch.csv"],
        ["--parents", "a:b", "--reconcile", "magic"],
    ],
)
def test_mistake_is_told_before_a_server_starts(
    words: list[str], table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["retrain", str(table), *words])
    monkeypatch.setattr(terminal, "start_server", lambda _: pytest.fail("a server was started"))
    with pytest.raises(SystemExit) as ended:
        run(app)
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "Error: " in told
    assert "Our fault" not in told


def test_defaults_are_the_plan_s() -> None:
    plan, options = RetrainingPlan(), inspect.signature(command).parameters
    assert tuple(options["recipe"].default.split(",")) == plan.recipes
    for name in ("weeks", "every", "gate", "horizon", "refit", "warm", "until", "train_every"):
        assert options[name].default == getattr(plan, name)
