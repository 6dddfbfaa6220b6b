"""A challenger judged on days that came after both trainings: from data and from the ledger, look after look."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast import clock
from forecast.errors import RegistryError
from forecast.promotion import carry_out, contenders, judge, next_look, read_judged
from forecast.recipe import Task
from forecast.recipes import named
from forecast.registry import reader
from forecast.registry.decisions import Decision, decisions_of, enact
from forecast.registry.store import open_store
from forecast.registry.writer import LoggedForecaster, example_inputs, log_forecaster, register, retraining
from forecast.settings import Settings
from forecast.sources import Declaration
from forecast.sources.once import Once
from forecast.store import Issued, Store
from forecast.tables import Demand, save_demand
from forecast.training import Fitted, fit

ZONE, LEARNED = "Europe/Lisbon", "2024-04-05T00:00Z"
EARLY, ENOUGH, LATE = "2024-04-15T00:00Z", "2024-05-05T00:00Z", "2024-05-20T00:00Z"
Cut = Callable[[str], Path]


@pytest.fixture(scope="module")
def longer() -> Demand:
    """140 days whose level drifts, so that last week is a poor forecast."""
    ds = pd.date_range("2024-01-01", periods=24 * 140, freq="1h", tz="UTC")
    hour, random = np.arange(len(ds)), np.random.default_rng(5)
    drift = np.repeat(100 * np.sin(np.arange(140) / 3) + random.normal(0, 10, 140).cumsum() / 3, 24)
    y = 1000 + 200 * np.sin(2 * np.pi * hour / 24) - 90 * (ds.weekday >= 5) + drift + random.normal(0, 12, len(ds))
    return Demand.from_frame(
        pd.DataFrame({"unique_id": "lisbon", "ds": ds, "y": y.round(2)}), zone=ZONE, source="l.csv"
    )


@pytest.fixture(scope="module")
def pair(longer: Demand) -> dict[str, Fitted]:
    """The naive and a ridge, that learned until April."""
    known, task = longer.as_of(pd.Timestamp(LEARNED)), Task(horizon=24, every="1d")
    return {name: fit(known, named(name), task) for name in ("seasonal_naive_week", "ridge")}


@pytest.fixture(scope="module")
def table(longer: Demand, tmp_path_factory: pytest.TempPathFactory) -> Cut:
    """The stored table as it is taken at a moment."""
    room, frame = tmp_path_factory.mktemp("promotion"), longer.to_frame()

    def cut(moment: str) -> Path:
        path = room / f"{moment[:10]}.parquet"
        known = frame[frame["ds"] < pd.Timestamp(moment)]
        save_demand(Demand.from_frame(known, zone=ZONE, source="l.csv"), path)
        return path

    return cut


@pytest.fixture(scope="module")
def logged(store_home: Path, longer: Demand, pair: dict[str, Fitted]) -> dict[str, LoggedForecaster]:
    """Both in the shared store, logged once."""
    uri = f"sqlite:///{store_home}/mlruns/mlflow.db"
    settings = Settings.read(home=store_home, mlflow_uri=uri, experiment="logged once", model_name="logged once")
    known = longer.as_of(pd.Timestamp(LEARNED))
    with retraining(settings, name="both", demand=known, task=Task(horizon=24, every="1d")) as run:
        return {
            name: log_forecaster(run, one.forecaster, example_inputs(known, one.forecaster.spec))
            for name, one in pair.items()
        }


def against(settings: Settings, champion: LoggedForecaster, challenger: LoggedForecaster) -> Settings:
    """Version 1 reigns, version 2 is tried."""
    first = register(champion, settings)
    enact(Decision(kind="first", outcome="promoted", at="2024-04-05T00:00:00Z", version=first), settings)
    client = open_store(settings).client
    client.set_registered_model_alias(settings.model_name, "challenger", register(challenger, settings))
    return settings


@pytest.fixture
def tried(settings: Settings, logged: dict[str, LoggedForecaster]) -> Settings:
    """The naive reigns, the ridge is the challenger."""
    return against(settings, logged["seasonal_naive_week"], logged["ridge"])


def at(moment: str, settings: Settings, table: Cut | None, work: Path) -> tuple[Path, Decision | None, str]:
    with clock.using(moment):
        path = judge(settings, work / moment[:10], table=table(moment) if table else None, by="a test")
    judged = read_judged(path)
    return path, judged.decision, judged.why


def test_who_is_better_on_fresh_days_is_promoted(tried: Settings, table: Cut, tmp_path: Path) -> None:
    _, nothing, why = at(EARLY, tried, table, tmp_path)
    assert nothing is None
    assert "fresh days, and the next look is taken with 28" in why
    path, decision, _ = at(LATE, tried, table, tmp_path)
    assert reader.aliases(tried) == {"champion": "1", "challenger": "2"}
    assert decision is not None
    assert (decision.outcome, decision.look, decision.evidence, decision.by) == (
        "promoted", 1, "data", "a test",
    ), decision.reasons  # fmt: skip
    both = contenders(tried)
    assert both is not None
    rows = pd.read_parquet(path.parent / "fresh.parquet")
    assert rows["cutoff"].min() >= both.trained_until
    assert set(rows["model"]) == {one.name for one in both.both}
    assert decision.first_day is not None
    assert decision.first_day >= f"{both.trained_until:%Y-%m-%d}"
    assert decision.figures["significance"] == 0.05
    with clock.using(LATE):
        done = carry_out(path, tried)
    assert reader.aliases(tried) == {"champion": "2", "previous": "1"}
    assert decisions_of(reader.versions(tried))[0] == done.decision == decision
    store = open_store(tried, "promotion")
    (run,) = store.client.search_runs([store.experiment])
    assert run.info.run_name.startswith("v2 ridge against v1 · promoted · ")
    assert run.data.metrics["gain_percent"] == pytest.approx(decision.figures["gain_percent"])
    files = {file.path for file in store.client.list_artifacts(run.info.run_id, "tables")}
    assert files == {"tables/comparison.json", "tables/fresh days.parquet"}
    _, nothing, why = at(LATE, tried, table, tmp_path)
    assert (nothing, why) == (None, "no challenger is being tried")


def test_a_worse_challenger_is_refused_and_loses_the_alias(
    settings: Settings, logged: dict[str, LoggedForecaster], table: Cut, tmp_path: Path
) -> None:
    against(settings, logged["ridge"], logged["seasonal_naive_week"])
    path, decision, _ = at(LATE, settings, table, tmp_path)
    assert decision is not None
    assert decision.outcome == "refused", decision.reasons
    assert "it loses more than the champion, beyond chance" in decision.reasons[-1]
    carry_out(path, settings)
    assert reader.aliases(settings) == {"champion": "1"}


def test_the_next_look_needs_half_as_many_days_more(tried: Settings, table: Cut, tmp_path: Path) -> None:
    seen = Decision(
        kind="promotion", outcome="undecided", at="2024-04-23T00:00:00Z", version="2", against="1", look=1,
        figures={"days": 28.0},
    )  # fmt: skip
    assert [next_look([], 28), next_look([seen], 28)] == [28, 42]
    enact(seen, tried)
    _, nothing, why = at(ENOUGH, tried, table, tmp_path)
    assert nothing is None
    assert "the next look is taken with 42" in why
    _, decision, _ = at(LATE, tried, table, tmp_path)
    assert decision is not None
    assert (decision.look, decision.figures["significance"]) == (2, pytest.approx(0.1 / 6))


def issued(demand: Demand, pair: dict[str, Fitted]) -> list[Issued]:
    """What both versions would have said at the midnights of six weeks."""
    days = pd.date_range("2024-04-07", periods=42, tz=ZONE)
    told = []
    for rung, version, name in (("champion", "1", "seasonal_naive_week"), ("challenger", "2", "ridge")):
        for day in days:
            said = pair[name].forecaster.predict(demand, [day.tz_convert("UTC")])
            told.append(Issued(f"{rung}-{day:%Y%m%d}", said, day, version, None, rung, None, f"{day:%Y-%m-%d}"))
    return told


def test_what_the_ledger_holds_of_both_decides_alike(
    tried: Settings, longer: Demand, table: Cut, pair: dict[str, Fitted], tmp_path: Path
) -> None:
    frame = longer.to_frame()
    frame.to_parquet(tmp_path / "lisbon.parquet")
    settings = tried.model_copy(update={"store": f"sqlite:///{tmp_path}/store.db"})
    with Store.open(settings=settings) as store:
        store.ingest(Once.of(tmp_path / "lisbon.parquet", Declaration(zone=ZONE)))
        store.record_all(issued(longer, pair))
        # Said afterwards, or by another version: no proof of anything.
        late = pair["ridge"].forecaster.predict(longer, [pd.Timestamp("2024-04-08T23:00Z")])
        store.record(
            late, id="late", model_version="2",
            rung="challenger", issued_at=pd.Timestamp("2024-04-12T00:00Z"),
        )  # fmt: skip
    path, decision, why = at(LATE, settings, None, tmp_path)
    assert decision is not None, why
    assert (decision.outcome, decision.evidence, decision.figures["days"]) == ("promoted", "ledger", 42.0)
    again, _, _ = at(LATE, settings, table, tmp_path / "again")
    ledger, data = (pd.read_parquet(one.parent / "fresh.parquet") for one in (path, again))
    keys = ["model", "cutoff", "ds"]
    both = ledger.merge(data, on=keys, suffixes=("", "_data"))
    assert len(both) == len(ledger) == 2 * 42 * 24
    np.testing.assert_allclose(both["q0.5"], both["q0.5_data"], rtol=1e-4)


def test_nobody_to_judge(settings: Settings, logged: dict[str, LoggedForecaster], table: Cut, tmp_path: Path) -> None:
    register(logged["ridge"], settings)
    with pytest.raises(RegistryError, match="has no champion"):
        judge(settings, tmp_path, table=table(LATE))
    enact(Decision(kind="first", outcome="promoted", at="2024-04-05T00:00:00Z", version="1"), settings)
    assert contenders(settings) is None
    for wrong in ("1", "7"):
        with pytest.raises(RegistryError):
            contenders(settings, wrong)
