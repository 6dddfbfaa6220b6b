"""`--record`: a forecast goes into the ledger of the store."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from forecast.registry.reader import ModelRef
    from forecast.store import Issued
    from forecast.tables import Demand, Forecast

Record = Annotated[
    bool,
    typer.Option("--record", help="Also write it into the ledger of the store: DATA's, or that of the settings."),
]


def record(
    data: str, said: Forecast, demand: Demand, model: ModelRef, delivery_day: str | None, gate: str | None
) -> Issued:
    """Writes a forecast into the ledger; the same forecast of the same knowledge again is no news.

    Args:
        data: DATA as it was given; a store keeps its own forecasts.
        said: the forecast, of series that the store knows.
        demand: what it was made from.
        model: who made it.
        delivery_day, gate: what was asked for, where a day was.

    Raises:
        StoreError: a series is unknown to the store, or the store does not answer.
    """
    from forecast.sources import is_store, store_url
    from forecast.store import Store

    digest = demand.as_of(said.frame["cutoff"].max()).digest
    keys = said.frame[["unique_id", "cutoff", "ds", "mean"]].to_csv(index=False)
    words = "\n".join([model.digest, digest, delivery_day or "", gate or "", keys])
    with Store.open(store_url(data) if is_store(data) else None) as store:
        return store.record(
            said, id=hashlib.sha256(words.encode()).hexdigest()[:32], model_version=model.version, data_digest=digest,
            delivery_day=delivery_day, gate=gate,
        )  # fmt: skip
