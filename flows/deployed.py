"""Which flows run when: the deployments of the pool `forecast`, told to Prefect's server.

`python -m flows.deployed` registers them (again: changes them), and with them the pool, the limits, the automations,
and who is told of failures. `prefect.yaml` says the same for `prefect deploy --all`; `--yaml` prints it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.flows import EntrypointType
from prefect.schedules import Cron

from flows import asking, automations, notify, stranded, terminal
from forecast.cli.mistakes import run
from forecast.errors import DeclarationError
from forecast.settings import Settings

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.schedules import Schedule

POOL = "forecast"
RECIPES = "lstm,ridge"
TAG = "forecast"


@dataclass(frozen=True)
class Deployment:
    """One flow and when it runs.

    Attributes:
        name: of the flow, of its module in `flows`, and of the deployment.
        cron: five fields, on the clock of `Settings.schedule_zone`.
        does: one line.
        parameters: of every run; no secrets, for Prefect keeps them as plain text.
        function: of the module; named as the flow where None.
    """

    name: str
    cron: str
    does: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    function: str | None = None

    @property
    def entrypoint(self) -> str:
        """By the module's name: worker and checkout hold the same install, so there is no code to fetch."""
        return f"flows.{self.name}.{self.function or self.name}"


# No time lies between midnight and four, where clocks change: what is due then is due twice, or not at all.
DEPLOYMENTS = (
    Deployment("ingest", "5 4-23 * * *", "Stores what is new at the sources."),
    Deployment("issue", "30,45 9 * * *", "Forecasts tomorrow for all series, before the gate."),
    Deployment("score", "0 11 * * *", "Joins what was measured to what was forecast."),
    Deployment("monitor", "30 11 * * *", "Looks for drift, breaks and silent meters."),
    Deployment("promote", "0 13 * * *", "Puts challenger and champion to the proof."),
    Deployment("retrain", "30 5 * * 0", "Learns anew and registers the winner.", {"data": "store"}),
    Deployment("backfill", "0 15 * * 6", "Forecasts past days that have none, as of then."),
    Deployment("maintain", "30 4 * * *", "Retention, vacuum, clean-up of the registry."),
)


GROUPED = Deployment(
    "by_group", "30 7 * * 0", "Learns a model for each group of series anew.", {"data": "store"}, "retrain_groups"
)
"""Where `Settings.group_by` is set, too."""


def planned(settings: Settings, recipes: str = RECIPES) -> tuple[Deployment, ...]:
    """The deployments as the settings want them.

    Raises:
        DeclarationError: a schedule for a flow that there is not, or one that is none.
    """
    wanted = DEPLOYMENTS if settings.group_by is None else (*DEPLOYMENTS, GROUPED)
    unknown = sorted(set(settings.schedule) - {one.name for one in wanted})
    if unknown:
        raise DeclarationError(
            f"FORECAST_SCHEDULE names {', '.join(unknown)}", f"of {', '.join(one.name for one in wanted)}"
        )
    return tuple(_planned(one, settings, recipes) for one in wanted)


def _planned(one: Deployment, settings: Settings, recipes: str) -> Deployment:
    cron = settings.schedule.get(one.name, one.cron)
    try:
        Cron(cron, timezone=settings.schedule_zone)
    except ValueError as error:
        raise DeclarationError(
            f"FORECAST_SCHEDULE: the schedule '{cron}' of {one.name} is none ({error})",
            "five fields: minute hour day month weekday", 'write {"issue": "30 9 * * *"}',
        ) from None  # fmt: skip
    named = [name.strip() for name in recipes.split(",")]
    # What is learned is what `issue` asks: whole delivery days, from the moment of the gate.
    plan = {"recipes": named, "every": "delivery-day", "gate": settings.gate}
    learnt = {"plan": plan} if one.name in ("retrain", GROUPED.name) else {}
    return replace(one, cron=cron, parameters={**one.parameters, **learnt})


def schedule(one: Deployment, settings: Settings) -> Schedule:
    """When it runs."""
    return Cron(one.cron, timezone=settings.schedule_zone)


