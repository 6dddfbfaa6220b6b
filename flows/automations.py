"""What follows from a breach: one event, and the rule by which Prefect's server starts one retraining for it.

The cooldown is the product's own (`forecast.monitoring.calling`), in the product's time: no event is sent before it is
over, so the rule need not count. The same event sent twice has one id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, UUID, uuid5

from prefect.client.orchestration import get_client
from prefect.events.schemas.events import Event, Resource

from forecast.registry.decisions import ALARMED

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events.schemas.automations import AutomationCore

    from forecast.monitoring import Call

BREACH = "forecast.breach"
NAME = "forecast-breach"
_PAYLOAD = "{{{{ event.payload.{name} | tojson }}}}"


def resource_of(model: str) -> str:
    """The resource that an event of a registered model is about."""
    return f"forecast.model.{model}"


def automation(retrain: UUID, model: str) -> AutomationCore:
    """The rule: every breach of a model runs the deployment of `retrain` once.

    The deployment's own parameters stay; the run's title names the breach, and it takes place at the breach's `now`.

    Args:
        retrain: id of the deployment.
        model: name of the registered model.
    """
    from prefect.events.actions import RunDeployment
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    trigger = EventTrigger(
        expect={BREACH}, match={"prefect.resource.id": resource_of(model)}, posture=Posture.Reactive, threshold=1
    )  # fmt: skip
    told = {name: _from_payload(name) for name in ("title", "now")}
    action = RunDeployment(source="selected", deployment_id=retrain, parameters=told)
    return AutomationCore(
        name=NAME, description="A breach that monitoring found starts one retraining.", trigger=trigger,
        actions=[action],
    )  # fmt: skip


def _from_payload(name: str) -> dict[str, Any]:
    """A parameter out of the event, with its type: null stays null."""
    template = _PAYLOAD.format(name=name)
    return {"__prefect_kind": "json", "value": {"__prefect_kind": "jinja", "template": template}}


def keep(retrain: UUID, model: str, client: SyncPrefectClient) -> None:
    """Registers the rule, or changes the one that is there."""
    from flows.notify import store

    store(automation(retrain, model), client)


def breach(asked: Call, model: str, day: str, now: str | None) -> Event:
    """The event of a breach.

    Args:
        asked: the retraining that is asked for.
        model: name of the registered model.
        day: that was watched.
        now: simulated moment (ISO) at which the retraining is to take place; None: the present.
    """
    return Event(
        id=uuid5(NAMESPACE_URL, f"{BREACH}/{model}/{asked.key}"), event=BREACH,
        resource=Resource({"prefect.resource.id": resource_of(model), "prefect.resource.name": model}),
        payload={
            "key": asked.key, "day": day, "alarms": len(asked.alarms), "why": asked.text, "now": now,
            "title": f"{ALARMED} {asked.key}",
        },
    )  # fmt: skip


def send(event: Event) -> None:
    """Hands an event to the server, and returns when the server has it.

    Not `emit_event`: that leaves it to a thread, which dies with a process that is killed.
    """
    with get_client(sync_client=True) as client:
        client.request("POST", "/events", json=[event.model_dump(mode="json")]).raise_for_status()
