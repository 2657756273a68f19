"""What the policy of a simulated job sees: estimates from what has come to its device, never the world itself."""

import math
from collections.abc import Iterator

from eapg_split.domain.telemetry import Telemetry
from eapg_split.domain.topology import NodeId
from eapg_split.planner.estimates import CodecEstimate, Estimates
from eapg_split.planner.knowledge import NodeKnowledge
from eapg_split.planner.news import News, StepSeen
from eapg_split.planner.policy import Occasion, PlanView, Transfer, Trigger
from eapg_split.planner.routes import Routes
from simulations.flights import Flight
from simulations.sites import Site
from simulations.world import Demand, World


class Views:
    """One per job: the pure part of what the runtime does for its policy, fed from virtual nodes and links."""

    def __init__(self, world: World, site: Site, demand: Demand, *, known: bool) -> None:
        """`known` says whether the policy wants estimates."""
        self._world, self._site, self._demand, self._known = world, site, demand, known
        self._workload = demand.workload
        self._outlook = world.outlook(demand, site)
        self._news = News()
        self._began_s = world.kernel.now_s
        self._heard: dict[NodeId, Telemetry] = {}
        self.routes = Routes(site.topology, site.device.rates, site.reaches, self._looks)
        self.codecs: tuple[CodecEstimate, ...] = self._outlook.codecs

    def at(
        self,
        start_step: int,
        unavailable: frozenset[NodeId],
        *,
        at: NodeId | None = None,
        in_flight: Transfer | None = None,
        waiting: bool = False,
    ) -> PlanView:
        """The view of what is left from `start_step` on, where `at` (None: the device) has the state then."""
        now_s = self._world.kernel.now_s
        gone = unavailable | (self._news.silent - {at})
        if not self._known and not waiting:
            gone |= self._news.full(now_s) - {at}
        demand = self._demand
        left_s = demand.deadline_s - (now_s - self._began_s)
        return PlanView(
            self._workload,
            self._site.topology,
            start_step,
            demand.objective_within(left_s),
            gone,
            estimates=self._estimates(start_step, at, gone),
            at=at,
            now_s=now_s - self._began_s,
            in_flight=in_flight,
        )

    def latest(self, node: NodeId) -> Telemetry | None:
        """The newest look at a node that has come since the job began."""
        return self._world.latest(self._site, node, self._heard)

    @property
    def last_step(self) -> int:
        """The decode step: from there on nothing is left to decide."""
        return self._workload.steps - 1

    @property
    def missing(self) -> bool:
        """Whether some node has not told how it is."""
        return any(self.latest(node) is None for node in self._site.nodes)

    def transfer(self, flight: Flight) -> Transfer | None:
        """The state that is on its way to the flight's node, if it is."""
        sending = flight.sending
        return None if sending is None else sending.transfer(self._world.kernel.now_s)

    def planned(self) -> None:
        """A plan was made by what is believed now: what drifts from here on is news."""
        self._news.planned(self.routes.links())

    def stepped(self, node: NodeId, step: int, seconds: float, *, arrived: bool) -> Occasion:
        """Takes a finished step."""
        if not self._known:
            return Occasion(Trigger.STEP, "", node)
        if step + 1 < self._workload.steps - 1:
            self._world.prober(self._site).look_again()
        knowledge = self._knowledge(node, ours=True)
        expected_s = self._outlook.step_seconds(node, knowledge, step, arrived=arrived)
        stage = self._workload.stage_of(step).name
        return self._news.stepped(StepSeen(node, stage, seconds, expected_s))

    def moved(self, source: NodeId, target: NodeId) -> Occasion | None:
        """What there is to say of a link after a transfer: None while it is as the plan believed."""
        rate = self._site.device.rates.bits_per_s(source, target)
        return self._news.moved((source, target), rate) if self._known and rate else None

    def silences(self) -> Iterator[Occasion]:
        """Nodes that fell silent, or are heard again, since this was asked last."""
        ages_s = {node: self._age_s(self.latest(node)) for node in self._site.others}
        return self._news.silences(ages_s)

    def refused(self, node: NodeId, retry_after_s: float) -> None:
        """The node is full, and said when it will take work again."""
        self._news.refused(node, self._world.kernel.now_s + retry_after_s)

    def ready_in_s(self, node: NodeId) -> float:
        """Seconds until a node that was full takes work again; 0 for the others."""
        return self._news.ready_in_s(node, self._world.kernel.now_s)

    def returned(self, left_out: frozenset[NodeId]) -> list[NodeId]:
        """Those of the nodes that were lost which may be tried again."""
        if not left_out:
            return []
        ages_s = {node: self._age_s(self.latest(node)) for node in left_out}
        return self._news.returned(left_out, ages_s, self._world.kernel.now_s)

    def _estimates(self, start_step: int, at: NodeId | None, gone: frozenset[NodeId]) -> Estimates | None:
        if not self._known:
            return None
        own = self._site.device.id
        nodes = {node: self._knowledge(node, ours=node in (own, at)) for node in self._site.nodes}
        return self._outlook.estimates(
            nodes, self.routes.links(), drift=self._news.drift, start_step=start_step, unavailable=gone
        )

    def _knowledge(self, node: NodeId, *, ours: bool) -> NodeKnowledge:
        spec, look = self._site.nodes[node].spec, self.latest(node)
        return NodeKnowledge(
            profile=spec.profile,
            telemetry=look,
            telemetry_age_s=self._age_s(look),
            price_per_s=spec.price_per_s,
            lease_s=0.0 if ours else self.ready_in_s(node),
            ours=ours,
        )

    def _looks(self) -> dict[NodeId, Telemetry]:
        looks = {node: self.latest(node) for node in self._site.nodes}
        return {node: look for node, look in looks.items() if look is not None}

    def _age_s(self, look: Telemetry | None) -> float:
        return math.inf if look is None else self._world.kernel.now_s - look.at_s
