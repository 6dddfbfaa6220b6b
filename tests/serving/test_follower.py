"""The registry's aliases, followed: what is promoted, what is refused, what is served when the registry is gone."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from forecast import clock
from forecast.errors import ModelFolderError, RegistryError
from forecast.forecaster import Forecaster
from forecast.recipe import Recipe, RidgeModel, Task
from forecast.registry.runs import running
from forecast.registry.writer import log_forecaster, open_store, register
from forecast.settings import Settings
from forecast.tables import Demand
from forecast.training import fit
from serving import create_app
from serving.follower import Follower
from serving.loader import MOST_ERRORS, PROBATION, Champion, Served
from serving.models import ReloadAnswer
from serving.problems import Problem
from serving.remembered import Remembered
from serving.status import StatusAnswer
from serving.telemetry import Telemetry
from tests.serving.conftest import TRAINED_UNTIL, Registered, wavy

ASKED = {
    "series": [
        {
            "unique_id": "town",
            "history": {"start": "2014-06-01T00:00Z", "step": "1h", "y": [10 + hour % 24 / 7 for hour in range(240)]},
        }
    ],
    "store": False,
}


def following(settings: Settings) -> tuple[Follower, Champion]:
    """A follower after its first look, as a service has it."""
    champion = Champion()
    follower = Follower(settings, champion, Telemetry())
    follower.start()
    return follower, champion


def version(served: Served | None) -> str | None:
    return served.ref.version if served is not None else None


def roles(champion: Champion) -> dict[str, str | None]:
    return {role: version(one) for role, one in champion.roles}


def add(registered: Registered, forecaster: Forecaster) -> Registered:
    """One more version, with files that no other test reads."""
    store = open_store(registered.settings)
    with running(store, "one more", {}) as run:
        number = register(log_forecaster(run, forecaster, None), registered.settings)
    return replace(registered, numbers=(*registered.numbers, number))


def files_of(registered: Registered, place: int) -> Path:
    """The forecaster's folder of a version in the artifact store."""
    client = open_store(registered.settings).client
    uri = client.get_model_version_download_uri(registered.settings.model_name, registered.numbers[place])
    return Path(uri.removeprefix("file://")) / "artifacts" / "forecaster"


@pytest.fixture(scope="module")
def broken() -> Forecaster:
    """A forecaster whose every weight is none."""
    frame = wavy({"town": 1.0, "port": 3.0})[["unique_id", "ds", "y"]]
    known = Demand.from_frame(frame, zone="Australia/Melbourne").as_of(TRAINED_UNTIL)
    whole = fit(known, Recipe(name="broken", model=RidgeModel()), Task(horizon=24)).forecaster
    arrays = {
        name: np.full_like(values, np.nan) if values.dtype.kind == "f" else values
        for name, values in whole.model.arrays().items()
    }
    return Forecaster(whole.spec, whole.model.restore(whole.spec.model, arrays), whole.ranks_DH)


# ---- promoted ----------------------------------------------------------------------------------------------------


def test_what_the_alias_points_to_is_served(registered: Registered) -> None:
    registered.point("champion", 0)
    follower, champion = following(registered.settings)
    first = champion.now()
    assert (first.ref.name, first.ref.version, first.ref.alias) == (registered.settings.model_name, "1", "champion")
    assert first.ref.folder.is_relative_to(registered.settings.cache)
    follower.look()
    assert champion.now() is first, "nothing moved"
    registered.point("champion", 1)
    follower.look()
    assert roles(champion) == {"champion": "2", "previous": "1", "challenger": None}
    assert champion.previous() is first
    last = champion.status()["last_swap"]
    assert (last["outcome"], last["from"][-9:], last["to"][-9:]) == ("swapped", "version 1", "version 2")


def test_the_other_aliases_are_loaded_beside_it(registered: Registered) -> None:
    registered.point("champion", 0)
    registered.point("previous", 1)
    registered.point("challenger", 2)
    follower, champion = following(registered.settings)
    assert roles(champion) == {"champion": "1", "previous": None, "challenger": None}, "first things first"
    follower.look()
    assert roles(champion) == {"champion": "1", "previous": "2", "challenger": "3"}
    challenger = champion.challenger()
    assert challenger is not None
    registered.point("champion", 2)
    follower.look()
    assert roles(champion) == {"champion": "3", "previous": "1", "challenger": None}
    assert champion.now().forecaster is challenger.forecaster, "it is not read twice"
    registered.point("challenger", None)
    follower.look()
    assert follower.error is None


