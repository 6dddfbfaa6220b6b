"""The command line: `forecast demo | check | train | backtest | predict | serve | audit | bench`."""

from forecast.cli.app import app, main

__all__ = ["app", "main"]
