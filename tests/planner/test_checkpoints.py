"""When a state is worth its way home: never where it could delay something, always where it costs next to nothing."""

import pytest

from eapg_split.planner.checkpoints import Journey, Moment, worth_sending


@pytest.mark.parametrize(
    ("journey", "moment", "worth"),
    [
        (Journey(0.4, 0.05), Moment(step_s=1, at_risk_s=1, left_s=3), True),  # hidden behind the next step
        (Journey(0.6, 0.05), Moment(step_s=1, at_risk_s=1, left_s=3), False),  # perhaps not
        (
            Journey(0.6, 0.05),
            Moment(step_s=1, at_risk_s=6, left_s=3),
            True,
        ),  # but by now it saves ten times that
        (
            Journey(0.6, 0.05),
            Moment(step_s=1, at_risk_s=6, left_s=0.5),
            False,
        ),  # the result would wait for it
        (Journey(0.1, 0.2), Moment(step_s=1, at_risk_s=1, left_s=3), False),  # the engine would
        (Journey(0.1, 0.2), Moment(step_s=1, at_risk_s=2, left_s=3), True),
        (Journey(0.0, 0.0), Moment(step_s=0, at_risk_s=0, left_s=0), True),
    ],
)
def test_worth_sending(journey: Journey, moment: Moment, worth: bool) -> None:
    assert worth_sending(journey, moment) is worth
