"""Decisions: kept as tag and artifact; the only thing that moves `champion`; cooldown and going back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from forecast import clock
from forecast.comparison import Verdict
from forecast.errors import RegistryError
from forecast.promotion import rollback
from forecast.registry import reader
from forecast.registry.decisions import Decision, decisions_of, enact, now, resting
from forecast.registry.store import open_store
from forecast.registry.writer import LoggedForecaster, promote, register
from forecast.settings import Settings

LOST = Verdict(challenger="a", champion="b", promote=False, reasons=("refused: the gain may be chance",))
WON = Verdict(challenger="a", champion="b", promote=True, reasons=("a gain of 4 %",), gain_percent=4.0, p_value=0.01)
FIRST, SOON, LATER = "2024-05-01T10:00:00Z", "2024-05-04T10:00:00Z", "2024-05-08T10:00:00Z"


@pytest.fixture
def resting_settings(settings: Settings) -> Settings:
    """A week must lie between two promotions."""
    return settings.model_copy(update={"promotion_cooldown_days": 7.0})


def three(ridge: LoggedForecaster, settings: Settings) -> list[str]:
    return [register(ridge, settings, scores={"skill_vs_naive": 0.5}) for _ in range(3)]


def test_a_decision_is_a_tag_and_an_artifact(settings: Settings, ridge: LoggedForecaster) -> None:
    number = register(ridge, settings, scores={"skill_vs_naive": 0.5})
    with clock.using(FIRST):
        assert promote(number, None, settings, first=True)
    (kept,) = decisions_of(reader.versions(settings))
    assert (kept.kind, kept.outcome, kept.at, kept.version, kept.against) == ("first", "promoted", FIRST, number, None)
    client = open_store(settings).client
    run = client.get_model_version(settings.model_name, number).run_id
    path = client.download_artifacts(run, "decisions/2024-05-01T100000Z.json")
    assert Decision.model_validate_json(Path(path).read_text()) == kept
    assert "**Verdict: promoted** (2024-05-01, retraining)" in reader.versions(settings)[0].description


def test_no_second_champion_within_the_cooldown(resting_settings: Settings, ridge: LoggedForecaster) -> None:
    one, two, three_ = three(ridge, resting_settings)
    with clock.using(FIRST):
        promote(one, None, resting_settings, first=True)
        # The first champion is no change of champion.
        assert promote(two, WON, resting_settings)
    with clock.using(SOON):
        assert not promote(three_, WON, resting_settings)
        assert reader.aliases(resting_settings) == {"champion": two, "previous": one, "challenger": three_}
        newest = decisions_of(reader.versions(resting_settings))[0]
        assert (newest.outcome, newest.figures["gain_percent"]) == ("undecided", 4.0)
        assert "judge again from 2024-05-08 10:00Z on" in newest.reasons[-1]
    with clock.using(LATER):
        assert promote(three_, WON, resting_settings)
    assert reader.aliases(resting_settings) == {"champion": three_, "previous": two}


def test_a_rollback_says_who_when_and_why(resting_settings: Settings, ridge: LoggedForecaster) -> None:
    settings = resting_settings
    one, two, three_ = three(ridge, settings)
    with clock.using(FIRST):
        promote(one, None, settings, first=True)
        promote(two, WON, settings)
    with clock.using(LATER):
        promote(three_, WON, settings)
    with clock.using("2024-05-09T08:00:00Z"):
        kept, urls = rollback(settings, by="anna", why="wrong at weekends")
        assert resting([kept], settings)
    assert reader.aliases(settings) == {"champion": two, "previous": one}
    assert (kept.version, kept.against, kept.by, kept.at) == (two, three_, "anna", "2024-05-09T08:00:00Z")
    assert decisions_of(reader.versions(settings))[0] == kept
    told = {one.version: one.tags for one in reader.versions(settings)}
    assert kept.tag in told[two]
    assert kept.tag in told[three_]
    cards = {one.version: one.description for one in reader.versions(settings)}
    assert "**Verdict: rolled back** (2024-05-09, anna)" in cards[two]
    assert "**Verdict: gave way** (2024-05-09, anna)" in cards[three_]
    store = open_store(settings, "promotion")
    (run,) = store.client.search_runs([store.experiment])
    assert run.info.run_name == f"v{two} ridge against v{three_} · rolled back"
    assert "wrong at weekends" in run.data.tags["mlflow.note.content"]
    assert run.info.run_id in urls["decision"]
    with clock.using("2024-05-10T08:00:00Z"):
        assert not promote(three_, WON, settings)
        rollback(settings, by="anna", why="and further back")
        assert reader.aliases(settings) == {"champion": one, "challenger": three_}
        with pytest.raises(RegistryError, match="no previous version to go back to"):
            rollback(settings, by="anna", why="once more")


def test_a_rollback_wants_a_reason(settings: Settings) -> None:
    with pytest.raises(RegistryError, match="without a reason"):
        rollback(settings, by="anna", why=" ")


def test_a_decision_on_another_champion_moves_nothing(settings: Settings, ridge: LoggedForecaster) -> None:
    one, two, three_ = three(ridge, settings)
    promote(one, None, settings, first=True)
    promote(two, WON, settings)
    late = Decision(kind="promotion", outcome="promoted", at=now(), version=three_, against=one)
    with pytest.raises(RegistryError, match=f"version {two} is champion, and the decision is on version {one}"):
        enact(late, settings)
    assert reader.aliases(settings) == {"champion": two, "previous": one}


def test_a_lost_trial_takes_the_alias_away(settings: Settings, ridge: LoggedForecaster) -> None:
    one, two, _ = three(ridge, settings)
    promote(one, None, settings, first=True)
    waits = Decision(kind="promotion", outcome="undecided", at=FIRST, version=two, against=one)
    enact(waits, settings)
    assert reader.aliases(settings) == {"champion": one, "challenger": two}
    enact(waits.model_copy(update={"outcome": "refused", "at": LATER}), settings)
    assert reader.aliases(settings) == {"champion": one}
    enact(waits.model_copy(update={"outcome": "refused", "at": LATER}), settings)
    assert len(decisions_of(reader.versions(settings))) == 3


def test_who_is_on_trial_stays_challenger_beside_a_newer_version(settings: Settings, ridge: LoggedForecaster) -> None:
    one, two, three_ = three(ridge, settings)
    promote(one, None, settings, first=True)
    promote(two, LOST, settings)
    promote(three_, LOST, settings)
    assert reader.aliases(settings) == {"champion": one, "challenger": two}
    newest = next(each for each in decisions_of(reader.versions(settings)) if each.version == three_)
    assert newest.reasons[-1] == f"Version {two} is on trial and stays challenger."
    with clock.using(LATER):
        promote(three_, LOST, settings, by="breach 2024-05-08-level")
    assert reader.aliases(settings) == {"champion": one, "challenger": three_}


def test_a_trial_against_an_earlier_champion_holds_no_place(settings: Settings, ridge: LoggedForecaster) -> None:
    one, two, three_ = three(ridge, settings)
    promote(one, None, settings, first=True)
    promote(two, LOST, settings)
    promote(three_, WON, settings)
    four = register(ridge, settings)
    promote(four, LOST, settings)
    assert reader.aliases(settings) == {"champion": three_, "previous": one, "challenger": four}


def test_a_version_of_before_has_no_decisions(settings: Settings, ridge: LoggedForecaster) -> None:
    number = register(ridge, settings, tags={"verdict": "promoted", "decision.2024": json.dumps({"odd": 1})})
    assert decisions_of(reader.versions(settings)) == []
    assert reader.versions(settings)[0].version == number
