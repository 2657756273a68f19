"""Profiles on disk: one small JSON file for each node, engine and set of weights, checked when it is read.

A profile belongs to the machine that it was measured on: on another one, or with other threads, it is not used.
"""

import contextlib
import json
import logging
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

from eapg_split.domain.profile import Profile, StageCost
from eapg_split.domain.topology import NodeId
from eapg_split.errors import InvalidRequest, OutputFailure

FORMAT: Final = 1
ANY_NODE: Final = NodeId("any")  # a profile for every node of this machine that has none of its own
MOST_STAGES: Final = 16
_MOST_BYTES: Final = 64 * 1024
_MOST_NAME: Final = 64
_COST_KEYS: Final = frozenset(StageCost.__dataclass_fields__)
_MEND: Final = "measure again with 'eapg-split profile'"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Machine:
    """What a node computes with; costs that were measured with anything else say nothing here."""

    cpu: str
    cores: int
    threads: int

    @classmethod
    def here(cls, threads: int = 0) -> Self:
        """This machine; `threads` 0 means one for each core that this process may use."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return cls(_cpu_model(), cores, threads or cores)


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """A profile and where it was measured."""

    profile: Profile
    machine: Machine


def default_path(node: str, engine: str, fingerprint: str) -> Path:
    """Where the profile of a node is kept: under $XDG_STATE_HOME, or ~/.local/state without it."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    plain = [re.sub(r"[^A-Za-z0-9._]", "_", name)[:_MOST_NAME] for name in (node, engine)]
    return Path(state) / "eapg_split" / "profiles" / f"{plain[0]}-{plain[1]}-{fingerprint[:12]}.json"


def save(stored: StoredProfile, path: Path) -> None:
    """Writes the file whole or not at all. Raises OutputFailure."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(to_json(stored), indent=1) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise OutputFailure(
            f"The profile {path} cannot be written ({error.strerror}): choose another place."
        ) from error


def to_json(stored: StoredProfile) -> dict[str, object]:
    """The file's content as plain values."""
    profile = stored.profile
    return {
        "format": FORMAT,
        "node": profile.node,
        "engine": profile.engine,
        "fingerprint": profile.fingerprint,
        "machine": asdict(stored.machine),
        "stages": {name: _cost_to_json(cost) for name, cost in profile.stages.items()},
    }


def read(path: Path) -> StoredProfile:
    """The profile in a file. Raises InvalidRequest where it cannot be read or is not one."""
    try:
        with path.open("rb") as opened:
            raw = opened.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InvalidRequest(f"The profile {path} cannot be read ({error.strerror}): {_MEND}.") from error
    try:
        if len(raw) > _MOST_BYTES:
            raise ValueError("it is too large")
        return _parse(json.loads(raw))
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError, InvalidRequest) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise InvalidRequest(f"The file {path} is not a profile ({reason[:200]}): {_MEND}.") from error


def find(node: NodeId, engine: str, fingerprint: str, machine: Machine) -> Profile | None:
    """The stored profile of the node on this machine, else the machine's own; None where there is neither.

    One that is damaged or was measured elsewhere is passed over, and the log says so.
    """
    for name in (node, ANY_NODE):
        path = default_path(name, engine, fingerprint)
        if not path.exists():
            continue
        try:
            stored = read(path)
            check_identity(stored, path, engine=engine, fingerprint=fingerprint, machine=machine)
        except InvalidRequest as error:
            _log.warning("%s", error)
            continue
        return Profile(node, engine, fingerprint, stored.profile.stages)
    return None


def check_identity(
    stored: StoredProfile, path: Path, *, engine: str, fingerprint: str, machine: Machine
) -> None:
    """Raises InvalidRequest where the profile was measured with something else than what runs now."""
    profile = stored.profile
    pairs = (
        ("engine", profile.engine, engine),
        ("weights", profile.fingerprint[:12], fingerprint[:12]),
        ("processor", stored.machine.cpu, machine.cpu),
        ("cores", stored.machine.cores, machine.cores),
        ("threads", stored.machine.threads, machine.threads),
    )
    for what, measured, here in pairs:
        if measured != here:
            raise InvalidRequest(
                f"The profile {path} was measured with another {what} ({measured}, here {here}): {_MEND}."
            )


def _parse(body: Mapping[str, object]) -> StoredProfile:
    if body["format"] != FORMAT:
        raise ValueError(f"format {body['format']!r} instead of {FORMAT}")
    stages, machine = body["stages"], body["machine"]
    if not isinstance(stages, dict) or not 1 <= len(stages) <= MOST_STAGES:
        raise ValueError(f"it must have 1 to {MOST_STAGES} stages")
    if not isinstance(machine, dict):
        raise TypeError("it does not name a machine")
    costs = {_text(name): _cost_from_json(value) for name, value in stages.items()}
    profile = Profile(
        NodeId(_text(body["node"])),
        _text(body["engine"]),
        _text(body["fingerprint"]),
        MappingProxyType(costs),
    )
    cores, threads = int(machine["cores"]), int(machine["threads"])
    return StoredProfile(profile, Machine(str(machine["cpu"])[:200], cores, threads))


def _cost_to_json(cost: StageCost) -> dict[str, object]:
    """As the fields are; a stage without entry has null for its rate, as JSON has no infinity."""
    values = asdict(cost)
    if cost.entry_flops_per_s == float("inf"):
        values["entry_flops_per_s"] = None
    return values


def _cost_from_json(values: object) -> StageCost:
    if not isinstance(values, dict) or not set(values) <= _COST_KEYS:
        raise ValueError(f"a stage has the fields {', '.join(sorted(_COST_KEYS))}")
    plain = dict(values)
    uncertain = plain.pop("uncertain", False)
    joules = plain.pop("joules_per_s", None)
    if plain.get("entry_flops_per_s") is None:
        plain.pop("entry_flops_per_s", None)
    numbers = {name: _number(value) for name, value in plain.items()}
    memory = int(numbers.pop("memory_bytes", 0))
    return StageCost(
        **numbers,
        memory_bytes=memory,
        joules_per_s=None if joules is None else _number(joules),
        uncertain=bool(uncertain),
    )


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"a cost is a number, not {value!r}")
    return float(value)


def _text(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 200:
        raise ValueError("names are texts of 1 to 200 characters")
    return value


def _cpu_model() -> str:
    """As Linux names it; elsewhere what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Hardware", "Model"):
            return value.strip()[:200]
    return (platform.processor() or platform.machine() or "unknown")[:200]