def register(
    settings: Settings, recipes: str = RECIPES, scheduled: bool = True, rescue: bool = False
) -> dict[str, UUID]:  # fmt: skip
    """Tells Prefect's server of everything; returns the deployments' ids by name.

    Args:
        settings: zone, times, and who is told of failures.
        recipes: candidates of a retraining, with commas between.
        scheduled: whether runs are made by schedule.
        rescue: runs that count as running are run again: no worker runs.

    Raises:
        DeclarationError: settings that do not fit.
    """
    from prefect.client.orchestration import get_client

    wanted = planned(settings, recipes)
    with get_client(sync_client=True) as client:
        _pool(client)
        made = {one.name: _applied(one, settings, scheduled) for one in wanted}
        notify.keep(settings, client)
        notify.store(stranded.once_more(POOL), client)
        automations.keep(made["retrain"], settings.model_name, client)
        if rescue:
            stranded.rescue(POOL, client)
    return made


def _pool(client: SyncPrefectClient) -> None:
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound

    try:
        client.read_work_pool(POOL)
    except ObjectNotFound:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process", description="Flows of the forecasts."))


def _applied(one: Deployment, settings: Settings, scheduled: bool) -> UUID:
    found = getattr(import_module(f"flows.{one.name}"), one.function or one.name)
    made = found.to_deployment(
        one.name, schedules=[schedule(one, settings)] if scheduled else [], parameters=dict(one.parameters),
        concurrency_limit=ONE_AT_A_TIME, description=one.does, tags=[TAG], entrypoint_type=EntrypointType.MODULE_PATH,
        work_pool_name=POOL, job_variables={"working_dir": str(settings.home), "command": COMMAND},
    )  # fmt: skip
    done: UUID = made.apply()
    return done


ONE_AT_A_TIME = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)
COMMAND = f"{sys.executable} -I -S {asking.__file__}"
"""A child of the warm process, where there is one. Without a command a worker looks for code to fetch, in a process."""


def as_yaml(settings: Settings) -> str:
    """The file that `prefect deploy --all` reads."""
    zone = settings.schedule_zone
    shown = [
        {
            "name": one.name, "description": one.does, "entrypoint": one.entrypoint, "tags": [TAG],
            "parameters": dict(one.parameters), "schedules": [{"cron": one.cron, "timezone": zone}],
            "concurrency_limit": {"limit": 1, "collision_strategy": "ENQUEUE"}, "work_pool": {"name": POOL},
        }
        for one in planned(settings)
    ]  # fmt: skip
    return HEAD + yaml.safe_dump({"name": "demand-forecast", "deployments": shown}, sort_keys=False, width=120)


HEAD = """# Written by `python -m flows.deployed --yaml > prefect.yaml`; FORECAST_SCHEDULE_ZONE and FORECAST_SCHEDULE
# say where and when.
# `forecast up` and `python -m flows.deployed` register the same, and what follows from failures and breaches.
# By hand: `prefect work-pool create forecast --type process`, then `prefect deploy --all`.
"""


def command(
    recipe: Annotated[str, typer.Option(help="Candidates of a retraining, comma-separated.")] = RECIPES,
    schedules: Annotated[bool, typer.Option(help="Make runs by schedule.")] = True,
    rescue: Annotated[
        bool, typer.Option("--rescue", help="No worker runs: what counts as running is run again.")
    ] = False,
    shown: Annotated[bool, typer.Option("--yaml", help="Only print prefect.yaml.")] = False,
) -> None:
    """Tell the Prefect server of PREFECT_API_URL which flows run when.

    Zone and times: FORECAST_SCHEDULE_ZONE, FORECAST_SCHEDULE. Who is told of failures: FORECAST_NOTIFY_WEBHOOK,
    FORECAST_NOTIFY_EMAIL.
    """
    settings = Settings.read()
    if shown:
        typer.echo(as_yaml(settings), nl=False)
        return
    for name in register(settings, recipe, schedules, rescue):
        typer.echo(f"{name} is registered")


app = terminal.app_of(command)


def main() -> None:
    """Runs the command line of `python -m flows.deployed`."""
    run(app)


if __name__ == "__main__":
    main()
