"""What the policy of a simulated job sees: what has come to its device, never the world itself."""

from collections.abc import Callable

from eapg_split.domain.telemetry import Telemetry
from eapg_split.domain.topology import NodeId
from eapg_split.planner.outlook import Outlook
from eapg_split.planner.policy import Objective
from eapg_split.planner.views import Sources, Views
from simulations.sites import Site
from simulations.world import Demand, World


def views_of(world: World, site: Site, demand: Demand, outlook: Outlook | None) -> Views:
    """Of a job that begins now; without an outlook its policy wants no estimates."""
    sources = Sources(
        topology=site.topology,
        nodes=site.known,
        rates=site.device.rates,
        reaches=site.reaches,
        looks=_looks(world, site),
        clock=lambda: world.kernel.now_s,
    )
    return Views(demand.workload, sources, _objective(world, demand), outlook)


def _looks(world: World, site: Site) -> Callable[[], dict[NodeId, Telemetry]]:
    """The newest look at each node that has come to the device since the job began."""
    heard: dict[NodeId, Telemetry] = {}

    def looks() -> dict[NodeId, Telemetry]:
        found = {node: world.latest(site, node, heard) for node in site.nodes}
        return {node: look for node, look in found.items() if look is not None}

    return looks


def _objective(world: World, demand: Demand) -> Callable[[], Objective]:
    late_s = world.kernel.now_s + demand.deadline_s
    return lambda: demand.objective_within(late_s - world.kernel.now_s)
