"""Schemathesis over the whole description of a running service, all checks on.

    python benchmarks/fuzz.py [--cases 10000] [--seed 1] [--form keys|open]

A service with a seasonal naive and a store of its own is started on loopback; every operation of its description gets
its share of the cases, half of them wrong on purpose. Ends with 1 where a check failed, and says how to repeat it.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
import pandas as pd

# Not benchmarks/serving.py, which stands beside this file.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from forecast.forecaster import Forecaster
from forecast.recipe import Recipe, SeasonalNaiveModel, Task
from forecast.settings import Settings
from forecast.tables import Demand
from forecast.training import fit
from serving import running
from serving.keys import Keys

# What a description cannot say (a cutoff lies within the history, stamps ascend) is answered 422; a name that nobody
# stored 404; an option that this model has not 409 or 501.
CONFIG = """
[generation]
exclude-header-characters = "\\r\\n"

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "304", "401", "403", "404", "406", "409", "413", "415", "422", "429", "503"]

[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "413", "414", "415", "422", "428", "429", "431"]
"""


def _forecaster() -> Forecaster:
    hours = pd.date_range("2024-01-01T00:00Z", periods=24 * 60, freq="h")
    y = 10 + 3 * np.sin(2 * np.pi * np.arange(len(hours)) / 24)
    demand = Demand.from_frame(pd.DataFrame({"unique_id": "town", "ds": hours, "y": y}), zone="Europe/Lisbon")
    recipe = Recipe(name="last-week", model=SeasonalNaiveModel())
    return fit(demand.as_of(hours[-1]), recipe, Task(horizon=24)).forecaster


def _operations(url: str, headers: dict[str, str]) -> int:
    paths = httpx.get(f"{url}/openapi.json", headers=headers).json()["paths"]
    return sum(len(operations) for operations in paths.values())


def _fill(url: str, headers: dict[str, str]) -> None:
    """Some observations, so that what is asked about stored series has something to read."""
    history = {"start": "2024-01-01T00:00Z", "step": "PT1H", "y": [float(hour % 24) for hour in range(24 * 30)]}
    body = {"series": [{"unique_id": name, "zone": "Europe/Lisbon", "history": history} for name in ("town", "0")]}
    answer = httpx.post(f"{url}/v1/observations", json=body, headers=headers, timeout=60)
    print(f"store: {answer.status_code} {answer.text[:200]}")


def _run(url: str, headers: dict[str, str], cases: int, seed: int, room: Path) -> tuple[int, str]:
    config = room / "schemathesis.toml"
    config.write_text(CONFIG)
    each = max(1, -(-cases // _operations(url, headers)))
    command = [
        str(Path(sys.executable).parent / "schemathesis"), f"--config-file={config}", "run", f"{url}/openapi.json",
        "--checks=all", f"--max-examples={each}", f"--seed={seed}", "--continue-on-failure", "--no-color",
        "--phases=examples,coverage,fuzzing,stateful", "--suppress-health-check=all", "--warnings=off",
        *(f"--header={name}: {value}" for name, value in headers.items()),
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=room, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "160"}
    )
    return done.returncode, done.stdout + done.stderr


def main() -> int:
    """Runs the cases against a service of its own."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--cases", type=int, default=10_000)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--form", choices=("keys", "open"), default="keys")
    asked.add_argument("--report", type=Path, help="where all that schemathesis says is kept")
    given = asked.parse_args()
    logging.basicConfig(level=logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.read(
            home=Path(folder), port=0, max_rows=20_000, max_body_bytes=2_000_000, rate_per_minute=0
        )
        headers = {}
        if given.form == "keys":
            keys, token = Keys().added("fuzz", ["forecast", "ingest", "admin"])
            keys.write(settings.key_file)
            headers = {"Authorization": f"Bearer {token}"}
        with running(settings, _forecaster()) as url:
            _fill(url, headers)
            began = time.monotonic()
            code, said = _run(url, headers, given.cases, given.seed, Path(folder))
            page = httpx.get(f"{url}/metrics").text
    if given.report:
        given.report.write_text(said)
    print(said[-6000:])
    print(json.dumps({"seconds": round(time.monotonic() - began), "answered by status": _by_status(page)}))
    return code


_STATUS = re.compile(r'^forecast_requests_total\{.*status="(\d+)".*\} (\S+)$', re.MULTILINE)


def _by_status(page: str) -> dict[str, int]:
    """Requests by status, as /metrics has them."""
    counts: dict[str, int] = {}
    for status, count in _STATUS.findall(page):
        counts[status] = counts.get(status, 0) + int(float(count))
    return counts | {"all": sum(counts.values())}


if __name__ == "__main__":
    sys.exit(main())
