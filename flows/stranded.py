"""Runs whose process is gone: they are run again, and what they held is free.

Called while no worker runs: before `forecast up` starts one. A server cannot know that a process was killed together
with the worker that watched it; its run would count as running for ever, and keep the next one of its flow waiting.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import State, StateType
from prefect.states import AwaitingRetry, Cancelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun
    from prefect.events.schemas.automations import AutomationCore

TAKEN = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)
TOLD = "Its process is gone; it runs again."
AGAIN = "forecast-crashed"
SETTLES = timedelta(seconds=30)


def rescue(pool: str, client: SyncPrefectClient) -> list[str]:
    """Puts the stranded runs of a pool back into the queue; returns their names.

    A run that was being cancelled is cancelled. All slots of the pool's deployments are free afterwards.

    Args:
        pool: whose worker does not run.
        client: of the server.
    """
    stranded = _taken(pool, client)
    for run in stranded:
        client.set_flow_run_state(run.id, _next(run), force=True)
    _free_slots(client)
    return [run.name for run in stranded]


def once_more(pool: str) -> AutomationCore:
    """The rule by which the server runs a run of the pool that crashed once more; twice may be its own fault.

    Not at once: a worker that is busy may tell of the same crash for a second time, and would stop the next try.
    """
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    crashed = EventTrigger(
        after={"prefect.flow-run.Crashed"}, expect={"prefect.flow-run.AwaitingRetry"}, within=SETTLES,
        for_each={"prefect.resource.id"}, posture=Posture.Proactive, threshold=1,
        match={"prefect.resource.id": "prefect.flow-run.*", "prefect.run-count": "1"},
        match_related={"prefect.resource.role": "work-pool", "prefect.resource.name": pool},
    )  # fmt: skip
    told = "Its process was killed; it runs once more."
    again = ChangeFlowRunState(state=StateType.SCHEDULED, name="AwaitingRetry", message=told, force=True)
    return AutomationCore(
        name=AGAIN, description="A run whose process was killed runs once more.", trigger=crashed, actions=[again]
    )


def _taken(pool: str, client: SyncPrefectClient) -> Sequence[FlowRun]:
    states = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(TAKEN))))
    where = WorkPoolFilter(name=WorkPoolFilterName(any_=[pool]))
    return client.read_flow_runs(flow_run_filter=states, work_pool_filter=where)


def _next(run: FlowRun) -> State[None]:
    if run.state_type == StateType.CANCELLING:
        return Cancelled(message="Its process is gone.")
    return AwaitingRetry(message=TOLD)


def _free_slots(client: SyncPrefectClient) -> None:
    from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate

    for limit in client.read_global_concurrency_limits(limit=200):
        if limit.name.startswith("deployment:") and limit.active_slots:
            client.update_global_concurrency_limit(limit.name, GlobalConcurrencyLimitUpdate(active_slots=0))
