"""Published ways to judge forecasts: the same data, cutoffs and metrics as the peers whose figures stand beside."""

from forecast.errors import DeclarationError
from forecast.protocols.eia import EIA_33, EIA_33_PLUS
from forecast.protocols.judgement import judge, prove
from forecast.protocols.peers import MEASURED, Goal, Peer
from forecast.protocols.protocol import Protocol
from forecast.protocols.tetouan import TET
from forecast.protocols.victoria import VIC_A, VIC_B, VIC_DEC

PROTOCOLS = {protocol.name: protocol for protocol in (VIC_A, VIC_B, VIC_DEC, EIA_33, EIA_33_PLUS, TET)}


def named(name: str) -> Protocol:
    """A protocol by its word.

    Raises:
        DeclarationError: there is none of this name.
    """
    if name not in PROTOCOLS:
        raise DeclarationError(f"no protocol '{name}'", f"one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


__all__ = [
    "EIA_33", "EIA_33_PLUS", "MEASURED", "PROTOCOLS", "TET", "VIC_A", "VIC_B", "VIC_DEC", "Goal", "Peer", "Protocol",
    "judge", "named", "prove",
]  # fmt: skip
