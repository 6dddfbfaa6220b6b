"""Who is told of flow runs that fail or crash: a webhook, a mail; by settings.

The server itself tells them, by automations on blocks that hold the addresses. So a run that was killed is told, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect.blocks.notifications import AbstractAppriseNotificationBlock
from prefect.blocks.webhook import Webhook
from pydantic import Field, SecretStr

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events.actions import CallWebhook, SendNotification
    from prefect.events.schemas.automations import AutomationCore

    from forecast.settings import Settings

WENT_WRONG = frozenset({"prefect.flow-run.Failed", "prefect.flow-run.TimedOut", "prefect.flow-run.Crashed"})
WEBHOOK, MAIL = "forecast-webhook", "forecast-mail"
SUBJECT = "{{ flow.name }} {{ flow_run.state.name }}: {{ flow_run.name }}"
BODY = "{{ flow_run.state.message }}\n\n{{ flow_run | ui_url }}\n"
PAYLOAD = (
    '{"flow": {{ flow.name | tojson }}, "run": {{ flow_run.name | tojson }}, '
    '"state": {{ flow_run.state.name | tojson }}, "message": {{ (flow_run.state.message or "") | tojson }}, '
    '"at": {{ flow_run.state.timestamp | string | tojson }}, "link": {{ flow_run | ui_url | tojson }}}'
)


class Mail(AbstractAppriseNotificationBlock):
    """A mail server and who is written to. (The server finds this class by the entry point `prefect.collections`.)"""

    _block_type_name = "Forecast Mail"
    _block_type_slug = "forecast-mail"
    _description = "Mail about flow runs of the forecasts that went wrong."

    url: SecretStr = Field(
        description="As Apprise writes it: mailtos://user:password@server?from=me@example.org&to=you@example.org"
    )


def keep(settings: Settings, client: SyncPrefectClient) -> list[str]:
    """Registers what the settings ask for and removes what they ask for no longer; returns the names of what is there.

    Args:
        settings: `notify_webhook` and `notify_email`.
        client: of the server that tells.
    """
    wanted = {WEBHOOK: settings.notify_webhook, MAIL: settings.notify_email}
    for name, address in wanted.items():
        if address is None:
            _remove(name, client)
        else:
            store(automation(name, _action(name, address, client)), client)
    return [name for name, address in wanted.items() if address is not None]


def automation(name: str, action: CallWebhook | SendNotification) -> AutomationCore:
    """Every run that fails, takes too long or crashes calls for the action once."""
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    trigger = EventTrigger(
        expect=set(WENT_WRONG), for_each={"prefect.resource.id"}, posture=Posture.Reactive, threshold=1,
        match={"prefect.resource.id": "prefect.flow-run.*"},
    )  # fmt: skip
    return AutomationCore(
        name=name, description="Tells of flow runs that went wrong.", trigger=trigger, actions=[action]
    )


def store(wanted: AutomationCore, client: SyncPrefectClient) -> None:
    """Makes an automation, or changes the one of its name where it differs."""
    found = client.read_automations_by_name(wanted.name)
    for extra in found[1:]:
        client.delete_automation(extra.id)
    if found:
        client.update_automation(found[0].id, wanted)
    else:
        client.create_automation(wanted)


def _action(name: str, address: SecretStr, client: Any) -> CallWebhook | SendNotification:
    from prefect.events.actions import CallWebhook, SendNotification

    if name == WEBHOOK:
        block = Webhook(url=address, headers={"Content-Type": "application/json"})
        return CallWebhook(block_document_id=block.save(name, overwrite=True), payload=PAYLOAD)
    mail = Mail(url=address, notify_type="failure").save(name, overwrite=True)
    return SendNotification(block_document_id=mail, subject=SUBJECT, body=BODY)


def _remove(name: str, client: SyncPrefectClient) -> None:
    from prefect.exceptions import ObjectNotFound

    for one in client.read_automations_by_name(name):
        client.delete_automation(one.id)
    slug = Webhook.get_block_type_slug() if name == WEBHOOK else Mail.get_block_type_slug()
    try:
        client.delete_block_document(client.read_block_document_by_name(name, slug).id)
    except ObjectNotFound:
        return
