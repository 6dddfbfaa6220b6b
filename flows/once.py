"""When a run takes place, and that it takes place once: `now`, keys, marks in the store.

A flow that is done for its key (a delivery day, mostly) is not done again; what it writes is written once in any case,
so that a run which was killed before its mark simply runs again.
"""

# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.tasks import exponential_backoff

from flows import steps
from forecast import clock
from forecast.errors import DeclarationError
from forecast.settings import Settings
from forecast.store import Done, Store

STORE_S = 600
"""So long a step may take that only asks or marks the store."""


@contextmanager
def at(now: str | None) -> Iterator[pd.Timestamp]:
    """Everything inside happens at `now` (ISO, with its offset); in the present where it is None.

    Raises:
        DeclarationError: it is no moment, or carries no offset.
    """
    if now is None:
        yield clock.now()
        return
    try:
        stamp = pd.Timestamp(now)
    except ValueError:
        stamp = pd.NaT
    if stamp is pd.NaT:
        raise DeclarationError(f"now is '{now}', which is no moment", "a stamp such as 2024-05-01T10:00+02:00")
    with clock.using(stamp) as moment:
        yield moment


def settled(flow: str, key: str, now: str | None, *, force: bool = False) -> Done | None:
    """The mark of an earlier run for this key, which is said; None where the run is to take place.

    The run that is under way is tagged with its key.

    Args:
        flow: its name, as the store marks it.
        key: what it is done for.
        now: of the run.
        force: it takes place in any case.
    """
    tag(f"key:{key}")
    found: Done | None = look(flow, key, now)
    if found is None:
        return None
    if force:
        steps.say(f"{flow} {key}: was done at {found.at:%Y-%m-%dT%H:%MZ}, and is done again")
        return None
    steps.say(f"{flow} {key}: was done at {found.at:%Y-%m-%dT%H:%MZ}; nothing is left to do")
    return found


def tag(*words: str) -> None:
    """Adds tags to the flow run that is under way."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    fresh = sorted({*context.flow_run.tags, *words})
    with get_client(sync_client=True) as client:
        client.update_flow_run(context.flow_run.id, tags=fresh)
    context.flow_run.tags = fresh


@task(
    name="look", task_run_name="look {key}", cache_policy=NO_CACHE, retries=3,
    retry_delay_seconds=exponential_backoff(2), retry_condition_fn=steps.try_again, timeout_seconds=STORE_S,
)  # fmt: skip
def look(flow: str, key: str, now: str | None = None) -> Done | None:
    """The mark of a flow's run for a key."""
    with at(now), Store.open(settings=Settings.read()) as store:
        return store.done(flow, key)


@task(
    name="mark", task_run_name="mark {key}", cache_policy=NO_CACHE, retries=3,
    retry_delay_seconds=exponential_backoff(2), retry_condition_fn=steps.try_again, timeout_seconds=STORE_S,
)  # fmt: skip
def mark(flow: str, key: str, detail: Mapping[str, Any], now: str | None = None) -> None:
    """Marks that a flow is done for a key; the first mark stays."""
    with at(now), Store.open(settings=Settings.read()) as store:
        store.mark_done(flow, key, detail)
