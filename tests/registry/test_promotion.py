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
from forecast.registry import reader
from forecast.registry.decisions import Decision, decisions_of, enact
from forecast.registry.store import open_store
from forecast.registry.writer import LoggedForecaster, example_inputs, log_forecaster, register, retraining
from forecast.settings import Settings
from forecast.sources import Declaration
from forecast.sources.once import Once
from forecast.store import Issued, Store
from forecast.tables import Columns, Demand, Forecast, save_demand
from forecast.training import Fitted

ZONE = "Australia/Melbourne"


@pytest.fixture(scope="session")
def longer(demand: Demand) -> Demand:
    """The demand that all models learned from, and sixty days more."""
    ds = pd.date_range("2014-01-01", periods=24 * 120, freq="1h", tz="UTC")
    hour = np.arange(len(ds))
    noise = np.random.default_rng(3).normal(0, 30, len(ds))
    warmth = 20 + 8 * np.sin(2 * np.pi * (hour - 3) / 24)
    y = 4800 + 700 * np.sin(2 * np.pi * hour / 24) + 20 * warmth + noise
    frame = pd.DataFrame({"unique_id": "victoria", "ds": ds, "y": y, "temperature": warmth})
    return Demand.from_frame(frame, columns=Columns(known=("temperature",)), zone=ZONE, source="data/victoria.csv")