def test_a_version_that_nobody_works_with_is_let_go(registered: Registered) -> None:
    registered.point("champion", 0)
    follower, champion = following(registered.settings)
    first = weakref.ref(champion.now().forecaster)
    with champion.now().used():
        for place in (1, 2):
            registered.point("champion", place)
            follower.look()
        assert first() is not None
        assert follower.status()["draining"] == 1
        assert roles(champion) == {"champion": "3", "previous": "2", "challenger": None}
    assert first() is None
    assert follower.status()["draining"] == 0


@pytest.mark.parametrize("model", ["models:/{name}/1", "{folder}"])
def test_a_number_and_a_folder_do_not_move(registered: Registered, three: tuple[Path, ...], model: str) -> None:
    registered.point("champion", 1)
    uri = model.format(name=registered.settings.model_name, folder=three[0])
    follower, champion = following(registered.settings.model_copy(update={"model": uri}))
    assert champion.now().forecaster.spec.name == "noise-0"
    follower.look()
    assert champion.now().forecaster.spec.name == "noise-0"
    assert (follower.status()["follows"], follower.status()["every_s"]) == (None, 0)


def test_a_folder_is_read_anew_on_a_reload(registered: Registered, three: tuple[Path, ...], tmp_path: Path) -> None:
    folder = shutil.copytree(three[0], tmp_path / "model")
    with TestClient(create_app(registered.settings.model_copy(update={"model": str(folder)}))) as one:
        assert one.post("/v1/models/reload").json()["changed"] == []
        shutil.rmtree(folder)
        shutil.copytree(three[1], folder)
        assert one.post("/v1/models/reload").json()["changed"] == ["champion", "previous"]
        assert one.get("/readyz").json()["model"]["name"] == "noise-1"


# ---- refused -----------------------------------------------------------------------------------------------------


def test_a_corrupt_version_is_not_promoted(registered: Registered, three: tuple[Path, ...]) -> None:
    registered = add(registered, Forecaster.load(three[1]))
    whole = (files_of(registered, 3) / "weights.safetensors").read_bytes()
    (files_of(registered, 3) / "weights.safetensors").write_bytes(whole[:-1])
    registered.point("champion", 0)
    follower, champion = following(registered.settings)
    registered.point("champion", 3)
    follower.look()
    assert version(champion.now()) == "1"
    assert isinstance(follower.error, ModelFolderError)
    (refused,) = follower.status()["refused"]
    assert (refused["alias"], refused["version"]) == ("champion", "4")
    assert "not as it was written" in refused["why"]
    # Within the next minutes it is not even fetched.
    (files_of(registered, 3) / "weights.safetensors").write_bytes(whole)
    follower.look()
    assert version(champion.now()) == "1"
    with clock.using(clock.now() + pd.Timedelta(minutes=11)):
        follower.look()
    assert (version(champion.now()), follower.error, follower.status()["refused"]) == ("4", None, [])


def test_a_version_that_answers_nothing_is_not_promoted(registered: Registered, broken: Forecaster) -> None:
    registered = add(registered, broken)
    registered.point("champion", 0)
    follower, champion = following(registered.settings)
    registered.point("champion", 3)
    follower.look()
    assert version(champion.now()) == "1"
    assert "answers none of its examples" in str(follower.error)
    registered.point("challenger", 3)
    registered.point("champion", 1)
    follower.look()
    assert roles(champion) == {"champion": "2", "previous": "1", "challenger": None}
    assert follower.error is None, "a challenger that is none troubles nobody"
    assert [one["alias"] for one in follower.status()["refused"]] == ["challenger"]


def test_a_reload_says_what_it_changed(registered: Registered, broken: Forecaster) -> None:
    registered = add(registered, broken)
    registered.point("champion", 0)
    settings = registered.settings.model_copy(update={"follow_s": 0})
    with TestClient(create_app(settings)) as one:
        assert one.post("/v1/models/reload").json()["changed"] == []
        registered.point("champion", 1)
        said = ReloadAnswer.model_validate(one.post("/v1/models/reload").json())
        assert said.changed == ["champion", "previous"]
        assert said.champion is not None
        assert said.champion.version == "2"
        registered.point("champion", 3)
        answer = one.post("/v1/models/reload")
        problem = Problem.model_validate(answer.json())
        assert (answer.status_code, problem.type) == (409, "/problems/not-promoted")
        assert "answers none of its examples" in problem.detail
        assert one.get("/readyz").json()["model"]["version"] == "2"
        registered.point("champion", None)
        answer = one.post("/v1/models/reload")
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/registry")
        assert one.get("/v1/models").json()["champion"]["version"] == "2", "it goes on"


