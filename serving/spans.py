"""OpenTelemetry's spans, where a collector is named and the package is there; nothing otherwise.

`OTEL_EXPORTER_OTLP_ENDPOINT` names the collector; the extra `otel` brings the package. Its other variables count, too.
"""

from __future__ import annotations

import logging
import os
import random
import threading
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from forecast import clock

if TYPE_CHECKING:
    from serving.trace import Place

_NAMED_BY = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
log = logging.getLogger("serving")


class Spans:
    """Writes what happened as spans, after it happened.

    Args:
        provider: of OpenTelemetry's SDK, which draws its ids from `ids`.
        ids: of the spans.
    """

    def __init__(self, provider: Any, ids: Ids) -> None:
        from opentelemetry.context import Context

        self._provider, self._tracer = provider, provider.get_tracer("serving")
        self._ids, self._nothing = ids, Context()

    @classmethod
    def of_environment(cls) -> Spans | None:
        """The spans of this process; None where nobody collects them."""
        if not any(os.environ.get(name) for name in _NAMED_BY):
            return None
        if find_spec("opentelemetry.sdk") is None or find_spec("opentelemetry.exporter.otlp.proto.http") is None:
            log.warning("a collector of spans is named, but the extra 'otel' is not installed")
            return None
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        name = os.environ.get("OTEL_SERVICE_NAME", "forecast")
        ids = Ids()
        provider = TracerProvider(resource=Resource.create({"service.name": name}), id_generator=ids)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return cls(provider, ids)

    def past(self, name: str, seconds: float, attributes: Mapping[str, str | int | float]) -> None:
        """A span of its own trace that ends now and took so many seconds."""
        self._write(name, seconds, attributes, None)

    def request(self, name: str, seconds: float, attributes: Mapping[str, str | int | float], place: Place) -> None:
        """The span of a request under the names that its caller was told, where the caller's trace is kept."""
        if not place.kept:
            return
        self._ids.given = (int(place.trace, 16), int(place.span, 16))
        try:
            self._write(name, seconds, attributes, _context(place) if place.parent else None)
        finally:
            self._ids.given = None

    def _write(self, name: str, seconds: float, attributes: Mapping[str, str | int | float], context: Any) -> None:
        end = clock.now().value
        begun = end - int(seconds * 1e9)
        # An empty context, and not the current one: what another library began is no part of this trace.
        span = self._tracer.start_span(name, context=context or self._nothing, start_time=begun, attributes=attributes)
        span.end(end)

    def close(self) -> None:
        """Sends what is waiting."""
        self._provider.shutdown()


class Ids(threading.local):
    """Hands out the ids of a request where some are given, else random ones; each thread has its own."""

    given: tuple[int, int] | None = None

    def generate_trace_id(self) -> int:
        """128 bits, not all zero."""
        return self.given[0] if self.given else random.getrandbits(128) or 1

    def generate_span_id(self) -> int:
        """64 bits, not all zero."""
        return self.given[1] if self.given else random.getrandbits(64) or 1

    def is_trace_id_random(self) -> bool:
        """Whether all bits are drawn; a caller's may not be."""
        return False


def _context(place: Place) -> Any:
    from opentelemetry import trace as otel
    from opentelemetry.context import Context

    flags = otel.TraceFlags(otel.TraceFlags.SAMPLED)
    spot = otel.SpanContext(int(place.trace, 16), int(place.parent, 16), is_remote=True, trace_flags=flags)
    return otel.set_span_in_context(otel.NonRecordingSpan(spot), Context())
