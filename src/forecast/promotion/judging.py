"""A trial from the registry to the registry: both answer, a decision is made, kept, told and carried out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from forecast import clock, metrics
from forecast.comparison import sheet_of
from forecast.comparison.pairs import pair
from forecast.errors import NotEnoughHistory
from forecast.promotion.contenders import Contenders, contenders
from forecast.promotion.decide import Trial, decide, next_look
from forecast.promotion.fresh import fresh_days, from_data, from_ledger
from forecast.registry.decided import log_decision
from forecast.registry.decisions import Decision, enact
from forecast.settings import Settings
from forecast.store import Store
from forecast.tables import load_demand

JUDGED, ROWS = "decision.json", "fresh.parquet"
LEDGER = "ledger"


@dataclass(frozen=True)
class Judged:
    """What a look came to, before anything moves.

    Attributes:
        decision: None where there was nothing to decide yet.
        why: then the reason, as a sentence.
        unit: of the figures.
        urls: pages of MLflow, once it is carried out.
    """

    decision: Decision | None
    why: str = ""
    unit: str = ""
    urls: dict[str, str] = field(default_factory=dict)


def judge(
    settings: Settings, work: Path, *, table: Path | None = None, gate: str | None = None, version: str | None = None,
    by: str = "promotion",
) -> Path:  # fmt: skip
    """Looks at the challenger on fresh days and decides; nothing moves.

    Args:
        settings: which registry, store and lengths of the trial.
        work: folder in which the look is written.
        table: of `retraining.take_table`, from which both forecast again; where None what the ledger of the store holds
            of both counts.
        gate: when a day's forecast is due; the one that the versions learned where None.
        version: who is judged; the version with the alias `challenger` where None.
        by: who asks.

    Returns:
        path of `decision.json`, for `read_judged`; the rows lie beside it.

    Raises:
        RegistryError: nothing reigns, or the registry does not answer.
        ForecastError: a version cannot answer the data.
    """
    both = contenders(settings, version)
    if both is None:
        return _written(work, Judged(None, "no challenger is being tried"))
    try:
        rows, zones, digest = _rows(settings, both, table, gate)
    except NotEnoughHistory as error:
        return _written(work, Judged(None, str(error)))
    trial = Trial.of(both, settings, evidence="data" if table else LEDGER, by=by, data_sha256=digest)
    scales = {**both.challenger.forecaster.spec.scales, **both.champion.forecaster.spec.scales}
    pairs = pair(rows, [trial.challenger, trial.champion], "absolute_error", scales)
    sheet = sheet_of(pairs, zones)
    wanted = next_look(both.looks, trial.least_days)
    if len(sheet) < wanted:
        told = f"both versions answered {len(sheet)} fresh days, and the next look is taken with {wanted}"
        return _written(work, Judged(None, told))
    scored = metrics.score(pairs.table, scales=scales, zones=zones)
    figures = {str(name): {str(key): float(value) for key, value in row.items()} for name, row in scored.iterrows()}
    path = _written(work, Judged(decide(sheet, trial, figures=figures), unit=both.champion.forecaster.spec.unit))
    rows.to_parquet(work / ROWS, index=False)
    return path


def read_judged(path: Path) -> Judged:
    """What `judge` wrote."""
    told = json.loads(path.read_text(encoding="utf-8"))
    decision = Decision.model_validate(told["decision"]) if told["decision"] is not None else None
    return Judged(decision, told["why"], told["unit"])


def carry_out(path: Path, settings: Settings) -> Judged:
    """Keeps the decision, moves the aliases as it says, and tells it in MLflow; nothing where there is none.

    Raises:
        RegistryError: the registry refuses, or the champion is no longer the one that was judged.
    """
    judged = read_judged(path)
    if judged.decision is None:
        return judged
    kept = enact(judged.decision, settings)
    urls = log_decision(kept, settings, rows=pd.read_parquet(path.parent / ROWS), unit=judged.unit)
    return Judged(kept, judged.why, judged.unit, urls)


def _rows(
    settings: Settings, both: Contenders, table: Path | None, gate: str | None
) -> tuple[pd.DataFrame, dict[str, str], str]:
    """What both said of the fresh days, the zones of the series, and the digest of the table."""
    if table is None:
        with Store.open(settings=settings, make=False) as store:
            zones = {name: one.zone or "UTC" for name, one in store.series().items()}
            return from_ledger(store, both), zones, ""
    demand = load_demand(table).as_of(clock.now())
    plan = fresh_days(demand, both, gate, settings.promotion_trial_days)
    return from_data(demand, both, plan), demand.zones, demand.digest


def _written(work: Path, judged: Judged) -> Path:
    work.mkdir(parents=True, exist_ok=True)
    decision = judged.decision.model_dump(mode="json") if judged.decision is not None else None
    text = json.dumps({"decision": decision, "why": judged.why, "unit": judged.unit}, ensure_ascii=False, indent=1)
    (work / JUDGED).write_text(text, encoding="utf-8")
    return work / JUDGED
