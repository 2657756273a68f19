"""A link that loses everything without a word, or a node that hangs: how many heartbeats until it is given up."""

from collections.abc import AsyncIterator, Callable
from typing import Final

import numpy as np
from faults_kill import detected_s
from figures import Row

from eapg_split.rpc.pulse import HEARTBEAT_S
from tests.faults.kinds import Cell, Fault, Phase, Target
from tests.faults.testbed import open_testbed
from tests.faults.trial import run_trial

HEARTBEATS_BAR: Final = 3.0
_WORDS: Final = {Fault.BLACK_HOLE: "the link loses everything", Fault.SIGSTOP: "the node is stopped"}
_PHASES: Final = (Phase.UPLOAD_HALF_WAY, Phase.INSIDE_A_STEP)


async def measure(*, times: int, say: Callable[[str], None]) -> AsyncIterator[Row]:
    """One row for each kind of silence, inside a step and in the middle of a hand-off."""
    async with open_testbed() as testbed:
        for fault, words in _WORDS.items():
            for phase in _PHASES:
                seconds, right = [], True
                for _ in range(times):
                    logged = testbed.device.log.stat().st_size
                    trial = await run_trial(testbed, Cell(fault, phase, Target.EDGE))
                    log = testbed.device.log.read_bytes()[logged:].decode()
                    seconds.append(detected_s(log, trial.struck_s) or float("inf"))
                    right = right and trial.ends_right
                    say(f"{trial}; given up after {seconds[-1]:.2f} s")
                worst = max(seconds) / HEARTBEAT_S
                yield Row(
                    f"{words}, {phase}: heartbeats of {HEARTBEAT_S:g} s until it is given up, worst of {times}",
                    worst,
                    {"median, s": float(np.median(seconds)), "worst, s": max(seconds)},
                    f"<= {HEARTBEATS_BAR:g}, right",
                    worst <= HEARTBEATS_BAR and right,
                )
