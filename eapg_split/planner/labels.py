"""The best path when something binds that a sum cannot express: limits, and nodes that are not ready yet.

Label-setting along the chain: a label is one way to have computed the steps so far, with what it took in every
dimension that matters. Of the labels on a node those stay that no other beats in all dimensions, and that can still
end within every bound, taking the least that is left to pay from there.

Who arrives earlier at a node that is not ready may wait, and is then never later than who arrives later: a label that
is nowhere behind stays so, and dropping the others loses nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from eapg_split.planner.arrays import Bools, Floats, Ints
from eapg_split.planner.charges import Charge
from eapg_split.planner.cost import CostTables

TOLERANCE: Final = 1e-9  # of a limit, for sums that were made in another order
MANY: Final = 1_000_000  # labels on one node
_BLOCK: Final = 256


@dataclass(frozen=True, eq=False)
class Dimension:
    """What labels count. A `clock` is time: on arrival it goes on to when the node is ready."""

    charge: Charge
    clock: bool = False

    def after(self, values: Floats, step: int, sources: Ints) -> Floats:
        """[L, N]: the values [L] of labels on `sources` once each node has done a step; infinite where it is closed."""
        charge = self.charge
        if not self.clock:
            sums: Floats = values[:, None] + charge.arcs[step].take(sources, axis=0)
            return sums
        clock: Floats = values[:, None] + charge.moves[step].take(sources, axis=0)
        np.maximum(clock, charge.tables.per_node.ready_s, out=clock)
        clock += charge.arrived[step].take(sources, axis=0)
        return clock


@dataclass(frozen=True, eq=False)
class Bound:
    """coefficients . label + to_go <= limit, where `to_go` [B, N] is the least that can still come."""

    coefficients: Floats
    limit: float
    to_go: Floats

    def keeps(self, values: Sequence[Floats], boundary: int) -> Bools:
        """[L, N]: which of the values [D][L, N] before a boundary may still end within the limit."""
        least = self.to_go[boundary] + sum(
            coefficient * value
            for coefficient, value in zip(self.coefficients.tolist(), values, strict=True)
            if coefficient
        )
        kept: Bools = least <= self.most
        return kept

    @property
    def most(self) -> float:
        """The limit, and a little more for rounding."""
        return self.limit + TOLERANCE * max(1.0, abs(self.limit))


@dataclass(frozen=True, eq=False)
class Labels:
    """L ways to have come so far: where each is, what it took, which label it came from.

    `strayed` is False for the one that has followed the path to avoid until now.
    """

    nodes: Ints  # [L]
    values: Floats  # [D, L]
    parents: Ints  # [L]
    strayed: Bools  # [L]

    def pick(self, chosen: Ints) -> "Labels":
        return Labels(self.nodes[chosen], self.values[:, chosen], self.parents[chosen], self.strayed[chosen])


@dataclass(frozen=True, eq=False)
class Search:
    """What to look for: labels of `dimensions` within `bounds`, and of those the least `objective` . label.

    `greedy` keeps one label on each node, the best so far: quick, and not exact. `avoid` is a path that is not to be
    found. `most` is how many labels stay on one node at most; where that many are not enough, it is not exact either.
    """

    tables: CostTables
    dimensions: Sequence[Dimension]
    bounds: Sequence[Bound]
    objective: Floats
    greedy: bool = False
    avoid: Sequence[int] | None = None
    most: int = MANY

    def best(self) -> tuple[int, ...] | None:
        """The path of the best label, None where no label ends within the bounds."""
        found = self.run()
        ends = found[-1]
        if not len(ends.nodes):
            return None
        return path_to(found, int((self.objective @ ends.values).argmin()))

    def run(self) -> list[Labels]:
        """The labels after each step; the last ones are back on the device and undominated."""
        labels = Labels(
            np.array([self.tables.holder]),
            np.zeros((len(self.dimensions), 1)),
            np.array([-1]),
            np.array([self.avoid is None]),
        )
        found = []
        for step in range(self.tables.steps):
            labels = self._after(labels, step)
            found.append(labels)
        found[-1] = self._home(labels)
        return found

    def _after(self, labels: Labels, step: int) -> Labels:
        values = [
            dimension.after(before, step, labels.nodes)
            for dimension, before in zip(self.dimensions, labels.values, strict=True)
        ]
        keep: Bools = np.isfinite(values[0])
        for bound in self.bounds:
            keep &= bound.keeps(values, step + 1)
        cells = np.flatnonzero(keep)
        parents, nodes = np.divmod(cells, len(self.tables.nodes))
        strayed = labels.strayed[parents]
        if self.avoid is not None:
            strayed |= nodes != self.avoid[step]
        groups = 2 * nodes + strayed
        kept = Labels(nodes, np.stack([each.ravel()[cells] for each in values]), parents, strayed)
        if self.greedy:
            return kept.pick(undominated(groups, (self.objective @ kept.values)[None]))
        return kept.pick(undominated(groups, kept.values, self.most))

    def _home(self, labels: Labels) -> Labels:
        """The last labels with the way back to the device, none of them on the path to avoid."""
        device = self.tables.device
        labels = labels.pick(
            np.flatnonzero(labels.strayed & self.tables.open_moves[-1, labels.nodes, device])
        )
        values = labels.values.copy()
        for row, dimension in zip(values, self.dimensions, strict=True):
            row += dimension.charge.moves[-1, labels.nodes, device]
        home = Labels(labels.nodes, values, labels.parents, labels.strayed)
        return home.pick(undominated(np.zeros(len(labels.nodes), np.intp), values, self.most))


def path_to(found: Sequence[Labels], label: int) -> tuple[int, ...]:
    """The node of each step on the way to a label after the last step."""
    path = []
    for labels in reversed(found):
        path.append(int(labels.nodes[label]))
        label = int(labels.parents[label])
    return tuple(path[::-1])


def undominated(groups: Ints, values: Floats, most: int = MANY) -> Ints:
    """Which labels no other label of the same group beats or equals everywhere; of equal ones the first.

    `values` [D, L]. Of more than `most` labels of a group some are left out, the extremes in the first dimension never.
    """
    order = np.lexsort((*values[::-1], groups))
    sorted_groups = groups[order]
    first = np.empty(len(order), bool)
    first[:1] = True
    np.not_equal(sorted_groups[1:], sorted_groups[:-1], out=first[1:])
    if len(values) == 1:
        return np.sort(order[first])
    if len(values) == 2 and len(order) <= most:
        return np.sort(order[first | _descends(sorted_groups, values[1, order])])
    kept = []
    for begin, end in pairwise([*np.flatnonzero(first).tolist(), len(order)]):
        members = order[begin:end]
        chosen = members[_front(values[:, members])]
        kept.append(thinned(chosen, most))
    return np.sort(np.concatenate(kept)) if kept else order


def thinned(items: Ints, most: int) -> Ints:
    """At most so many of them, evenly spread, the first and the last among them."""
    return items if len(items) <= most else items[np.linspace(0, len(items) - 1, most).round().astype(int)]


def _descends(groups: Ints, second: Floats) -> Bools:
    """Which rows have less than all earlier rows of their group, the groups being in ascending order."""
    ranks = np.empty(len(second), np.intp)
    ranks[second.argsort(kind="stable")] = np.arange(
        len(second)
    )  # of equal ones the earlier has the smaller rank
    ranks -= groups * len(second)  # each group lies below all the ones before it
    below = np.empty(len(ranks), bool)
    below[:1] = True
    np.less(ranks[1:], np.minimum.accumulate(ranks)[:-1], out=below[1:])
    return below


def _front(values: Floats) -> Ints:
    """Of columns in lexicographic order those that no earlier column beats or equals everywhere."""
    front, others = np.zeros(0, np.intp), values[1:]
    for begin in range(0, values.shape[1], _BLOCK):
        block = np.arange(begin, min(begin + _BLOCK, values.shape[1]))
        beaten = (others[:, front, None] <= others[:, None, block]).all(axis=0).any(axis=0)
        block = block[~beaten]
        within = (others[:, block, None] <= others[:, None, block]).all(axis=0)
        front = np.concatenate([front, block[~np.triu(within, 1).any(axis=0)]])
    return front
