"""What a job's policy sees: where the job is, and fresh estimates of nodes and links where the policy wants them."""

import asyncio
import math
from collections.abc import Iterator
from typing import Final

from eapg_split.codecs.base import Fidelity
from eapg_split.domain.error_budget import ErrorBudget
from eapg_split.domain.plan import Plan
from eapg_split.domain.telemetry import Telemetry
from eapg_split.domain.topology import NodeId
from eapg_split.domain.workload import Workload
from eapg_split.errors import EapgError
from eapg_split.planner.estimates import Estimates
from eapg_split.planner.knowledge import NodeKnowledge
from eapg_split.planner.news import News, StepSeen
from eapg_split.planner.outlook import Outlook, codec_options
from eapg_split.planner.policy import Occasion, PlanView, Transfer, Trigger
from eapg_split.planner.routes import Routes
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.events import StepDone
from eapg_split.runtime.job import Job
from eapg_split.runtime.observed import LinkProbed, RoundTrip
from eapg_split.runtime.probing import FIRST_LOOK_S, LinkProber
from eapg_split.runtime.watch import NodeWatch

_LOSSY_CUTS: Final = 3  # that share the error budget when the size of a lossy state is estimated


class Views:
    """One per job. Without estimates (`known` false) it asks nobody for anything."""

    def __init__(self, job: Job, cluster: Cluster, workload: Workload, watch: NodeWatch | None) -> None:
        """`watch` None stands for a policy that wants no estimates."""
        self._job = job
        self._cluster = cluster
        self._workload = workload
        self._watch = watch
        reaches = {
            (node.id, NodeId(sight.target)): sight
            for node in cluster.topology.nodes
            for sight in cluster.description(node.id).reaches
        }
        looks = watch.looks if watch is not None else dict[NodeId, Telemetry]
        self.routes = Routes(cluster.topology, cluster.worker.links, reaches, looks)
        self._news = News()
        self._began_s = asyncio.get_running_loop().time()
        self._outlook: Outlook | None = None
        self._prober: LinkProber | None = None

    @property
    def last_step(self) -> int:
        """The decode step: from there on nothing is left to decide."""
        return self._workload.steps - 1

    async def prepare(self, look_s: float = FIRST_LOOK_S) -> None:
        """Looks up what does not change while the job runs, and at stale links for `look_s` at most.

        Then `close`.
        """
        if self._watch is None:
            return
        self._prober = LinkProber(self._cluster)
        await self._prober.first_look(look_s)
        job, workload = self._job, self._workload
        options = codec_options(job.objective.codec)
        fidelities: list[Fidelity] = []
        if any(not option.codec.lossless for option in options):
            budget = ErrorBudget(job.quality_db)
            target_db = budget.target_db(budget.share(_LOSSY_CUTS - 1))
            worker = self._cluster.worker
            fidelities = [await worker.fidelity(workload, step, target_db) for step in range(workload.steps)]
        self._outlook = Outlook(
            workload,
            self._cluster.topology,
            options,
            fidelities=fidelities,
            objective=job.objective,
        )

    def probed(self) -> list[LinkProbed | RoundTrip]:
        """What looks at links have shown since this was asked last; moments are the loop's."""
        return [] if self._prober is None else self._prober.taken()

    async def close(self) -> None:
        """Ends what looks at links in the background."""
        if self._prober is not None:
            await self._prober.close()

    def at(
        self,
        start_step: int,
        unavailable: frozenset[NodeId],
        *,
        at: NodeId | None = None,
        in_flight: Transfer | None = None,
        waiting: bool = False,
    ) -> PlanView:
        """The view of what is left from `start_step` on, where `at` (None: the device) has the state then.

        A full node is ready when it said that it will be; without estimates it is left out, unless `waiting`. One that
        stops is left out even where it has the state: it will give it back.
        """
        gone = unavailable | (self._news.silent - {at}) | self._draining()
        if self._outlook is None and not waiting:
            gone |= self._news.full(asyncio.get_running_loop().time()) - {at}
        return PlanView(
            self._workload,
            self._cluster.topology,
            start_step,
            self._job.objective,
            gone,
            estimates=self._estimates(start_step, at, gone),
            at=at,
            now_s=asyncio.get_running_loop().time() - self._began_s,
            in_flight=in_flight,
        )

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

    def planned(self) -> None:
        """A plan was made by what is believed now: what drifts from here on is news."""
        self._news.planned(self.routes.links())

    def stepped(self, event: StepDone, *, arrived: bool) -> Occasion:
        """Takes a finished step; `arrived` says that its node got the state just before it."""
        node = NodeId(event.node)
        if self._outlook is None:
            return Occasion(Trigger.STEP, "", node)
        if self._prober is not None and event.step + 1 < self.last_step:
            self._prober.look_again()
        knowledge = self._knowledge(node)
        expected_s = self._outlook.step_seconds(node, knowledge, event.step, arrived=arrived)
        guessed = self._outlook.guessed(node, knowledge, event.step)
        return self._news.stepped(StepSeen(node, event.stage, event.seconds, expected_s, guessed))

    def moved(self, source: str, target: str) -> Occasion | None:
        """What there is to say of a link after a transfer: None while it is as the plan believed."""
        rate = self._cluster.worker.links.bits_per_s(source, target)
        if self._outlook is None or not rate:
            return None
        return self._news.moved((NodeId(source), NodeId(target)), rate)

    def silences(self) -> Iterator[Occasion]:
        """Nodes that fell silent, or are heard again, since this was asked last. Plans do without the silent ones."""
        if self._watch is None:
            return iter(())
        others = [node.id for node in self._cluster.topology.nodes if not self._cluster.is_own(node.id)]
        return self._news.silences({node: self._watch.age_s(node) for node in others})

    def refused(self, node: NodeId, retry_after_s: float) -> None:
        """The node is full, and said when it will take work again."""
        self._news.refused(node, asyncio.get_running_loop().time() + retry_after_s)

    def ready_in_s(self, node: NodeId) -> float:
        """Seconds until a node that was full takes work again; 0 for the others."""
        return self._news.ready_in_s(node, asyncio.get_running_loop().time())

    def returned(self, left_out: frozenset[NodeId]) -> list[NodeId]:
        """Those of the nodes that were lost which may be tried again: heard, and left alone long enough."""
        if self._watch is None:
            return []
        ages_s = {node: self._watch.age_s(node) for node in left_out - self._draining()}
        left_out &= ages_s.keys()
        return self._news.returned(left_out, ages_s, asyncio.get_running_loop().time())

    def _draining(self) -> frozenset[NodeId]:
        """The other nodes that say that they stop."""
        if self._watch is None:
            return frozenset()
        looks = {node.id: self._watch.latest(node.id) for node in self._cluster.topology.nodes}
        return frozenset(
            node
            for node, look in looks.items()
            if look is not None and look.draining and not self._cluster.is_own(node)
        )

    def _estimates(self, start_step: int, at: NodeId | None, gone: frozenset[NodeId]) -> Estimates | None:
        if self._outlook is None:
            return None
        own = self._cluster.worker.setup.node
        nodes = {
            node.id: self._knowledge(node.id, ours=node.id in (own, at))
            for node in self._cluster.topology.nodes
        }
        return self._outlook.estimates(
            nodes, self.routes.links(), drift=self._news.drift, start_step=start_step, unavailable=gone
        )

    def _knowledge(self, node: NodeId, *, ours: bool = True) -> NodeKnowledge:
        assert self._watch is not None
        description = self._cluster.description(node)
        return NodeKnowledge(
            profile=description.profile,
            telemetry=self._watch.latest(node),
            telemetry_age_s=self._watch.age_s(node),
            price_per_s=description.price_per_s,
            lease_s=0.0 if ours else self.ready_in_s(node),
            ours=ours,
        )
