"""What was found in a table stands on a run's page: counted, as a table, and drawn."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from forecast.quality import Finding, QualityReport
from forecast.recipe import Task
from forecast.registry.quality import log_quality
from forecast.registry.store import open_store
from forecast.registry.writer import retraining
from forecast.settings import Settings
from forecast.tables import Demand


def test_findings_are_logged(settings: Settings, demand: Demand, task: Task) -> None:
    at = demand.series[0].start + pd.Timedelta("3D")
    one = Finding("victoria", at, at + pd.Timedelta("5h"), "stuck meter", "error", "6 equal readings", "masked")
    with retraining(settings, name="with dirt", demand=demand, task=task) as run:
        log_quality(run, demand, QualityReport((one,)))
    with retraining(settings, name="without", demand=demand, task=task) as clean:
        log_quality(clean, demand, QualityReport())
    client = open_store(settings).client
    assert client.get_run(run.run_id).data.metrics == {"quality/findings": 1.0, "quality/stuck_meter": 1.0}
    assert client.get_run(clean.run_id).data.metrics == {"quality/findings": 0.0}

    def files(run_id: str) -> set[str]:
        return {file.path for folder in ("figures", "tables") for file in client.list_artifacts(run_id, folder)}

    assert files(run.run_id) == {"figures/quality.png", "figures/quality from close by.png", "tables/quality.json"}
    assert files(clean.run_id) == {"figures/quality.png", "tables/quality.json"}
    path = client.download_artifacts(run.run_id, "tables/quality.json")
    written = json.loads(Path(path).read_text(encoding="utf-8"))
    assert written["columns"][:4] == ["series", "rule", "first", "last"]
    assert written["data"][0][2] == f"{at:%Y-%m-%d %H:%M}Z"
