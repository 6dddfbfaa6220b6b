"""The whole flow on a small table: what it publishes, what it does not do twice, and whom it does not promote."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from pydantic import SecretStr

from flows.kept import Kept
from flows.retrain import Retrained, plan_of, retrain, train_winner, walk_all
from forecast import retraining
from forecast.errors import DataError, RegistryError
from forecast.forecaster import read_spec, verify
from forecast.registry import reader
from forecast.settings import Settings
from forecast.sources import Declaration
from forecast.sources.once import Once
from forecast.store import Store
from forecast.tables import load_demand


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the recipes that are trained from here on, in this process."""
    names: list[str] = []
    really = retraining.steps.fit

    @wraps(really)
    def counted(demand: Any, recipe: Any, task: Any, **more: Any) -> Any:
        names.append(recipe.name)
        return really(demand, recipe, task, **more)

    monkeypatch.setattr(retraining.steps, "fit", counted)
    return names


def test_first_winner_becomes_champion(first: Retrained, settings: Settings) -> None:
    assert first.judgement.against == "seasonal_naive_week"
    assert first.judgement.winner == "ridge"
    assert first.log.promoted, first.judgement.verdict.reasons
    assert set(first.log.children) == {"tiny", "ridge", "seasonal_naive_week"}
    assert reader.versions(settings)[-1].version == first.log.version


def test_artifacts_tell_the_comparison_the_verdict_and_the_links(first: Retrained) -> None:
    with get_client(sync_client=True) as client:
        every = sorted(client.read_artifacts(), key=lambda one: str(one.created))
    # Other tests retrain on the same server.
    ours = next(one.flow_run_id for one in every if one.key == "comparison" and "tiny" in str(one.data))
    found = {artifact.key: artifact for artifact in every if artifact.flow_run_id == ours}
    assert {"comparison", "verdict", "mlflow-retraining", "mlflow-version"} <= set(found)
    rows = json.loads(found["comparison"].data)
    assert [row["model"] for row in rows] == [
        "★ ridge",
        *sorted(set(first.judgement.scores) - {"ridge"}, key=_mae(first)),
    ]
    assert rows[0]["mae"] == pytest.approx(first.judgement.scores["ridge"]["mae"], rel=1e-5)
    text = found["verdict"].data
    assert "is the champion now" in text
    assert first.judgement.verdict.reasons[0] in text
    assert first.log.urls["retraining"] in text


def test_same_data_trains_nothing_and_leaves_the_champion(
    first: Retrained, again: Callable[[], Retrained], trainings: list[str], settings: Settings
) -> None:
    second = again()
    assert trainings == []
    assert not second.log.promoted
    assert second.judgement.against == "champion"
    # The champion learned from every walked day; no challenger is judged on what its opponent has memorised.
    assert "learned from data up to" in second.judgement.verdict.reasons[0]
    assert reader.aliases(settings)["champion"] == first.log.version != second.log.version


@pytest.mark.long
def test_the_same_knowledge_in_a_store_trains_nothing(
    first: Retrained, table: Path, plan: dict[str, Any], trainings: list[str], settings: Settings, postgres_url: str
) -> None:
    """What the flow kept belongs to the digest of the data, and a store that holds the file's rows has the same."""
    with Store.open(postgres_url) as store:
        store.ingest(Once.of(table, Declaration(zone="Europe/Lisbon")))
    done = retrain(f"store:{postgres_url}", plan=plan)
    assert trainings == []
    assert done.judgement.scores == first.judgement.scores


def test_walk_whose_folder_is_gone_is_trained_again(
    first: Retrained, settings: Settings, plan: dict[str, Any], trainings: list[str]
) -> None:
    kept, table = _kept(settings, plan)
    folders = _walks(table, kept)
    assert trainings == []
    shutil.rmtree(folders[1])
    (folders[2] / "fold-000" / "weights.safetensors").write_bytes(b"half")
    assert _walks(table, kept) == folders
    assert trainings == ["ridge", "seasonal_naive_week"]
    assert verify(folders[1] / "fold-000")


def test_kept_walks_belong_to_data_plan_and_recipe(first: Retrained, settings: Settings, plan: dict[str, Any]) -> None:
    kept, table = _kept(settings, plan)
    _, asked = kept.walk(table, "ridge")
    fewer = Kept(kept.work, kept.digest, plan_of(plan | {"recipes": ["ridge"]}))
    assert fewer.walk(table, "ridge")[1]["key"] == asked["key"]
    others = [
        Kept(kept.work, "0" * 64, kept.plan).walk(table, "ridge"),
        Kept(kept.work, kept.digest, plan_of(plan | {"weeks": 3})).walk(table, "ridge"),
        kept.walk(table, "trees"),
    ]
    assert len({asked["key"], *[other["key"] for _, other in others]}) == 4


