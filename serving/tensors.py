"""What Open Inference Protocol says in JSON, as models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from serving.bodies import StrictBody

Parameter = str | int | float | bool | list[float]
Parameters = dict[str, Parameter]


class Tensor(StrictBody):
    """A column of the long table: [rows] or [rows, 1]."""

    name: str = Field(min_length=1, max_length=200, description="`unique_id`, `ds`, `y`, or a covariate.")
    shape: list[Annotated[int, Field(ge=0)]] = Field(min_length=1, max_length=4)
    datatype: Literal["BYTES", "FP64", "FP32", "FP16", "INT64", "INT32", "INT16", "INT8", "UINT64", "UINT32", "UINT16",
                      "UINT8"]  # fmt: skip
    data: list[Any] = Field(description="Row by row, flat or nested; null is missing.")
    parameters: dict[str, Any] = Field({}, description="Not read.")


class Wanted(StrictBody):
    """An output that is wanted."""

    name: Literal["unique_id", "ds", "mean", "quantiles", "levels", "rung"]
    parameters: dict[str, Any] = Field({}, description="Not read.")


class Inference(StrictBody):
    """A long table as tensors; without `ds` and `y` the store has the history of the series that are named."""

    id: str | None = Field(None, max_length=200, description="Repeated in the answer.")
    parameters: Parameters = Field(
        {}, description="`cutoff`, `horizon`, `delivery_day`, `gate`, `as_of`, `unit`, `store` as in "
        "POST /v1/forecasts; `quantiles` as a text (`0.1,0.5`).",
    )  # fmt: skip
    inputs: list[Tensor] = Field(min_length=1, max_length=64)
    outputs: list[Wanted] | None = Field(None, max_length=16, description="All where left out.")


class Server(BaseModel):
    """Who answers."""

    name: str
    version: str
    extensions: list[str]


class Live(BaseModel):
    """Whether the process runs."""

    live: bool


class Ready(BaseModel):
    """Whether forecasts can be answered."""

    ready: bool


class ModelReady(Ready):
    """Whether a model answers."""

    name: str


class TensorInfo(BaseModel):
    """Name, type and shape of a tensor; -1 is any."""

    name: str
    datatype: str
    shape: list[int]


class ModelInfo(BaseModel):
    """What a model reads and says."""

    name: str
    versions: list[str] = Field(description="That may be asked for: the one that answers now.")
    platform: str
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]


class Output(TensorInfo):
    """A tensor of the answer."""

    data: list[Any]


class Inferred(BaseModel):
    """Forecasts, a row per series and period; `quantiles` has a column for each of `levels`."""

    model_name: str
    model_version: str | None = Field(None, description="Of the version that spoke.")
    id: str | None = Field(None, description="That of the request.")
    parameters: dict[str, Any] = Field(description="`forecast_id` in the ledger, `recorded`, `cutoff`, `unit`, `rung`.")
    outputs: list[Output]
