"""Scaling inside the network: what it reads is standardised and clipped, what it says is put back into the load's unit.

A scaler outside a network can be fitted on the wrong rows, lost, or applied twice; this one travels with the weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from forecast.errors import TrainingError
from forecast.networks.configs import ScalingConfig
from forecast.networks.moments import Moments
from forecast.networks.shape import NetworkShape
from forecast.networks.static_level import StaticLevel

SMALLEST_RATIO = 1e-3
"""A window's scale is at least this share of its level: a constant load is not divided by zero."""
SMALLEST_SCALE = 1e-6
HALF = 0.5
"""Scaled by its level, a window keeps at least this share of its own deviation."""
GROUPS = ("past", "future", "static", "window")


class Window(NamedTuple):
    """One level and one scale per window, in the load's unit, and which share of its load is known; each (B, 1)."""

    level_B1: Tensor
    scale_B1: Tensor
    known_B1: Tensor


def masked(x: Tensor, mask: Tensor) -> Tensor:
    """`x` where the mask is 1, else zero: a hidden NaN or infinity cannot pass, as it would by multiplication."""
    return torch.where(mask > 0, x, torch.zeros((), dtype=x.dtype, device=x.device))


class WindowScaling(nn.Module):
    """Level and scale of each window, and the standardisation of all columns.

    The level is the mean of the known load over the newest `level_steps` steps, failing that over the whole context,
    failing that what the static columns say (`StaticLevel`), failing that the training windows' mean level. The scale
    is the usual share of the level ("level"), the context's standard deviation about the level ("window") or the
    training windows' ("series"); a window without any known load has the usual share of its static level, failing that
    the latter, and one with fewer known steps than a level needs leans on the usual ratio of scale to level, because
    three hours show no spread.
    Load columns become (x − level) / scale; then every column is standardised with the training windows' mean and
    deviation (a hinge with that of its straight column: `NetworkShape.future_units`), clipped, and zero where masked.
    Before `fit` the standardisation is the identity.
    """

    level: Tensor
    scale: Tensor
    ratio: Tensor
    past_load_P: Tensor
    future_load_F: Tensor

    def __init__(self, config: ScalingConfig, shape: NetworkShape) -> None:
        super().__init__()
        self.by, self.clip, self.level_steps = config.scale, config.clip, shape.level_steps
        self.future_units = list(shape.future_units) or list(range(shape.future_columns))
        past_load = tuple(sorted({0, *shape.past_load_columns}))
        self.register_buffer("past_load_P", _flags(past_load, shape.past_columns), persistent=False)
        self.register_buffer("future_load_F", _flags(shape.future_load_columns, shape.future_columns), persistent=False)
        self.register_buffer("level", torch.zeros(1))
        self.register_buffer("scale", torch.ones(1))
        self.register_buffer("ratio", torch.full((1,), 0.25))
        self.static_level = StaticLevel(shape.static_columns) if shape.static_columns else None
        widths = (shape.past_columns, shape.future_columns, shape.static_columns, 3)
        for name, columns in zip(GROUPS, widths, strict=True):
            self.register_buffer(f"{name}_mean", torch.zeros(columns))
            self.register_buffer(f"{name}_std", torch.ones(columns))

    def window(self, past_BLP: Tensor, past_mask_BLP: Tensor, static_BS: Tensor | None = None) -> Window:
        """Level, scale and known share of each window; masked entries may hold anything.

        `static_BS` tells the level of a window without any known load.
        """
        mask_BL = (past_mask_BLP[..., 0] > 0).to(past_BLP.dtype)
        y_BL = masked(past_BLP[..., 0], mask_BL)
        level_B1, variance_B1 = _level_and_variance(y_BL, mask_BL, self.level_steps)
        known_B1 = mask_BL.mean(1, keepdim=True)
        some_B1 = known_B1 > 0
        usual_B1, usual_scale_B1 = self._usual(static_BS, level_B1)
        level_B1 = torch.where(some_B1, level_B1, usual_B1)
        trust_B1 = (mask_BL.sum(1, keepdim=True) / min(self.level_steps, mask_BL.shape[1])).clamp(max=1.0)
        variance_B1 = trust_B1 * variance_B1 + (1 - trust_B1) * (self.ratio * level_B1) ** 2
        own_B1 = torch.maximum(variance_B1.sqrt(), _smallest(level_B1))
        if self.by == "series":
            return Window(level_B1, self.scale.expand_as(level_B1), known_B1)
        if self.by == "level":
            own_B1 = torch.maximum(self.ratio * level_B1.abs(), HALF * own_B1)
        return Window(level_B1, torch.where(some_B1, own_B1, usual_scale_B1), known_B1)

    def _usual(self, static_BS: Tensor | None, like_B1: Tensor) -> tuple[Tensor, Tensor]:
        """Level and scale of windows without any known load."""
        level_B1, scale_B1 = self.level.expand_as(like_B1), self.scale.expand_as(like_B1)
        if static_BS is None or self.static_level is None:
            return level_B1, scale_B1
        fitted, told_B1 = self.static_level.fitted > 0, self.static_level(static_BS)
        told_scale_B1 = torch.maximum(self.ratio * told_B1, _smallest(told_B1))
        return torch.where(fitted, told_B1, level_B1), torch.where(fitted, told_scale_B1, scale_B1)

    def past(self, past_BLP: Tensor, past_mask_BLP: Tensor, window: Window) -> Tensor:
        """Standardised past, (B, L, P)."""
        return self._standard("past", self._in_scale(past_BLP, past_mask_BLP, window, "past"), past_mask_BLP)

    def future(self, future_BHF: Tensor, future_mask_BHF: Tensor, window: Window) -> Tensor:
        """Standardised future, (B, H, F)."""
        return self._standard("future", self._in_scale(future_BHF, future_mask_BHF, window, "future"), future_mask_BHF)

    def static(self, static_BS: Tensor) -> Tensor:
        """Standardised static columns, (B, S); NaN is unknown and becomes zero."""
        return self._standard("static", static_BS, (~static_BS.isnan()).to(static_BS.dtype))

    def window_inputs(self, window: Window) -> Tensor:
        """Level, log scale and known share as three standardised inputs, (B, 3)."""
        x_B3 = _window_columns(window)
        return self._standard("window", x_B3, torch.ones_like(x_B3))

    def to_demand(self, z_BHQ: Tensor, window: Window) -> Tensor:
        """From units of the window's scale to the load's unit."""
        return window.level_B1.unsqueeze(2) + window.scale_B1.unsqueeze(2) * z_BHQ

    def to_z(self, y_BH: Tensor, window: Window) -> Tensor:
        """From the load's unit to units of the window's scale."""
        return (y_BH - window.level_B1) / window.scale_B1

    @torch.no_grad()
    def fit(self, batches: Iterable[Sequence[Tensor]]) -> None:
        """Learn the buffers from training windows; each batch begins with past, past mask, future, future mask, static.

        Two passes are made, so give a list or something that starts again.

        Raises:
            TrainingError: `batches` is an iterator that can be read once only, or holds no known load.
        """
        _check_twice(batches)
        static_NS, level_N1 = self._fit_level(batches)
        if self.static_level is not None:
            self.static_level.fit(static_NS, level_N1)
        self._fit_columns(batches, GROUPS)

    @torch.no_grad()
    def refit_level(self, batches: Iterable[Sequence[Tensor]]) -> None:
        """Learn level, scale and their inputs again from a new series' windows; all other columns keep their units.

        Raises:
            TrainingError: as `fit`.
        """
        _check_twice(batches)
        self._fit_level(batches)
        self._fit_columns(batches, ("window",))

    def _fit_columns(self, batches: Iterable[Sequence[Tensor]], groups: Sequence[str]) -> None:
        columns = {name: Moments(len(getattr(self, f"{name}_mean"))) for name in GROUPS}
        for past, past_mask, future, future_mask, static, *_ in batches:
            window = self.window(past, past_mask, static)
            columns["past"].add(self._in_scale(past, past_mask, window, "past"), past_mask)
            columns["future"].add(self._in_scale(future, future_mask, window, "future"), future_mask)
            columns["static"].add(static, ~static.isnan())
            columns["window"].add(_window_columns(window))
        for name in groups:
            mean, std = columns[name].result()
            getattr(self, f"{name}_mean").copy_(mean)
            getattr(self, f"{name}_std").copy_(std[self.future_units] if name == "future" else std)

    def _fit_level(self, batches: Iterable[Sequence[Tensor]]) -> tuple[Tensor, Tensor]:
        """Mean level of the windows with history, root of their mean variance about it, usual ratio of the two.

        Returns the static columns and the level of those windows, (N, S) and (N, 1).
        """
        moments, meters, levels = Moments(3), [], []
        for past, past_mask, _, _, static, *_ in batches:
            mask_BL = (past_mask[..., 0] > 0).double()
            y_BL = masked(past[..., 0].double(), mask_BL)
            level_B1, variance_B1 = _level_and_variance(y_BL, mask_BL, self.level_steps)
            # At most 1: a load that balances about zero has no meaningful spread in shares of its level.
            std_B1 = variance_B1.sqrt()
            ratio_B1 = std_B1 / torch.maximum(level_B1.abs(), std_B1).clamp(min=SMALLEST_SCALE)
            all_B3 = torch.cat([level_B1, variance_B1, ratio_B1], dim=1)
            some_B1 = mask_BL.amax(1, keepdim=True)
            moments.add(all_B3, some_B1.expand_as(all_B3))
            meters.append(static[some_B1.flatten() > 0].cpu())
            levels.append(level_B1[some_B1.flatten() > 0].cpu())
        if moments.empty:
            raise TrainingError("training windows with no known load", "known load", "check the column and the mask")
        level, variance, ratio = moments.result()[0]
        self.level.fill_(level)
        self.scale.fill_(torch.maximum(variance.sqrt(), _smallest(level)))
        self.ratio.fill_(ratio)
        return torch.cat(meters), torch.cat(levels)

    def _in_scale(self, x_BTC: Tensor, mask_BTC: Tensor, window: Window, name: str) -> Tensor:
        x_BTC = masked(x_BTC, mask_BTC)
        level_B11, scale_B11 = window.level_B1.unsqueeze(2), window.scale_B1.unsqueeze(2)
        load_C = self.past_load_P if name == "past" else self.future_load_F
        return torch.where(load_C, ((x_BTC - level_B11) / scale_B11).clamp(-self.clip, self.clip), x_BTC)

    def _standard(self, name: str, x: Tensor, mask: Tensor) -> Tensor:
        z = (x - getattr(self, f"{name}_mean")) / getattr(self, f"{name}_std")
        return masked(z.clamp(-self.clip, self.clip), mask)


