"""What a job had reached when the daemon that ran it ended."""

from dataclasses import dataclass
from typing import Final

from eapg_split.domain.workload import Workload
from eapg_split.runtime.checkpoint import Checkpoint, KeptTensor
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.events import JobEvent, PlanMade
from eapg_split.runtime.jobs.checkpoint_file import KeptState


@dataclass(frozen=True)
class Past:
    """`events` were told, `state` was kept (None: the job begins again), `began_s` is on the running loop's clock."""

    state: KeptState | None = None
    events: tuple[JobEvent, ...] = ()
    began_s: float | None = None

    @property
    def next_revision(self) -> int:
        """The number of the next plan."""
        return max((event.revision + 1 for event in self.events if isinstance(event, PlanMade)), default=0)

    def checkpoint_for(self, workload: Workload, cluster: Cluster) -> Checkpoint | None:
        """The state to go on from; None where it is not one of this workload's by the weights that are here now."""
        kept = self.state
        if kept is None or kept.fingerprint != cluster.fingerprint or not 0 < kept.step < workload.steps:
            return None
        if kept.state.spec != workload.spec_after(kept.step - 1):
            return None
        tensors = {
            spec.name: KeptTensor(spec, array=kept.state[spec.name]) for spec in kept.state.spec.tensors
        }
        return Checkpoint(kept.step, cluster.worker.setup.codecs, tensors, kept.budget)


NOTHING: Final = Past()
