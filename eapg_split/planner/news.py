"""What a running job sees of its nodes and links, and which of it is news: worth another look at its plan. Pure."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from eapg_split.domain.topology import Ends, NodeId
from eapg_split.planner.drift import Drift
from eapg_split.planner.estimates import LinkEstimate
from eapg_split.planner.policy import Occasion, Transfer, Trigger

SILENT_S: Final = 5.0  # without telemetry, of which there is some every second
STALLED_S: Final = 2.0  # without a byte that was acknowledged: below that a hand-off is nothing special
_MOVED: Final = 0.25  # of a link's rate, in logarithms, against what the plan believed
_BAN_S: Final = 5.0  # for a lost node; twice as long each time


@dataclass(frozen=True, slots=True)
class StepSeen:
    """A step took `seconds` on a node; `expected_s` by its profile, which is `guessed` where nobody measured."""

    node: NodeId
    stage: str
    seconds: float
    expected_s: float
    guessed: bool = False


class News:
    """One per job. Moments are seconds of any clock that does not go back."""

    def __init__(self) -> None:
        self.drift = Drift()
        self.silent: frozenset[NodeId] = frozenset()
        self._back: set[NodeId] = set()  # may be tried again, and the session was not told yet
        self._bans: dict[NodeId, float] = {}  # until when a lost node is left alone
        self._lost: dict[NodeId, int] = {}
        self._full: dict[NodeId, float] = {}  # until when a node that refused work takes none
        self._believed: dict[Ends, float] = {}  # rates when the plan was made

    def planned(self, links: Mapping[Ends, LinkEstimate | None]) -> None:
        """A plan was made by what is believed now, of links too: what drifts from here on is news."""
        self.drift.rebase()
        self._believed = {ends: link.bits_per_s for ends, link in links.items() if link is not None}

    def stepped(self, seen: StepSeen) -> Occasion:
        """Takes a finished step, which is always worth a look; one that shows a drift says so."""
        node, stage, drift = seen.node, seen.stage, self.drift
        before = drift.drifted(node, stage)
        drift.observe(
            node, stage, predicted_s=seen.expected_s, measured_s=seen.seconds, uncertain=seen.guessed
        )
        if before or not drift.drifted(node, stage):
            return Occasion(Trigger.STEP, "", node)
        factor = drift.factor(node, stage)
        reason = f"Steps of {stage} on {node} take {factor:.2f} times what its profile says."
        return Occasion(Trigger.DRIFT, reason, node)

    def moved(self, link: Ends, bits_per_s: float) -> Occasion | None:
        """What there is to say of a link after a transfer: None while it is as the plan believed."""
        believed = self._believed.get(link)
        if believed is not None and abs(math.log(bits_per_s / believed)) <= _MOVED:
            return None
        self._believed[link] = bits_per_s
        reason = f"The link from {link[0]} to {link[1]} carries {bits_per_s / 1e6:.3g} Mbit/s"
        before = "of which nothing was known." if believed is None else f"and not {believed / 1e6:.3g}."
        return Occasion(Trigger.LINK, f"{reason}, {before}", link[1])

    def silences(self, ages_s: Mapping[NodeId, float]) -> Iterator[Occasion]:
        """Nodes that fell silent, or are heard again, since this was asked last. Plans do without the silent ones.

        `ages_s` is how old the newest look at each other node is; infinite says that it never told anything.
        """
        silent = frozenset(node for node, age_s in ages_s.items() if SILENT_S < age_s < math.inf)
        for node in sorted(silent ^ self.silent):
            words = f"{node} has fallen silent." if node in silent else f"{node} is heard again."
            yield Occasion(Trigger.NODE, words, node)
        self.silent = silent

    def refused(self, node: NodeId, until_s: float) -> None:
        """The node is full, and said until when it takes no work."""
        self._full[node] = until_s

    def full(self, now_s: float) -> frozenset[NodeId]:
        """Nodes that take no work yet."""
        return frozenset(node for node, until_s in self._full.items() if until_s > now_s)

    def ready_in_s(self, node: NodeId, now_s: float) -> float:
        """Seconds until a node that was full takes work again; 0 for the others."""
        return max(0.0, self._full.get(node, 0.0) - now_s)

    def back(self, lost_s: Mapping[NodeId, float], now_s: float) -> list[Occasion]:
        """Lost nodes that may be tried again, while a segment runs: `returned` tells of them once it has ended."""
        found = self._healed(lost_s, now_s)
        self._back.update(found)
        return [
            Occasion(Trigger.NODE, f"{node}, which was lost, may be tried again.", node) for node in found
        ]

    def returned(self, lost_s: Mapping[NodeId, float], now_s: float) -> list[NodeId]:
        """Lost nodes that may be tried again. `lost_s` is how old the newest look at each of them is."""
        back = sorted(self._back & lost_s.keys())
        self._back.clear()
        return back + self._healed({node: age_s for node, age_s in lost_s.items() if node not in back}, now_s)

    def stalled(self, transfer: Transfer | None) -> Occasion | None:
        """What there is to say of a hand-off that is on its way: None while it gets on."""
        if transfer is None or transfer.stalled_s < STALLED_S:
            return None
        words = (
            f"Nothing has gone from {transfer.source} to {transfer.target} for {transfer.stalled_s:.1f} s."
        )
        return Occasion(Trigger.STALL, words, transfer.target)

    def _healed(self, lost_s: Mapping[NodeId, float], now_s: float) -> list[NodeId]:
        """Those of the lost nodes that are heard and were left alone long enough."""
        for node in lost_s.keys() - self._bans.keys():
            count = self._lost.get(node, 0)
            self._lost[node] = count + 1
            self._bans[node] = now_s + _BAN_S * 2**count
        for node in self._bans.keys() - lost_s.keys():
            del self._bans[node]
        return [node for node in sorted(lost_s) if self._bans[node] < now_s and lost_s[node] <= SILENT_S]
