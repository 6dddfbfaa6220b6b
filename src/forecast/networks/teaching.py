"""How much of the truth an autoregressive decoder hears in an epoch: scheduled sampling."""

from __future__ import annotations

from math import exp, log

from forecast.networks.configs import RecurrentDecoderConfig


def taught_share(config: RecurrentDecoderConfig, epoch: int, epochs: int) -> float:
    """The share of steps that are fed the truth in epoch 0, 1, … of `epochs`.

    "linear" falls from `teacher_forcing` in the first epoch to zero in the last. "inverse-sigmoid" is `teacher_forcing`
    times k / (k + exp(epoch / k)), with the k that halves it in the middle of the epochs. Source: Bengio et al. 2015,
    arXiv 1506.03099, section 2.4.

    >>> config = RecurrentDecoderConfig(autoregressive=True, teacher_forcing=0.8, forcing_schedule="linear")
    >>> [round(taught_share(config, epoch, 5), 2) for epoch in range(5)]
    [0.8, 0.6, 0.4, 0.2, 0.0]
    """
    share = config.teacher_forcing
    if config.forcing_schedule == "linear":
        return share * (1 - epoch / max(1, epochs - 1))
    if config.forcing_schedule == "inverse-sigmoid":
        k = _half_at((epochs - 1) / 2)
        return share * k / (k + exp(epoch / k))
    return share


def _half_at(epoch: float) -> float:
    """The k with exp(epoch / k) = k, where the inverse sigmoid is one half: k ln k = epoch, by Newton's method."""
    k = max(2.0, epoch)
    for _ in range(50):
        k -= (k * log(k) - epoch) / (log(k) + 1)
    return k
