"""One simulation from its setup to what became of its jobs."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from eapg_split.domain.telemetry import LinkSight
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.planner.link_rates import LEAST_BYTES
from eapg_split.planner.policy import Policy
from simulations.arrivals import Arrivals
from simulations.faults import Fault, Struck, arm
from simulations.jobs import JobRun
from simulations.outcomes import Outcome
from simulations.probes import Carried
from simulations.record import Record
from simulations.record_lines import FORMAT, VERSION
from simulations.sampling import run_sampled
from simulations.streams import stream
from simulations.world import Demand, Layout, World

FORGOTTEN: Final = Record()
_KNOWN_SAMPLES: Final = 8  # by which a rate is believed


@dataclass(frozen=True)
class Setup:
    """What is simulated: nodes and ways, kinds of jobs with their arrivals, faults, and what is known of links before.

    A link is known to its device, or else to the node that it begins at.
    """

    layout: Layout
    demands: tuple[tuple[Demand, Arrivals], ...]
    faults: tuple[Fault, ...] = ()
    known: tuple[LinkSight, ...] = ()


@dataclass(frozen=True)
class Run:
    """What became of all jobs, in the order of their arrival; of each device its charge at the end, 1 on mains."""

    outcomes: tuple[Outcome, ...]
    charge: dict[NodeId, float]
    until_s: float
    events: int


def simulate(
    setup: Setup,
    policy: tuple[str, Callable[[], Policy]] | None = None,
    *,
    seed: int,
    until_s: float = math.inf,
    jobs: int | None = None,
    record: Record = FORGOTTEN,
    arrived: Callable[[Outcome], object] | None = None,
) -> Run:
    """Runs it until nothing is left to do, or until a moment; `jobs` is how many arrive at most.

    `policy` (a name and what makes one) stands in for every demand's own; jobs ask for theirs in the order of their
    numbers. `arrived` is given the outcome of each job when it arrives, which is filled while the job runs.
    """
    world = World(setup.layout, [demand for demand, _ in setup.demands], seed=seed, record=record)
    arm_faults(world, setup, seed)
    for sight in setup.known:
        _know(world, sight)
    gate = _Gate(world, policy, jobs, arrived)
    for device, demand, moments_s in job_sources(setup, seed):
        gate.expect(device, demand, moments_s)
    if record.kept:
        record.add(0.0, "run", **_header(setup, policy, seed, until_s))
        run_sampled(world, until_s)
    else:
        world.kernel.run(until_s)
    for job in gate.running:
        job.close()
    devices = [node for node in world.nodes.values() if node.spec.tier is Tier.DEVICE]
    charge = {node.id: node.body.seen(world.kernel.now_s)[0] for node in devices}
    return Run(tuple(job.outcome for job in gate.running), charge, world.kernel.now_s, world.kernel.events)


def job_sources(setup: Setup, seed: int) -> Iterator[tuple[NodeId, Demand, Iterator[float]]]:
    """Every device with every kind of job that comes from it, and the moments at which those come."""
    for demand, arrivals in setup.demands:
        for spec in setup.layout.nodes:
            if spec.tier is Tier.DEVICE and demand.comes_from(spec.id):
                draws = stream(seed, "arrivals", demand.name, spec.id)
                yield spec.id, demand, arrivals.moments_s(spec.id, draws)


def arm_faults(world: Struck, setup: Setup, seed: int) -> None:
    """Lets all faults happen in a world, whose time is virtual or real."""
    for number, fault in enumerate(setup.faults):
        arm(world, fault, stream(seed, "fault", str(number)))


def _header(
    setup: Setup, policy: tuple[str, Callable[[], Policy]] | None, seed: int, until_s: float
) -> dict[str, object]:
    """What stands in the first line of the record."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "policy": "" if policy is None else policy[0],
        "seed": seed,
        "until_s": until_s if until_s < math.inf else 0.0,
        "demands": {
            demand.name: [[stage.name, stage.start_step, stage.stop_step] for stage in demand.workload.stages]
            for demand, _ in setup.demands
        },
    }


def _know(world: World, sight: LinkSight) -> None:
    source, target = NodeId(sight.source), NodeId(sight.target)
    devices = [end for end in (source, target) if world.nodes[end].spec.tier is Tier.DEVICE]
    own = devices[0] if devices else source
    if devices:
        world.site(own)  # which says what is expected of its links
    rates = world.nodes[own].rates
    seconds = 8 * LEAST_BYTES / sight.bits_per_s
    for _ in range(_KNOWN_SAMPLES):
        rates.observe(Carried(source, target, LEAST_BYTES, seconds))
    rates.round_trip(source, target, sight.rtt_s)


class _Gate:
    """Lets jobs in, one after the other."""

    def __init__(
        self,
        world: World,
        policy: tuple[str, Callable[[], Policy]] | None,
        most: int | None,
        arrived: Callable[[Outcome], object] | None,
    ) -> None:
        self._world, self._policy, self._most, self._arrived = world, policy, most, arrived
        self.running: list[JobRun] = []

    def expect(self, device: NodeId, demand: Demand, moments_s: Iterator[float]) -> None:
        """The next job of a device comes when its arrivals say."""
        when = next(moments_s, None)
        if when is not None and (self._most is None or len(self.running) < self._most):
            self._world.kernel.at(when, self._arrive, (device, demand, moments_s))

    def _arrive(self, what: tuple[NodeId, Demand, Iterator[float]]) -> None:
        device, demand, moments_s = what
        if self._most is not None and len(self.running) >= self._most:
            return
        self.expect(device, demand, moments_s)
        if not self._world.nodes[device].up:
            return  # nobody can ask a device that is off
        name, policy = self._policy or (demand.policy().name, demand.policy)
        site = self._world.site(device)
        job = JobRun(self._world, site, demand.with_policy(policy), len(self.running), name)
        self.running.append(job)
        if self._arrived is not None:
            self._arrived(job.outcome)
        job.start()