def _check_twice(batches: Iterable[Sequence[Tensor]]) -> None:
    if isinstance(batches, Iterator):
        raise TrainingError("an iterator to fit the scaling", "batches that can be read twice", "pass a list")


def _flags(columns: Sequence[int], count: int) -> Tensor:
    return torch.tensor([column in columns for column in range(count)], dtype=torch.bool)


def _smallest(level: Tensor) -> Tensor:
    return SMALLEST_RATIO * level.abs() + SMALLEST_SCALE


def _level_and_variance(y_BL: Tensor, mask_BL: Tensor, level_steps: int) -> tuple[Tensor, Tensor]:
    recent_B1, count_B1 = y_BL[:, -level_steps:].sum(1, keepdim=True), mask_BL[:, -level_steps:].sum(1, keepdim=True)
    all_B1, all_count_B1 = y_BL.sum(1, keepdim=True), mask_BL.sum(1, keepdim=True)
    level_B1 = torch.where(count_B1 > 0, recent_B1 / count_B1.clamp(min=1.0), all_B1 / all_count_B1.clamp(min=1.0))
    square_BL = masked((y_BL - level_B1) ** 2, mask_BL)
    return level_B1, square_BL.sum(1, keepdim=True) / all_count_B1.clamp(min=1.0)


def _window_columns(window: Window) -> Tensor:
    return torch.cat([window.level_B1, window.scale_B1.log(), window.known_B1], dim=1)
