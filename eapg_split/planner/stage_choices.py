"""A plan as a chain of choices, one for each stage that is left: which nodes may take it, and what is known of them.

What a learned policy decides by, the same in training (`simulations.environment`) and at work (`planner.learned`). All
of it comes from the view. Every number lies between 0 and 1; durations, joules and money are on a logarithmic scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eapg_split.domain.plan import Cut, Plan
from eapg_split.domain.request import Privacy
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.domain.workload import Stage
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.arrays import Bools, Floats
from eapg_split.planner.cost import CostTables
from eapg_split.planner.limits import allowed_codecs, check_plan
from eapg_split.planner.placement import needs_entry, segments_of
from eapg_split.planner.policy import Goal, PlanView
from eapg_split.planner.solve import goal_weights

MAX_NODES: Final = (
    16  # the device is the first, then who has the state, then the others as the topology has them
)
CODECS: Final = ("lossless", "clean", "int8", "int4", "auto")
NODE_FEATURES: Final = (
    "legal", "device", "edge", "cloud", "holds the state", "seconds of the stage", "seconds of all that is left",
    "seconds until ready", "seconds to get there", "seconds from there home", "joules of the stage",
    "money of the stage", "cost of the stage", "spread of the link", "charge", "temperature",
)  # fmt: skip
JOB_FEATURES: Final = (
    "steps done", "steps of the stage", "latency", "energy", "cost", "balanced", "private", "re-plan", "deadline",
    "most joules", "most money", "seconds per joule",
)  # fmt: skip
CODEC_FEATURES: Final = ("legal", "megabytes", "seconds to encode", "seconds to decode")
INPUTS: Final = len(CODECS) * len(CODEC_FEATURES) + len(JOB_FEATURES) + MAX_NODES * len(NODE_FEATURES)
OUTPUTS: Final = MAX_NODES + len(CODECS)  # of a model: how good each choice is

Rows = NDArray[np.float32]

_SECONDS: Final = (0.01, 3600.0)  # what is next to nothing, and what is as much as can be told apart
_JOULES: Final = (0.1, 1e5)
_MONEY: Final = (1e-6, 10.0)
_MEGABYTES: Final = (1e-3, 1e3)
_HOT_C: Final = 100.0


@dataclass(frozen=True, eq=False)
class Choice:
    """One stage to be placed: a node for it, and a codec for the way there.

    `nodes` is [MAX_NODES, NODE_FEATURES], zeros where there is none; `codecs` [CODECS, CODEC_FEATURES]; `job`
    [JOB_FEATURES]. The masks say what is legal: at least two of the nodes.
    """

    stage: Stage
    names: tuple[NodeId, ...]
    nodes: Rows
    codecs: Rows
    job: Rows
    node_mask: Bools
    codec_mask: Bools

    def flat(self) -> Rows:
        """All of it as one row of INPUTS: codecs, job, nodes."""
        return np.concatenate([self.codecs.ravel(), self.job, self.nodes.ravel()])


class StageChoices:
    """One for each plan that is made. Raises InfeasiblePlan where no chain of choices leads to the end."""

    def __init__(self, view: PlanView) -> None:
        self._view = view
        self._tables = tables = CostTables.of(view)
        others = [
            number for number in range(len(tables.nodes)) if number not in (tables.device, tables.holder)
        ]
        first = list(dict.fromkeys((tables.device, tables.holder)))
        self._order = np.array([*first, *others][:MAX_NODES])
        self._weights = goal_weights(tables)
        left = [stage for stage in view.workload.stages if stage.stop_step > view.start_step]
        self._spans = [
            (stage, max(stage.start_step - view.start_step, 0), stage.stop_step - view.start_step)
            for stage in left
        ]
        self._cuts_left = self._least_cuts()
        self._holder = tables.holder
        self._cuts = 0
        self._taken: list[tuple[int, str]] = []

    def next(self) -> Choice | None:
        """The next stage with a choice, None where nothing is left to choose; what has none is taken on the way."""
        while len(self._taken) < len(self._spans):
            legal = np.flatnonzero(self._legal())
            if not len(legal):
                raise InfeasiblePlan("No chain of nodes keeps every limit: allow more cuts, memory or nodes.")
            if len(legal) > 1:
                return self._choice()
            self._take(int(legal[0]), self._view.objective.codec)
        return None

    def take(self, node: int, codec: int) -> None:
        """Takes row `node` with row `codec` of the choice.

        An illegal node is replaced by who has the state, else by the first legal one; an illegal codec by the one that
        was asked for.
        """
        legal = self._legal()
        named = CODECS[codec] if 0 <= codec < len(CODECS) else ""
        chosen = int(self._order[node]) if 0 <= node < len(self._order) else -1
        if chosen < 0 or not legal[chosen]:
            chosen = (
                self._holder
                if legal[self._holder]
                else next(int(each) for each in self._order if legal[each])
            )
        self._take(chosen, named if named in allowed_codecs(self._view) else self._view.objective.codec)

    def plan(self) -> Plan:
        """The plan, once every stage is placed. Raises InfeasiblePlan for one that breaks a rule after all."""
        view, start = self._view, self._view.start_step
        path, codecs = list[NodeId](), dict[int, str]()
        for (_, begin, end), (node, codec) in zip(self._spans, self._taken, strict=True):
            path += [self._tables.nodes[node]] * (end - begin)
            codecs[start + begin] = codec
        segments = segments_of(path, start)
        entry = [Cut(start, codecs[start])] if needs_entry(view, segments[0].node) else []
        cuts = [Cut(segment.start_step, codecs[segment.start_step]) for segment in segments[1:]]
        return check_plan(view, Plan(tuple(segments), (*entry, *cuts)))

    def _take(self, node: int, codec: str) -> None:
        begin = self._spans[len(self._taken)][1]
        self._cuts += self._crosses(begin) and node != self._holder
        self._holder = node
        self._taken.append((node, codec))

    def _crosses(self, begin: int) -> bool:
        """Whether a move there is a cut: the prompt's way is none."""
        return begin > 0 or self._view.start_step > 0

    # what is legal

    def _least_cuts(self) -> list[Floats]:
        """For each stage, and the end, how few cuts lead from each node to the end; infinite where none do."""
        tables = self._tables
        known = np.isin(np.arange(len(tables.nodes)), self._order)
        least = [np.where(tables.open_moves[-1, :, tables.device], 0.0, np.inf)]
        for _, begin, end in reversed(self._spans):
            able = tables.open_steps[begin:end].all(axis=0) & known
            cost = np.where(tables.open_moves[begin] & able, float(self._crosses(begin)), np.inf)
            np.fill_diagonal(cost, np.where(np.diagonal(tables.open_moves[begin]) & able, 0.0, np.inf))
            least.insert(0, (cost + least[0]).min(axis=1))
        return least

    def _legal(self) -> Bools:
        """Of all nodes of the tables, who may take the stage that is next."""
        tables, number = self._tables, len(self._taken)
        _, begin, end = self._spans[number]
        moving = (np.arange(len(tables.nodes)) != self._holder) & self._crosses(begin)
        cuts = self._cuts + moving + self._cuts_left[number + 1]
        legal: Bools = (
            tables.open_moves[begin, self._holder]
            & tables.open_steps[begin:end].all(axis=0)
            & np.isin(np.arange(len(tables.nodes)), self._order)
            & (cuts <= self._view.objective.max_cuts)
        )
        return legal

    # what is known

    def _choice(self) -> Choice:
        order, (stage, begin, end) = self._order, self._spans[len(self._taken)]
        legal = self._legal()[order]
        nodes = np.zeros((MAX_NODES, len(NODE_FEATURES)), np.float32)
        nodes[: len(order)] = self._node_rows(begin, end, legal)
        mask = np.zeros(MAX_NODES, bool)
        mask[: len(order)] = legal
        allowed = allowed_codecs(self._view)
        return Choice(
            stage,
            tuple(self._tables.nodes[number] for number in order),
            nodes,
            self._codec_rows(begin, allowed),
            self._job_row(begin, end),
            mask,
            np.array([name in allowed for name in CODECS]),
        )

    def _node_rows(self, begin: int, end: int, legal: Bools) -> Floats:
        tables, order, holder = self._tables, self._order, self._holder
        known = [tables.estimates.nodes.get(tables.nodes[number]) for number in order]
        tiers = [tables.view.topology.nodes[number].tier for number in order]
        moved = np.arange(len(tables.nodes)) != holder
        compute = tables.compute_s[begin:end].sum(axis=0) + tables.entry_s[begin] * moved
        move, ready = tables.move_s[begin, holder], tables.per_node.ready_s
        joules = self._joules(begin, compute, move)
        money = tables.per_node.price_per_s * compute
        wait = np.maximum(0.0, np.where(np.isfinite(ready), ready, _SECONDS[1]) - move)
        weights = self._weights
        cost = weights.time * (move + wait + compute) + weights.energy * joules + weights.money * money
        columns = [
            legal.astype(float),
            *(
                np.array([tier is each for tier in tiers], float)
                for each in (Tier.DEVICE, Tier.EDGE, Tier.CLOUD)
            ),
            (~moved)[order].astype(float),
            _scaled(compute, _SECONDS)[order],
            _scaled((tables.compute_s * tables.open_steps)[begin:].sum(axis=0), _SECONDS)[order],
            _scaled(ready, _SECONDS)[order],
            _scaled(move, _SECONDS)[order],
            _scaled(tables.move_s[end, :, tables.device], _SECONDS)[order],
            _scaled(joules, _JOULES)[order],
            _scaled(money, _MONEY)[order],
            _scaled(cost, _SECONDS)[order],
            np.clip(tables.links.sigma[holder, order], 0.0, 1.0),
            np.clip(
                np.nan_to_num([1.0 if each is None else each.charge for each in known], nan=1.0), 0.0, 1.0
            ),
            np.clip(
                np.nan_to_num([0.0 if each is None else each.temperature_c for each in known]) / _HOT_C,
                0.0,
                1.0,
            ),
        ]
        return np.stack(columns, axis=1)

    def _joules(self, begin: int, compute: Floats, move: Floats) -> Floats:
        """[N]: what the device draws until a node has done the stage."""
        tables = self._tables
        joules = tables.idle_w * (compute + move)
        joules[tables.device] += tables.extra_w * compute[tables.device]
        if tables.device_joules is not None:
            leaving, arriving = tables.device_joules
            if self._holder == tables.device:
                joules = joules + leaving[begin]
            else:
                joules[tables.device] += arriving[begin, self._holder]
        return joules

    def _job_row(self, begin: int, end: int) -> Rows:
        view, objective = self._view, self._view.objective
        steps = view.workload.steps
        goals = [
            float(objective.goal is goal) for goal in (Goal.LATENCY, Goal.ENERGY, Goal.COST, Goal.BALANCED)
        ]
        limits = zip(
            (objective.deadline_s, objective.max_energy_j, objective.max_money, self._weights.energy),
            (_SECONDS, _JOULES, _MONEY, _SECONDS),
            strict=True,
        )
        return np.array(
            [
                (view.start_step + begin) / steps,
                (end - begin) / steps,
                *goals,
                float(objective.privacy is Privacy.PROMPT_LOCAL),
                float(view.start_step > 0),
                *(float(_scaled(np.array(limit), scale)) for limit, scale in limits),
            ],
            np.float32,
        )

    def _codec_rows(self, begin: int, allowed: frozenset[str]) -> Rows:
        """The least of what codecs of one name take."""
        tables = self._tables
        rows = np.zeros((len(CODECS), len(CODEC_FEATURES)), np.float32)
        for number, name in enumerate(CODECS):
            rows[number, 0] = name in allowed
            own = [at for at, codec in enumerate(tables.codecs) if codec.name == name]
            if own:
                coded = (tables.coded.bits / 8e6, tables.coded.encode_s, tables.coded.decode_s)
                scales = (_MEGABYTES, _SECONDS, _SECONDS)
                rows[number, 1:] = [
                    _scaled(table[own, begin].min(), scale)
                    for table, scale in zip(coded, scales, strict=True)
                ]
        return rows


def _scaled(values: Floats, scale: Sequence[float]) -> Floats:
    """0 for nothing, 1 for the most that can be told apart; near 0 next to nothing is told from nothing."""
    least, most = scale
    finite = np.nan_to_num(values, nan=0.0, posinf=most, neginf=0.0)
    scaled: Floats = np.clip(np.log1p(np.maximum(finite, 0.0) / least) / np.log1p(most / least), 0.0, 1.0)
    return scaled
