"""Settings come from FORECAST_* variables, freeze, and name what does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from forecast.errors import DeclarationError
from forecast.settings import Settings


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_defaults_live_under_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.read()
    assert settings.mlruns == tmp_path / "mlruns"
    assert settings.mlflow_uri == f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    assert settings.artifacts == tmp_path / "mlruns" / "artifacts"
    assert (settings.host, settings.port, settings.max_body_bytes) == ("127.0.0.1", 8000, 20 * 1024 * 1024)
    assert settings.champion == "models:/demand@champion"


def test_variables_change_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORECAST_HOME", str(tmp_path))
    monkeypatch.setenv("FORECAST_MLRUNS", "store")
    monkeypatch.setenv("FORECAST_PORT", "9000")
    monkeypatch.setenv("FORECAST_MODEL", "folder/of/a/model")
    settings = Settings.read()
    assert settings.mlruns == tmp_path / "store"
    assert settings.mlflow_uri == f"sqlite:///{tmp_path}/store/mlflow.db"
    assert (settings.port, settings.champion) == (9000, "folder/of/a/model")


def test_our_uri_precedes_mlflows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    assert Settings.read().mlflow_uri == "http://tracking:5000"
    monkeypatch.setenv("FORECAST_MLFLOW_URI", "http://ours:5000")
    assert Settings.read().mlflow_uri == "http://ours:5000"
    monkeypatch.setenv("FORECAST_MLFLOW_URI", "")
    assert Settings.read().mlflow_uri == "http://tracking:5000"


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings.read().port = 1  # type: ignore[misc]


def test_what_does_not_fit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORECAST_PORT", "many")
    with pytest.raises(DeclarationError, match="FORECAST_PORT"):
        Settings.read()
    monkeypatch.delenv("FORECAST_PORT")
    with pytest.raises(DeclarationError, match="FORECAST_COLOUR"):
        Settings.read(colour="red")


def test_what_is_no_json_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORECAST_SCHEDULE", "{issue: 8}")
    with pytest.raises(DeclarationError, match="FORECAST_SCHEDULE is no JSON"):
        Settings.read()


def test_a_broken_home_is_named_not_crashed_on() -> None:
    with pytest.raises(DeclarationError, match="FORECAST_HOME"):
        Settings.read(home=3)
