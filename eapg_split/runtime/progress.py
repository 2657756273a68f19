"""From which state a job goes on: the one with which its segment began, or a newer one that has come home since."""

import logging
from collections.abc import Callable

from eapg_split.errors import EapgError
from eapg_split.runtime.checkpoint import Checkpoint

_log = logging.getLogger(__name__)


class Progress:
    """One per job. `began` is what the segment that runs begins with, `newest` what the next one does."""

    def __init__(self, first: Checkpoint, keep: Callable[[Checkpoint], None]) -> None:
        """`keep` gets every newer state that a later daemon may go on from, and does not wait."""
        self.began = self.newest = first
        self._keep = keep

    def start_from(self, checkpoint: Checkpoint) -> None:
        """What is before it was computed by an earlier daemon."""
        self.began = self.newest = checkpoint

    def begin(self) -> None:
        """A segment begins with the newest state."""
        self.began = self.newest

    def add(self, checkpoint: Checkpoint) -> None:
        """A newer state is here, whole: what fails from now on goes on from there."""
        self.newest = checkpoint
        if self._leaves_budget(checkpoint):
            self._keep(checkpoint)

    async def fall_back(self) -> int:
        """Before which step a job goes on whose segment was lost; 0 stands for where the segment began.

        A state that came through a lossy codec is used where that leaves something of the error budget.
        """
        if self.newest is not self.began and not await self._usable(self.newest):
            self.newest = self.began
        return 0 if self.newest is self.began else self.newest.step

    async def _usable(self, checkpoint: Checkpoint) -> bool:
        try:
            await checkpoint.latent()
        except EapgError as error:
            _log.warning("a checkpoint is of no use: %s", error)
            return False
        return self._leaves_budget(checkpoint)

    def _leaves_budget(self, checkpoint: Checkpoint) -> bool:
        """Whether a job that goes on from there can still reach its quality."""
        return checkpoint.budget == self.began.budget or checkpoint.budget.has_left
