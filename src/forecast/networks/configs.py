"""What a network is made of, as frozen values that a recipe embeds; nothing here imports torch."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from forecast.errors import RecipeError

Cell = Literal["rnn", "lstm", "gru"]
ScoreKind = Literal["scaled_dot", "additive", "cosine"]
Truncation = Literal["newest", "chunks"]
Forcing = Literal["constant", "linear", "inverse-sigmoid"]
Width = Annotated[int, Field(ge=1, le=4096)]
Hours = Annotated[str, Field(pattern=r"^[1-9]\d?h$")]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def switched(value: object) -> object:
    """TOML has no null: `highway = false` leaves the highway out, `true` means its defaults; so with all parts."""
    return {True: {}, False: None}[value] if isinstance(value, bool) else value


def _check_heads(width: int, heads: int) -> None:
    if width % heads:
        raise RecipeError(f"width {width} with {heads} heads", "a width that the heads divide", "change one of the two")


class RecurrentConfig(_Frozen):
    """A recurrent encoder over the observed window.

    `truncate` = k is truncated backpropagation through time: memory and backward time are bounded by k, and
    dependencies longer than k are read but no longer learned. None is full backpropagation, which keeps the activations
    of every step. `truncation` says what becomes of the older steps: "newest" reads them without gradient; "chunks"
    reads them in chunks of k, the state carried on without its gradient, each chunk learning within itself: for
    decoders that attend to every step. `kind="gru"` runs torch's form: update gate z = 1 - Γ_u, reset gate applied
    after the matrix product (`cells.GruCell` is the textbook form).

    Raises: RecipeError when `truncate` meets `bidirectional` (the backward direction ends at the oldest step), and for
        chunks without their length.
    """

    kind: Cell = "lstm"
    width: Width = 64
    layers: int = Field(default=1, ge=1, le=16)
    bidirectional: bool = False
    residual: bool = False
    dropout: Share = 0.0
    truncate: int | None = Field(default=None, ge=1)
    truncation: Truncation = "newest"

    @model_validator(mode="after")
    def _one_direction_when_truncated(self) -> Self:
        if self.truncate is None and self.truncation == "chunks":
            raise RecipeError(
                'an encoder with truncation = "chunks" and no truncate', "the length of a chunk", "set truncate"
            )
        if self.truncate is not None and self.bidirectional:
            raise RecipeError(
                f"an encoder with truncate = {self.truncate} and bidirectional = true",
                "one of the two: the backward direction ends at the oldest step, beyond any truncation",
                "set bidirectional = false or leave truncate out",
            )
        return self


class ConvolutionConfig(_Frozen):
    """A causal dilated convolution encoder; it sees 1 + (kernel - 1) (2^layers - 1) encoder steps back."""

    kind: Literal["convolution"] = "convolution"
    width: Width = 64
    layers: int = Field(default=6, ge=1, le=16)
    kernel: int = Field(default=3, ge=2, le=64)
    dropout: Share = 0.0


class TransformerConfig(_Frozen):
    """A pre-norm Transformer encoder with sinusoidal positions counted back from the cutoff.

    Raises: RecipeError when the heads do not divide the width.
    """

    kind: Literal["transformer"] = "transformer"
    width: Width = 64
    layers: int = Field(default=2, ge=1, le=16)
    heads: int = Field(default=4, ge=1, le=64)
    score: ScoreKind = "scaled_dot"
    causal: bool = False
    dropout: Share = 0.0

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        _check_heads(self.width, self.heads)
        return self


class NoEncoderConfig(_Frozen):
    """No sequence model: each encoder step is embedded by itself, and the decoder lives on what it knows per step."""

    kind: Literal["none"] = "none"
    width: Width = 16


class AttentionConfig(_Frozen):
    """Attention of a recurrent decoder over the encoder's steps."""

    score: ScoreKind = "scaled_dot"
    heads: int = Field(default=4, ge=1, le=64)


class SameHourConfig(_Frozen):
    """Attention of each step ahead over the encoder's steps at its own hour of the last `days` days.

    Raises: RecipeError when the heads do not divide the width.
    """

    days: int = Field(default=7, ge=1, le=60)
    width: Width = 48
    heads: int = Field(default=4, ge=1, le=64)
    score: ScoreKind = "scaled_dot"

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        _check_heads(self.width, self.heads)
        return self


class DirectConfig(_Frozen):
    """One perceptron shared by all horizon steps; `same_hour` lets each step look at its own hour of the last days."""

    kind: Literal["direct"] = "direct"
    width: Width = 128
    dropout: Share = 0.0
    same_hour: Annotated[SameHourConfig | None, BeforeValidator(switched)] = None


