"""How nodes and media are, every now and then: what the record says of them beside events. Looking changes nothing."""

import math
from typing import Final

from eapg_split.domain.topology import NodeId
from simulations.body import Body
from simulations.world import World

SAMPLES: Final = 200  # of a run, roughly
LEAST_S: Final = 1.0  # between two of them


def run_sampled(world: World, until_s: float) -> None:
    """Runs a world until a moment, or until nothing is left to do, and records samples on the way.

    They are as far apart as a two hundredth of the time; where that is not known beforehand, a second, and twice as
    far after every 200.
    """
    sampler, kernel = _Sampler(world), world.kernel
    every_s = max(LEAST_S, until_s / SAMPLES) if until_s < math.inf else LEAST_S
    last_s, taken = 0.0, 0
    sampler.take(last_s)
    while last_s + every_s < until_s and (until_s < math.inf or not kernel.idle):
        last_s, taken = last_s + every_s, taken + 1
        kernel.play(last_s)
        sampler.take(last_s)
        if until_s == math.inf and taken % SAMPLES == 0:
            every_s *= 2
    kernel.run(until_s)
    if kernel.now_s > last_s:
        sampler.take(kernel.now_s)


class _Sampler:
    """What was said last of each node and medium."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._last_s = 0.0
        self._said: dict[NodeId, tuple[float, float, float]] = {}
        self._likenesses: dict[NodeId, tuple[tuple[float, float] | None, Body]] = {}
        self._busy_s = dict.fromkeys(world.nodes, 0.0)
        self._carried = dict.fromkeys(world.media_names, 0.0)

    def take(self, now_s: float) -> None:
        """One line."""
        world, passed_s = self._world, now_s - self._last_s
        nodes = {}
        for name in world.nodes:
            values = self._body(name, now_s)
            busy = self._busy(name, now_s, passed_s)
            if busy > 0:
                values["busy"] = busy
            if values:
                nodes[name] = values
        bits = {name: carried for name in world.media_names if (carried := self._bits(name, now_s)) > 0}
        world.record.add(now_s, "sample", nodes=nodes, bits=bits)
        self._last_s = now_s

    def _body(self, name: NodeId, now_s: float) -> dict[str, float]:
        """Charge, temperature and clock where they are not as they were."""
        spec, body = self._world.nodes[name].spec, self._world.nodes[name].body
        if spec.cell is None and spec.heat is None:
            return {}
        worked_out, likeness = self._likenesses.get(name, (None, body))
        if worked_out != body.worked_out:  # else it goes on from the last sample, which is soon done
            likeness = body.likeness()
            self._likenesses[name] = body.worked_out, likeness
        charge, skin_c = likeness.seen(now_s)
        found = round(charge, 4), round(skin_c, 1), likeness.clock_ratio
        before = self._said.get(name)
        self._said[name] = found
        parts = zip(("charge", "temperature_c", "clock_ratio"), found, before or (None,) * 3, strict=True)
        has = {
            "charge": spec.cell is not None,
            "temperature_c": spec.heat is not None,
            "clock_ratio": spec.heat is not None,
        }
        return {key: value for key, value, old in parts if has[key] and value != old}

    def _busy(self, name: NodeId, now_s: float, passed_s: float) -> float:
        node = self._world.nodes[name]
        total_s = node.busy_s(now_s)
        before_s, self._busy_s[name] = self._busy_s[name], total_s
        if passed_s <= 0:
            return 0.0
        return round(min(1.0, max(0.0, (total_s - before_s) / passed_s / node.spec.engines)), 4)

    def _bits(self, name: str, now_s: float) -> int:
        total = self._world.media.carried(self._world.media_names[name], now_s)
        before, self._carried[name] = self._carried[name], total
        return round(total - before)
