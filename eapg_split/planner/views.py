"""What the policy of a running job sees, and which of what happens is worth another look at its plan.

Pure: whoever runs the job, live or in virtual time, says by what it learns of its nodes and links, and by which clock.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from eapg_split.domain.telemetry import LinkSight, Telemetry
from eapg_split.domain.topology import Ends, NodeId, Topology
from eapg_split.domain.workload import Workload
from eapg_split.planner.estimates import Estimates
from eapg_split.planner.knowledge import NodeKnowledge
from eapg_split.planner.link_rates import LinkRates
from eapg_split.planner.look_budget import LookBudget
from eapg_split.planner.news import News, StepSeen
from eapg_split.planner.outlook import Outlook
from eapg_split.planner.policy import Objective, Occasion, PlanView, Transfer, Trigger
from eapg_split.planner.routes import Looks, Routes
from eapg_split.planner.underway import Underway


@dataclass(frozen=True)
class Sources:
    """The nodes and links that a job can use, and how it learns of them.

    `nodes` has what is known of each node besides how it is now, which `looks` tells by the time of `clock`; `reaches`
    the links between nodes other than the device, with what was known of each at first; `rates` those of the device.
    """

    topology: Topology
    nodes: Mapping[NodeId, NodeKnowledge]
    rates: LinkRates
    reaches: Mapping[Ends, LinkSight]
    looks: Looks
    clock: Callable[[], float]


class Views:
    """One per job. Without an `outlook` it makes no estimates: the policy wants none."""

    def __init__(
        self,
        workload: Workload,
        sources: Sources,
        objective: Callable[[], Objective],
        outlook: Outlook | None = None,
    ) -> None:
        """`objective` gives what is asked of a plan that is made now."""
        self.outlook = outlook
        self.routes = Routes(sources.topology, sources.rates, sources.reaches, sources.looks)
        self._workload = workload
        self._sources = sources
        self._objective = objective
        self._device = sources.topology.device.id
        self._others = frozenset(sources.nodes) - {self._device}
        self._news = News()
        self._look_budget = LookBudget()
        self._began_s = sources.clock()

    @property
    def last_step(self) -> int:
        """The decode step: from there on nothing is left to decide."""
        return self._workload.steps - 1

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
        now_s, looks = self._sources.clock(), self._sources.looks()
        gone = unavailable | (self._news.silent - {at}) | self._draining(looks)
        if self.outlook is None and not waiting:
            gone |= self._news.full(now_s) - {at}
        return PlanView(
            self._workload,
            self._sources.topology,
            start_step,
            self._objective(),
            gone,
            estimates=self._estimates(start_step, at, gone, looks),
            at=at,
            now_s=now_s - self._began_s,
            in_flight=in_flight,
        )

    def planned(self) -> None:
        """A plan was made by what is believed now: what drifts from here on is news."""
        self._news.planned(self.routes.links())

    def stepped(self, node: NodeId, step: int, seconds: float, *, arrived: bool) -> Occasion:
        """Takes a finished step; `arrived` says that its node got the state just before it."""
        if self.outlook is None:
            return Occasion(Trigger.STEP, "", node)
        knowledge = self._knowledge(node, self._sources.looks().get(node), ours=True)
        expected_s = self.outlook.step_seconds(node, knowledge, step, arrived=arrived)
        guessed = self.outlook.guessed(node, knowledge, step)
        stage = self._workload.stage_of(step).name
        return self._news.stepped(StepSeen(node, stage, seconds, expected_s, guessed))

    def moved(self, source: NodeId, target: NodeId) -> Occasion | None:
        """What there is to say of a link after a transfer: None while it is as the plan believed."""
        rate = self._sources.rates.bits_per_s(source, target)
        if self.outlook is None or not rate:
            return None
        return self._news.moved((source, target), rate)

    def noticed(self, running: Underway | None, transfer: Transfer | None) -> list[Occasion]:
        """What nobody tells: nodes that fell silent or are heard again, a hand-off that stands still.

        Plans do without silent nodes, and no longer without those that may be tried again.
        """
        found = [*self._news.silences(self._ages_s(self._others))]
        if running is not None:
            back = self._news.back(*self._lost(running.unavailable))
            running.unavailable -= {occasion.node for occasion in back}
            found += back
        stall = self._news.stalled(transfer)
        return found if stall is None else [*found, stall]

    def returned(self, left_out: frozenset[NodeId]) -> list[NodeId]:
        """Those of the nodes that were lost which may be tried again: heard, and left alone long enough. Told once."""
        return self._news.returned(*self._lost(left_out))

    def worth_a_look(self, occasion: Occasion) -> bool:
        """Whether the plan should be looked at now: always, but that mere steps must not cost too much time."""
        return occasion.trigger is not Trigger.STEP or self._look_budget.affords(self._sources.clock())

    def looked(self, seconds: float) -> None:
        """A look has ended that took so long."""
        self._look_budget.looked(seconds, self._sources.clock())

    def refused(self, node: NodeId, retry_after_s: float) -> None:
        """The node is full, and said when it will take work again."""
        self._news.refused(node, self._sources.clock() + retry_after_s)

    def ready_in_s(self, node: NodeId) -> float:
        """Seconds until a node that was full takes work again; 0 for the others."""
        return self._news.ready_in_s(node, self._sources.clock())

    def _lost(self, left_out: frozenset[NodeId]) -> tuple[dict[NodeId, float], float]:
        """How long ago each of the lost nodes was heard, but for those that stop, and the time."""
        if not left_out:
            return {}, self._sources.clock()
        return self._ages_s(left_out - self._draining(self._sources.looks())), self._sources.clock()

    def _ages_s(self, nodes: frozenset[NodeId]) -> dict[NodeId, float]:
        looks = self._sources.looks()
        return {node: self._age_s(looks.get(node)) for node in nodes}

    def _age_s(self, look: Telemetry | None) -> float:
        return math.inf if look is None else self._sources.clock() - look.at_s

    def _draining(self, looks: Mapping[NodeId, Telemetry]) -> frozenset[NodeId]:
        """The other nodes that say that they stop."""
        return frozenset(node for node, look in looks.items() if look.draining and node != self._device)

    def _estimates(
        self,
        start_step: int,
        at: NodeId | None,
        gone: frozenset[NodeId],
        looks: Mapping[NodeId, Telemetry],
    ) -> Estimates | None:
        if self.outlook is None:
            return None
        nodes = {
            node: self._knowledge(node, looks.get(node), ours=node in (self._device, at))
            for node in self._sources.nodes
        }
        return self.outlook.estimates(
            nodes, self.routes.links(), drift=self._news.drift, start_step=start_step, unavailable=gone
        )

    def _knowledge(self, node: NodeId, look: Telemetry | None, *, ours: bool) -> NodeKnowledge:
        known = self._sources.nodes[node]
        return NodeKnowledge(
            profile=known.profile,
            telemetry=look,
            telemetry_age_s=self._age_s(look),
            price_per_s=known.price_per_s,
            lease_s=0.0 if ours else self.ready_in_s(node),
            ours=ours,
        )