# ---- gone back from ----------------------------------------------------------------------------------------------


@pytest.fixture
def erring(registered: Registered) -> tuple[Registered, Follower, Champion]:
    """A second version that was promoted and erred."""
    registered.point("champion", 0)
    follower, champion = following(registered.settings)
    registered.point("champion", 1)
    follower.look()
    served = champion.now()
    for count in range(MOST_ERRORS):
        assert version(champion.now()) == "2", f"after {count} errors"
        champion.failed(served, "numbers that are not finite")
    return registered, follower, champion


def test_a_version_that_errs_gives_way_to_the_previous_one(erring: tuple[Registered, Follower, Champion]) -> None:
    registered, follower, champion = erring
    assert roles(champion) == {"champion": "1", "previous": None, "challenger": None}
    assert champion.status()["last_swap"]["outcome"] == "returned"
    follower.look()
    assert version(champion.now()) == "1", "the alias still points to the one that errs"
    (refused,) = follower.status()["refused"]
    assert (refused["version"], refused["again_at"]) == ("2", None)
    assert "not finite" in refused["why"]
    registered.point("champion", 2)
    follower.look()
    assert version(champion.now()) == "3"
    registered.point("champion", 1)
    follower.look()
    assert version(champion.now()) == "2", "the alias was elsewhere in between"


def test_an_administrator_may_try_again(erring: tuple[Registered, Follower, Champion]) -> None:
    _, follower, champion = erring
    follower.look(again=True)
    assert roles(champion) == {"champion": "2", "previous": "1", "challenger": None}


def test_a_start_does_not_forget_who_erred(erring: tuple[Registered, Follower, Champion]) -> None:
    registered, follower, _ = erring
    follower.look()
    again, champion = following(registered.settings)
    assert version(champion.now()) == "1"
    assert "not finite" in again.status()["standing_in"]


def test_a_version_that_was_sound_for_long_is_kept(registered: Registered) -> None:
    registered.point("champion", 0)
    follower, champion = following(registered.settings)
    registered.point("champion", 1)
    follower.look()
    with clock.using(clock.now() + PROBATION + pd.Timedelta(seconds=1)):
        for _ in range(2 * MOST_ERRORS):
            champion.failed(champion.now(), "a bad day")
    assert version(champion.now()) == "2"
    assert champion.status()["champion"]["errors"] == 2 * MOST_ERRORS


def test_questions_that_nobody_can_answer_bring_nobody_back(registered: Registered) -> None:
    registered.point("champion", 0)
    follower, champion = following(registered.settings)
    registered.point("champion", 1)
    follower.look()
    for _ in range(2 * MOST_ERRORS):
        champion.failed(champion.now(), "error")
        previous = champion.previous()
        assert previous is not None
        champion.failed(previous, "error")
    assert version(champion.now()) == "2"


def test_callers_do_not_notice_that_a_version_errs(registered: Registered, monkeypatch: pytest.MonkeyPatch) -> None:
    registered.point("champion", 0)
    replies, bad = Forecaster.replies, set[int]()

    def replied(self: Forecaster, *given: Any) -> Any:
        if id(self) in bad:
            raise ZeroDivisionError("deep inside")
        return replies(self, *given)

    monkeypatch.setattr(Forecaster, "replies", replied)
    app = create_app(registered.settings)
    with TestClient(app) as one:
        registered.point("champion", 1)
        wait_until(lambda: one.get("/v1/status"), lambda told: told.json()["champion"]["version"] == "2")
        bad.add(id(app.state.champion.now().forecaster))
        said = [one.post("/v1/forecasts", json=ASKED).json() for _ in range(MOST_ERRORS + 2)]
        assert [(answer["model"]["version"], answer["forecasts"][0]["rung"]) for answer in said] == [
            *[("1", "previous")] * MOST_ERRORS, *[("1", "champion")] * 2,
        ]  # fmt: skip
        told = StatusAnswer.model_validate(one.get("/v1/status").json())
        assert told.last_swap is not None
        assert (told.last_swap.outcome, told.champion and told.champion.version) == ("returned", "1")
        assert "ZeroDivisionError" in told.follower.refused[0].why
        assert told.fallbacks["previous"] == {"error": MOST_ERRORS}
        assert 'forecast_swaps_total{outcome="returned"} 1.0' in one.get("/metrics").text


