import math
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator_chain import three_tiers
from simulator_theory import mean_sojourn_s, sojourn_s

from eapg_split.errors import InvalidRequest
from simulations.chain import Chains, Floats, ends_s


def in_simpy(chains: Chains) -> Floats:
    """The same chains with a process for each job."""
    world = simpy.Environment()
    stations = [simpy.Resource(world, int(count)) for count in chains.servers]
    ends = np.zeros(len(chains.arrives_s))

    def job(number: int) -> Generator[Any, Any, None]:
        yield world.timeout(chains.arrives_s[number])
        for station, seconds in zip(
            chains.routes[chains.kind[number]], chains.service_s[number], strict=True
        ):
            with stations[station].request() as turn:
                yield turn
                yield world.timeout(seconds)
        ends[number] = world.now

    for number in range(len(ends)):
        world.process(job(number))
    world.run()
    return ends


def test_every_job_ends_when_it_does_in_simpy() -> None:
    chains = three_tiers(100, 2000, seed=3)
    assert ends_s(chains) == pytest.approx(in_simpy(chains), rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_small_network_ends_when_it_does_in_simpy(data: st.DataObject) -> None:
    stations, jobs, length = (data.draw(st.integers(1, most)) for most in (3, 12, 3))
    draws = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    chains = Chains(
        servers=draws.integers(1, 3, stations),
        routes=draws.integers(0, stations, (2, length)),
        arrives_s=np.cumsum(draws.exponential(1.0, jobs)),
        kind=draws.integers(0, 2, jobs),
        service_s=draws.exponential(2.0, (jobs, length)),
    )
    assert ends_s(chains) == pytest.approx(in_simpy(chains), rel=1e-12)


@pytest.mark.parametrize("servers", [1, 3])
def test_queues_wait_as_long_as_theory_says(servers: int) -> None:
    found = np.mean([sojourn_s(0.6 * servers, servers, 200_000, seed) for seed in range(3)])
    assert found == pytest.approx(mean_sojourn_s(0.6 * servers, servers), rel=0.01)


def test_theory_of_one_server_is_the_known_formula() -> None:
    assert mean_sojourn_s(0.6, 1) == pytest.approx(1 / (1 - 0.6))


def test_a_job_never_ends_before_its_services_and_none_is_lost() -> None:
    chains = three_tiers(50, 500, seed=1)
    least = chains.arrives_s + chains.service_s.sum(axis=1)
    assert (ends_s(chains) >= least * (1 - 1e-12)).all()
    few = Chains(chains.servers, chains.routes, np.zeros(0), np.zeros(0, np.int64), np.zeros((0, 7)))
    assert len(ends_s(few)) == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("arrives_s", np.array([1.0, 0.0])),
        ("service_s", np.array([[1.0], [-1.0]])),
        ("service_s", np.array([[1.0], [math.nan]])),
        ("kind", np.array([0, 1])),
        ("routes", np.array([[1]])),
        ("servers", np.array([0])),
    ],
)
def test_what_does_not_fit_together_is_refused(field: str, value: Floats) -> None:
    fields = {
        "servers": np.array([1]),
        "routes": np.array([[0]]),
        "arrives_s": np.array([0.0, 1.0]),
        "kind": np.array([0, 0]),
        "service_s": np.ones((2, 1)),
    }
    with pytest.raises(InvalidRequest):
        Chains(**{**fields, field: value})
