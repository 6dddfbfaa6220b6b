"""A whole network: scaling, encoder, decoder, highway and head behind one signature."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from forecast.networks.configs import NetworkConfig
from forecast.networks.encoded import Encoded
from forecast.networks.heads import MonotoneQuantileHead
from forecast.networks.neighbours import Neighbours
from forecast.networks.outlook import hourly
from forecast.networks.parts import (
    encoder_steps_per_day,
    make_decoder,
    make_encoder,
    make_highway,
    make_leads,
    make_outlook,
    steps_joined,
)
from forecast.networks.recurrent import RecurrentDecoder
from forecast.networks.scaling import Window, WindowScaling, masked
from forecast.networks.shape import NetworkShape


class Echo(NamedTuple):
    """What an autoregressive decoder hears: its own median, or the truth in the steps where it is taught."""

    head: MonotoneQuantileHead
    offset_BH: Tensor
    start_B1: Tensor
    clip: float
    truth_BH: Tensor | None = None
    taught_BH: Tensor | None = None

    def after(self, step: int, hidden_B1D: Tensor) -> Tensor:
        """The value after a step, (B, 1), in units of the window's scale."""
        own_B1 = self.head.median(hidden_B1D) + self.offset_BH[:, step : step + 1]
        if self.truth_BH is not None and self.taught_BH is not None:
            own_B1 = torch.where(self.taught_BH[:, step : step + 1], self.truth_BH[:, step : step + 1], own_B1)
        return own_B1.clamp(-self.clip, self.clip)


