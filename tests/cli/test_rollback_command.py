"""`forecast decisions` and `forecast rollback` on a terminal."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

from forecast import promotion
from forecast.cli.app import app
from forecast.cli.console import console
from forecast.errors import RegistryError
from forecast.registry import reader
from forecast.registry.decisions import Decision
from forecast.registry.versions import ModelVersion

WON = Decision(
    kind="promotion", outcome="promoted", at="2024-05-01T10:00:00Z", by="the flow promote", version="2", recipe="ridge",
    against="1", reasons=("On 45 common origins …", "a gain"), figures={"gain_percent": 4.2, "days": 45.0},
)  # fmt: skip
BACK = Decision(
    kind="rollback", outcome="rolled back", at="2024-05-09T08:00:00Z", by="anna", version="1", against="2",
    reasons=("wrong at weekends",),
)  # fmt: skip


@dataclass
class Asked:
    """What the library was asked."""

    by: str = ""
    why: str = ""


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two versions whose tags hold two decisions; the rollback stands with both."""
    tags = {"1": [BACK], "2": [WON, BACK]}
    versions = [
        ModelVersion("demand", number, None, "", (), {one.tag: one.model_dump_json() for one in held})
        for number, held in tags.items()
    ]
    monkeypatch.setattr(reader, "versions", lambda _: versions)


def test_decisions_are_listed_newest_first(registry: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "_width", 160)
    done = CliRunner().invoke(app, ["decisions"])
    assert done.exit_code == 0, done.output
    assert done.output.index("rolled back") < done.output.index("promoted")
    assert "anna" in done.output
    assert "wrong at weekends" in done.output
    assert "+4.2" in done.output


def test_decisions_as_json_are_the_records(registry: None) -> None:
    done = CliRunner().invoke(app, ["decisions", "--json"])
    assert [Decision.model_validate(one) for one in json.loads(done.output)] == [BACK, WON]


def test_a_rollback_passes_on_who_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked()

    def back(_: object, *, by: str, why: str) -> tuple[Decision, dict[str, str]]:
        asked.by, asked.why = by, why
        return BACK, {"decision": "http://127.0.0.1:5000/#/x"}

    monkeypatch.setattr(promotion, "rollback", back)
    done = CliRunner().invoke(app, ["rollback", "--why", "wrong at weekends", "--by", "anna"])
    assert (asked.by, asked.why) == ("anna", "wrong at weekends")
    assert "Version 1 is champion again; version 2 gave way." in done.output
    assert "MLflow, decision: http://127.0.0.1:5000/#/x" in done.output


def test_nothing_to_go_back_to_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "versions", lambda _: [])
    done = CliRunner().invoke(app, ["rollback", "--why", "no"])
    assert isinstance(done.exception, RegistryError)
    assert "no previous version to go back to" in str(done.exception)
    assert CliRunner().invoke(app, ["rollback"]).exit_code == 2
