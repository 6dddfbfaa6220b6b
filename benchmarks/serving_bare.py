"""The handler without the product: the same network on ONNX Runtime behind FastAPI, arrays in, arrays out.

`benchmarks/serving.py` prints it beside the service, to show what the product around the model costs.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import uvicorn
from fastapi import FastAPI, Request, Response

from benchmarks.serving_model import AHEAD, COLUMNS, table
from forecast.forecaster import Forecaster
from forecast.tables import Demand
from forecast.windows import origins_at


def bare(folder: Path) -> FastAPI:
    """POST / takes {"inputs": [[...]]} as the peer does."""
    forecaster = Forecaster.load(folder, runtime="onnx")
    demand = Demand.from_frame(table(), columns=COLUMNS, zone="Europe/Lisbon")
    reader = forecaster.spec.column_reader
    windows = reader.window_set(demand, origins_at(demand, [demand.last_known_end()]), AHEAD)
    inputs = reader.inputs(windows, reader.clock(windows), np.arange(1))
    app = FastAPI()

    @app.post("/")
    async def answer(request: Request) -> Response:
        past_BLP = np.asarray(orjson.loads(await request.body())["inputs"], dtype=np.float32)
        past_BLP = np.concatenate([past_BLP, inputs.past_BLP[:, :, 10:]], axis=2)
        said = forecaster.model.quantiles(replace(inputs, past_BLP=past_BLP))
        return Response(orjson.dumps(said, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")

    return app


if __name__ == "__main__":
    uvicorn.run(bare(Path(sys.argv[1])), port=int(sys.argv[2]), log_level="warning", access_log=False)
