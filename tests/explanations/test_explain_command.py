"""`forecast explain` as a user meets it: a table that adds up, pictures, JSON, and sentences for mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import typer

from forecast.cli.explain import explain
from forecast.cli.mistakes import run as ends
from forecast.forecaster import Forecaster
from forecast.tables import Demand
from tests.console import at_console
from tests.explanations.toys import CUTOFF

Command = Callable[..., tuple[int, str, str]]
COLUMNS = ("--known", "temperature,holiday", "--past", "humidity", "--static", "customers")


@pytest.fixture
def files(tmp_path: Path, fitted: dict[str, Forecaster], north: Demand) -> Path:
    frame = north.to_frame()
    frame.assign(ds=frame["ds"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")).to_csv(tmp_path / "north.csv", index=False)
    for name in ("looking", "ridge"):
        fitted[name].save(tmp_path / name)
    return tmp_path


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], files: Path) -> Command:
    """Runs the command as the console script does; exit code, stdout, stderr."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command("explain")(explain)
    return partial(at_console(monkeypatch, capsys, files, partial(ends, app), columns=160), "explain")


def test_a_table_that_adds_up_and_three_pictures(command: Command, files: Path) -> None:
    code, told, error = command("looking", "north.csv", *COLUMNS, "--cutoff", CUTOFF.isoformat(), "--out", "why")
    assert code == 0, error
    rows = [line.split() for line in told.splitlines() if " 03-15 " in line or " 03-16 " in line]
    numbers = np.array([[float(cell.replace(",", "")) for cell in row[4:]] for row in rows if len(row) == 9])
    assert len(numbers) == 24
    np.testing.assert_allclose(numbers[:, :4].sum(1), numbers[:, 4], atol=0.25)
    assert "the final state of the encoder (lstm); 54 days looked at" in told
    assert "attention: most of all on" in told
    names = ["attention.png", "explanation.png", "similar-days.png"]
    assert sorted(path.name for path in (files / "why").iterdir()) == names
    assert all((files / "why" / name).read_bytes().startswith(b"\x89PNG") for name in names)


def test_json_is_the_librarys_answer_and_nothing_else(
    command: Command, files: Path, fitted: dict[str, Forecaster], north: Demand
) -> None:
    from forecast.explanations import explain as explained

    code, told, error = command(
        "ridge", "north.csv", *COLUMNS, "--cutoff", CUTOFF.isoformat(), "--json", "--horizon", 6
    )
    assert code == 0, error
    expected = explained(fitted["ridge"], north, CUTOFF, horizon=6).as_dict()
    assert json.loads(told)["attribution"]["references"] == expected["attribution"]["references"]
    np.testing.assert_allclose(json.loads(told)["forecast"], expected["forecast"], rtol=1e-5)
    assert not (files / "explanation").exists()


def test_weather_that_is_not_given_gets_no_credit(command: Command) -> None:
    code, told, error = command("ridge", "north.csv", *COLUMNS, "--horizon", 6, "--out", "why")
    assert code == 0, error
    lines = told.splitlines()
    (head,) = [number for number, line in enumerate(lines) if "inertia" in line]
    assert [lines[head - back].split() for back in (3, 2, 1)] == [["calendar"], ["(partly", "weather"], ["not", "(not"]]
    assert "weather (not given): what leaving its columns empty does to the forecast" in told
    assert "did not learn to do without" in told


@pytest.mark.parametrize(
    ("words", "sentences"),
    [
        (("north.csv", "ridge"), ("MODEL is north.csv, a file", "Swap the two: forecast explain ridge north.csv")),
        (("nowhere", "north.csv"), ("MODEL is nowhere, and there is no such folder", "Name the model first")),
        (("nowhere.csv", "ridge"), ("MODEL is nowhere.csv", "Swap the two: forecast explain ridge nowhere.csv")),
    ],
)
def test_swapped_words_are_told_apart(words: tuple[str, str], sentences: tuple[str, ...], command: Command) -> None:
    code, _, error = command(*words, *COLUMNS)
    assert code == 2
    assert all(one in error for one in sentences), error
    assert "--model" not in error


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--unique-id", "west"), "no series 'west'"),
        (("--cutoff", "2024-01-21T00:00Z"), "no past day of 24 steps is known"),
        (("--out", "north.csv"), "--out north.csv is a file"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: tuple[str, ...], sentence: str, command: Command) -> None:
    code, _, error = command("ridge", "north.csv", *COLUMNS, *arguments)
    assert code == 2
    assert sentence in error