class RecurrentDecoderConfig(_Frozen):
    """A recurrent decoder over the horizon's known inputs.

    `autoregressive` also feeds the previous step's median; `teacher_forcing` is the share of training steps that are
    fed the truth instead. `forcing_schedule` keeps that share, or lets it fall over the epochs (`teaching` has the
    formulas). `bidirectional` reads the known inputs both ways: they are known at the cutoff.

    Raises: RecipeError for teacher forcing without autoregression, a schedule without teacher forcing, both directions
        with autoregression, and when the attention's heads do not divide the width of the decoder's output.
    """

    kind: Literal["recurrent"] = "recurrent"
    cell: Cell = "gru"
    width: Width = 64
    bidirectional: bool = False
    attention: Annotated[AttentionConfig | None, BeforeValidator(switched)] = None
    autoregressive: bool = False
    teacher_forcing: float = Field(default=0.0, ge=0.0, le=1.0)
    forcing_schedule: Forcing = "constant"
    dropout: Share = 0.0

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.forcing_schedule != "constant" and not self.teacher_forcing:
            raise RecipeError(
                f'a decoder with forcing_schedule = "{self.forcing_schedule}" and teacher_forcing = 0',
                "a share that can fall",
                "set teacher_forcing",
            )
        if self.teacher_forcing and not self.autoregressive:
            raise RecipeError(
                f"teacher_forcing = {self.teacher_forcing} with autoregressive = false",
                "a decoder that hears its own last step",
                "set autoregressive = true or teacher_forcing = 0",
            )
        if self.autoregressive and self.bidirectional:
            raise RecipeError(
                "a decoder with autoregressive = true and bidirectional = true",
                "one of the two: a step cannot hear its own future",
                "set one of them to false",
            )
        if self.attention is not None:
            _check_heads(self.width * (2 if self.bidirectional else 1), self.attention.heads)
        return self


class AttentionDecoderConfig(_Frozen):
    """A Transformer decoder: queries from the horizon's known inputs, cross-attention to the encoder.

    Raises: RecipeError when the heads do not divide the width.
    """

    kind: Literal["attention"] = "attention"
    width: Width = 64
    layers: int = Field(default=1, ge=1, le=16)
    heads: int = Field(default=4, ge=1, le=64)
    score: ScoreKind = "scaled_dot"
    causal_self_attention: bool = False
    dropout: Share = 0.0

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        _check_heads(self.width, self.heads)
        return self


class HighwayConfig(_Frozen):
    """The linear path from the known inputs straight to the output.

    Its weights are `shared` by all hours, follow `smooth` bumps around the clock, and are each hour's own (`hourly`);
    `leads` adds weights of each hour ahead, which is not the same where cutoffs or zones differ.

    Raises: RecipeError when no part is wanted (set `highway = false` instead).
    """

    kind: Literal["hourly"] = "hourly"
    shared: bool = True
    hourly: bool = True
    smooth: int = Field(default=8, ge=0, le=24)
    leads: bool = True

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not (self.shared or self.hourly or self.smooth or self.leads):
            raise RecipeError(
                "a highway with shared = false, hourly = false, leads = false and smooth = 0", "at least one",
                "set highway = false instead",
            )  # fmt: skip
        return self


class OutlookConfig(_Frozen):
    """A perceptron of two layers of `width` that reads the whole window at once and answers every hour ahead.

    `alone`: whether the network of a single series has one, too. `own`: ranks of the linear maps from the last week
    that several series have of their own, mixed by the vectors that `neighbours` learns for them; 0, or no neighbours,
    leaves them out. Every hour hears the mean of all that is known ahead: no decoder is causal over the horizon then.
    """

    alone: bool = False
    width: Width = 256
    own: int = Field(default=12, ge=0, le=256)
    dropout: Share = 0.1


class NeighboursConfig(_Frozen):
    """How a network of several series hears the others; a table of one series has none.

    `heads` maps of neighbours from vectors of `width`, beside an `embedding` of each series itself. `hidden`: share of
    windows that hear nobody while it learns, and share of those that do not know themselves, so that late neighbours
    and new series are no surprise.
    """

    heads: int = Field(default=6, ge=1, le=64)
    width: Width = 8
    embedding: Width = 16
    hidden: Annotated[float, Field(ge=0.0, le=0.5)] = 0.1


class ScalingConfig(_Frozen):
    """How a network scales its inputs and outputs.

    `scale`: "level" divides by the window's level times the usual ratio of spread to level, fitted on the training
    windows: steady from week to week, and right for series of any size; "window" divides by each window's own standard
    deviation, which a hot week doubles; "series" by one standard deviation for all, for a single series. A window whose
    level is near zero (net demand) is never scaled by less than half its own deviation. Everything a network reads is
    clipped to ± `clip`.
    """

    scale: Literal["level", "window", "series"] = "level"
    clip: float = Field(default=6.0, gt=0.0)


EncoderConfig = Annotated[
    RecurrentConfig | ConvolutionConfig | TransformerConfig | NoEncoderConfig, Field(discriminator="kind")
]
DecoderConfig = Annotated[DirectConfig | RecurrentDecoderConfig | AttentionDecoderConfig, Field(discriminator="kind")]


class NetworkConfig(_Frozen):
    """A whole network: encoder, decoder, highway and scaling.

    `outlook` also reads the window as a whole. `neighbours` lets a network that learns several series hear what the
    others were doing at the cutoff. `patch` joins context steps into one encoder step: so many, those of so many hours
    ("6h"), or those of one hour ("auto"). `dropout` silences that share of the decoder's known inputs in training; the
    highway always sees all of them.

    >>> NetworkConfig(encoder={"kind": "gru", "width": 32}).encoder.kind
    'gru'
    """

    encoder: EncoderConfig = RecurrentConfig()
    decoder: DecoderConfig = DirectConfig()
    highway: Annotated[HighwayConfig | None, BeforeValidator(switched)] = HighwayConfig()
    outlook: Annotated[OutlookConfig | None, BeforeValidator(switched)] = OutlookConfig()
    neighbours: Annotated[NeighboursConfig | None, BeforeValidator(switched)] = NeighboursConfig()
    scaling: ScalingConfig = ScalingConfig()
    dropout: Share = 0.0
    patch: Literal["auto"] | Annotated[int, Field(ge=1, le=1024)] | Hours = "auto"
