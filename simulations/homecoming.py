"""States that come home while their segment goes on, as its node sends them: so little is lost with the node.

What is worth the way is decided by `planner.checkpoints`, as live. One goes at a time, and a newer one replaces one
that waits. When the result is ready, what has not been written yet is dropped; what is on its way goes before it.
"""

from collections.abc import Callable

from eapg_split.codecs.base import PART_RAW_BYTES
from eapg_split.domain.latent import TensorSpec
from eapg_split.domain.workload import Workload
from eapg_split.planner.checkpoints import (
    AHEAD,
    Journey,
    Journeys,
    Moment,
    spare_message_bytes,
    worth_sending,
)
from eapg_split.planner.estimates import CodecEstimate
from simulations.kernel import Kernel
from simulations.links import Flow, Media
from simulations.sites import Way


class Homecoming:
    """One per segment on another node. `kept` is told of each state that has come home."""

    def __init__(
        self,
        workload: Workload,
        begin: tuple[int, int],
        way: tuple[Kernel, Media, Way],
        codec: Callable[[int], CodecEstimate],
        *,
        believed_bits_per_s: float,
        kept: Callable[[int, float, float], None],
    ) -> None:
        """`begin` has the segment's first step and the one at which its result goes home; `codec` is asked for each.

        `kept` gets the step, the bytes and the seconds that they took.
        """
        self._workload, self._codec, self._kept = workload, codec, kept
        self._start_step, self._stop_step = begin
        self._kernel, self._media, self._way = way
        self._journeys = Journeys(believed_bits_per_s)
        self._message_bits = 8 * spare_message_bytes(believed_bits_per_s)
        self._input = self._before = self._names(self._start_step)
        self._step_s = self._computed_s = self._covered_s = 0.0
        self._waiting: tuple[int, float] | None = None  # the step, and what was computed until then
        self._flow: Flow | None = None
        self._parts = 1  # of what goes through it
        self._busy = self._over = False

    def stepped(self, reached: int, seconds: float) -> None:
        """A step took so long; the state after it may be worth the way."""
        self._step_s = seconds
        self._computed_s += seconds
        raw, whole = self._travels(reached)
        left_s = (self._stop_step - reached) * seconds
        moment = Moment(seconds, self._computed_s - self._covered_s, left_s)
        if whole and worth_sending(self._journeys.expected(raw), moment):
            self._waiting = reached, self._computed_s
            self._send()

    def result(self) -> float:
        """The result is ready: no more states go. Returns the bits that are on their way before it."""
        self._over = True
        flow, self._flow = self._flow, None
        if flow is None:
            return 0.0
        self._media.drop(flow)
        ahead = AHEAD * min(self._message_bits, flow.bits / self._parts)  # a part each, or a piece of one
        return min(ahead, flow.left_at(self._kernel.now_s))

    def abandon(self) -> None:
        """The segment is lost, and what is on its way with it."""
        self.result()

    def _send(self) -> None:
        if self._busy or self._over or self._waiting is None:
            return
        (reached, covered_s), self._waiting, self._busy = self._waiting, None, True
        raw, whole = self._travels(reached)
        share, began_s = raw / whole, self._kernel.now_s
        self._parts = raw // PART_RAW_BYTES + 1
        codec = self._codec(reached)
        bits, encode_s = codec.bits[reached] * share, codec.encode_s[reached] * share
        self._before, self._covered_s = self._names(reached), covered_s

        def flow(_: object) -> None:
            if not self._over:
                self._flow = self._media.send(self._way.media, bits, passed)

        def passed() -> None:
            self._flow = None
            self._kernel.at(self._kernel.now_s + self._way.delay_s, home)
            self._kernel.at(self._kernel.now_s + 2 * self._way.delay_s, told)

        def home(_: object) -> None:
            self._kept(reached, bits / 8, self._kernel.now_s - self._way.delay_s - began_s - encode_s)

        def told(_: object) -> None:
            home_s = self._kernel.now_s - began_s
            self._journeys.took(raw, Journey(home_s, encode_s))
            if home_s > 0:
                self._message_bits = max(self._message_bits, 8 * spare_message_bytes(bits / home_s))
            self._busy = False
            self._send()

        self._kernel.at(self._kernel.now_s + encode_s, flow)

    def _travels(self, step: int) -> tuple[int, int]:
        """Bytes of the state before a step, decoded: those that nobody at home has yet, and all."""
        tensors = self._tensors(step)
        known = {*self._input, *self._before}
        names = self._names(step)
        travel = sum(each.raw_bytes for each, name in zip(tensors, names, strict=True) if name not in known)
        return travel, sum(each.raw_bytes for each in tensors)

    def _names(self, step: int) -> tuple[tuple[str, int], ...]:
        """What each tensor of the state before a step is: that of another step's under another name may be the same."""
        return tuple(self._name(each.name, step) for each in self._tensors(step))

    def _name(self, tensor: str, step: int) -> tuple[str, int]:
        if tensor == "xbar":
            return "result", step
        if tensor == "source":  # the result of the stage before
            return "result", self._workload.stage_of(step - 1).start_step
        return tensor, 0

    def _tensors(self, step: int) -> tuple[TensorSpec, ...]:
        return self._workload.spec_after(step - 1).tensors if step else ()
