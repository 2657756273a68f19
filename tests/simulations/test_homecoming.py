"""States come home while their segment goes on: which, and what a lost node costs then."""

import math

import numpy as np

from eapg_split.planner.estimates import CodecEstimate
from simulations.faults import Fault
from simulations.homecoming import Homecoming
from simulations.kernel import Kernel
from simulations.links import Media
from simulations.outcomes import End
from simulations.sites import Way
from simulations.traces import RateTrace
from tests.simulations.small import EDGE, WORKLOAD, run

DELAY_S = 0.01
STEP_S = 0.1


def _homecoming(rate: float) -> tuple[Kernel, Homecoming, list[int]]:
    kernel, home = Kernel(), list[int]()
    media = Media(kernel, [RateTrace(np.array([rate]))])
    bits = tuple(
        8.0 * WORKLOAD.spec_after(step - 1).raw_bytes if step else 0.0 for step in range(WORKLOAD.steps + 1)
    )
    codec = CodecEstimate("plain", bits, (0.0,) * len(bits), (0.0,) * len(bits))
    coming = Homecoming(
        WORKLOAD,
        (0, WORKLOAD.steps - 1),
        (kernel, media, Way((0,), DELAY_S)),
        lambda step: codec,
        believed_bits_per_s=rate,
        kept=lambda step, size, seconds: home.append(step),
    )
    return kernel, coming, home


def _computed(kernel: Kernel, coming: Homecoming, steps: int) -> None:
    for step in range(1, steps + 1):
        kernel.run(step * STEP_S)
        coming.stepped(step, STEP_S)


def test_on_a_fast_link_every_state_comes_home() -> None:
    kernel, coming, home = _homecoming(1e12)
    _computed(kernel, coming, WORKLOAD.steps - 2)
    kernel.run(math.inf)
    assert home == list(range(1, WORKLOAD.steps - 1))
    assert coming.result() == 0.0


def test_on_a_slow_link_few_do_and_no_two_at_once() -> None:
    kernel, coming, home = _homecoming(2e5)
    _computed(kernel, coming, WORKLOAD.steps - 2)
    kernel.run(math.inf)
    assert len(home) < WORKLOAD.steps / 2
    assert home == sorted(home)


def test_what_is_home_is_not_computed_again() -> None:
    whole = run("edge-only").outcomes[0]
    fault = Fault(0.7 * whole.latency_s, math.inf, node=EDGE)
    (outcome,) = run("edge-only", faults=(fault,)).outcomes
    alone = run("device-only").outcomes[0]
    assert outcome.end is End.DONE
    assert outcome.failures == 1
    assert outcome.latency_s < 0.7 * whole.latency_s + 0.9 * alone.latency_s
