"""What a job's policy sees of real nodes and links: what they told last, and looks at links that nobody used."""

import asyncio
import math
from typing import Final

from eapg_split.codecs.base import Fidelity
from eapg_split.domain.error_budget import ErrorBudget
from eapg_split.domain.plan import Plan
from eapg_split.domain.telemetry import Telemetry
from eapg_split.domain.topology import NodeId
from eapg_split.domain.workload import Workload
from eapg_split.errors import EapgError
from eapg_split.planner.knowledge import NodeKnowledge
from eapg_split.planner.outlook import Outlook, codec_options
from eapg_split.planner.policy import Occasion, PlanView
from eapg_split.planner.views import Sources, Views
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.job import Job
from eapg_split.runtime.observed import LinkProbed, RoundTrip
from eapg_split.runtime.probing import FIRST_LOOK_S, LinkProber
from eapg_split.runtime.watch import NodeWatch

_LOSSY_CUTS: Final = 3  # that share the error budget when the size of a lossy state is estimated


class LiveViews(Views):
    """One per job. Without a watch (the policy wants no estimates) it asks nobody for anything."""

    def __init__(self, job: Job, cluster: Cluster, workload: Workload, watch: NodeWatch | None) -> None:
        super().__init__(workload, _sources(cluster, watch), lambda: job.objective)
        self._job = job
        self._cluster = cluster
        self._prober = LinkProber(cluster) if watch is not None else None

    async def prepare(self, look_s: float = FIRST_LOOK_S) -> None:
        """Looks up what does not change while the job runs, and at stale links for `look_s` at most. Then `close`."""
        if self._prober is None:
            return
        await self._prober.first_look(look_s)
        job, workload = self._job, self._workload
        options = codec_options(job.objective.codec)
        fidelities: list[Fidelity] = []
        if any(not option.codec.lossless for option in options):
            budget = ErrorBudget(job.quality_db)
            target_db = budget.target_db(budget.share(_LOSSY_CUTS - 1))
            worker = self._cluster.worker
            fidelities = [await worker.fidelity(workload, step, target_db) for step in range(workload.steps)]
        self.outlook = Outlook(
            workload, self._cluster.topology, options, fidelities=fidelities, objective=job.objective
        )

    def probed(self) -> list[LinkProbed | RoundTrip]:
        """What looks at links have shown since this was asked last; moments are the loop's."""
        return [] if self._prober is None else self._prober.taken()

    async def close(self) -> None:
        """Ends what looks at links in the background."""
        if self._prober is not None:
            await self._prober.close()

    def stepped(self, node: NodeId, step: int, seconds: float, *, arrived: bool) -> Occasion:
        """As for every job; and old links are looked at anew while it may still use them."""
        if self._prober is not None and step + 1 < self.last_step:
            self._prober.look_again()
        return super().stepped(node, step, seconds, arrived=arrived)

    def price(self, view: PlanView, plan: Plan) -> float:
        """Seconds that a plan should take from `view` on; 0 where nothing was measured or it cannot be said."""
        if view.estimates is None:
            return 0.0
        from eapg_split.planner.solve import price  # numpy tables: only jobs with estimates need them

        try:
            seconds = price(view, plan).time_s
        except EapgError:  # a figure for the log is not worth a job
            return 0.0
        return seconds if math.isfinite(seconds) else 0.0


def _sources(cluster: Cluster, watch: NodeWatch | None) -> Sources:
    described = {node.id: cluster.description(node.id) for node in cluster.topology.nodes}
    return Sources(
        topology=cluster.topology,
        nodes={
            node: NodeKnowledge(profile=said.profile, price_per_s=said.price_per_s)
            for node, said in described.items()
        },
        rates=cluster.worker.links,
        reaches={
            (node, NodeId(sight.target)): sight for node, said in described.items() for sight in said.reaches
        },
        looks=watch.looks if watch is not None else dict[NodeId, Telemetry],
        clock=asyncio.get_running_loop().time,
    )
