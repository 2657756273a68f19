"""Health that means something: what a node says before it can work, when it cannot, and when it stops."""

import asyncio
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eapg_split.cli.app import app
from eapg_split.errors import InvalidRequest, NodeUnavailable
from eapg_split.rpc.health import is_serving
from tests.daemons import NOT_SERVING, SERVING, daemon, health_of, watched_health
from tests.toy_engine import GATE

pytestmark = pytest.mark.cluster
GATED = "tests.toy_engine:open_gated_engine"
NODES = "eapg_split.rpc.v1.NodeService"


async def test_a_node_serves_once_its_engine_is_open_and_until_it_drains(tmp_path: Path) -> None:
    gate = tmp_path / "open"
    async with daemon(engine=GATED, variables={GATE: str(gate)}) as (process, address):
        assert not await is_serving(address)
        async with (
            asyncio.timeout(20),
            watched_health(address) as all_of_it,
            watched_health(address, NODES) as one,
        ):
            for said in (all_of_it, one):
                assert await said.get() == NOT_SERVING
            gate.touch()
            for said in (all_of_it, one):
                assert await said.get() == SERVING
            assert await is_serving(address, NODES)
            process.send_signal(signal.SIGTERM)
            for said in (all_of_it, one):
                assert await said.get() == NOT_SERVING
    with pytest.raises(NodeUnavailable):
        await is_serving(address)


async def test_a_node_without_usable_weights_never_serves_and_its_log_says_why(tmp_path: Path) -> None:
    async with daemon("--weights", str(tmp_path), engine="onnx") as (process, address):
        assert process.stderr is not None
        words = (await asyncio.wait_for(process.stderr.readline(), 20)).decode()
        assert "not serving" in words
        assert "weights" in words
        assert not await is_serving(address)


async def test_the_command_has_an_exit_code_for_each_answer(tmp_path: Path) -> None:
    def asked(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["health", *arguments])
        return result.exit_code, result.output

    async with daemon() as (_, address), daemon("--weights", str(tmp_path), engine="onnx") as (_, broken):
        await health_of(address, until=SERVING)
        assert await asyncio.to_thread(asked, address) == (0, f"{address}: serving\n")
        assert await asyncio.to_thread(asked, broken) == (1, f"{broken}: not serving\n")
        nodes = tmp_path / "nodes.toml"
        nodes.write_text(
            f'[[nodes]]\nid = "a"\naddress = "{address}"\n[[nodes]]\nid = "b"\naddress = "{broken}"\n'
        )
        assert await asyncio.to_thread(asked, "--nodes", str(nodes)) == (1, "a: serving\nb: not serving\n")
        code, words = await asyncio.to_thread(asked, address, "--service", "nothing")
        assert (code, "no service" in words) == (InvalidRequest.exit_code, True)
    code, words = await asyncio.to_thread(asked, "--nodes", str(nodes))
    assert code == NodeUnavailable.exit_code
    assert "a: not reached\nb: not reached\n" in words
    assert "error: " in words
    assert asked()[0] == InvalidRequest.exit_code
