"""Some seconds of random faults; half an hour of them is `python benchmarks/faults.py --only soak`."""

import pytest

from tests.faults.soak import run_soak
from tests.faults.testbed import open_testbed

pytestmark = pytest.mark.cluster

SECONDS = 8.0


async def test_no_job_is_lost_or_wrong() -> None:
    async with open_testbed(hands_on=True) as testbed:
        soak = await run_soak(testbed, SECONDS, seed=3, say=print)
    assert soak.whole == soak.jobs > 0
    assert soak.lost == []
    assert soak.faults
    assert soak.left == ()
