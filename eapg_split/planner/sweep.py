"""What if the device's links were faster or slower: the same view with other rates, and the plans made there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np

from eapg_split.domain.plan import Plan
from eapg_split.domain.topology import NodeId
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.estimates import LinkEstimate
from eapg_split.planner.policy import PlanView
from eapg_split.planner.solve import price
from eapg_split.planner.walk import Score

SLOWEST_BITS_PER_S: Final = 0.1e6
FASTEST_BITS_PER_S: Final = 1000e6
_POINTS_A_DECADE: Final = 40


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """The plan at one rate and its price; without a plan, `why` says which limit no plan keeps."""

    bits_per_s: float
    plan: Plan | None
    score: Score | None
    why: str = ""


def rates() -> tuple[float, ...]:
    """From 0.1 to 1000 Mbit/s in equal factors of 6 %, in bit/s."""
    decades = np.log10(FASTEST_BITS_PER_S / SLOWEST_BITS_PER_S)
    count = round(decades * _POINTS_A_DECADE) + 1
    return tuple(np.geomspace(SLOWEST_BITS_PER_S, FASTEST_BITS_PER_S, count).tolist())


def at_rate(
    view: PlanView, bits_per_s: float, relayed: frozenset[tuple[NodeId, NodeId]] = frozenset()
) -> PlanView:
    """The view as if every link of the device carried just that, in both directions and for certain.

    Links between two others stay as they are, but for the `relayed` ones, which lead through the device: there the
    state goes twice. Round trips stay. A view without estimates stays as it is.
    """
    if view.estimates is None:
        return view
    device = view.topology.device.id
    links = {}
    for ends, link in view.estimates.links.items():
        if device in ends:
            link = _carrying(link, bits_per_s)
        elif ends in relayed:
            link = _carrying(link, bits_per_s / 2)
        links[ends] = link
    return replace(view, estimates=replace(view.estimates, links=links))


def sweep(
    view: PlanView,
    plan: Callable[[PlanView], Plan],
    rates: Sequence[float],
    relayed: frozenset[tuple[NodeId, NodeId]] = frozenset(),
) -> tuple[SweepPoint, ...]:
    """What `plan` does at each rate in bit/s, priced there."""
    return tuple(_point(at_rate(view, rate, relayed), plan, rate) for rate in rates)


def changes(points: Sequence[SweepPoint]) -> tuple[float, ...]:
    """The rates in bit/s at which the nodes of the plan change: in the middle between two points, by factors."""
    return tuple(
        float(np.sqrt(before.bits_per_s * after.bits_per_s))
        for before, after in pairwise(points)
        if _segments(before) != _segments(after)
    )


def _point(view: PlanView, plan: Callable[[PlanView], Plan], rate: float) -> SweepPoint:
    try:
        made = plan(view)
    except InfeasiblePlan as error:
        return SweepPoint(rate, None, None, error.message)
    score = price(view, made)
    return SweepPoint(rate, made, score, score.why)


def _segments(point: SweepPoint) -> object:
    return None if point.plan is None else point.plan.segments


def _carrying(link: LinkEstimate, bits_per_s: float) -> LinkEstimate:
    return replace(link, bits_per_s=bits_per_s, sigma=0.0)
