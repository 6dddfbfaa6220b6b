"""A table with parents: the winner's walk is scored reconciled, and its next forecast adds up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from prefect.client.orchestration import get_client

from flows import terminal
from flows.retrain import Retrained, retrain
from forecast import retraining
from forecast.cli.app import main
from forecast.errors import DataError, DeclarationError
from forecast.reconciliation import METHODS
from forecast.registry.store import NOTE, open_store
from forecast.retraining import take_parents
from forecast.settings import Settings
from forecast.sources import Declaration
from forecast.sources.once import Once
from forecast.store import Store
from forecast.tables import SeriesInfo

ZONE = "Europe/Lisbon"
PARENTS = {"hill": "north", "lake": "north", "north": "city", "south": "city"}
PAIRS = ",".join(f"{child}:{parent}" for child, parent in PARENTS.items())
PLAN = {"recipes": ["ridge"], "weeks": 2}


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home of its own for these retrainings."""
    home = tmp_path_factory.mktemp("sums")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORECAST_HOME", str(home))
        patch.setenv("FORECAST_MLFLOW_URI", f"sqlite:///{home}/mlruns/mlflow.db")
        yield home


@pytest.fixture(scope="module")
def towns(room: Path) -> Path:
    """Three towns with noise of their own, a half of the city and the city."""
    ds = pd.date_range("2024-01-01", periods=24 * 100, freq="1h", tz="UTC")
    rng, wave = np.random.default_rng(2), np.sin((ds.hour.to_numpy() - 8) / 24 * 2 * np.pi)
    shared = np.repeat(rng.normal(0, 0.05, 100).cumsum(), 24)
    sizes = {"hill": 20, "lake": 60, "south": 100}
    wide = pd.DataFrame(
        {name: size * (2 + 0.3 * wave + shared + rng.normal(0, 0.05, len(ds))) for name, size in sizes.items()},
        index=ds,
    )
    wide["north"] = wide["hill"] + wide["lake"]
    wide["city"] = wide["north"] + wide["south"]
    path = room / "towns.csv"
    wide.rename_axis("ds").melt(ignore_index=False, var_name="unique_id", value_name="y").to_csv(path)
    return path


@pytest.fixture(scope="module")
def done(towns: Path, prefect_server: None) -> Retrained:
    made: Retrained = retrain(str(towns), Declaration(zone=ZONE), plan=PLAN, parents=PAIRS)
    return made


@pytest.fixture
def work(room: Path, done: Retrained) -> Path:
    return room / "mlruns" / "work"


def test_every_way_is_scored_beside_the_forecasts_as_they_were(done: Retrained) -> None:
    assert done.sums is not None
    assert list(done.sums.scores) == ["as forecast", *METHODS]
    base, mint, up = (done.sums.scores[way] for way in ("as forecast", "mint", "bottom-up"))
    assert up["mae_leaves"] == base["mae_leaves"]
    assert up["mae_parents"] != base["mae_parents"]
    for kind in ("parents", "leaves"):
        assert 0 < (mint[f"pinball_{kind}"] or 0) < (mint[f"mae_{kind}"] or 0)
    assert (mint["ci_low"] or 0) <= (mint["gain_percent"] or 0) <= (mint["ci_high"] or 0)
    assert done.sums.sentence.startswith("ridge reconciled by mint: pinball loss ")
    # As forecast is as judged: the mean over all series is the walk's own score.
    mean = (2 * (base["mae_parents"] or 0) + 3 * (base["mae_leaves"] or 0)) / 5
    assert mean == pytest.approx(done.judgement.scores["ridge"]["mae"])


