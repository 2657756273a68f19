"""Short looks at links that nobody used of late, as the runtime takes them, within the same budget of bytes."""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from eapg_split.domain.topology import NodeId
from eapg_split.planner.priors import assumed_link
from eapg_split.planner.probe_budget import (
    LEAST_TRAIN_BYTES,
    PATIENCE_S,
    QUICK_S,
    train_bytes,
)
from simulations.kernel import Kernel
from simulations.links import Flow, Media
from simulations.sites import Site

FIRST_LOOK_S: Final = 0.25  # that a job waits before it plans


class Carried(NamedTuple):
    """What a link carried, for whoever estimates its rate."""

    source: str
    target: str
    bytes: int
    seconds: float


class Prober:
    """One per device: two jobs of it do not look at one link at a time."""

    def __init__(self, kernel: Kernel, media: Media, site: Site) -> None:
        self._kernel, self._media, self._site = kernel, media, site
        self._looks: dict[NodeId, _Look] = {}
        self.sent_bytes = 0

    def first_look(self) -> None:
        """Starts a look at each stale link, all at once."""
        rates, own = self._site.device.rates, self._site.device.id
        others = self._site.others
        self._start([node for node in others if rates.stale(own, node) or rates.stale(node, own)])

    @property
    def looking(self) -> bool:
        """Whether a look goes on."""
        return bool(self._looks)

    def late(self, seconds: float) -> None:
        """So long after they began, some looks may not have come back once."""
        for node in self._looks:
            self._site.device.rates.late(self._site.device.id, node, seconds)

    def look_again(self) -> None:
        """Starts a look at links of which nothing was seen for some seconds: fewer where they were dark or changed."""
        rates, own = self._site.device.rates, self._site.device.id
        self._start([node for node in self._site.others if rates.due(own, node)])

    def afford(self, node: NodeId, size: int) -> bool:
        """Whether so many bytes may go there and back; if so, they are spent."""
        taken = self._site.device.rates.probes.take(node, 2 * size, self.believed(node))
        self.sent_bytes += 2 * size * taken
        return taken

    def believed(self, node: NodeId) -> float:
        """Bits a second towards a node."""
        own, nodes = self._site.device.id, self._site.nodes
        assumed = assumed_link(nodes[own].spec.tier, nodes[node].spec.tier)
        return self._site.device.rates.bits_per_s(own, node) or assumed.bits_per_s

    def when_free(self, node: NodeId, call: Callable[[], None]) -> None:
        """Calls once nothing of a look is on its way to a node: what is said on one connection comes in order."""
        look = self._looks.get(node)
        if look is None or not look.sends:
            call()
        else:
            look.behind.append(call)

    def over(self, node: NodeId) -> None:
        """A look has ended."""
        self._looks.pop(node, None)

    def _start(self, nodes: Iterable[NodeId]) -> None:
        if not self._site.device.rates.network.may_probe:
            return
        for node in nodes:
            if node not in self._looks and self.afford(node, 1):
                self._looks[node] = _Look(self, node, self._kernel, self._media, self._site)


class _Look:
    """A round trip, then a short train, and a longer one where that went through at once; a second at most."""

    def __init__(self, prober: Prober, node: NodeId, kernel: Kernel, media: Media, site: Site) -> None:
        self._prober, self._node, self._kernel, self._media, self._site = prober, node, kernel, media, site
        own = site.device.id
        self._ways = site.ways[own, node], site.ways[node, own]
        self._began_s, self._sent_s, self._size = kernel.now_s, kernel.now_s, 1
        self._flow: Flow | None = None
        self._open = True
        self.sends = False  # whether a train is on its way there
        self.behind: list[Callable[[], None]] = []  # what waits for that
        kernel.at(kernel.now_s + PATIENCE_S, self._too_late)
        self._after(sum(way.delay_s for way in self._ways), self._came_back)

    def _after(self, seconds: float, call: Callable[[], None]) -> None:
        def if_open(_: object) -> None:
            if self._open:
                call()

        self._kernel.at(self._kernel.now_s + seconds, if_open)

    def _came_back(self) -> None:
        reached = self._site.nodes[self._node].up and all(
            self._media.carries(way.media) for way in self._ways
        )
        if not reached:
            return  # nothing ever comes back: the patience ends it
        own, seconds = self._site.device.id, self._kernel.now_s - self._began_s
        self._site.device.rates.round_trip(own, self._node, seconds)
        self._train(LEAST_TRAIN_BYTES)

    def _train(self, size: int) -> None:
        if not self._prober.afford(self._node, size):
            self._close()
            return
        self._size, self._sent_s = size, self._kernel.now_s
        self.sends = True
        self._flow = self._media.send(self._ways[0].media, 8.0 * size, self._there)

    def _let_pass(self) -> None:
        self.sends = False
        behind, self.behind = self.behind, []
        for call in behind:
            call()

    def _there(self) -> None:
        self._let_pass()
        self._saw(self._site.device.id, self._node, self._sent_s)
        back_s = self._kernel.now_s
        self._flow = self._media.send(self._ways[1].media, 8.0 * self._size, lambda: self._back(back_s))

    def _back(self, since_s: float) -> None:
        self._flow = None
        self._saw(self._node, self._site.device.id, since_s)
        longer = train_bytes(self._prober.believed(self._node))
        took_s = self._kernel.now_s - self._sent_s + sum(way.delay_s for way in self._ways)
        if took_s > QUICK_S or longer <= self._size:
            self._close()
        else:
            self._train(longer)

    def _saw(self, source: NodeId, target: NodeId, since_s: float) -> None:
        seconds = self._kernel.now_s - since_s
        self._site.device.rates.observe(Carried(source, target, self._size, seconds))

    def _too_late(self, _: object) -> None:
        if not self._open:
            return
        if self._flow is not None:
            self._media.drop(self._flow)
        rates, own = self._site.device.rates, self._site.device.id
        rates.late(own, self._node, PATIENCE_S)
        for ends in ((own, self._node), (self._node, own)):
            believed = rates.bits_per_s(*ends)
            if believed is None or believed > 8 * self._size / PATIENCE_S:
                rates.observe(Carried(*ends, self._size, PATIENCE_S))
        self._close()

    def _close(self) -> None:
        self._open = False
        self._let_pass()
        self._prober.over(self._node)