@pytest.fixture(scope="session")
def table(longer: Demand, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("promotion") / "table.parquet"
    save_demand(longer, path)
    return path


@pytest.fixture(scope="session")
def naive(store_home: Path, demand: Demand, fitted: dict[str, Fitted], ridge: LoggedForecaster) -> LoggedForecaster:
    """The naive in the store of the ridge, logged once."""
    uri = f"sqlite:///{store_home}/mlruns/mlflow.db"
    settings = Settings.read(home=store_home, mlflow_uri=uri, experiment="logged once", model_name="logged once")
    forecaster = fitted["seasonal_naive_week"].forecaster
    with retraining(settings, name="naive", demand=demand, task=forecaster.spec.task) as run, run.child("naive") as one:
        return log_forecaster(one, forecaster, example_inputs(demand, forecaster.spec))


@pytest.fixture
def tried(settings: Settings, naive: LoggedForecaster, ridge: LoggedForecaster) -> Settings:
    """The naive reigns, the ridge is the challenger."""
    enact(
        Decision(kind="first", outcome="promoted", at="2014-02-24T00:00:00Z", version=register(naive, settings)),
        settings,
    )
    open_store(settings).client.set_registered_model_alias(settings.model_name, "challenger", register(ridge, settings))
    return settings


def at(moment: str, settings: Settings, table: Path | None, work: Path) -> tuple[Path, Decision | None, str]:
    with clock.using(moment):
        path = judge(settings, work / moment[:10], table=table, by="a test")
    judged = read_judged(path)
    return path, judged.decision, judged.why


def test_who_is_better_on_fresh_days_is_promoted(tried: Settings, table: Path, tmp_path: Path) -> None:
    _, nothing, why = at("2014-03-05T00:00Z", tried, table, tmp_path)
    assert nothing is None
    assert "fresh days, and the next look is taken with 28" in why
    path, decision, _ = at("2014-04-20T00:00Z", tried, table, tmp_path)
    assert reader.aliases(tried) == {"champion": "1", "challenger": "2"}
    assert decision is not None
    assert (decision.outcome, decision.look, decision.evidence, decision.by) == ("promoted", 1, "data", "a test")
    both = contenders(tried)
    assert both is not None
    rows = pd.read_parquet(path.parent / "fresh.parquet")
    assert rows["cutoff"].min() >= both.trained_until
    assert set(rows["model"]) == {one.name for one in both.both}
    assert decision.first_day is not None
    assert decision.first_day >= f"{both.trained_until:%Y-%m-%d}"
    assert decision.figures["significance"] == 0.05
    with clock.using("2014-04-20T00:00Z"):
        done = carry_out(path, tried)
    assert reader.aliases(tried) == {"champion": "2", "previous": "1"}
    assert decisions_of(reader.versions(tried))[0] == done.decision == decision
    store = open_store(tried, "promotion")
    (run,) = store.client.search_runs([store.experiment])
    assert run.info.run_name.endswith("days · promoted")
    assert run.data.metrics["gain_percent"] == pytest.approx(decision.figures["gain_percent"])
    files = {file.path for file in store.client.list_artifacts(run.info.run_id, "tables")}
    assert files == {"tables/comparison.json", "tables/fresh days.parquet"}
    _, nothing, why = at("2014-04-21T00:00Z", tried, table, tmp_path)
    assert (nothing, why) == (None, "no challenger is being tried")


def test_a_worse_challenger_is_refused_and_loses_the_alias(
    settings: Settings, naive: LoggedForecaster, ridge: LoggedForecaster, table: Path, tmp_path: Path
) -> None:
    enact(
        Decision(kind="first", outcome="promoted", at="2014-02-24T00:00:00Z", version=register(ridge, settings)),
        settings,
    )
    open_store(settings).client.set_registered_model_alias(settings.model_name, "challenger", register(naive, settings))
    path, decision, _ = at("2014-04-20T00:00Z", settings, table, tmp_path)
    assert decision is not None
    assert decision.outcome == "refused"
    assert "it loses more than the champion, beyond chance" in decision.reasons[-1]
    carry_out(path, settings)
    assert reader.aliases(settings) == {"champion": "1"}


def test_the_next_look_needs_half_as_many_days_more(tried: Settings, table: Path, tmp_path: Path) -> None:
    seen = Decision(
        kind="promotion", outcome="undecided", at="2014-03-25T00:00:00Z", version="2", against="1", look=1,
        figures={"days": 28.0},
    )  # fmt: skip
    assert [next_look([], 28), next_look([seen], 28)] == [28, 42]
    enact(seen, tried)
    _, nothing, why = at("2014-04-01T00:00Z", tried, table, tmp_path)
    assert nothing is None
    assert "the next look is taken with 42" in why
    _, decision, _ = at("2014-04-20T00:00Z", tried, table, tmp_path)
    assert decision is not None
    assert (decision.look, decision.figures["significance"]) == (2, pytest.approx(0.1 / 6))


def issued(demand: Demand, both: Callable[[str], str], fitted: dict[str, Fitted]) -> list[Issued]:
    """What both versions would have issued at 10 o'clock of the day before, for six weeks."""
    told = []
    for rung, name in (("champion", "seasonal_naive_week"), ("challenger", "ridge")):
        for day in pd.date_range("2014-03-05", periods=45).strftime("%Y-%m-%d"):
            said = fitted[name].forecaster.predict_days(demand, [day], gate="D-1T10:00")
            cutoff = said.frame["cutoff"].iloc[0]
            told.append(Issued(f"{rung}-{day}", said, cutoff, both(rung), None, rung, None, day, "D-1T10:00"))
    return told


def test_what_the_ledger_holds_of_both_decides_alike(
    tried: Settings, longer: Demand, table: Path, fitted: dict[str, Fitted], tmp_path: Path
) -> None:
    frame = longer.to_frame()
    frame.to_parquet(tmp_path / "victoria.parquet")
    settings = tried.model_copy(update={"store": f"sqlite:///{tmp_path}/store.db"})
    version = {"champion": "1", "challenger": "2"}
    with Store.open(settings=settings) as store:
        store.ingest(Once.of(tmp_path / "victoria.parquet", Declaration(zone=ZONE, known=["temperature"])))
        store.record_all(issued(longer, version.__getitem__, fitted))
        # Said afterwards, or by another version: no proof of anything.
        late = fitted["ridge"].forecaster.predict_days(longer, ["2014-03-05"], gate="D-1T10:00")
        store.record(
            Forecast.from_frame(late.frame, unit=late.unit, model="late"), id="late", model_version="2",
            rung="challenger", issued_at=pd.Timestamp("2014-03-08T00:00Z"),
        )  # fmt: skip
    path, decision, why = at("2014-04-20T00:00Z", settings, None, tmp_path)
    assert decision is not None, why
    assert (decision.outcome, decision.evidence, decision.figures["days"]) == ("promoted", "ledger", 45.0)
    again, _, _ = at("2014-04-20T01:00Z", settings, table, tmp_path / "again")
    ledger, data = (pd.read_parquet(one.parent / "fresh.parquet") for one in (path, again))
    keys = ["model", "cutoff", "ds"]
    both = ledger.merge(data, on=keys, suffixes=("", "_data"))
    assert len(both) == len(ledger) == 2 * (45 * 24 + 1)
    np.testing.assert_allclose(both["q0.5"], both["q0.5_data"], rtol=1e-4)


def test_nobody_to_judge(settings: Settings, ridge: LoggedForecaster, table: Path, tmp_path: Path) -> None:
    register(ridge, settings)
    with pytest.raises(RegistryError, match="has no champion"):
        judge(settings, tmp_path, table=table)
    enact(Decision(kind="first", outcome="promoted", at="2014-02-24T00:00:00Z", version="1"), settings)
    assert contenders(settings) is None
    for wrong in ("1", "7"):
        with pytest.raises(RegistryError):
            contenders(settings, wrong)