def test_fresh_trains_what_is_kept(
    first: Retrained, settings: Settings, plan: dict[str, Any], trainings: list[str]
) -> None:
    kept, table = _kept(settings, plan | {"recipes": ["ridge"]})
    _walks(table, Kept(kept.work, kept.digest, kept.plan, fresh=True))
    assert trainings == ["ridge", "seasonal_naive_week"]


@pytest.mark.long
def test_trained_winner_leaves_no_checkpoints(
    first: Retrained, settings: Settings, plan: dict[str, Any], tmp_path: Path
) -> None:
    kept, table = _kept(settings, plan)
    judgement = tmp_path / "judgement.json"
    judgement.write_text(
        json.dumps(first.judgement.model_copy(update={"winner": "tiny"}).model_dump()), encoding="utf-8"
    )
    with_checkpoints: Any = flow(name="winner", validate_parameters=False)(train_winner)
    folder = with_checkpoints(table, judgement, Kept(tmp_path, kept.digest, kept.plan))
    assert verify(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["winner"]


@pytest.mark.long
def test_workers_write_the_same_walks(
    first: Retrained, settings: Settings, plan: dict[str, Any], tmp_path: Path
) -> None:
    kept, table = _kept(settings, plan | {"recipes": ["ridge"]})
    here = _walks(table, kept)
    there = _walks(table, Kept(tmp_path, kept.digest, kept.plan), workers=2)
    for one, other in zip(here, there, strict=True):
        assert one != other
        assert verify(one / "fold-000") == verify(other / "fold-000")


def test_warm_walk_learns_once_and_goes_on(
    first: Retrained, settings: Settings, plan: dict[str, Any], trainings: list[str], tmp_path: Path
) -> None:
    _, table = _kept(settings, plan)
    warm = plan_of({"recipes": ["ridge"], "weeks": 2, "refit": 7, "warm": True})
    folder = retraining.walk_recipe(table, "ridge", warm, tmp_path)
    assert trainings == ["ridge"]
    ends = [read_spec(fold).trained_until for fold in sorted(folder.glob("fold-*"))]
    assert len(ends) == 2
    assert ends[0] < ends[1]


def test_where_chance_may_explain_every_gain_the_lowest_loss_is_tried(
    first: Retrained, settings: Settings, plan: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a champion that is the seasonal naive is challenged by the seasonal naive, for ever."""
    kept, table = _kept(settings, plan)
    folders = _walks(table, kept)
    told = ("ridge has a lower loss but was refused",)
    monkeypatch.setattr(retraining.judgement, "_best", lambda _: ("seasonal_naive_week", told))
    path = retraining.judge(table, folders, kept.plan, settings, tmp_path)
    judged = retraining.read_judgement(path)
    assert judged.winner == "ridge"
    assert told[0] in judged.verdict.reasons


def test_registry_that_does_not_answer_is_no_empty_registry(
    first: Retrained, settings: Settings, plan: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, table = _kept(settings, plan)
    folders = _walks(table, kept)

    def refuse(_: Settings) -> dict[str, str]:
        raise RegistryError("MLflow did not answer")

    monkeypatch.setattr(reader, "aliases", refuse)
    with pytest.raises(RegistryError, match="did not answer"):
        retraining.judge(table, folders, kept.plan, settings, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_password_stays_out_of_prefect(settings: Settings, prefect_server: None) -> None:
    with pytest.raises(DataError, match="dialect") as caught:
        retrain(SecretStr("nosuch://me:hunter2@db/load"), Declaration(), query="SELECT 1")
    assert "hunter2" not in str(caught.value)
    with get_client(sync_client=True) as client:
        told = [run.parameters for run in client.read_flow_runs()]
    assert any(parameters.get("query") == "SELECT 1" for parameters in told)
    assert "hunter2" not in json.dumps(told, default=str)


def test_source_with_several_mistakes_has_all_of_them_told(
    tmp_path: Path, settings: Settings, prefect_server: None
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("ds,y\n2024-01-01 00:00,abc\n2024-01-01 01:00,2\n2024-01-01 00:00,2\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        retrain(str(path), Declaration(zone="UTC"))
    for told in ("not numbers", "twice", "not in time order"):
        assert told in str(caught.value)


def _mae(done: Retrained) -> Callable[[str], float]:
    return lambda name: done.judgement.scores[name]["mae"] or 0.0


def _kept(settings: Settings, plan: dict[str, Any]) -> tuple[Kept, Path]:
    """The work folder of the first retraining."""
    work = settings.mlruns / "work"
    (table,) = work.glob("table-*.parquet")
    digest = load_demand(table).digest
    assert table.name == f"table-{digest[:16]}.parquet"
    return Kept(work, digest, plan_of(plan)), table


def _walks(table: Path, kept: Kept, workers: int = 1) -> list[Path]:
    found: list[Path] = flow(name="walks", validate_parameters=False)(walk_all)(table, kept, workers)
    return found
