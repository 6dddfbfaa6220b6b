"""`python -m flows.NAME`: options that are told, and mistakes that are told before a server starts."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows import terminal
from forecast.cli.mistakes import run

DAILY = ("ingest", "issue", "backfill", "maintain")


@pytest.mark.parametrize("name", DAILY)
def test_help_shows_what_the_flow_takes(name: str) -> None:
    module = import_module(f"flows.{name}")
    shown = CliRunner().invoke(module.app, ["--help"], env={"COLUMNS": "200"}).output
    for option in getattr(module, name).parameters.properties:
        assert f"--{option.replace('_', '-')}" in shown


@pytest.mark.parametrize(
    ("name", "words", "told"),
    [
        ("ingest", ["--sources", "nosuch.toml"], "cannot be read"),
        ("ingest", ["--now", "soon"], "now is 'soon'"),
        ("issue", ["--day", "2024-02-30"], "'2024-02-30' is not a date"),
        ("issue", ["--gate", "noon"], "the gate 'noon' cannot be read"),
        ("issue", ["--now", "2024-05-01T10:00"], "has no zone"),
        ("backfill", ["--first", "yesterday"], "'yesterday' is not a date"),
        ("maintain", ["--now", "2024-05-01"], "has no zone"),
    ],
)
def test_mistake_is_told_before_a_server_starts(
    name: str, words: list[str], told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [name, *words])
    monkeypatch.setattr(terminal, "start_server", lambda _: pytest.fail("a server was started"))
    with pytest.raises(SystemExit) as ended:
        run(import_module(f"flows.{name}").app)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert told in said
    assert "Our fault" not in said
