"""`Asked`: a request whose history the store has, and the moments that it speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from forecast import clock
from forecast.calendars import is_day_clock, moment_inside, parse_gate
from forecast.errors import DataError, DeclarationError, NoSeries, RequestError
from forecast.forecaster import ForecasterSpec, due
from forecast.store.catalogue import Entry
from forecast.tables import power_unit
from serving.bodies import LONGEST_NAME, ForecastRequest
from serving.periods import check_step
from serving.stamps import read_stamp, written

SHOWN = 5
CLOCKS_DIFFER = pd.Timedelta(minutes=1)
"""A caller's clock may be so much ahead of the service's."""


@dataclass(frozen=True, eq=False)
class Asked:
    """What is asked of the store.

    Attributes:
        request: as it came.
        spec: of the model that answers.
        names: the series, in the order of their names.
        order: as the caller listed them.
    """

    request: ForecastRequest
    spec: ForecasterSpec
    names: tuple[str, ...]
    order: tuple[str, ...]

    @classmethod
    def of(cls, request: ForecastRequest, spec: ForecasterSpec) -> Asked:
        """Checks what the store has no part in.

        Raises:
            RequestError: a series comes twice, or brings what the store tells.
        """
        order = tuple(one.unique_id for one in request.series)
        for one in request.series:
            if order.count(one.unique_id) > 1:
                raise RequestError(
                    "the series comes twice", "each unique_id once", "leave one out", series=one.unique_id,
                    column="unique_id",
                )  # fmt: skip
            told = "zone" if one.zone is not None else "static" if one.static else None
            if told is not None:
                raise RequestError(
                    f"`{told}` beside a series whose history is read from the store", "only `unique_id` and `future`",
                    "leave it out: the store tells it (POST /v1/observations sets it)", series=one.unique_id,
                    column=told,
                )  # fmt: skip
        return cls(request, spec, tuple(sorted(order)), order)

    @property
    def ahead(self) -> bool:
        """Whether the request brings what is known ahead."""
        return any(one.future is not None for one in self.request.series)

    def cutoff(self, zones: Mapping[str, str]) -> pd.Timestamp | None:
        """The moment of the forecast, on the clock of the series; None: the end of what is known.

        Raises:
            RequestError: the gate is no gate, or at different moments in the zones of the series.
        """
        request, zone = self.request, next(iter(zones.values()))
        if request.cutoff is not None:
            return moment_inside(read_stamp(request.cutoff, column="cutoff"), zone)
        if request.gate is None or request.delivery_day is None:
            return None
        moments = {zone: _due(request.delivery_day, request.gate, zone) for zone in set(zones.values())}
        if len(set(moments.values())) > 1:
            told = ", ".join(f"{zone}: {at:%Y-%m-%dT%H:%MZ}" for zone, at in sorted(moments.items()))
            raise RequestError(
                f"the gate {request.gate} is at different moments in the zones of the series ({told})",
                "one moment for all series of a request", "send one request for each zone, or a cutoff", column="gate",
            )  # fmt: skip
        return next(iter(moments.values()))

    def known_until(self, cutoff: pd.Timestamp | None, zone: str) -> pd.Timestamp:
        """The moment whose knowledge counts: `as_of`, else the cutoff, else now; never one after the cutoff.

        Raises:
            RequestError: `as_of` has not come yet; what will be known then nobody can say.
        """
        if self.request.as_of is not None:
            told = read_stamp(self.request.as_of, column="as_of")
            if told > clock.now() + CLOCKS_DIFFER:
                raise RequestError(
                    f"as_of is {written(told)}, which has not come yet",
                    f"a moment up to now ({written(clock.now().floor('s'))})",
                    "leave it out for all that is known now", column="as_of",
                )  # fmt: skip
            moment = moment_inside(told, zone)
            return moment if cutoff is None else min(moment, cutoff)
        return cutoff if cutoff is not None else moment_inside(clock.now(), zone)

    def unit(self, entries: Mapping[str, Entry]) -> str:
        """The unit of the answer: the one asked for, else that of the series, else the model's.

        Raises:
            RequestError: it is no unit of the model's power.
        """
        stored = {str(one.info.unit) for one in entries.values()}
        unit = self.request.unit or (stored.pop() if len(stored) == 1 else self.spec.unit)
        power = power_unit(self.spec.unit)
        offered = power if power == "GW" else f"{power} or {power}h"
        if power_unit(unit) != power:
            raise RequestError(f"unit {unit}", f"{offered}: the model was trained on {self.spec.unit}", column="unit")
        return unit

    def check(self, entries: Mapping[str, Entry], *, static: bool = True) -> None:
        """Whether the model can read the series at all; `static`: whether static covariates are asked for, too.

        Raises:
            RequestError, DataError: a series is unknown, or of another step, power or clock than the model; or lacks a
                static covariate that the model reads.
        """
        spec, daily = self.spec, is_day_clock(self.spec.zone)
        missing = [name for name in self.names if name not in entries]
        if missing:
            raise no_series(*missing)
        for name, one in entries.items():
            check_step(name, pd.Timedelta(seconds=one.step_seconds), spec.step)
            if power_unit(str(one.info.unit)) != power_unit(spec.unit):
                raise DataError(
                    f"the store holds it in {one.info.unit}", f"{power_unit(spec.unit)}, which the model learned from",
                    "ask a model that was trained on its unit", series=name, column="unit",
                )  # fmt: skip
            if is_day_clock(one.info.zone) != daily:
                raise DataError("it counts civil days, and the model does not" if not daily else
                                "the model counts civil days, and it does not", "one clock", series=name)  # fmt: skip
            lacking = [column for column in spec.static if column not in one.info.static]
            if static and lacking:
                raise DataError(
                    f"the store knows no static covariate {', '.join(map(repr, lacking))}",
                    f"{', '.join(spec.static)}, which the model reads", "tell it with POST /v1/observations",
                    series=name, column=lacking[0],
                )  # fmt: skip
        zones = {clock.lived_zone(one.info.zone or "UTC") for one in entries.values()}
        if daily and len(zones) > 1:
            raise RequestError(
                f"daily series of several zones ({', '.join(sorted(zones)[:3])})",
                "one zone, whose civil days are counted", "send one request for each zone", column="zone",
            )  # fmt: skip


def no_series(*missing: str) -> NoSeries:
    """That a request is about series which the store does not know; the same at every address."""
    told = [name[:LONGEST_NAME] for name in missing[:SHOWN]]
    return NoSeries(
        f"the store holds no series {', '.join(map(repr, told))}", "series that it holds",
        "GET /v1/series lists them; send the history with the request, or POST it to /v1/observations",
        series=told[0], column="unique_id",
    )  # fmt: skip


def _due(day: str, gate: str, zone: str) -> pd.Timestamp:
    try:
        parse_gate(gate)
    except DeclarationError as error:
        raise RequestError(error.found, error.expected, error.do, column="gate") from None
    try:
        return due(day, gate, zone)
    except RequestError as error:
        raise RequestError(error.found, error.expected, error.do, column="delivery_day") from None
