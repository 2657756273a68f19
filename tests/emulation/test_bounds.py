"""Which scenarios daemons can run."""

from pathlib import Path

import pytest

from eapg_split.emulation.bounds import emulatable
from eapg_split.errors import InvalidRequest
from simulations.building import build
from simulations.scenario import parse_scenario

SCENARIO = """
title = "One node"
until_s = 60
[workloads.clip]
at_s = [0]
[nodes."{name}"]
like = "phone"
"""


@pytest.mark.parametrize("name", ["../phone", "a/b", ".phone", "phone=1", "ca", "x" * 100])
def test_a_name_that_no_file_or_flag_may_have_is_refused(name: str) -> None:
    setup = build(parse_scenario(Path("mine.toml"), SCENARIO.format(name=name)), 1)
    with pytest.raises(InvalidRequest, match="is not a name"):
        emulatable(setup)
