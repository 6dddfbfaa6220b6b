"""The parts of a network from their configs, and how they meet a shape."""

from __future__ import annotations

from typing import assert_never

from forecast.errors import RecipeError
from forecast.networks.configs import (
    AttentionDecoderConfig,
    ConvolutionConfig,
    DecoderConfig,
    DirectConfig,
    EncoderConfig,
    HighwayConfig,
    NeighboursConfig,
    NoEncoderConfig,
    OutlookConfig,
    RecurrentConfig,
    RecurrentDecoderConfig,
    TransformerConfig,
)
from forecast.networks.convolution import ConvolutionEncoder
from forecast.networks.direct import DirectDecoder
from forecast.networks.encoded import Leads, Plain
from forecast.networks.highway import HourlyHighway
from forecast.networks.outlook import Outlook
from forecast.networks.recurrent import RecurrentDecoder, RecurrentEncoder
from forecast.networks.shape import NetworkShape
from forecast.networks.transformer import AttentionDecoder, TransformerEncoder

Encoder = RecurrentEncoder | ConvolutionEncoder | TransformerEncoder | Plain
Decoder = DirectDecoder | RecurrentDecoder | AttentionDecoder


def steps_joined(patch: int | str, shape: NetworkShape) -> int:
    """Context steps in one encoder step, at least one.

    >>> steps_joined("6h", NetworkShape(past_columns=1, future_columns=0, context=8, horizon=2, level_steps=7 * 48))
    12
    """
    if isinstance(patch, int):
        return patch
    if patch == "auto":
        return shape.steps_per_hour
    return max(1, int(patch.removesuffix("h")) * shape.day_steps // 24)


def encoder_steps_per_day(patch: int, shape: NetworkShape) -> int | None:
    """Encoder steps in 24 hours; None where `patch` does not divide a day."""
    return None if shape.day_steps % patch else shape.day_steps // patch


def make_decoder(
    config: DecoderConfig, encoder_width: int, known_columns: int, static_columns: int, day: int | None, leads: Leads
) -> Decoder:
    """The decoder of a config.

    Args:
        config: what it is.
        encoder_width: of the encoder's steps and state.
        known_columns: what it reads at each horizon step.
        static_columns: what it reads of a series.
        day: encoder steps in 24 hours; None where they do not divide a day.
        leads: hours ahead with weights of their own.

    Raises: RecipeError for same-hour attention without such a day.
    """
    match config:
        case DirectConfig():
            if config.same_hour is not None and day is None:
                raise RecipeError(
                    "same-hour attention over encoder steps that do not divide a day", "a patch that does, such as 6h",
                    "change patch, or leave same_hour out",
                )  # fmt: skip
            return DirectDecoder(config, encoder_width, known_columns, static_columns, leads, day or 1)
        case RecurrentDecoderConfig():
            return RecurrentDecoder(config, encoder_width, known_columns, static_columns)
        case AttentionDecoderConfig():
            return AttentionDecoder(config, encoder_width, known_columns, static_columns)
        case _ as never:
            assert_never(never)


def make_highway(config: HighwayConfig, known_columns: int, shape: NetworkShape) -> HourlyHighway:
    """The highway of a config.

    Raises: RecipeError when it wants weights per hour and the shape names no hour columns.
    """
    if (config.hourly or config.smooth) and shape.hour_columns is None:
        raise RecipeError(
            "a highway with weights by hour and no hour columns",
            "the one-hot local hour among the future columns",
            "add the hour to the features, or set hourly = false and smooth = 0",
        )
    slots = 1 if shape.hour_columns is None else shape.hour_columns[1] - shape.hour_columns[0]
    return HourlyHighway(
        known_columns, slots, shared=config.shared, hourly=config.hourly, smooth=config.smooth,
        leads=make_leads(shape) if config.leads else None,
    )  # fmt: skip


def make_leads(shape: NetworkShape) -> Leads:
    """The hours ahead of a shape, or its steps where they are longer."""
    return Leads(-(-shape.horizon // shape.stride), max(1, shape.day_steps // shape.stride))


def make_outlook(config: OutlookConfig, told: int, heard: NeighboursConfig | None, shape: NetworkShape) -> Outlook:
    """The outlook of a config; `told` columns are the same at every step ahead, `heard` holds the series' vectors."""
    own = heard.embedding if heard is not None else 0
    hours = max(1, min(shape.level_steps, shape.context) // shape.stride)
    return Outlook(config, hours=hours, told=told, own=own, leads=make_leads(shape).most)


def make_encoder(config: EncoderConfig, columns: int, static_columns: int) -> Encoder:
    """The encoder of a config; `columns` are the channels of one encoder step."""
    match config:
        case RecurrentConfig():
            return RecurrentEncoder(config, columns, static_columns)
        case ConvolutionConfig():
            return ConvolutionEncoder(config, columns, static_columns)
        case TransformerConfig():
            return TransformerEncoder(config, columns, static_columns)
        case NoEncoderConfig():
            return Plain(columns, static_columns, config.width)
        case _ as never:
            assert_never(never)
