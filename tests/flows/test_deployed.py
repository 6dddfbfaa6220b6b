"""What a Prefect server is told: deployments, limits, rules; runs whose process is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import StateType
from prefect.states import Cancelling, Pending, Running

from flows import automations, notify, stranded
from flows.deployed import DEPLOYMENTS, POOL, register
from forecast.settings import Settings

# Apprise's own, at import.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture(scope="module")
def client(prefect_server: None) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as one:
        yield one


@pytest.fixture(scope="module")
def told(client: SyncPrefectClient, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The ids of the deployments, registered with a webhook and a mail."""
    settings = Settings.read(
        home=tmp_path_factory.mktemp("deployed"), schedule_zone="Europe/Lisbon", schedule={"issue": "0 8 * * *"},
        notify_webhook="http://127.0.0.1:9/told?key=hidden", notify_email="mailto://me:hidden@127.0.0.1?to=you@x.org",
    )  # fmt: skip
    return dict(register(settings, "ridge"))


def test_every_flow_has_a_schedule_on_that_clock_and_runs_once_at_a_time(
    told: dict[str, Any], client: SyncPrefectClient
) -> None:
    crons = {one.name: one.cron for one in DEPLOYMENTS} | {"issue": "0 8 * * *"}
    assert set(told) == set(crons)
    for name, id in told.items():
        found = client.read_deployment(id)
        (one,) = found.schedules
        assert (one.schedule.cron, one.schedule.timezone) == (crons[name], "Europe/Lisbon")  # type: ignore[union-attr]
        assert found.work_pool_name == POOL
        assert found.global_concurrency_limit is not None
        assert found.global_concurrency_limit.limit == 1
        assert "hidden" not in found.model_dump_json()
    plan = client.read_deployment(told["retrain"]).parameters["plan"]
    assert plan == {"recipes": ["ridge"], "every": "delivery-day", "gate": "D-1T10:00"}


def test_again_it_changes_what_is_there(told: dict[str, Any], client: SyncPrefectClient, tmp_path: Path) -> None:
    assert {notify.WEBHOOK, notify.MAIL, stranded.AGAIN, automations.NAME} <= rules(client)
    again = register(Settings.read(home=tmp_path), "ridge", scheduled=False)
    assert again == told
    assert all(client.read_deployment(id).schedules == [] for id in again.values())
    # Who is no longer to be told is not told.
    assert rules(client) & {notify.WEBHOOK, notify.MAIL, stranded.AGAIN} == {stranded.AGAIN}
    assert len([one for one in client.read_automations() if one.name == stranded.AGAIN]) == 1


def rules(client: SyncPrefectClient) -> set[str]:
    return {one.name for one in client.read_automations()}


def test_stranded_runs_go_back_into_the_queue(told: dict[str, Any], client: SyncPrefectClient) -> None:
    lost = client.create_flow_run_from_deployment(told["issue"])
    for state in (Pending(), Running()):
        client.set_flow_run_state(lost.id, state)
    stopping = client.create_flow_run_from_deployment(told["score"])
    for state in (Pending(), Running(), Cancelling()):
        client.set_flow_run_state(stopping.id, state)
    waiting = client.create_flow_run_from_deployment(told["monitor"])
    assert held(client, told["issue"]) == 1
    assert set(stranded.rescue(POOL, client)) == {lost.name, stopping.name}
    states = [client.read_flow_run(one.id).state for one in (lost, stopping, waiting)]
    assert [(one.type, one.name) for one in states if one is not None] == [
        (StateType.SCHEDULED, "AwaitingRetry"), (StateType.CANCELLED, "Cancelled"), (StateType.SCHEDULED, "Scheduled"),
    ]  # fmt: skip
    assert held(client, told["issue"]) == 0
    assert stranded.rescue(POOL, client) == []


def held(client: SyncPrefectClient, deployment: Any) -> int:
    limit = client.read_deployment(deployment).global_concurrency_limit
    assert limit is not None
    return int(limit.active_slots)
