"""A registry in a database: MLflow is asked in a process of its own.

The asking process never pays for importing mlflow, in seconds or in memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from forecast.addresses import shown
from forecast.errors import RegistryError
from forecast.registry.folders import copy_local
from forecast.registry.versions import (
    ANSWER,
    ModelVersion,
    Pointer,
    Wanted,
    from_plain,
    no_forecaster,
    not_registered,
)

PATIENCE_S = 180


@dataclass(frozen=True)
class ChildRegistry:
    """A registry behind any URI that mlflow understands.

    Attributes:
        uri: MLflow's tracking and registry URI.
    """

    uri: str

    def find(self, wanted: Wanted) -> ModelVersion:
        """The version.

        Raises:
            RegistryError: there is none, or MLflow failed.
        """
        answer = self._ask("find", asdict(wanted))
        if "error" in answer:
            raise not_registered(wanted, answer["error"])
        return from_plain(answer["version"])

    def fetch(self, found: ModelVersion, room: Path) -> Path:
        """Its forecaster's folder, copied into `room`.

        Raises:
            ModelFolderError: its artifacts hold no forecaster, or cannot be read.
        """
        try:
            if found.source and (copied := copy_local(found.source, room)):
                return copied
        except OSError as error:
            raise no_forecaster(found, str(error)) from error
        answer = self._ask("fetch", {"name": found.name, "version": found.version, "into": str(room)})
        if "error" in answer:
            raise no_forecaster(found, answer["error"])
        return Path(answer["folder"])

    def versions(self, name: str) -> list[ModelVersion]:
        """All versions, newest first."""
        answer = self._ask("versions", {"name": name})
        if "error" in answer:
            raise RegistryError(f"MLflow at {shown(self.uri)} could not list its models ({answer['error']})")
        return [from_plain(one) for one in answer["versions"]]

    def pointers(self, name: str) -> dict[str, Pointer]:
        """What each alias points to."""
        return {alias: Pointer(one.version, one.digest) for one in self.versions(name) for alias in one.aliases}

    def _ask(self, question: str, details: dict[str, Any]) -> dict[str, Any]:
        if not mlflow_is_here():
            raise RegistryError(
                f"only MLflow itself can read this of the registry at {shown(self.uri)}, and it is not installed here",
                "tables that this version of MLflow wrote, model files on this machine; or a tracking server",
                "set MLFLOW_TRACKING_URI to the address of an MLflow server, or install the whole product",
            )
        request = json.dumps({"uri": self.uri, "question": question, **details})
        quiet = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"}
        try:
            done = subprocess.run(
                [sys.executable, "-m", "forecast.registry.child"], input=request, capture_output=True, text=True,
                timeout=PATIENCE_S, env=quiet,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise RegistryError(f"MLflow at {shown(self.uri)} did not answer within {PATIENCE_S} s") from error
        lines = [line for line in done.stdout.splitlines() if line.startswith(ANSWER)]
        if not lines:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise RegistryError(
                f"MLflow at {shown(self.uri)} cannot be read ({last})", "a database or server of this MLflow version",
                "check FORECAST_MLFLOW_URI",
            )  # fmt: skip
        answer: dict[str, Any] = json.loads(lines[-1].removeprefix(ANSWER))
        if "broken" in answer:
            raise RegistryError(*answer["broken"])
        return answer


def mlflow_is_here() -> bool:
    """Whether a child could import it; the image that serves comes without."""
    return find_spec("mlflow") is not None
