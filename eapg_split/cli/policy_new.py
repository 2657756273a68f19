"""`eapg-split policy new`: a package with a policy of one's own, which installs, and whose tests pass."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Final

from eapg_split.errors import InvalidRequest, OutputFailure
from eapg_split.planner import POLICIES

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MAX_NAME: Final = 60


class Level(StrEnum):
    """How much of the planning one writes oneself."""

    SCORE = "score"
    REVISE = "revise"
    PLAN = "plan"


def level_named(name: str) -> Level:
    """Raises InvalidRequest for a level that there is not."""
    if name not in set(Level):
        raise InvalidRequest(f"There is no level {name[:32]!r}: use one of {', '.join(Level)}.")
    return Level(name)


def create_policy(name: str, level: Level, parent: Path) -> list[Path]:
    """Writes the package into a new folder of that name, and returns its files.

    Raises InvalidRequest for a name that cannot be a package's and for a folder that is there already, OutputFailure
    where nothing can be written.
    """
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME:
        raise InvalidRequest(
            f"A policy's name is lower-case letters, digits and single dashes such as green-first, not {name[:64]!r}."
        )
    if name in POLICIES:
        raise InvalidRequest(f"{name!r} is one of our policies: choose another name.")
    folder, module = parent / name, name.replace("-", "_")
    if module.isidentifier() and module in _reserved():
        raise InvalidRequest(f"A package {module!r} would hide Python's own: choose another name.")
    kind = "".join(part.capitalize() for part in name.split("-")) + "Policy"
    fill = {"NAME": name, "MODULE": module, "KIND": kind}
    texts = {
        "pyproject.toml": _PYPROJECT,
        "README.md": _README,
        f"{module}/__init__.py": _HEAD[level] + _BODY[level],
        f"tests/test_{module}.py": _TEST,
    }
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise InvalidRequest(f"{folder} exists already: choose another name, or remove it.") from None
    except OSError as error:
        raise OutputFailure(f"{folder} cannot be made ({error.strerror}): choose another place.") from error
    written = []
    for path, text in texts.items():
        file = folder / path
        for placeholder, value in fill.items():
            text = text.replace(f"@{placeholder}@", value)
        try:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise OutputFailure(f"{file} cannot be written ({error.strerror}): make room.") from error
        written.append(file)
    return written


def _reserved() -> frozenset[str]:
    import keyword
    import sys

    return frozenset({*sys.stdlib_module_names, *keyword.kwlist, "eapg_split"})


_PYPROJECT: Final = """\
[build-system]
requires = ["setuptools>=69"]
build-backend = "setuptools.build_meta"

[project]
name = "@NAME@"
version = "0.1.0"
description = "A policy for eapg-split"
requires-python = ">=3.11"
dependencies = ["eapg-split>=0.1,<1"]

[project.entry-points."eapg_split.policies"]
@NAME@ = "@MODULE@:@KIND@"

[tool.setuptools]
packages = ["@MODULE@"]
"""

_README: Final = """\
# @NAME@

A policy for eapg-split: it decides which node runs which steps of a video.

    pip install -e .
    python -m pytest
    eapg-split policy check @NAME@
    eapg-split generate "A cat running" --policy @NAME@
"""

_TEST: Final = """\
from eapg_split.planner import resolve
from eapg_split.testing.policy_contract import assert_policy

from @MODULE@ import @KIND@


def test_what_every_policy_owes() -> None:
    assert_policy(@KIND@)


def test_it_is_found_by_its_name() -> None:
    assert type(resolve("@NAME@")).__name__ == "@KIND@"
"""

_HEAD: Final = {
    Level.SCORE: '''\
"""A policy that steers the exact planner: it says what is out of the question, and what counts for how much."""

from eapg_split.domain.topology import Tier
from eapg_split.planner.scoring import Arc, ScorePolicy
''',
    Level.REVISE: '''\
"""A policy that plans as dp-adaptive does, and decides itself when to move a running job."""

from eapg_split.domain.plan import Plan
from eapg_split.planner.dp_adaptive import DpAdaptivePolicy
from eapg_split.planner.policy import Occasion, PlanView, Revision, Trigger
''',
    Level.PLAN: '''\
"""A policy that makes whole plans by itself."""

from eapg_split.domain.plan import Plan
from eapg_split.domain.topology import NodeId
from eapg_split.planner.placement import assemble, obstacle
from eapg_split.planner.policy import PlanView
''',
}

_BODY: Final = {
    Level.SCORE: '''

class @KIND@(ScorePolicy):
    """Counts each second of a cloud node for one and a half."""

    name = "@NAME@"
    api_version = 1

    def filter(self, arc: Arc) -> bool:
        """Whether a piece of a plan may be used at all: here all of them."""
        return True

    def score(self, arc: Arc) -> float:
        """Seconds that it counts besides what it costs."""
        return 0.5 * arc.seconds if arc.target.tier is Tier.CLOUD else 0.0
''',
    Level.REVISE: '''

class @KIND@(DpAdaptivePolicy):
    """Moves a running job only for the sake of its device: when it gets hot, or its battery low."""

    name = "@NAME@"
    api_version = 1

    def revise(self, view: PlanView, current: Plan, occasion: Occasion) -> Revision:
        """Called after every step and whenever something happens; a Revision without a plan keeps what runs."""
        last_node_lost = any(segment.node in view.unavailable for segment in current.segments)
        if occasion.trigger in (Trigger.HEAT, Trigger.BATTERY, Trigger.NODE) or last_node_lost:
            return super().revise(view, current, occasion)
        return Revision(None, "The device is well.")
''',
    Level.PLAN: '''

class @KIND@:
    """Gives every step to the first node of the topology, from the last one on, that may compute it."""

    name = "@NAME@"
    api_version = 1

    def plan(self, view: PlanView) -> Plan:
        """A node for each step that is left. `assemble` makes a legal plan of them, or raises InfeasiblePlan."""
        path = [self._node(view, step) for step in range(view.start_step, view.workload.steps)]
        return assemble(view, path)

    def _node(self, view: PlanView, step: int) -> NodeId:
        stage = view.workload.stage_of(step)
        for node in reversed(view.topology.nodes):
            if not obstacle(view, stage, node):
                return node.id
        return view.topology.device.id
''',
}
