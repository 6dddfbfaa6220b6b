"""Whatever is sent, the service answers as its description says, and never with a failure of its own.

`python benchmarks/fuzz.py` runs ten thousand cases of the first kind against a real server.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import schemathesis
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.schemas import BaseSchema
from starlette.testclient import TestClient

from forecast.forecaster import Forecaster
from forecast.settings import Settings
from serving import create_app
from serving.keys import Keys

CASES = 2
_FEW = settings(
    max_examples=CASES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)  # fmt: skip
MOST_BODY = 300_000
CONFIG: dict[str, Any] = {
    "generation": {"deterministic": True, "max-examples": CASES, "exclude-header-characters": "\r\n"},
    "checks": {
        # What a description cannot say (stamps ascend, the cutoff lies within the history) is answered 422.
        "positive_data_acceptance": {"expected-statuses": ["2xx", "304", "400", "404", "406", "409", "413", "422"]},
        "negative_data_rejection": {"expected-statuses": ["4xx"]},
    },
}
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::hypothesis.errors.HypothesisWarning")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, plain: Forecaster) -> Iterator[tuple[TestClient, str]]:
    """A service with a store and a key for everything."""
    settings = Settings.read(
        home=tmp_path_factory.mktemp("fuzzed"), max_body_bytes=MOST_BODY, max_rows=5000, rate_per_minute=0
    )
    keys, token = Keys().added("fuzz", ["forecast", "ingest", "admin"])
    keys.write(settings.key_file)
    with TestClient(create_app(settings, plain), raise_server_exceptions=False) as client:
        client.headers["x-api-key"] = token
        yield client, token


@pytest.fixture(scope="module")
def described(kept: tuple[TestClient, str]) -> BaseSchema:
    """The description, from which cases are made."""
    client, token = kept
    config = SchemathesisConfig.from_dict({**CONFIG, "headers": {"Authorization": f"Bearer {token}"}})
    return schemathesis.openapi.from_asgi("/openapi.json", client.app, config=config)


def test_answers_are_what_the_description_says(described: BaseSchema, kept: tuple[TestClient, str]) -> None:
    # Training lets a thread flush the smallest numbers to zero; Hypothesis makes cases of them.
    torch.set_flush_denormal(False)
    headers, names = {"Authorization": f"Bearer {kept[1]}"}, []
    for found in described.get_all_operations():
        operation = found.ok()
        names.append(operation.label)
        for mode in GenerationMode:
            _ask(operation, mode, headers)
    assert "POST /v1/forecasts" in names


def _ask(operation: schemathesis.APIOperation, mode: GenerationMode, headers: dict[str, str]) -> None:
    """Some cases of one operation, right or wrong on purpose, with all checks."""

    @settings(
        max_examples=CASES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def answered(case: schemathesis.Case) -> None:
        case.call_and_validate(headers=headers)

    try:
        answered()
    except Unsatisfiable:
        # A get without parameters cannot be asked wrongly.
        assert mode is GenerationMode.NEGATIVE


# ---- bodies and headers that no description knows --------------------------------------------------------------------


@lru_cache(maxsize=1)
def _whole() -> dict[str, bytes]:
    """Well-formed bodies by their type, to be broken."""
    history = {"start": "2014-06-01T00:00+10:00", "step": "PT30M", "y": [float(n % 48) for n in range(96)]}
    forecast = {"series": [{"unique_id": "town", "history": history}], "horizon": 4, "options": {"peak": True}}
    rows = "unique_id,ds,y\n" + "".join(f"town,2014-06-01T{hour:02d}:00:00Z,{hour}\n" for hour in range(24))
    table = pa.table({"unique_id": ["town"], "ds": ["2014-06-01T00:00:00Z"], "y": [1.0]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return {
        "application/json": json.dumps(forecast).encode(), "text/csv": rows.encode(),
        "application/vnd.apache.arrow.stream": sink.getvalue().to_pybytes(),
    }  # fmt: skip


def _broken(whole: bytes) -> st.SearchStrategy[bytes]:
    """A body cut short, with bytes changed, or doubled."""
    place = st.integers(0, len(whole) - 1)
    cut = place.map(lambda at: whole[:at])
    changed = st.tuples(place, st.binary(min_size=1, max_size=6)).map(
        lambda one: whole[: one[0]] + one[1] + whole[one[0] + len(one[1]) :]
    )
    return st.one_of(cut, changed, st.just(whole + whole), st.just(b"\xef\xbb\xbf" + whole))


_NUMBERS = st.sampled_from(
    ["1e999", "-1e999", "9" * 400, "1e308", "NaN", "-0", "0.1e-400", "18446744073709551616", "1.", "0x1"]
)
_TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["\x00", "\ud800", "x" * 100_000, "2014-02-30T00:00Z", "D-99T99:99"]),
)
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)
_FIELDS = (
    "series", "unit", "cutoff", "as_of", "horizon", "delivery_day", "gate", "quantiles", "options", "store", "history",
    "y", "ds", "start", "step", "unique_id", "zone", "inputs", "dataframe_split", "columns", "data", "known",
)  # fmt: skip
_SHAPED = st.dictionaries(st.sampled_from(_FIELDS), _VALUES, max_size=5).map(
    lambda one: json.dumps(one).encode("utf-8", "replace")
)
_ODD = st.one_of(
    st.binary(max_size=400),
    _NUMBERS.map(lambda number: _whole()["application/json"].replace(b"4.0", number.encode())),
    st.integers(1, 50_000).map(lambda deep: b"[" * deep + b"]" * deep),
    st.integers(1, 50_000).map(lambda deep: b'{"series":' * deep + b"1" + b"}" * deep),
    _SHAPED,
    st.just(b'{"series": [' + b'{"unique_id": "a"},' * 15_000 + b"{}]}"),
    st.just(b"unique_id,ds,y\n" + b'"' * 1000), st.just(b"," * 50_000), st.just(b"a\r\n" * 50_000),
    *map(_broken, _whole().values()),
)  # fmt: skip
_TYPES = st.sampled_from(
    [
        *_whole(), "application/vnd.apache.parquet", "application/json; charset=utf-16", "text/csv; header=absent",
        "", "x", "é",
    ]
)  # fmt: skip
_POSTS = ("/v1/forecasts", "/v1/observations", "/v1/models/reload", "/invocations", "/v2/models/demand/infer")
_KNOWN = (
    "/v1/forecasts", "/v1/series", "/v1/models", "/v1/status", "/v1/series/town", "/v1/series/%00",
    "/v1/forecasts/%00", "/v1/series/%ff%fe", "/v1/series/..%2f..%2fetc%2fpasswd", "/v1/series/town/observations",
    "/v1/forecasts/1", "/v1/series/town/requirements", "/v1/series/town/skill", "/problems/%00",
    "/docs/assets/..%2f..%2f__init__.py", "/page/..%2f..%2fapp.py", "/%2e%2e/%2e%2e/etc/passwd",
    "/v2/models/%00/ready", "/metrics",
)  # fmt: skip
_VISIBLE = st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#?%\\")
_PATHS = st.one_of(st.sampled_from(_KNOWN), st.text(_VISIBLE, max_size=40).map("/{}".format))
_ASKED = (
    "series", "as_of", "horizon", "delivery_day", "gate", "first", "last", "limit", "columns", "day", "registered",
)  # fmt: skip
_SAID = ("\x00", "9" * 300, "-1", "2014-06-01", "9999-12-31T23:59:59Z", "NaT", "nan")
_QUERY = st.dictionaries(st.sampled_from(_ASKED), st.one_of(st.text(max_size=20), st.sampled_from(_SAID)), max_size=4)
_HEADER = st.binary(max_size=60).map(lambda raw: raw.translate(None, b"\r\n\x00"))
_NAMES = ("accept", "content-encoding", "idempotency-key", "traceparent", "x-request-id", "if-none-match", "range",
          "content-length", "authorization", "forwarded", "accept-encoding", "origin", "cookie", "expect")  # fmt: skip
_HEADERS = st.dictionaries(st.sampled_from(_NAMES), _HEADER, max_size=4)
_OFTEN = settings(
    max_examples=150, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip


def _fine(answer: Any) -> None:
    """An answer, or a refusal that says what is wrong."""
    assert answer.status_code < 500, (answer.status_code, answer.text[:500])
    assert "Traceback" not in answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json", answer.text[:200]
        assert answer.json()["status"] == answer.status_code


@_OFTEN
@given(path=st.sampled_from(_POSTS), body=_ODD, kind=_TYPES)
def test_no_body_makes_the_service_fail(kept: tuple[TestClient, str], path: str, body: bytes, kind: str) -> None:
    client, _ = kept
    _fine(client.post(path, content=body, headers={"content-type": kind.encode("latin-1")}))


@_OFTEN
@given(path=_PATHS, query=_QUERY, headers=_HEADERS)
def test_no_address_and_no_header_makes_the_service_fail(
    kept: tuple[TestClient, str], path: str, query: dict[str, str], headers: dict[str, bytes]
) -> None:
    client, _ = kept
    params = {name: value.encode("utf-8", "surrogatepass").decode("utf-8", "replace") for name, value in query.items()}
    _fine(client.get(path, params=params, headers=headers, follow_redirects=False))


@pytest.mark.parametrize("path", _POSTS)
@pytest.mark.parametrize("kind", list(_whole()))
def test_every_body_has_a_limit(kept: tuple[TestClient, str], path: str, kind: str) -> None:
    client, _ = kept
    answer = client.post(path, content=b" " * (MOST_BODY + 1), headers={"content-type": kind})
    assert answer.status_code in (404, 413), answer.text
    assert answer.status_code == 413 or Path(path).name in ("invocations", "infer", "observations", "reload")
