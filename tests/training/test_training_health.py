"""Health: a dead run says so in words."""

import numpy as np
import pytest

from gaia_explore.training.health import PINNED_STEPS, Health, loss_of_numbers, pinned_pace

NAMES = ["L_x", "pace_discriminator"]


def history(pace: float, steps: int = PINNED_STEPS) -> np.ndarray:
    return np.column_stack([np.full(steps, 0.01), np.full(steps, pace)]).astype(np.float32)


@pytest.mark.parametrize("pace", [0.1, 0.45, 0.9])
def test_a_run_whose_players_both_move_is_alive(pace: float):
    assert pinned_pace(NAMES, history(pace)) is None
    assert loss_of_numbers(NAMES, history(pace), 6000) is None


def test_a_pace_pinned_at_zero_means_that_the_discriminator_won():
    assert pinned_pace(NAMES, history(0.001)) == (
        "the discriminator won: its pace is pinned at 0.001 over the last 500 steps, because it tells every fake and"
        " the generator no longer follows"
    )


def test_a_pace_pinned_at_one_means_that_the_discriminator_lost():
    reason = pinned_pace(NAMES, history(0.999))
    assert reason is not None and reason.startswith("the discriminator lost: its pace is pinned at 0.999")


def test_a_pace_is_not_judged_before_enough_steps():
    assert pinned_pace(NAMES, history(0.001, PINNED_STEPS - 1)) is None


@pytest.mark.parametrize(("value", "word"), [(np.nan, "nan"), (np.inf, "inf")])
def test_a_term_that_is_not_finite_is_named_with_its_step(value: float, word: str):
    terms = history(0.45)
    terms[-3:, 0] = value
    assert loss_of_numbers(NAMES, terms, 6000) == f"L_x is {word} at step 5998: lower the learning rate"


def test_models_without_paces_live_while_their_terms_are_finite():
    terms = np.full((1000, 1), 0.1, np.float32)
    assert loss_of_numbers(["pixel_error"], terms, 1000) is None
    assert pinned_pace(["pixel_error"], terms) is None


def test_no_history_is_no_death():
    assert loss_of_numbers([], np.empty((0, 0), np.float32), 0) is None
    assert pinned_pace([], np.empty((0, 0), np.float32)) is None


def test_health_reads_as_a_sentence_and_survives_json():
    health = Health("stopped", "interrupted by the user at step 5 of 10")
    assert str(health) == repr(health) == "stopped: interrupted by the user at step 5 of 10"
    assert Health(**health.to_dict()) == health
