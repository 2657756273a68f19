"""A daemon's profile over its life: told at the start, said in Describe, corrected by a segment, kept at the end."""

import asyncio
import signal
from pathlib import Path
from types import MappingProxyType

import pytest

from eapg_split.domain.profile import Profile, StageCost
from eapg_split.domain.topology import NodeId
from eapg_split.rpc.client import GrpcPeer
from eapg_split.rpc.job_client import describe
from eapg_split.runtime.profile_store import Machine, StoredProfile, read, save
from eapg_split.runtime.settings import PeerAddress
from tests.daemons import daemon, refused
from tests.nodes import FINGERPRINT, STEPS, coded, ignore, order, undivided

pytestmark = pytest.mark.cluster

COST = StageCost(0.5, 1e9, load_s=0.1, entry_flops_per_s=1e9)


async def test_what_a_daemon_ran_it_knows_and_keeps(tmp_path: Path) -> None:
    path = tmp_path / "edge.json"
    costs = MappingProxyType({"stage3": COST})
    save(StoredProfile(Profile(NodeId("any"), "toy", FINGERPRINT, costs), Machine.here()), path)
    async with daemon("--profile", str(path)) as (process, address):
        described = (await describe(PeerAddress("edge", address))).profile
        assert described is not None
        assert described.stages["stage3"] == COST
        assert described.stages["stage4"].uncertain
        peer = GrpcPeer(PeerAddress("edge", address))
        await peer.run(order(5, STEPS - 1), coded(undivided(5)), ignore)
        await peer.close()
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), 10)
    kept = read(path).profile.stages
    assert set(kept) == {"stage3", "stage4"}
    assert kept["stage3"].flops_per_s > COST.flops_per_s  # the toy is faster than it was told to be
    assert not kept["stage4"].uncertain


def test_a_profile_that_is_none_is_said_before_anything_is_served(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text("{")
    code, words = refused("--profile", str(path))
    assert code == 2
    assert words.startswith("error: ")
    assert "is not a profile" in words