# ---- without the registry ----------------------------------------------------------------------------------------


@pytest.fixture
def own(registered: Registered, tmp_path: Path) -> Registered:
    """A registry whose file this test may move away."""
    database = shutil.copy(registered.database, tmp_path / "own.db")
    return replace(registered, settings=registered.settings.model_copy(update={"mlflow_uri": f"sqlite:///{database}"}))


def away(registered: Registered) -> None:
    registered.database.rename(registered.database.with_suffix(".away"))


def back(registered: Registered) -> None:
    registered.database.with_suffix(".away").rename(registered.database)


def unreadable(registered: Registered) -> None:
    away(registered)
    registered.database.write_bytes(b"no database at all " * 200)


@pytest.mark.parametrize("lose", [away, unreadable])
def test_what_is_served_stays_while_the_registry_is_gone(own: Registered, lose: Callable[[Registered], None]) -> None:
    own.point("champion", 0)
    follower, champion = following(own.settings)
    lose(own)
    follower.look()
    assert version(champion.now()) == "1"
    assert isinstance(follower.error, RegistryError)
    assert str(own.database) in follower.status()["last_error"]
    back(own)
    own.point("champion", 1)
    follower.look()
    assert (version(champion.now()), follower.status()["last_error"]) == ("2", None)


def test_a_start_without_the_registry_takes_what_was_served_last(own: Registered) -> None:
    own.point("champion", 1)
    following(own.settings)
    away(own)
    with TestClient(create_app(own.settings)) as one:
        assert one.get("/readyz").json()["model"]["version"] == "2"
        told = StatusAnswer.model_validate(one.get("/v1/status").json())
        assert told.follower.standing_in is not None
        assert "no registry at" in told.follower.standing_in
        back(own)
        assert one.post("/v1/models/reload").json()["follower"]["standing_in"] is None


def test_a_start_with_a_corrupt_champion_takes_the_previous(registered: Registered, three: tuple[Path, ...]) -> None:
    registered = add(registered, Forecaster.load(three[2]))
    (files_of(registered, 3) / "forecaster.json").write_text("{}")
    registered.point("champion", 3)
    registered.point("previous", 1)
    follower, champion = following(registered.settings)
    assert version(champion.now()) == "2"
    assert "not as it was written" in follower.status()["standing_in"]


def test_a_cached_copy_that_was_changed_does_not_stand_in(own: Registered) -> None:
    own.point("champion", 1)
    _, champion = following(own.settings)
    (champion.now().ref.folder / "weights.safetensors").write_bytes(b"changed")
    away(own)
    _, champion = following(own.settings)
    assert not champion.loaded


def test_what_was_remembered_may_be_unreadable(registered: Registered) -> None:
    registered.point("champion", 0)
    following(registered.settings)
    (place,) = registered.settings.cache.glob("serving-*.json")
    for content in ("", "[]", '{"served": [{"name": 1}], "refused": {}}', "\x00"):
        place.write_text(content)
        assert Remembered.read(registered.settings.cache, registered.settings.champion) == Remembered()
    _, champion = following(registered.settings)
    assert version(champion.now()) == "1"


def test_a_service_without_a_champion_becomes_ready_by_itself(registered: Registered) -> None:
    with TestClient(create_app(registered.settings)) as one:
        answer = one.get("/readyz")
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/no-model")
        told = StatusAnswer.model_validate(one.get("/v1/status").json())
        assert told.champion is None
        assert "has no alias 'champion'" in str(told.follower.last_error)
        registered.point("champion", 2)
        ready = wait_until(lambda: one.get("/readyz"), lambda answer: answer.status_code == 200)
        assert ready.json()["model"]["version"] == "3"


def wait_until(ask: Callable[[], Any], is_so: Callable[[Any], bool], patience_s: float = 30) -> Any:
    """What is answered once it is so."""
    import time

    until = time.monotonic() + patience_s
    while not is_so(said := ask()):
        assert time.monotonic() < until, said
        time.sleep(0.02)
    return said
