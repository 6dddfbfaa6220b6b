"""The flow that promotes: nothing to decide yet, a challenger that wins, and what a person finds in Prefect."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from prefect.client.orchestration import get_client

from flows.promote import promote
from flows.retrain import Retrained
from forecast import clock
from forecast.recipe import Task
from forecast.recipes import named
from forecast.registry import reader
from forecast.registry.decisions import Decision, decisions_of, enact
from forecast.registry.single import register_folder
from forecast.settings import Settings
from forecast.sources import Declaration, read
from forecast.training import fit

ZONE = "Europe/Lisbon"
SOON, LATER = "2024-04-20T00:00Z", "2024-05-18T00:00Z"


@pytest.fixture
def tried(settings: Settings, table: Path, tmp_path: Path, first: Retrained) -> Settings:
    """A model of its own: the naive reigns, a ridge is tried; both learned until April."""
    own = settings.model_copy(update={"model_name": "tried"})
    known = read(str(table), Declaration(zone=ZONE)).as_of(pd.Timestamp("2024-04-05T00:00Z"))
    for name in ("seasonal_naive_week", "ridge"):
        fit(known, named(name), Task(horizon=24, every="1d")).forecaster.save(tmp_path / name)
        number = register_folder(tmp_path / name, own)
        if number == "1":
            enact(Decision(kind="first", outcome="promoted", at="2024-04-05T00:00:00Z", version="1"), own)
    return own


def until(table: Path, moment: str, room: Path) -> str:
    """The file as it lay there at a moment."""
    frame = pd.read_csv(table)
    path = room / f"{moment[:10]}.csv"
    frame[pd.to_datetime(frame["ds"]) < pd.Timestamp(moment)].to_csv(path, index=False)
    return str(path)


def test_the_challenger_wins_when_its_days_have_come(
    tried: Settings, table: Path, tmp_path: Path, prefect_server: None
) -> None:
    def run(moment: str) -> dict[str, object]:
        source = until(table, moment, tmp_path)
        done: dict[str, object] = promote(source, Declaration(zone=ZONE), name="tried", now=moment, work=tmp_path)
        return done

    waiting = run(SOON)
    assert (waiting["outcome"], reader.aliases(tried)) == ("waiting", {"champion": "1", "challenger": "2"})
    assert "the next look is taken with 28" in str(waiting["why"])
    done = run(LATER)
    assert (done["outcome"], done["version"], done["against"]) == ("promoted", "2", "1"), done["why"]
    assert reader.aliases(tried) == {"champion": "2", "previous": "1"}
    kept = decisions_of(reader.versions(tried))[0]
    assert kept.at == f"{pd.Timestamp(LATER):%Y-%m-%dT%H:%M:%SZ}"
    with get_client(sync_client=True) as client:
        found = [(artifact.key, str(artifact.data)) for artifact in client.read_artifacts()]
    assert any(key == "promotion" and kept.sentence in text and kept.reasons[0] in text for key, text in found)
    assert "promotion-figures" in dict(found)
    assert any(key == "mlflow-version" and "#/models/tried/versions/2" in text for key, text in found)
    with clock.using(LATER):
        assert run(LATER)["why"] == "no challenger is being tried"
