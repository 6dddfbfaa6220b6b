"""Schedules of teacher forcing."""

from itertools import pairwise
from math import exp

import pytest

from forecast.errors import RecipeError
from forecast.networks.configs import RecurrentDecoderConfig
from forecast.networks.recurrent import RecurrentDecoder
from forecast.networks.teaching import taught_share


def config(schedule: str, share: float = 0.8) -> RecurrentDecoderConfig:
    return RecurrentDecoderConfig.model_validate(
        {"autoregressive": True, "teacher_forcing": share, "forcing_schedule": schedule, "width": 4}
    )


def shares(schedule: str, epochs: int, share: float = 0.8) -> list[float]:
    return [taught_share(config(schedule, share), epoch, epochs) for epoch in range(epochs)]


def test_constant_stays() -> None:
    assert shares("constant", 4) == [0.8] * 4


def test_linear_falls_evenly_to_zero() -> None:
    assert shares("linear", 5) == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.0])
    assert shares("linear", 1) == [0.8]


def test_inverse_sigmoid_is_the_paper_form_and_halves_in_the_middle() -> None:
    falling = shares("inverse-sigmoid", 21, share=1.0)
    assert falling[10] == pytest.approx(0.5)
    # One k explains every epoch: k / (k + exp(i / k)), and the first epoch tells k.
    k = falling[0] / (1 - falling[0])
    assert falling == pytest.approx([k / (k + exp(i / k)) for i in range(21)])
    assert k >= 1
    drops = [one - after for one, after in pairwise(falling)]
    assert max(drops) > 1.8 * max(drops[0], drops[-1])  # slow, fast, slow


@pytest.mark.parametrize("epochs", [1, 2, 30, 500])
@pytest.mark.parametrize("schedule", ["constant", "linear", "inverse-sigmoid"])
def test_every_schedule_is_a_falling_share(schedule: str, epochs: int) -> None:
    told = shares(schedule, epochs)
    assert all(0 <= share <= 0.8 for share in told)
    assert told == sorted(told, reverse=True)


def test_a_decoder_is_told_its_epoch_and_saves_none_of_it() -> None:
    decoder = RecurrentDecoder(config("linear"), encoder_width=3, known_columns=2, static_columns=1)
    assert decoder.taught.item() == pytest.approx(0.8)
    decoder.teach(3, 5)
    assert decoder.taught.item() == pytest.approx(0.2)
    assert "taught" not in decoder.state_dict()


def test_a_schedule_needs_something_to_lower() -> None:
    with pytest.raises(RecipeError, match='forcing_schedule = "linear" and teacher_forcing = 0'):
        RecurrentDecoderConfig(autoregressive=True, forcing_schedule="linear")
