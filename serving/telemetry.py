"""`Telemetry`: what the service counts and times, for Prometheus.

Labels hold routes, rungs and versions only. Names of series are no labels: they are many, and may be people's meters.
"""

from __future__ import annotations

import math
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector

from serving.spans import Spans

HOUR = 3600.0
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_FAST = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_AGES = tuple(HOUR * hours for hours in (0.25, 0.5, 1, 2, 3, 6, 12, 24, 48, 72, 168))
disable_created_metrics()


class Telemetry:
    """The numbers of one service, in a registry of their own; a call costs a few microseconds.

    Every method may be called from any thread.

    Args:
        spans: where inference and commits are written as spans, too.

    >>> one = Telemetry()
    >>> one.rung("seasonal_naive", "stale")
    >>> one.fallbacks()
    {'seasonal_naive': {'stale': 1}}
    """

    def __init__(self, spans: Spans | None = None) -> None:
        self.spans = spans
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._known: dict[tuple[Any, ...], Any] = {}
        self._models: dict[str, tuple[str, ...]] = {}
        self._make_requests()
        self._make_answers()
        self._make_models()
        self._make_store()

    def _make_requests(self) -> None:
        self._requests = self._counter("forecast_requests", "Requests answered.", "route", "method", "status")
        self._latency = self._histogram("forecast_request_seconds", "From request to answer.", _SECONDS, "route")
        self._open = self._gauge("forecast_requests_open", "Requests being answered.")
        self._refused = self._counter("forecast_refusals", "Requests refused before they were read.", "reason")
        self.opened, self.closed = self._open.inc, self._open.dec

    def _make_answers(self) -> None:
        self._rungs = self._counter("forecast_answers", "Series answered, by rung and reason.", "rung", "reason")
        self._inference = self._histogram("forecast_inference_seconds", "One pass through the model.", _FAST)
        self._batch = self._histogram("forecast_batch_size", "Questions put in one pass.", _BATCH)
        self._age = self._histogram(
            "forecast_data_overdue_seconds", "How long the newest value that is due is missing.", _AGES
        )

    def _make_models(self) -> None:
        self._info = self._gauge("forecast_model_info", "1 for a version in use.", "role", "name", "version", "recipe")
        self._loaded = self._gauge("forecast_model_loaded", "Whether a version has this role.", "role")
        self._swaps = self._counter("forecast_swaps", "Changes of the served version that were tried.", "outcome")
        self._shadow = self._counter("forecast_shadow", "Answers put to the challenger, too.", "outcome")
        for role in ("champion", "previous", "challenger"):
            self._loaded.labels(role).set(0)
        for outcome in ("swapped", "refused", "returned", "unreachable"):
            self._swaps.labels(outcome)
        for outcome in ("scored", "dropped", "failed"):
            self._shadow.labels(outcome)

    def _make_store(self) -> None:
        self._commit = self._histogram("forecast_ledger_commit_seconds", "One commit of the ledger.", _SECONDS)
        self._rows = self._counter("forecast_ledger_rows", "Forecasts of a series written down.")
        self._failed = self._counter("forecast_ledger_failures", "Commits of the ledger that failed.")
        self._observed = self._counter("forecast_observations", "Values taken in, by what they were.", "kind")
        self._error = self._gauge("forecast_realised_error_ratio", "Yesterday's absolute error over its demand.")
        self._skill = self._gauge("forecast_realised_skill_ratio", "1 - yesterday's error over the seasonal naive's.")
        self._judged = self._gauge("forecast_realised_series", "Series of which yesterday is known.")
        # Not known until the first day is judged; 0 would be a perfect forecast.
        self._error.set(math.nan)
        self._skill.set(math.nan)
        for kind in ("new", "revised", "unchanged"):
            self._observed.labels(kind)

    # ---- told by the parts of the service ------------------------------------------------------------------------

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """One answered request; `route` is the template of its path."""
        kept = self._known.get((route, method, status))
        if kept is None:
            kept = self._requests.labels(route, method, str(status)), self._latency.labels(route)
            self._known[route, method, status] = kept
        kept[0].inc()
        kept[1].observe(seconds)

    def refusal(self, reason: str) -> None:
        """A request that was not let in: `unauthorized`, `forbidden`, `too-many`, `too-large`, `timeout`."""
        self._refused.labels(reason).inc()

    def inference(self, seconds: float, batch: int) -> None:
        """One pass of `batch` questions through a model."""
        self._inference.observe(seconds)
        self._batch.observe(batch)
        if self.spans is not None:
            self.spans.past("inference", seconds, {"batch": batch})

    def rung(self, rung: str, reason: str | None = None, series: int = 1) -> None:
        """Series that a rung of the ladder answered; no reason for the champion."""
        kept = self._known.get((rung, reason))
        if kept is None:
            kept = self._known[rung, reason] = self._rungs.labels(rung, reason or "")
        kept.inc(series)

    def staleness(self, seconds: float) -> None:
        """How long the newest value of a series that is due has been missing when it is forecast."""
        self._age.observe(max(0.0, seconds))

    def swap(self, outcome: str) -> None:
        """A change of version: `swapped`, `refused`, `returned` (to the previous one), `unreachable` (the registry)."""
        self._swaps.labels(outcome).inc()

    def model(self, role: str, name: str | None = None, version: str | None = None, recipe: str | None = None) -> None:
        """Which version is `champion`, `previous` or `challenger` now; without a name, none is."""
        before = self._models.pop(role, None)
        if before is not None:
            self._info.remove(*before)
        self._loaded.labels(role).set(name is not None)
        if name is not None:
            self._models[role] = labels = (role, name, version or "", recipe or "")
            self._info.labels(*labels).set(1)

    def shadow(self, outcome: str) -> None:
        """A question put to the challenger: `scored`, `dropped` (too busy) or `failed`."""
        self._shadow.labels(outcome).inc()

    def ledger(self, seconds: float, rows: int) -> None:
        """One commit that holds forecasts of `rows` series."""
        self._commit.observe(seconds)
        self._rows.inc(rows)
        if self.spans is not None:
            self.spans.past("ledger", seconds, {"rows": rows})

    def ledger_failed(self) -> None:
        """One commit of the ledger that did not come about."""
        self._failed.inc()

    def observations(self, *, new: int = 0, revised: int = 0, unchanged: int = 0) -> None:
        """Values that were sent in."""
        for kind, count in (("new", new), ("revised", revised), ("unchanged", unchanged)):
            self._observed.labels(kind).inc(count)

    def realised(self, error: float, skill: float, series: int) -> None:
        """Yesterday, over all series that can be judged.

        Args:
            error: sum of absolute errors over sum of absolute demand.
            skill: 1 minus the error over that of the seasonal naive; negative where that was better.
            series: how many were judged.
        """
        self._error.set(error)
        self._skill.set(skill)
        self._judged.set(series)

    # ---- asked ---------------------------------------------------------------------------------------------------

    def fallbacks(self) -> dict[str, dict[str, int]]:
        """Series answered below the champion since the start: rung, reason, count."""
        counts: dict[str, dict[str, int]] = {}
        for sample in (one for metric in self._rungs.collect() for one in metric.samples):
            rung, reason = sample.labels["rung"], sample.labels["reason"]
            if rung != "champion" and sample.name.endswith("_total"):
                counts.setdefault(rung, {})[reason] = int(sample.value)
        return counts

    def page(self, accept: str = "") -> tuple[bytes, str]:
        """All numbers as Prometheus reads them, or as OpenMetrics where `accept` asks for it; and the media type."""
        encoder, media_type = choose_encoder(accept)
        return encoder(self.registry), media_type

    def close(self) -> None:
        """Sends spans that are waiting."""
        if self.spans is not None:
            self.spans.close()

    # ---- made ----------------------------------------------------------------------------------------------------

    def _counter(self, name: str, meaning: str, *labels: str) -> Any:
        return Counter(name, meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Any:
        return Gauge(name, meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Any:
        return Histogram(name, meaning, labels, buckets=buckets, registry=self.registry)
