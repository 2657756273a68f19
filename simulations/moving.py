"""Moves the states of one flight over links, part by part, and counts what that costs."""

from collections.abc import Callable

from eapg_split.codecs.auto import UNKNOWN_LINK_BITS_PER_S
from eapg_split.codecs.base import PART_RAW_BYTES
from eapg_split.planner.estimates import CodecEstimate
from eapg_split.planner.link_rates import LEAST_BYTES
from simulations.flights import Flight, Owner, Sending
from simulations.links import Flow
from simulations.nodes import SimNode
from simulations.probes import Carried
from simulations.sites import Way


class Moves:
    """One per flight."""

    def __init__(self, owner: Owner, flight: Flight) -> None:
        self._owner = owner
        self._flight = flight
        self._world, self._site = owner.world, owner.site
        self._kernel = owner.world.kernel

    def codec(self, name: str, step: int, bits_per_s: float | None) -> CodecEstimate:
        """The codec of that name, or for `auto` the one that should arrive first on a link of that speed."""
        named = [codec for codec in self._owner.codecs if codec.name == name]
        rate = bits_per_s or UNKNOWN_LINK_BITS_PER_S
        return min(
            named or self._owner.codecs,
            key=lambda codec: max(codec.bits[step] / rate, codec.encode_s[step], codec.decode_s[step]),
        )

    def send(
        self,
        ends: tuple[SimNode, SimNode],
        way: Way,
        what: tuple[int, CodecEstimate],
        then: Callable[[], None],
        *,
        first: bool = False,
        ahead: float = 0.0,
    ) -> None:
        """Moves the state before a step, part by part: coding, sending and decoding overlap but for one part.

        `ahead` are bits that are on the same way before it.
        """
        (source, target), (step, codec), flight = ends, what, self._flight
        raw = self._owner.workload.spec_after(step - 1).raw_bytes if step else 0
        parts, bits = raw // PART_RAW_BYTES + 1, codec.bits[step]
        encode_s, decode_s = codec.encode_s[step], codec.decode_s[step]
        began_s = 0.0

        def sent() -> None:
            flow_s = self._kernel.now_s - began_s
            flight.flows.remove(flow)
            longest = max(flow_s, encode_s, decode_s)
            whole_s = longest + (flow_s + encode_s + decode_s - longest) / parts
            left_s = whole_s - encode_s / parts - flow_s
            own_s = flow_s * bits / (bits + ahead) if ahead else flow_s
            self._saw(ends, (bits / 8, own_s), parts, flight.sending if first else None)
            self.later(max(0.0, left_s) + way.delay_s, then)

        flow: Flow

        def begin() -> None:
            nonlocal flow, began_s
            if not flight.open:
                return
            began_s = self._kernel.now_s
            flow = self._world.media.send(way.media, bits + ahead, sent)
            flight.flows.append(flow)
            if first:
                now_s = self._kernel.now_s
                flight.sending = Sending(
                    source.id, target.id, flow, int(bits / 8), parts, now_s, seen_s=now_s
                )

        def in_turn() -> None:
            self._world.prober(self._site).when_free(target.id, begin)

        self.later(encode_s / parts, in_turn if first else begin)

    def _saw(
        self,
        ends: tuple[SimNode, SimNode],
        carried: tuple[float, float],
        parts: int,
        sending: Sending | None,
    ) -> None:
        """What the device, or else who sent, learns of the link, and what the radio took. Few bytes show no rate."""
        (source, target), (size_bytes, seconds) = ends, carried
        own = self._site.device
        self.spend(own if own in ends else None, size_bytes, seconds, sends=source is own)
        if parts > 1 and size_bytes >= LEAST_BYTES:
            left, left_s = size_bytes, seconds
            if sending is not None:
                left -= sending.seen_bits / 8
                left_s = self._kernel.now_s - sending.seen_s
            sample = Carried(source.id, target.id, int(left), left_s)
            (own if own in ends else source).rates.observe(sample)
        self._owner.moved(source.id, target.id, int(size_bytes), seconds)

    def spend(self, own: SimNode | None, size_bytes: float, seconds: float, *, sends: bool) -> None:
        """Bytes have gone over links for the job, and perhaps by its device's radio."""
        self._owner.outcome.sent_bytes += size_bytes
        if own is not None:
            radio = own.spec.radio
            joules = (radio.sending if sends else radio.receiving).joules(size_bytes, seconds)
            own.body.spend(joules)
            self._owner.outcome.energy_j += joules

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Calls it then, unless the flight is over."""
        flight = self._flight

        def if_open(_: object) -> None:
            if flight.open:
                call()

        self._kernel.at(self._kernel.now_s + seconds, if_open)
