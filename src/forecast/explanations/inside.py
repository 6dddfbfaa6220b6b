"""The networks that a model holds, found by what they can do: this room never imports torch."""

from __future__ import annotations

from typing import Any, NamedTuple

from forecast.forecaster import Model

SEQUENCES = ("rnn", "lstm", "gru", "convolution", "transformer")


class Held(NamedTuple):
    """A network and the model that feeds it: itself, a member of an ensemble, or what learns on another's residual."""

    model: Model
    network: Any

    @property
    def encoder(self) -> str:
        """Its encoder's kind, such as "gru"."""
        return str(self.network.config.encoder.kind)

    @property
    def decoder(self) -> str:
        """Its decoder's kind, such as "direct"."""
        return str(self.network.config.decoder.kind)


def networks_of(model: Model) -> list[Held]:
    """Every network in a model, in the order of its members."""
    members = tuple(getattr(model, "members", ()))
    if members:
        return [held for member in members for held in networks_of(member)]
    network = _network(model)
    return [Held(model, network)] if network is not None else []


def _network(part: object) -> object | None:
    """The network of a model, or of a model inside it."""
    network = getattr(part, "network", None)
    if hasattr(network, "encoder"):
        return network
    inside = [network, *getattr(part, "__dict__", {}).values()]
    found = (_network(one) for one in inside if hasattr(one, "quantiles"))
    return next((one for one in found if one is not None), None)
