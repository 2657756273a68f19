"""What all jobs of one simulation share: time, nodes, media, devices with whom they reach, and the record."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from eapg_split.domain.telemetry import Telemetry
from eapg_split.domain.topology import Ends, NodeId, Tier
from eapg_split.domain.workload import Workload
from eapg_split.planner.crossings import Crossings
from eapg_split.planner.estimates import CodecEstimate
from eapg_split.planner.outlook import Outlook, codec_options
from eapg_split.planner.policy import Objective, Occasion, Policy
from simulations.kernel import Kernel
from simulations.links import Media
from simulations.node_specs import NodeSpec
from simulations.nodes import LOOK_S, SimNode
from simulations.probes import Prober
from simulations.record import Record
from simulations.sites import Site, Way
from simulations.streams import stream
from simulations.traces import RateTrace

DETECT_S: Final = (
    0.1  # until whoever waits for a node that died has seen its connections close, and asked again
)
DESCRIBE_S: Final = 5.0  # that a job waits for a node to say who it is
IDENTIFY_S: Final = 1.0  # that a node waits for those to which it may hand a state on
NEIGHBOURS_S: Final = 10.0  # for which it remembers them


@dataclass(frozen=True)
class Layout:
    """Nodes, what limits rates, and the ways between nodes as numbers of these media and a delay."""

    nodes: tuple[NodeSpec, ...]
    media: Mapping[str, RateTrace]
    ways: Mapping[Ends, Way]


@dataclass(frozen=True, eq=False)
class Demand:
    """A kind of job: what is to be computed, what its owner asks of the plan, and the policy, made anew for each."""

    name: str
    workload: Workload
    objective: Objective
    policy: Callable[[], Policy]
    deadline_s: float = math.inf
    devices: frozenset[NodeId] | None = None  # from which it comes; None: from all
    codecs: tuple[CodecEstimate, ...] | None = None  # what states really take, where that is known

    def comes_from(self, device: NodeId) -> bool:
        """Whether a device has such jobs."""
        return self.devices is None or device in self.devices

    def with_policy(self, policy: Callable[[], Policy]) -> "Demand":
        """The same under another policy."""
        return replace(self, policy=policy)

    def objective_within(self, left_s: float) -> Objective:
        """What is asked of a plan when so much is left until the deadline."""
        return self.objective if left_s == math.inf else replace(self.objective, deadline_s=max(0.0, left_s))


class Listener(Protocol):
    """A job that watches nodes."""

    def heard(self, occasion: Occasion) -> None:
        """A look at a node crossed a threshold."""
        ...

    def lost(self, node: NodeId) -> None:
        """A node went away while it worked for somebody."""
        ...


@dataclass
class _Watch:
    crossings: Crossings
    listeners: dict[Listener, Site] = field(default_factory=dict)


class World:
    """One per simulation. Everything in it happens in the order of its kernel."""

    def __init__(self, layout: Layout, demands: Iterable[Demand], *, seed: int, record: Record) -> None:
        self.kernel = Kernel()
        self.record = record
        self.seed = seed
        self.media = Media(self.kernel, tuple(layout.media.values()))
        self.media_names = {name: number for number, name in enumerate(layout.media)}
        demands = tuple(demands)
        parts = {part: None for each in demands for stage in each.workload.stages for part in stage.parts}
        self.nodes = {
            spec.id: SimNode(spec, self.kernel, stream(seed, "node", spec.id), tuple(parts))
            for spec in layout.nodes
        }
        self.ways = layout.ways
        self._sites: dict[NodeId, Site] = {}
        self._probers: dict[NodeId, Prober] = {}
        self._watches: dict[NodeId, _Watch] = {}
        self._outlooks: dict[str, Outlook] = {}
        self._asked_s: dict[NodeId, float] = {}  # when a node asked its neighbours last
        self._reach: dict[NodeId, list[NodeId]] = {}
        for source, target in layout.ways:
            self._reach.setdefault(source, []).append(target)

    def site(self, device: NodeId) -> Site:
        """The device with all that it reaches."""
        if device not in self._sites:
            others = [other for other in self._reach.get(device, ()) if (other, device) in self.ways]
            others = [other for other in others if self.nodes[other].spec.tier is not Tier.DEVICE]
            nodes = {name: self.nodes[name] for name in (device, *others)}
            ways = {
                (source, target): self.ways[source, target]
                for source in nodes
                for target in nodes
                if (source, target) in self.ways and (target, source) in self.ways  # an answer must come back
            }
            site = self._sites[device] = Site(self.nodes[device], nodes, ways)
            self._probers[device] = Prober(self.kernel, self.media, site)
        return self._sites[device]

    def prober(self, site: Site) -> Prober:
        """Whoever looks at the device's links."""
        return self._probers[site.device.id]

    def outlook(self, demand: Demand, site: Site) -> Outlook:
        """What a new job of that kind begins with."""
        if demand.name not in self._outlooks:
            options, objective = codec_options(demand.objective.codec), demand.objective
            first = Outlook(demand.workload, site.topology, options, objective=objective)
            self._outlooks[demand.name] = first
        return self._outlooks[demand.name].anew(site.topology)

    # watching

    def watch(self, site: Site, listener: Listener) -> None:
        """The listener is told of what happens to the site's nodes, until `unwatch`."""
        for name in site.nodes:
            watch = self._watches.setdefault(name, _Watch(Crossings(name)))
            if not watch.listeners:
                self.nodes[name].latest.clear()  # nobody kept what it told before
                self.kernel.at(self.kernel.now_s, self._sample, (name, watch))
            watch.listeners[listener] = site

    def unwatch(self, site: Site, listener: Listener) -> None:
        """The listener does not care any more."""
        for name in site.nodes:
            watch = self._watches.get(name)
            if watch is not None:
                watch.listeners.pop(listener, None)
                if not watch.listeners:
                    del self._watches[name]  # who watches later begins anew

    def latest(self, site: Site, name: NodeId, heard: dict[NodeId, Telemetry]) -> Telemetry | None:
        """The newest look at a node that has come to the device; `at_s` is when it came. `heard` has those before."""
        node, way = self.nodes[name], site.ways.get((name, site.device.id))
        delay_s = way.delay_s if way is not None else 0.0
        if way is None or self.media.carries(way.media):
            for look in reversed(node.latest):
                if look.at_s + delay_s <= self.kernel.now_s:
                    before = heard.get(name)
                    if before is None or before.at_s != look.at_s + delay_s:
                        heard[name] = replace(look, at_s=look.at_s + delay_s)
                    break
        return heard.get(name)

    def describe_s(self, site: Site) -> float:
        """Until every node has told the device who and how it is, all of them asked at once.

        A node asks those to which it may hand a state on in its turn, where it has not of late. One that is away
        refuses at once; one that nothing reaches is not waited for longer than `DESCRIBE_S`.
        """
        own, longest_s = site.device.id, 0.0
        for other in site.others:
            seconds = self._round_trip_s(own, other)
            stale = self.kernel.now_s - self._asked_s.get(other, -math.inf) > NEIGHBOURS_S
            if self.nodes[other].up and seconds < DESCRIBE_S and stale:
                self._asked_s[other] = self.kernel.now_s
                further = (self._round_trip_s(other, each) for each in site.others if each != other)
                seconds += min(IDENTIFY_S, max(further, default=0.0))
            longest_s = max(longest_s, seconds)
        return longest_s

    def _round_trip_s(self, source: NodeId, target: NodeId) -> float:
        """There and back; 0 where there is no way, `DESCRIBE_S` where nothing gets through."""
        forth, back = self.ways.get((source, target)), self.ways.get((target, source))
        if forth is None or back is None:
            return 0.0
        dark = not self.media.carries((*forth.media, *back.media))
        return DESCRIBE_S if dark else forth.delay_s + back.delay_s

    def _sample(self, what: tuple[NodeId, _Watch]) -> None:
        name, watch = what
        if self._watches.get(name) is not watch:
            return
        self.kernel.at(self.kernel.now_s + LOOK_S, self._sample, what)
        node = self.nodes[name]
        if not node.up:
            return
        look = node.look()
        node.latest.append(look)
        if node.body.empty:
            self.down(name)
            return
        for occasion in watch.crossings.seen(look):
            for listener, site in tuple(watch.listeners.items()):
                way = site.ways.get((name, site.device.id))
                if way is None or self.media.carries(way.media):
                    later = self.kernel.now_s + (way.delay_s if way is not None else 0.0)
                    self.kernel.at(later, listener.heard, occasion)

    # faults

    def down(self, name: NodeId) -> None:
        """A node dies; whoever waits for it misses it a second later."""
        node = self.nodes[name]
        if node.up:
            node.stop()
            self.record.add(self.kernel.now_s, "node_down", node=name)
            watch = self._watches.get(name)
            for listener in tuple(watch.listeners if watch is not None else ()):
                self.kernel.at(self.kernel.now_s + DETECT_S, listener.lost, name)

    def up(self, name: NodeId) -> None:
        """A node is there again, without anything that it had, unless its battery is empty."""
        node = self.nodes[name]
        if not node.up and not node.body.empty:
            node.start()
            self.record.add(self.kernel.now_s, "node_up", node=name)

    def throttle(self, medium: str, factor: float) -> None:
        """A medium carries so many times what it would."""
        self.record.add(self.kernel.now_s, "medium", medium=medium, factor=factor)
        self.media.throttle(self.media_names[medium], factor)
