"""Performs one flight: the state goes to its node, the steps are computed, and what they reached comes home."""

from functools import reduce
from itertools import pairwise
from typing import Final

from eapg_split.errors import CapacityExceeded, EapgError, NodeUnavailable
from eapg_split.planner.link_rates import LEAST_BYTES
from simulations.flights import Flight, Owner
from simulations.homecoming import Homecoming
from simulations.moving import Moves
from simulations.nodes import SimNode, Task
from simulations.probes import Carried
from simulations.sites import Way
from simulations.world import DETECT_S

SILENCE_S: Final = 30.0  # in the middle of a hand-off, after which it has failed
_LEAST_SAMPLE_BITS: Final = 8 * LEAST_BYTES


class Flying:
    """One flight, from the order to its answer; `abandon` ends it without one."""

    def __init__(self, owner: Owner, flight: Flight) -> None:
        self._owner = owner
        self._flight = flight
        self._world, self._site = owner.world, owner.site
        self._kernel = owner.world.kernel
        self._moves = Moves(owner, flight)

    def begin(self) -> None:
        """Orders the segment."""
        flight, own = self._flight, self._site.device
        node = self._site.nodes[flight.segment.node]
        if flight.own:
            if self._admitted(node, 0):
                self._compute(node, 0, flight.segment.start_step, entering=False)
            return
        way = self._site.ways[own.id, node.id]
        if not node.up:
            self._fail_after(way.delay_s + DETECT_S, NodeUnavailable(f"{node.id} is away.", node_id=node.id))
            return
        if not self._admitted(node, 0, way.delay_s * 2):
            return
        step = flight.segment.start_step
        codec = self._moves.codec(flight.plan.codec_at(step), step, own.rates.bits_per_s(own.id, node.id))
        self._moves.send(
            (own, node), way, (step, codec), lambda: self._compute(node, 0, step, entering=True), first=True
        )

    def abandon(self) -> None:
        """Ends it without an answer: nobody waits for it any more."""
        flight = self._flight
        flight.open = False
        for flow in flight.flows:
            self._world.media.drop(flow)
        flight.flows.clear()
        if flight.homecoming is not None:
            flight.homecoming.abandon()
        for name in flight.nodes:
            self._site.nodes[name].release(self._owner.number)

    def fail(self, error: EapgError) -> None:
        """Ends it with an error."""
        if self._flight.open:
            self.abandon()
            self._owner.failed(self._flight, error)

    def recall(self, step: int) -> None:
        """Asks it to end at a step, as soon as the word has come to who computes."""
        flight = self._flight
        flight.recall = step
        if flight.own:
            flight.known_recall = step
            return
        way = self._site.ways[self._site.device.id, flight.node_at(min(flight.reached, flight.stop_step - 1))]
        self._moves.later(way.delay_s, lambda: setattr(flight, "known_recall", flight.recall))

    def attend(self) -> None:
        """Once a second: what the device sees of a hand-off that takes long; one that is silent for long has failed."""
        sending, now_s = self._flight.sending, self._kernel.now_s
        if sending is None:
            return
        sent = sending.flow.bits - sending.flow.left_at(now_s)
        if sending.parts > 1 and sent - sending.seen_bits >= _LEAST_SAMPLE_BITS:
            size = int((sent - sending.seen_bits) / 8)
            sample = Carried(sending.source, sending.target, size, now_s - sending.seen_s)
            self._site.device.rates.observe(sample)
            sending.seen_bits, sending.seen_s = sent, now_s
        dark = sending.flow.dark_since_s
        if dark is not None and now_s - dark >= SILENCE_S:
            node = sending.target
            self.fail(NodeUnavailable(f"Nothing has gone to {node} for {SILENCE_S:.0f} s.", node_id=node))

    # steps

    def _admitted(self, node: SimNode, index: int, told_s: float = 0.0) -> bool:
        flight = self._flight
        part = flight.chain[index]
        try:
            node.admit(self._owner.number, self._owner.workload, part.start_step, part.stop_step)
        except CapacityExceeded as error:
            self._fail_after(told_s, error)
            return False
        return True

    def _compute(self, node: SimNode, index: int, step: int, *, entering: bool) -> None:
        flight = self._flight

        def done(seconds: float, joules: float) -> None:
            if flight.open:
                self._stepped(node, index, step, (seconds, joules), entered=entering)

        flight.sending = None
        node.compute(Task(self._owner.number, self._owner.workload, step, done, entering))

    def _stepped(
        self, node: SimNode, index: int, step: int, took: tuple[float, float], *, entered: bool
    ) -> None:
        flight, owner, outcome = self._flight, self._owner, self._owner.outcome
        seconds, joules = took
        outcome.money += seconds * node.spec.price_per_s
        if node is self._site.device:
            outcome.energy_j += joules - node.body.idle_w * seconds  # waiting is counted for the whole job
        if not outcome.nodes or outcome.nodes[-1] != node.id:
            outcome.nodes.append(node.id)
        if flight.own:
            owner.stepped(flight, step, node.id, seconds, entered=entered)
        else:
            delay_s = self._site.ways[node.id, self._site.device.id].delay_s
            self._moves.later(delay_s, lambda: owner.stepped(flight, step, node.id, seconds, entered=entered))
        if not flight.open:
            return
        reached, part = step + 1, flight.chain[index]
        if not flight.own:
            self._offer(node, index, reached, seconds)
        recalled = flight.known_recall is not None and reached >= flight.known_recall
        if reached < part.stop_step and not recalled:
            self._compute(node, index, reached, entering=False)
        elif reached == flight.stop_step or recalled or not self._hand_on(node, index, reached):
            self._come_home(node, index, reached)

    def _offer(self, node: SimNode, index: int, reached: int, seconds: float) -> None:
        """The state after a step that is not the last may come home; not where bytes cost money."""
        flight, own = self._flight, self._site.device
        if reached == flight.stop_step or own.rates.network.costs_money or node.rates.network.costs_money:
            return
        if flight.homecoming is None:
            step = flight.chain[index].start_step
            name, believed = flight.plan.codec_at(flight.stop_step), self._rate_back(node, index)
            flight.homecoming = Homecoming(
                self._owner.workload,
                (step, flight.stop_step),
                (self._kernel, self._world.media, self._way_home(index)),
                lambda reached: self._moves.codec(name, reached, believed),
                believed_bits_per_s=believed or 0.0,
                kept=self._kept,
            )
        flight.homecoming.stepped(reached, seconds)

    def _kept(self, step: int, size_bytes: float, seconds: float) -> None:
        if self._flight.open:
            self._flight.saved = max(self._flight.saved, step)
            self._moves.spend(self._site.device, size_bytes, seconds, sends=False)

    def _result_ready(self) -> float:
        """No more states come home; the bits of one that go before what goes now."""
        homecoming, self._flight.homecoming = self._flight.homecoming, None
        return 0.0 if homecoming is None else homecoming.result()

    def _way_home(self, index: int) -> Way:
        """Through all nodes that the state has come by."""
        hops = [*reversed(self._flight.nodes[: index + 1]), self._site.device.id]
        return reduce(Way.then, (self._site.ways[ends] for ends in pairwise(hops)))

    def _rate_back(self, node: SimNode, index: int) -> float | None:
        """What whoever sent a node its state believes of the way back: its order says so."""
        before = self._site.nodes[self._flight.chain[index - 1].node] if index else self._site.device
        return before.rates.bits_per_s(node.id, before.id)

    def _hand_on(self, node: SimNode, index: int, reached: int) -> bool:
        """Sends the state on to the next node of the chain; False where that one does not take it."""
        flight = self._flight
        if index + 1 == len(flight.chain):
            return False
        part = flight.chain[index + 1]
        other = self._site.nodes[part.node]
        if not other.up:
            return False
        try:
            other.admit(self._owner.number, self._owner.workload, part.start_step, part.stop_step)
        except CapacityExceeded:
            return False
        rate = node.rates.bits_per_s(node.id, other.id)
        codec = self._moves.codec(flight.plan.codec_at(reached), reached, rate)
        self._result_ready()
        node.release(self._owner.number)
        self._moves.send(
            (node, other),
            self._site.ways[node.id, other.id],
            (reached, codec),
            lambda: self._compute(other, index + 1, reached, entering=True),
        )
        return True

    def _come_home(self, node: SimNode, index: int, reached: int) -> None:
        flight, own = self._flight, self._site.device
        if flight.own:
            self._home(reached)
            return
        way = self._way_home(index)
        name = flight.plan.codec_at(min(flight.stop_step, reached))
        codec = self._moves.codec(name, reached, self._rate_back(node, index))
        ahead = self._result_ready()
        last = self._site.nodes[flight.nodes[0]]  # what it shows is the rate of the last link
        self._moves.send((last, own), way, (reached, codec), lambda: self._home(reached), ahead=ahead)

    def _home(self, reached: int) -> None:
        self._flight.open = False
        for name in self._flight.nodes:
            self._site.nodes[name].release(self._owner.number)
        self._owner.ended(self._flight, reached)

    def _fail_after(self, seconds: float, error: EapgError) -> None:
        self._moves.later(seconds, lambda: self.fail(error))
