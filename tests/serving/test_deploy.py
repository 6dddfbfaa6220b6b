"""What stands in deploy/ fits what the service counts; and the image's promises hold."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from forecast.forecaster import Forecaster
from serving.telemetry import Telemetry

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"
_NAME = re.compile(r"\b(?:forecast|process)_[a-z_]+\b")
_MATCHER = re.compile(r'(\w+)\s*(=~|!=|!~|=)\s*"([^"]*)"')


@pytest.fixture(scope="module")
def shown() -> dict[str, set[str]]:
    """Names of samples that /metrics shows, with their labels."""
    one = Telemetry()
    one.request("/v1/forecasts", "POST", 200, 0.01)
    one.rung("champion")
    one.model("champion", "demand", "1", "lstm")
    one.refusal("too-many")
    families = text_string_to_metric_families(one.page()[0].decode())
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    listed: list[dict[str, Any]] = group["rules"]
    return listed


def panels() -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return listed


def expressions() -> Iterator[tuple[str, str]]:
    """All of alerts and dashboard, with where they stand."""
    yield from ((rule["alert"], rule["expr"]) for rule in rules())
    for panel in panels():
        yield from ((panel["title"], target["expr"].replace("$instance", ".*")) for target in panel["targets"])


def test_every_number_that_is_asked_for_is_shown(shown: dict[str, set[str]]) -> None:
    for where, expression in expressions():
        names = _NAME.findall(re.sub(r"\{[^}]*\}", "", expression).replace("forecast/", ""))
        assert names or "up{" in expression, where
        assert not [name for name in names if name not in shown], (where, expression)
        for name, matchers in re.findall(r"(\w+)\{([^}]*)\}", expression):
            for label, _, _ in _MATCHER.findall(matchers):
                assert label in (shown.get(name, set()) | {"instance", "job"}), (where, name, label)


def test_the_dashboard_shows_every_number(shown: dict[str, set[str]]) -> None:
    text = DASHBOARD.read_text()
    families = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in shown if name.startswith("forecast_")}
    assert len(families) >= 19
    assert not [name for name in families if name not in text]


def test_words_in_rules_are_words_of_the_service() -> None:
    words = (ROOT / "serving" / "telemetry.py").read_text()
    text = " ".join(expression for _, expression in expressions())
    for label, _, value in _MATCHER.findall(text):
        if label in ("outcome", "role", "kind"):
            for word in value.split("|"):
                assert f'"{word}"' in words, (label, word)


def test_the_dashboard_is_whole() -> None:
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids)) >= 20
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["title"]
        assert panel["targets"]


def test_alerts_cover_what_can_go_wrong() -> None:
    names = {rule["alert"] for rule in rules()}
    assert names >= {
        "ForecastNoChampion", "ForecastFallbacks", "ForecastSlow", "ForecastLedgerFails", "ForecastDataStale",
        "ForecastSwapFailed", "ForecastErrorHigh", "ForecastWorseThanNaive",
    }  # fmt: skip
    for rule in rules():
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["action"]
        assert rule["labels"]["severity"] in ("page", "ticket")
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    assert [(PROMETHEUS / name).exists() for name in config["rule_files"]] == [True]


def _promtool(*words: str) -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed (apt-get install prometheus)")
    done = subprocess.run([tool, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_reads_rules_and_dashboard(tmp_path: Path) -> None:
    made = [{"record": f"panel_{at}", "expr": expression} for at, (_, expression) in enumerate(expressions())]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": made}]}))
    _promtool("check", "rules", str(path), str(PROMETHEUS / "alerts.yml"))


def test_promtool_fires_the_alerts(tmp_path: Path) -> None:
    series = {
        'forecast_model_loaded{role="champion"}': "0x60",
        'forecast_answers_total{rung="champion",reason=""}': "0+60x60",
        'forecast_answers_total{rung="seasonal_naive",reason="stale"}': "0+30x60",
        "forecast_ledger_failures_total": "0x20 1x40",
        'forecast_swaps_total{outcome="refused"}': "0x20 1x40",
        "forecast_realised_skill_ratio": "-0.2x90", "forecast_realised_error_ratio": "0.05x90",
    }  # fmt: skip
    by_name = {rule["alert"]: rule for rule in rules()}

    def fires(name: str, at: str, **labels: str) -> dict[str, Any]:
        return {"eval_time": at, "alertname": name, "exp_alerts": [{"exp_labels": by_name[name]["labels"] | labels}]}

    def quiet(name: str, at: str) -> dict[str, Any]:
        return {"eval_time": at, "alertname": name, "exp_alerts": []}

    expected = [
        fires("ForecastNoChampion", "40m", role="champion"), quiet("ForecastNoChampion", "1m"),
        fires("ForecastFallbacks", "40m"), fires("ForecastSwapFailed", "22m", outcome="refused"),
        quiet("ForecastSwapFailed", "15m"), fires("ForecastLedgerFails", "22m"), quiet("ForecastLedgerFails", "15m"),
        fires("ForecastWorseThanNaive", "70m"), quiet("ForecastErrorHigh", "70m"),
    ]  # fmt: skip
    # Only whether they fire is asked: the texts hold numbers.
    plain = [{k: v for k, v in rule.items() if k != "annotations"} for rule in rules()]
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump({"groups": [{"name": "forecast", "rules": plain}]}))
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    test = {"rule_files": ["alerts.yml"], "evaluation_interval": "1m",
            "tests": [{"interval": "1m", "input_series": inputs, "alert_rule_test": expected}]}  # fmt: skip
    (tmp_path / "test.yml").write_text(yaml.safe_dump(test))
    _promtool("test", "rules", str(tmp_path / "test.yml"))


# ---- the image -------------------------------------------------------------------------------------------------------


def test_the_image_runs_as_nobody_in_particular() -> None:
    text = (ROOT / "Dockerfile").read_text()
    users = re.findall(r"^USER (\S+)", text, re.MULTILINE)
    assert users
    assert users[-1] not in ("root", "0")
    assert text.rindex("USER ") < text.rindex("CMD [")
    assert not re.search(r"(?i)(ENV|ARG)[^\n]*(password|secret|token|_key)=", text)


_WATCHED = """
import sys, os, json
sys.dont_write_bytecode = True
written = []
def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        flags = arguments[2] or 0
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            written.append(os.fsdecode(arguments[0]))
    elif event in ("os.mkdir", "os.rename", "os.remove", "tempfile.mkstemp", "tempfile.mkdtemp"):
        written.append(os.fsdecode(arguments[0]))
import httpx, serving
from forecast.settings import Settings
sys.addaudithook(watch)
with serving.running(Settings.read(port=0)) as url:
    named = httpx.get(url + "/openapi.json").json()["paths"]["/v1/forecasts"]["post"]["requestBody"]
    for example in named["content"]["application/json"]["examples"].values():
        if "history" not in example["value"]["series"][0]:
            continue
        assert httpx.post(url + "/v1/forecasts", json=example["value"], timeout=60).status_code == 200
    httpx.get(url + "/metrics"), httpx.get(url + "/docs"), httpx.get(url + "/v1/models")
print(json.dumps(written))
"""


def test_a_running_service_writes_below_mlruns_only(tmp_path: Path, plain: Forecaster) -> None:
    plain.save(tmp_path / "model")
    environment = {
        "PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT}/src:{ROOT}", "FORECAST_MODEL": str(tmp_path / "model"),
        "FORECAST_HOME": str(tmp_path), "HOME": "/nowhere",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    written = [Path(tmp_path, name) for name in json.loads(done.stdout.splitlines()[-1])]
    allowed = (tmp_path / "mlruns", Path("/dev"))
    assert not [str(path) for path in written if not any(path.is_relative_to(one) for one in allowed)]
