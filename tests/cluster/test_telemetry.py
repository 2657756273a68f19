"""Real daemons tell how they are, from the sensors that they were given."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from eapg_split.domain.telemetry import Quality, Telemetry
from eapg_split.errors import NodeUnavailable
from eapg_split.rpc.client import GrpcPeer
from eapg_split.rpc.local_topology import RunningNode, local_topology
from eapg_split.runtime.settings import PeerAddress
from tests.nodes import until

pytestmark = pytest.mark.cluster

FAST = "tests.toy_engine:open_engine"


def heated(root: Path, celsius: float, percent: int) -> None:
    for name, words in {
        "class/thermal/thermal_zone0/type": "skin",
        "class/thermal/thermal_zone0/temp": f"{1000 * celsius:.0f}",
        "class/power_supply/battery/type": "Battery",
        "class/power_supply/battery/status": "Discharging",
        "class/power_supply/battery/capacity": str(percent),
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(words)


async def first_look(node: RunningNode) -> Telemetry:
    peer = GrpcPeer(PeerAddress(node.node, node.address))
    try:
        async with aclosing(peer.telemetry(0.1)) as looks:
            return await anext(looks)
    finally:
        await peer.close()


async def test_a_daemon_tells_what_its_sensors_say_while_they_change(tmp_path: Path) -> None:
    heated(tmp_path, 31.5, 80)
    options = ("--telemetry", f"sysfs:{tmp_path}")
    async with local_topology(engine=FAST, device_options=options) as topology:
        device = topology.nodes["device"]
        peer = GrpcPeer(PeerAddress("device", device.address))
        seen: list[Telemetry] = []

        async def watch() -> None:
            async with aclosing(peer.telemetry(0.1)) as looks:
                async for look in looks:
                    seen.append(look)

        watching = asyncio.create_task(watch())
        await until(lambda: bool(seen))
        assert seen[0].temperature_c.value == 31.5
        assert seen[0].charge.value == 0.8
        assert seen[0].sessions.value == 0
        heated(tmp_path, 43.0, 12)
        await until(lambda: seen[-1].temperature_c.value == 43.0 and seen[-1].charge.value == 0.12)
        for name in ("edge", "cloud"):
            assert (await first_look(topology.nodes[name])).queue_s.value == 0.0
    with pytest.raises(NodeUnavailable):
        await watching
    await peer.close()


async def test_a_machine_without_sensors_can_be_modelled() -> None:
    async with local_topology(engine=FAST, device_options=("--telemetry", "model:charge=0.4")) as topology:
        look = await first_look(topology.nodes["device"])
    assert look.charge.quality is Quality.MODELLED
    assert look.charge.value == pytest.approx(0.4, abs=0.01)


async def test_telemetry_that_cannot_be_is_said_at_the_start() -> None:
    with pytest.raises(NodeUnavailable, match="sysfs:ROOT"):
        async with local_topology(engine=FAST, device_options=("--telemetry", "sysfs:/nowhere")):
            pass
