"""Electricity-demand forecasting: from raw meter readings to a served, judged network.

Rooms import each other downward only (the floors are drawn in docs/architecture.md); import what you need from the
room that owns it, e.g. `from forecast.tables import Demand`.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("demand-forecast")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0.0.0"

__all__ = ["__version__"]