def test_the_figures_stand_in_prefect_and_in_mlflow(done: Retrained) -> None:
    assert done.sums is not None
    with get_client(sync_client=True) as client:
        found = {artifact.key: artifact for artifact in client.read_artifacts()}
    rows = json.loads(found["reconciled"].data)
    assert [row["forecasts"] for row in rows] == list(done.sums.scores)
    assert rows[0]["mae_parents"] == pytest.approx(done.sums.scores["as forecast"]["mae_parents"], rel=1e-5)
    assert done.sums.sentence in found["reconciled"].description
    client_ = open_store(Settings.read()).client
    run = client_.get_run(done.log.run_id)
    files = {file.path for file in client_.list_artifacts(done.log.run_id, "tables")}
    assert {
        "tables/reconciled.json", "tables/reconciled by series.json", "tables/next forecast reconciled.parquet"
    } <= files  # fmt: skip
    mint = done.sums.scores["mint"]["mae_parents"]
    assert run.data.metrics["reconciled/mae_parents"] == pytest.approx(mint, rel=1e-5)
    assert done.sums.sentence in run.data.tags[NOTE]
    assert run.data.tags[NOTE].index("**Children that sum") > 50
    assert f"| mint | {mint:.4g} |" in run.data.tags[NOTE]


def test_the_next_forecast_is_that_of_the_command_line(
    done: Retrained, work: Path, towns: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place,), (model,) = work.glob("judged/*"), work.glob("winners/*/winner")
    said = pd.read_parquet(place / "next-forecast.parquet")
    wide = said.pivot(index="ds", columns="unique_id", values="q0.9")
    np.testing.assert_allclose(wide["city"], wide["hill"] + wide["lake"] + wide["south"])
    out = tmp_path / "sums.parquet"
    words = [
        "predict", str(towns), "--zone", ZONE, "--model", str(model), "--parents", PAIRS, "--errors",
        str(place / "walk.parquet"), "--out", str(out),
    ]  # fmt: skip
    monkeypatch.setattr("sys.argv", ["forecast", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None)
    pd.testing.assert_frame_equal(pd.read_parquet(out)[said.columns], said)


@pytest.mark.long
def test_a_store_tells_the_parents_itself(done: Retrained, towns: Path, room: Path) -> None:
    url = f"sqlite:///{room}/towns.db"
    with Store.open(url) as store:
        store.ingest(Once.of(towns, Declaration(zone=ZONE)))
    assert _retrained(url).sums is None
    with Store.open(url) as store:
        store.describe(*(SeriesInfo(unique_id=child, parent=parent) for child, parent in PARENTS.items()))
    again = _retrained(url, reconcile="mint")
    assert again.sums is not None
    assert done.sums is not None
    assert again.sums.scores == {way: done.sums.scores[way] for way in ("as forecast", "mint")}


def test_a_table_without_parents_has_no_sums(first: Retrained) -> None:
    assert first.sums is None


def test_half_a_family_of_the_store_is_left_out_and_said(done: Retrained, work: Path, room: Path) -> None:
    (table,) = work.glob("table-*.parquet")
    url = f"sqlite:///{room}/more.db"
    with Store.open(url) as store:
        names = [*PARENTS, "city", "port", "quay", "mill", "dam"]
        store.describe(*(SeriesInfo(unique_id=name, step="1h") for name in names))
        more = {"hill": "north", "lake": "north", "quay": "port", "south": "mill", "dam": "mill"}
        store.describe(*(SeriesInfo(unique_id=child, parent=parent) for child, parent in more.items()))
    parents, told = take_parents(table, f"store:{url}", None)
    assert parents == {"hill": "north", "lake": "north"}
    assert told == ("the family of 'mill' is not whole in this table: nothing is made to add up",)
    with pytest.raises(DataError, match="the table has no dam, mill"):
        take_parents(table, f"store:{url}", "store")
    with pytest.raises(DataError, match="parents of a, b"):
        take_parents(table, "towns.csv", "a:b")
    with pytest.raises(DeclarationError, match="no file"):
        take_parents(table, "towns.csv", "nosuch.csv")


def test_the_terminal_shows_them(done: Retrained, capsys: pytest.CaptureFixture[str]) -> None:
    assert done.sums is not None
    terminal.show_sums(done.sums, done.unit)
    shown = capsys.readouterr().out
    for word in ("as forecast", "bottom-up", "mint", "MAE parents", "pinball leaves", done.sums.sentence):
        assert word in shown


def _retrained(url: str, **more: str) -> Retrained:
    """On the same knowledge, so that nothing is trained again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retraining.steps, "fit", lambda *_, **__: pytest.fail("it was trained again"))
        made: Retrained = retrain(f"store:{url}", plan=PLAN, **more)
    return made
