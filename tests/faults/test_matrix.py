"""Every fault and every phase once: the job ends with the same frames, at most one step twice, and nothing is left.

The whole matrix, with every node and many times, is `python benchmarks/faults.py --only matrix`.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.kinds import Cell, Fault, Phase, Target, cells
from tests.faults.testbed import Testbed, open_testbed
from tests.faults.trial import run_trial

pytestmark = pytest.mark.cluster

CHOSEN = (
    Cell(Fault.WRONG_SIZES, Phase.DESCRIBE, Target.EDGE),
    Cell(Fault.CORRUPT_1_PERCENT, Phase.RESERVE, Target.CLOUD),
    Cell(Fault.RESET, Phase.UPLOAD_HALF_WAY, Target.EDGE),
    Cell(Fault.SIGSTOP, Phase.BETWEEN_STEPS, Target.CLOUD),
    Cell(Fault.SIGKILL, Phase.INSIDE_A_STEP, Target.EDGE),
    Cell(Fault.BLACK_HOLE, Phase.INSIDE_A_STEP, Target.CLOUD),
    Cell(Fault.OUT_OF_MEMORY, Phase.INSIDE_A_STEP, Target.EDGE),
    Cell(Fault.RESTART, Phase.DOWNLOAD_HALF_WAY, Target.EDGE),
    Cell(Fault.CORRUPT_ALL, Phase.BEFORE_COMMIT, Target.CLOUD),
    Cell(Fault.WRONG_SIZES, Phase.BEFORE_COMMIT, Target.CLOUD),
    Cell(Fault.DISK_FULL, Phase.INSIDE_A_STEP, Target.CLOUD),
    Cell(Fault.DISK_FULL, Phase.INSIDE_A_STEP, Target.DEVICE),
    Cell(Fault.RESTART, Phase.INSIDE_A_STEP, Target.DEVICE),
)
MOST_REDONE = 1


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def testbed() -> AsyncIterator[Testbed]:
    async with open_testbed() as opened:
        yield opened


def test_every_fault_and_every_phase_is_there() -> None:
    assert {cell.fault for cell in CHOSEN} == set(Fault)
    assert {cell.phase for cell in CHOSEN} == set(Phase)
    assert set(CHOSEN) <= set(cells())


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("cell", CHOSEN, ids=str)
async def test_a_job_survives(testbed: Testbed, cell: Cell) -> None:
    trial = await run_trial(testbed, cell)
    assert trial.ends_right, str(trial)
    assert trial.redone <= MOST_REDONE, str(trial)
