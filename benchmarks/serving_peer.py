"""What `benchmarks/serving.py` lets `mlflow models serve` serve: the same weights on torch, nothing around them.

MLflow copies this file into the model. History goes in as a tensor (windows, 168, 10); everything else that the
network reads (calendar, lags) is prepared beforehand and stored with the model, so that the peer pays for no feature.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import torch
from safetensors.torch import load_file

from forecast.forecaster import Forecaster


class BareNetwork(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """(B, 168, 10) of history to (B, 48, 9) quantiles."""

    def load_context(self, context: Any) -> None:
        torch.set_num_threads(1)
        self.network = Forecaster.load(Path(context.artifacts["forecaster"])).model.network
        self.rest = load_file(context.artifacts["rest"])

    def predict(self, context: Any, model_input: np.ndarray, params: dict[str, Any] | None = None) -> np.ndarray:
        past_BLP = torch.from_numpy(np.asarray(model_input, dtype=np.float32))
        rest = {name: value.expand(len(past_BLP), *value.shape[1:]) for name, value in self.rest.items()}
        past_BLP = torch.cat([past_BLP, rest.pop("clock")], dim=2)
        with torch.inference_mode():
            return self.network(past_BLP, torch.ones_like(past_BLP), **rest).numpy()


mlflow.models.set_model(BareNetwork())
