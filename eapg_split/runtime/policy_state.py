"""What policies learned, kept between jobs: one JSON file for each, in a folder of the device's daemon."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eapg_split.planner.policy import LearningPolicy

MAX_STATE_BYTES: Final = 1 << 20


def default_folder(node: str) -> Path:
    """Where a daemon keeps what its policies learned: under $XDG_STATE_HOME, or ~/.local/state without it."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "eapg_split" / "policies" / re.sub(r"[^A-Za-z0-9._]", "_", node)[:64]


@dataclass(frozen=True, slots=True)
class PolicyStates:
    """The folder, which need not exist yet. With two jobs at a time what the later one saved stays."""

    folder: Path

    def load(self, policy: LearningPolicy) -> bool:
        """Gives the policy its state, and says whether there was one.

        Raises ValueError for a file that is too large or not the policy's, and what the policy raises.
        """
        path = self._path(policy)
        try:
            with path.open("rb") as file:
                text = file.read(MAX_STATE_BYTES + 1)
        except OSError:
            return False
        if len(text) > MAX_STATE_BYTES:
            raise ValueError(f"{path} is larger than 1 MB: delete it, and the policy starts anew")
        try:
            state = json.loads(text)
        except RecursionError:
            state = None
        if not isinstance(state, dict):
            raise ValueError(f"{path} holds no state of a policy: delete it, and the policy starts anew")
        policy.load_state_dict(state)
        return True

    def save(self, policy: LearningPolicy) -> None:
        """Replaces the file as a whole. Raises ValueError for a state that is too large or not JSON's."""
        text = json.dumps(dict(policy.state_dict()), allow_nan=False).encode()
        if len(text) > MAX_STATE_BYTES:
            raise ValueError("the state of a policy may have 1 MB at most")
        path = self._path(policy)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        part.write_bytes(text)
        part.replace(path)

    def _path(self, policy: LearningPolicy) -> Path:
        kind = type(policy)
        name = re.sub(r"[^\w.-]+", "-", f"{kind.__module__}.{kind.__qualname__}")
        return self.folder / f"{name[:120]}.json"