class DemandNetwork(nn.Module):
    """From a masked window to demand quantiles in the load's own unit.

    Shapes: `past_BLP` with mask, `future_BHF` with mask, `static_BS`, `peers_BSD` (see `Neighbours`) to `(B, H, Q)`;
    masks are 0 or 1 (known), and what a masked entry holds changes no bit of the answer. L and H may differ from
    `shape` and from call to call; a short history comes padded and masked. `targets_BH` (load, NaN where unknown)
    teaches an autoregressive decoder in training and is otherwise ignored. Make one with `build`, then let
    `scaling.fit` see the training windows.

    Steps shorter than an hour are answered phase by phase: the decoder walks from hour to hour, once for the steps at
    minute 0, once for those at minute 10, ..., so it costs and learns what an hourly one does. `scaled` with `phase`
    answers that phase alone, which is enough to learn from.

    Raises: RecipeError when the highway wants weights per hour and the shape names no hour columns.
    """

    def __init__(self, config: NetworkConfig, shape: NetworkShape) -> None:
        super().__init__()
        self.config, self.shape = config, shape
        self.patch = steps_joined(config.patch, shape)
        self.leads = make_leads(shape)
        known_columns, static_columns = shape.future_columns + 3, shape.static_columns + 1
        heard = config.neighbours if shape.peers else None
        self.neighbours = Neighbours(heard, shape.peers, shape.peer_columns) if heard is not None else None
        self.scaling = WindowScaling(config.scaling, shape)
        self.encoder = make_encoder(config.encoder, (shape.past_columns + 1) * self.patch, static_columns)
        heard_columns = self.neighbours.width if self.neighbours is not None else 0
        self.decoder = make_decoder(
            config.decoder, self.encoder.width, known_columns, static_columns + heard_columns,
            encoder_steps_per_day(self.patch, shape), self.leads,
        )  # fmt: skip
        self.highway = None if config.highway is None else make_highway(config.highway, known_columns, shape)
        told = self.encoder.width + static_columns + heard_columns + known_columns
        look = config.outlook
        wanted = look is not None and (look.alone or shape.peers > 0)
        self.outlook = make_outlook(look, told, heard, shape) if look is not None and wanted else None
        self.head = MonotoneQuantileHead(self.decoder.width, shape.quantiles)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        past_BLP: Tensor,
        past_mask_BLP: Tensor,
        future_BHF: Tensor,
        future_mask_BHF: Tensor,
        static_BS: Tensor,
        peers_BSD: Tensor | None = None,
        targets_BH: Tensor | None = None,
    ) -> Tensor:
        z_BHQ, window = self.scaled(
            past_BLP, past_mask_BLP, future_BHF, future_mask_BHF, static_BS, peers_BSD, targets_BH
        )
        return self.scaling.to_demand(z_BHQ, window)

    def scaled(
        self,
        past_BLP: Tensor,
        past_mask_BLP: Tensor,
        future_BHF: Tensor,
        future_mask_BHF: Tensor,
        static_BS: Tensor,
        peers_BSD: Tensor | None = None,
        targets_BH: Tensor | None = None,
        phase: int | None = None,
    ) -> tuple[Tensor, Window]:
        """The quantiles in units of each window's scale, (B, H, Q), and the levels and scales; for the loss.

        With `phase`, of the steps phase, phase + stride, ... alone, where `stride` is the steps of an hour.
        """
        window = self.scaling.window(past_BLP, past_mask_BLP, static_BS)
        past_BLP = self.scaling.past(past_BLP, past_mask_BLP, window)
        # The column of ones is a bias, and keeps the static path alive where a series has no static columns.
        static_BS = torch.cat([self.scaling.static(static_BS), torch.ones_like(window.level_B1)], dim=1)
        encoded = self._encode(past_BLP, past_mask_BLP, static_BS)
        heard_BK = self._heard(peers_BSD, static_BS)
        week_BT = self._week(past_BLP, past_mask_BLP)
        phases = range(min(self.stride, future_BHF.shape[1])) if phase is None else [phase]
        answers = []
        for first in phases:
            own_BH = None if targets_BH is None else targets_BH[:, first :: self.stride]
            known = (self._every(future_BHF, first), self._every(future_mask_BHF, first))
            told = (*known, static_BS, heard_BK, week_BT, own_BH)
            answers.append(self._answer(encoded._replace(first=first, stride=self.stride), past_BLP, window, *told))
        return _interleaved(answers), window

    @property
    def stride(self) -> int:
        """Steps from one answered step of a phase to the next: those of an hour; one where the shape tells no more."""
        return self.shape.stride

    def _every(self, x_BHF: Tensor, first: int) -> Tensor:
        """The steps first, first + stride, … ahead.

        An exported graph of whole hours picks them from the hours: their number is then plain arithmetic to its tracer.
        """
        if torch.compiler.is_exporting() and x_BHF.shape[1] % self.stride == 0:
            return x_BHF.reshape(x_BHF.shape[0], -1, self.stride, x_BHF.shape[2])[:, :, first]
        return x_BHF[:, first :: self.stride]

    def _answer(
        self, encoded: Encoded, past_BLP: Tensor, window: Window, future_BHF: Tensor, future_mask_BHF: Tensor,
        static_BS: Tensor, heard_BK: Tensor, week_BT: Tensor, targets_BH: Tensor | None,
    ) -> Tensor:  # fmt: skip
        """Quantiles of one phase in units of each window's scale; the past and the static columns are standardised."""
        known_BHK = self._known(future_BHF, future_mask_BHF, window)
        static_BS = torch.cat([static_BS, heard_BK], dim=1)
        offset_BH = self._offset(known_BHK, future_BHF, future_mask_BHF)
        if self.outlook is not None:
            told_BK = torch.cat([encoded.state_BD, static_BS, self._ahead(known_BHK, future_mask_BHF)], dim=1)
            offset_BN = self.outlook(week_BT, told_BK, heard_BK[:, : self.outlook.own_columns])
            offset_BH = offset_BH + offset_BN[:, self.leads.of(known_BHK)]
        if self.shape.base_column is not None:
            base = self.shape.base_column
            z_BH = self.scaling.to_z(future_BHF[..., base], window)
            offset_BH = offset_BH + masked(z_BH, future_mask_BHF[..., base])
        heard_BHK = self.dropout(known_BHK)
        if isinstance(self.decoder, RecurrentDecoder) and self.decoder.autoregressive:
            echo = self._echo(offset_BH, past_BLP[:, -1, :1], targets_BH, window)
            hidden_BHD = self.decoder(encoded, heard_BHK, static_BS, echo)
        else:
            hidden_BHD = self.decoder(encoded, heard_BHK, static_BS)
        z_BHQ: Tensor = self.head(hidden_BHD) + offset_BH.unsqueeze(2)
        return z_BHQ

    def _encode(self, past_BLP: Tensor, past_mask_BLP: Tensor, static_BS: Tensor) -> Encoded:
        """Join `patch` steps into one encoder step; a context that it does not divide begins with masked zeros."""
        x_BLC = torch.cat([past_BLP, past_mask_BLP[..., :1]], dim=2)
        known_BL = past_mask_BLP.amax(2)
        missing = -x_BLC.shape[1] % self.patch
        x_BLC, known_BL = pad(x_BLC, (0, 0, missing, 0)), pad(known_BL, (missing, 0))
        steps = x_BLC.shape[1] // self.patch
        x_BLC = x_BLC.reshape(-1, steps, self.patch * x_BLC.shape[2])
        known_BL = known_BL.reshape(-1, steps, self.patch).amax(2)
        encoded: Encoded = self.encoder(x_BLC, known_BL, static_BS)
        return encoded._replace(step=self.patch)

    def _week(self, past_BLP: Tensor, past_mask_BLP: Tensor) -> Tensor:
        """The standardised load of the last week, hour by hour; nothing without an outlook to read it."""
        if self.outlook is None:
            return past_BLP[:, :0, 0]
        return hourly(past_BLP[..., 0], past_mask_BLP[..., 0], self.outlook.hours, self.shape.stride)

    def _known(self, future_BHF: Tensor, future_mask_BHF: Tensor, window: Window) -> Tensor:
        future_BHF = self.scaling.future(future_BHF, future_mask_BHF, window)
        same_B13 = self.scaling.window_inputs(window).unsqueeze(1)
        return torch.cat([future_BHF, same_B13.expand(-1, future_BHF.shape[1], -1)], dim=2)

    def _ahead(self, known_BHK: Tensor, future_mask_BHF: Tensor) -> Tensor:
        """Means of what is known of the horizon that was learned, (B, K); masked inputs are zero already."""
        learned_BHK, count_BF = known_BHK[:, : self.leads.most], future_mask_BHF[:, : self.leads.most].sum(1)
        share_BF = count_BF.clamp(min=1.0) / learned_BHK.shape[1]
        mean_BK = learned_BHK.mean(1)
        future = share_BF.shape[1]
        return torch.cat([mean_BK[:, :future] / share_BF, mean_BK[:, future:]], dim=1)

    def _heard(self, peers_BSD: Tensor | None, like_BS: Tensor) -> Tensor:
        """What the other series say, (B, K); nothing where there are none, unknown where nobody told."""
        if self.neighbours is None:
            return like_BS[:, :0]
        if peers_BSD is None:
            peers_BSD = like_BS.new_full((like_BS.shape[0], self.shape.peers, self.shape.peer_columns + 1), torch.nan)
            peers_BSD[..., -1] = 0.0
        heard_BK: Tensor = self.neighbours(peers_BSD)
        return heard_BK

    def _offset(self, known_BHK: Tensor, future_BHF: Tensor, future_mask_BHF: Tensor) -> Tensor:
        if self.highway is None:
            return torch.zeros_like(known_BHK[..., 0])
        if self.shape.hour_columns is None:
            slot_BH = torch.zeros_like(known_BHK[..., 0], dtype=torch.long)
        else:
            hours = slice(*self.shape.hour_columns)
            slot_BH = masked(future_BHF[..., hours], future_mask_BHF[..., hours]).argmax(2)
        offset_BH: Tensor = self.highway(known_BHK, slot_BH)
        return offset_BH

    def _echo(self, offset_BH: Tensor, start_B1: Tensor, targets_BH: Tensor | None, window: Window) -> Echo:
        clip = self.config.scaling.clip
        decoder = self.decoder
        taught = decoder.taught if isinstance(decoder, RecurrentDecoder) and decoder.config.teacher_forcing else None
        if targets_BH is None or not self.training or taught is None:
            return Echo(self.head, offset_BH, start_B1, clip)
        truth_BH = self.scaling.to_z(targets_BH, window)
        taught_BH = (torch.rand_like(offset_BH) < taught) & ~truth_BH.isnan()
        return Echo(self.head, offset_BH, start_B1, clip, masked(truth_BH, taught_BH), taught_BH)


def _interleaved(phases: list[Tensor]) -> Tensor:
    """Answers of several phases, each (B, H', Q), step after step; the first phases may be one step longer."""
    if len(phases) == 1:
        return phases[0]
    longest = phases[0].shape[1]
    even = [pad(one, (0, 0, 0, longest - one.shape[1])) for one in phases]
    return torch.stack(even, dim=2).flatten(1, 2)[:, : sum(one.shape[1] for one in phases)]


def build(config: NetworkConfig, shape: NetworkShape, seed: int) -> DemandNetwork:
    """A network whose first weights depend on the seed alone; the caller's random state is left as it was.

    >>> shape = NetworkShape(past_columns=1, future_columns=0, context=8, horizon=2)
    >>> network = build(NetworkConfig(highway=None), shape, seed=1)
    >>> network(*(torch.ones(3, *side) for side in ((8, 1), (8, 1), (2, 0), (2, 0), (0,)))).shape
    torch.Size([3, 2, 9])
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return DemandNetwork(config, shape)
