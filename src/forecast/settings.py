"""`Settings`: where things live and how much the service accepts, read from `FORECAST_*` variables once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from forecast.errors import DeclarationError

MIB = 1024 * 1024


def _default_uri(fields: dict[str, Any]) -> str:
    """MLflow's own variable where it is set, else sqlite under `mlruns`."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{fields['mlruns']}/mlflow.db"


def _default_store(fields: dict[str, Any]) -> str:
    """SQLite beside the runs."""
    return f"sqlite:///{fields['mlruns']}/store.db"


class Settings(BaseSettings):
    """What differs between machines; every field is also a variable, `port` is `FORECAST_PORT`.

    Attributes:
        home: the folder that relative paths start from; the current one.
        mlruns: runs, registry and the cache of fetched models; absolute once read.
        mlflow_uri: MLflow's tracking and registry server or database: `FORECAST_MLFLOW_URI`, else
            `MLFLOW_TRACKING_URI`, else sqlite under `mlruns`.
        store: database of observations and forecasts; SQLite `store.db` under `mlruns`.
        store_patience_s: how long a writer waits for another one.
        ledger: whether the service writes every answer into the store.
        ledger_wait_ms: how long a commit of answers waits for more; 0: it takes what came while the last one ran.
        ledger_flush: whether such a commit waits for the disk; without, a loss of power may take the last answers.
        experiment: MLflow experiment of all retrainings.
        model_name: name in the model registry.
        group_by: one model for each group of series, registered as NAME-GROUP: by `zone`, by `country`, or by a static
            column; a group without one is told by the model of the whole.
        mlflow_page: where people see MLflow's pages; the tracking server where that has an http address.
        promotion_cooldown_days: for so long after a change of champion no other takes its place.
        retrain_cooldown_days: for so long after a retraining that a breach called for no breach calls for another.
        promotion_least_days: fresh days that a challenger is judged on at the least.
        promotion_trial_days: fresh days after which a challenger that has not won is given up.
        host, port: where the service listens.
        max_body_bytes, max_series, max_rows: the largest request that is read.
        threads: threads of one forecast.
        model: what the service loads, a folder or `models:/NAME@alias`; None is the registered champion.
        follow_s: seconds between two questions to the registry what the alias points to; 0 asks only at the start.
        keys_file: of the service's API keys, as hashes; None is `keys.json` under `mlruns`.
        allow_open: whether the service may be reached by others without keys.
        rate_per_minute: requests of one key; 0 is no limit.
        request_timeout_s: the longest that a request may take, its body included; 0 is no limit.
        deadline_s: a forecast is answered within so many seconds, by a lower rung where the model is slow.
        max_connections: open at once.
        log: `json` or `text`; None is text on a terminal, else JSON.
        log_every: of lines about fast and successful requests, one in so many is written.
        origins: pages of other addresses that may ask from a browser, with commas between.
        gate: when the forecasts of a delivery day are due, in each series' zone.
        sources_file: what the flow `ingest` reads, as TOML.
        keep_observations_days, keep_forecasts_days: what is older is removed by the flow `maintain`; None keeps all.
        keep_versions: so many registered versions without an alias are kept, the newest; None keeps all.
        keep_files_days: what can be made again (fetched models, tables and walks of retrainings) goes after so many
            days without use; None keeps all.
        prefect_port, mlflow_port, worker_port: where `forecast up` lets Prefect's server, MLflow's server and the
            worker's answer about its health listen, on this machine only.
        dask_scheduler: address of a Dask scheduler, such as tcp://10.0.0.1:8786, whose workers then walk recipes and
            folds and issue forecasts; processes of this machine where None.
        schedule_zone: whose clock the schedules of the flows follow.
        schedule: five fields of cron by flow, as JSON, for flows that run at other times than ours.
        notify_webhook: address that is told of flow runs that fail or crash.
        notify_email: where a mail about them goes, as `mailtos://user:password@server?to=somebody@example.org`.
        eia_key, entsoe_key, open_meteo_key: keys of the origins of data; no text shows them.

    >>> Settings(port=9000).port
    9000
    """

    model_config = SettingsConfigDict(
        env_prefix="FORECAST_", env_ignore_empty=True, frozen=True, extra="forbid", protected_namespaces=(),
        validate_default=True,
    )  # fmt: skip

    home: Path = Field(default_factory=Path.cwd)
    mlruns: Path = Path("mlruns")
    mlflow_uri: str = Field(default_factory=_default_uri)
    store: str = Field(default_factory=_default_store, repr=False)
    store_patience_s: float = Field(30, gt=0)
    ledger: bool = True
    ledger_wait_ms: float = Field(0, ge=0, le=1000)
    ledger_flush: bool = True
    experiment: str = Field("demand-forecasting", min_length=1)
    model_name: str = Field("demand", pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]*$")
    group_by: str | None = None
    mlflow_page: str | None = Field(None, pattern=r"^https?://")
    promotion_cooldown_days: float = Field(7, ge=0)
    retrain_cooldown_days: float = Field(7, ge=0)
    promotion_least_days: int = Field(28, ge=7)
    promotion_trial_days: int = Field(182, ge=7)
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    max_body_bytes: int = Field(20 * MIB, ge=1)
    max_series: int = Field(200, ge=1)
    max_rows: int = Field(200_000, ge=1)
    threads: int = Field(1, ge=1)
    model: str | None = None
    follow_s: float = Field(30, ge=0)
    keys_file: Path | None = None
    allow_open: bool = False
    rate_per_minute: int = Field(6000, ge=0)
    request_timeout_s: float = Field(30, ge=0)
    deadline_s: float = Field(5, gt=0)
    max_connections: int = Field(512, ge=1)
    log: Literal["json", "text"] | None = None
    log_every: int = Field(1, ge=1)
    origins: str = ""
    gate: str = "D-1T10:00"
    sources_file: Path = Path("sources.toml")
    keep_observations_days: int | None = Field(None, ge=60)
    keep_forecasts_days: int | None = Field(None, ge=60)
    keep_versions: int | None = Field(None, ge=1)
    keep_files_days: int | None = Field(30, ge=1)
    prefect_port: int = Field(4200, ge=1, le=65535)
    mlflow_port: int = Field(5000, ge=1, le=65535)
    worker_port: int = Field(4201, ge=1, le=65535)
    dask_scheduler: str | None = None
    schedule_zone: str = "UTC"
    schedule: dict[str, str] = Field(default_factory=dict)
    notify_webhook: SecretStr | None = None
    notify_email: SecretStr | None = None
    eia_key: SecretStr | None = None
    entsoe_key: SecretStr | None = None
    open_meteo_key: SecretStr | None = None

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @field_validator("mlruns")
    @classmethod
    def _under_home(cls, mlruns: Path, info: ValidationInfo) -> Path:
        return Path(info.data.get("home", Path.cwd())) / mlruns.expanduser()

    @field_validator("schedule_zone")
    @classmethod
    def _a_zone(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"'{name}' is not known; it is an IANA name such as Europe/Lisbon, or UTC")
        return name

    @classmethod
    def read(cls, **changes: Any) -> Self:
        """The settings of this process, some of them changed.

        Raises:
            DeclarationError: a variable or a change does not fit; all of them are named.
        """
        try:
            return cls(**changes)
        except ValidationError as error:
            told = "; ".join(f"FORECAST_{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
            raise DeclarationError(f"settings that do not fit ({told})", "the fields of Settings") from error
        except SettingsError as error:
            field = str(error).split('"')[1] if '"' in str(error) else "..."
            raise DeclarationError(
                f"FORECAST_{field.upper()} is no JSON ({error.__cause__})", 'JSON such as {"issue": "30 8 * * *"}'
            ) from error

    @property
    def source_list(self) -> Path:
        """The file that names the sources of the flow `ingest`."""
        return self.home / self.sources_file.expanduser()

    @property
    def artifacts(self) -> Path:
        """Where MLflow keeps figures and models, unless a tracking server keeps them."""
        return self.mlruns / "artifacts"

    @property
    def cache(self) -> Path:
        """Copies of registered models, as the service and the command line read them."""
        return self.mlruns / "cache"

    @property
    def key_file(self) -> Path:
        """Where the hashes of API keys are."""
        return self.home / self.keys_file.expanduser() if self.keys_file else self.mlruns / "keys.json"

    @property
    def champion(self) -> str:
        """What is served: `model` where it is set, else the registered champion."""
        return self.model or f"models:/{self.model_name}@champion"
