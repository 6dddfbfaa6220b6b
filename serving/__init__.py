"""The HTTP service: answers forecasts from the registered champion.

`create_app` makes the application, `run` serves it until it is stopped, `running` serves it while a block lasts.
"""

from serving.app import create_app
from serving.server import run, running

__all__ = ["create_app", "run", "running"]
