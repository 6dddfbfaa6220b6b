"""`python schedules/retrain.py` in the container `worker`: tells Prefect when to retrain, and on what."""

from __future__ import annotations

import argparse

from prefect.flows import EntrypointType
from prefect.schedules import Cron

from flows.retrain import retrain


def main() -> None:
    """Registers the flow `retrain` with the pool that the worker serves; again: changes what was registered."""
    asks = argparse.ArgumentParser(description="Retrain on a schedule.")
    asks.add_argument("--cron", default="30 3 * * 0", help="when, in --zone [Sundays at 03:30]")
    asks.add_argument("--zone", default="UTC", help="where the clock of --cron hangs")
    asks.add_argument("--pool", default="forecast")
    asks.add_argument("--data", default="store", help="what `forecast train` takes: store, a file, sample")
    asks.add_argument("--recipe", default="lstm,ridge", help="candidates, with commas between")
    asks.add_argument("--name", default=None, help="of the registered model [FORECAST_MODEL_NAME]")
    given = asks.parse_args()
    print(deployed(given))


def deployed(given: argparse.Namespace) -> str:
    """The id of the deployment."""
    parameters = {"data": given.data, "plan": {"recipes": given.recipe.split(",")}, "name": given.name}
    # By the module's name: worker and image hold the same install, so there is no code to fetch.
    made = retrain.to_deployment(
        "retrain", schedules=[Cron(given.cron, timezone=given.zone)], parameters=parameters, concurrency_limit=1,
        entrypoint_type=EntrypointType.MODULE_PATH, work_pool_name=given.pool,
    )  # fmt: skip
    return str(made.apply())


if __name__ == "__main__":
    main()
