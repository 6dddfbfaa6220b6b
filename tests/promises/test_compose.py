"""compose.yaml and what it mounts: closed, pinned, and each part finds the others; the units of systemd."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import create_engine, make_url
from sqlalchemy import text as text_of
from sqlalchemy.pool import NullPool

import forecast
from forecast.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_the_whole_house_is_there() -> None:
    assert set(SERVICES) == {"postgres", "mlflow", "prefect", "worker", "service", "prometheus", "grafana"}
    for name, one in SERVICES.items():
        assert one["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name
        assert re.search(r":v?\d+\.\d+", one["image"]), f"{name} is not pinned"
        assert "no-new-privileges:true" in one["security_opt"]
        assert one["restart"] == "unless-stopped"
        assert not one.get("privileged")
        for other in one.get("depends_on", {}):
            assert other in SERVICES
        for network in one["networks"]:
            assert network in COMPOSE["networks"]


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "postgres"])
def test_a_container_can_write_to_its_volumes_only(name: str) -> None:
    assert SERVICES[name]["read_only"] is True
    assert SERVICES[name]["cap_drop"] == ["ALL"]


def test_ports_are_open_to_this_machine_only() -> None:
    ports = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}
    assert set(ports) == {"service", "mlflow", "prefect", "grafana"}
    assert all(port.startswith("127.0.0.1:") for listed in ports.values() for port in listed)
    assert SERVICES["postgres"]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"]["internal"] is True


def test_no_secret_stands_in_it_and_all_are_asked_for() -> None:
    text = (ROOT / "compose.yaml").read_text()
    asked = set(re.findall(r"\$\{(\w+):\?", text))
    example = dict(line.split("=", 1) for line in (ROOT / ".env.example").read_text().splitlines() if "=" in line)
    assert asked == set(example)
    assert not any(example.values()), "an example that works would be used"
    for line in text.splitlines():
        if re.search(r"PASSWORD|_KEY|://\w+:[^/0-9]", line) and "source: prometheus_key" not in line:
            assert re.search(r"\$\{\w+:[?-]", line), line
    for secret in (".env", "deploy/prometheus/forecast.key"):
        assert secret in (ROOT / ".gitignore").read_text().splitlines()


def test_what_is_mounted_is_there() -> None:
    for name, one in SERVICES.items():
        for mount in one.get("volumes", []):
            source, target, *mode = mount.split(":")
            if source.startswith("./"):
                assert (ROOT / source).exists(), f"{name}: {source}"
                assert mode == ["ro"]
            else:
                assert source in COMPOSE["volumes"], f"{name}: {source}"
            assert target.startswith("/")
    used = {mount.split(":")[0] for one in SERVICES.values() for mount in one.get("volumes", [])}
    assert set(COMPOSE["volumes"]) <= used


def test_the_service_is_the_slim_image_and_its_settings_are_known() -> None:
    service = SERVICES["service"]
    assert service["build"]["target"] == "serve"
    assert service["image"] == f"demand-forecast:{forecast.__version__}"
    assert SERVICES["mlflow"]["image"] == SERVICES["worker"]["image"] == f"demand-forecast:{forecast.__version__}-work"
    assert "FORECAST_ALLOW_OPEN" not in service["environment"], "in a container the service asks for keys"
    fields = {f"FORECAST_{name}".upper() for name in Settings.model_fields}
    for one in SERVICES.values():
        assert {name for name in one.get("environment", {}) if name.startswith("FORECAST_")} <= fields
    assert int(service["stop_grace_period"].removesuffix("s")) > 10, "open requests are answered for ten seconds"


def test_prometheus_and_grafana_find_what_they_need() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    (secret,) = SERVICES["prometheus"]["secrets"]
    assert job["authorization"]["credentials_file"] == secret["target"]
    assert job["static_configs"] == [{"targets": ["service:8000"]}]
    folder = ROOT / "deploy/grafana/provisioning"
    (source,) = yaml.safe_load((folder / "datasources/prometheus.yml").read_text())["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    (provider,) = yaml.safe_load((folder / "dashboards/forecast.yml").read_text())["providers"]
    mounted = " ".join(SERVICES["grafana"]["volumes"])
    assert f"./deploy/grafana/dashboard.json:{provider['options']['path']}/" in mounted


def test_mlflow_lets_in_who_asks_it() -> None:
    environment = SERVICES["mlflow"]["environment"]
    hosts = environment["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert SERVICES["service"]["environment"]["MLFLOW_TRACKING_URI"].removeprefix("http://") in hosts
    assert environment["MLFLOW_WORKERS"] == "1"


def test_each_address_names_a_database_and_its_owner() -> None:
    script = (ROOT / "deploy/postgres/databases.sh").read_text()
    made = re.findall(r"^CREATE DATABASE (\w+) OWNER (\w+);$", script, re.MULTILINE)
    addresses = re.findall(r"postgresql\+\w+://(\w+):\$\{(\w+):\?\}@postgres:5432/(\w+)", str(SERVICES))
    assert {(database, owner) for owner, _, database in addresses} == set(made)
    assert {password for _, password, _ in addresses} <= set(SERVICES["postgres"]["environment"])


def test_the_script_makes_databases_that_others_may_not_enter(postgres_url: str, tmp_path: Path) -> None:
    psql = shutil.which("psql")
    if psql is None:
        pytest.skip("psql is not installed (apt-get install postgresql-client)")
    url = make_url(postgres_url)
    mark = f"_t{os.getpid()}"
    text = (ROOT / "deploy/postgres/databases.sh").read_text()
    script = tmp_path / "databases.sh"
    script.write_text(re.sub(r"\b(forecast|mlflow|prefect)(?=[ ,;])", rf"\1{mark}", text))
    environment = {
        "PATH": os.environ["PATH"], "POSTGRES_USER": str(url.username), "POSTGRES_DB": str(url.database),
        "PGHOST": str(url.query.get("host") or url.host), "PGPORT": str(url.port or 5432),
        "PGPASSWORD": url.password or "",
        "STORE_PASSWORD": "one", "MLFLOW_PASSWORD": "it's", "PREFECT_PASSWORD": "three",
    }  # fmt: skip
    names = [f"{name}{mark}" for name in ("forecast", "mlflow", "prefect")]
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    may = text_of("SELECT has_database_privilege(:who, :where, 'CONNECT')")
    try:
        subprocess.run(["sh", str(script)], env=environment, check=True, capture_output=True)
        with engine.connect() as connection:
            asked = {(a, b): connection.scalar(may, {"who": a, "where": b}) for a in names for b in names}
        assert asked == {(a, b): a == b for a in names for b in names}
    finally:
        with engine.connect() as connection:
            for name in names:
                connection.execute(text_of(f"DROP DATABASE IF EXISTS {name}"))
                connection.execute(text_of(f"DROP ROLE IF EXISTS {name}"))


def test_what_stands_in_for_images_stands_in_for_services() -> None:
    others = yaml.safe_load((ROOT / "deploy/proof/standin/compose.yaml").read_text())["services"]
    assert set(others) < set(SERVICES)
    assert {one["image"] for one in others.values()} == {"standin:1.0"}
    entry = (ROOT / "deploy/proof/standin/postgres.sh").read_text()
    (volume,) = [one for one in SERVICES["postgres"]["volumes"] if one.startswith("postgres:")]
    assert f"data={volume.split(':')[1]}" in entry
    assert "/docker-entrypoint-initdb.d/" in entry


# ---- systemd ---------------------------------------------------------------------------------------------------------


def test_units_keep_the_service_in() -> None:
    text = (ROOT / "deploy/systemd/demand-forecast.service").read_text()
    for line in ("User=forecast", "NoNewPrivileges=true", "ProtectSystem=strict", "StateDirectory=demand-forecast"):
        assert f"\n{line}\n" in text
    fields = {f"FORECAST_{name}".upper() for name in Settings.model_fields}
    for unit in (ROOT / "deploy/systemd").iterdir():
        assert set(re.findall(r"FORECAST_[A-Z_]+(?==)", unit.read_text())) <= fields
