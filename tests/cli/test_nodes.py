"""`eapg-split nodes`: what is known is shown, what is not is said so, and what is gone too."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from eapg_split.cli.__main__ import run
from eapg_split.cli.node_rows import HEADER, NodeRow, as_object, cells, plain
from eapg_split.domain.telemetry import Quality, Reading, Telemetry, reading
from eapg_split.domain.topology import Node, NodeId, Tier
from eapg_split.runtime.events import Goodput
from eapg_split.runtime.peer import NodeDescription
from eapg_split.runtime.telemetry.senses import Senses
from tests.nodes import served, toy_worker


class Said:
    def read(self) -> Telemetry:
        values = {"charge": 0.42, "plugged": 0.0, "temperature_c": 38.25, "clock_ratio": 0.7}
        found = {name: reading(name, value) for name, value in values.items()}
        return Telemetry.of({**found, "power_w": Reading(3.2, Quality.MODELLED)})


@contextmanager
def running(tmp_path: Path) -> Iterator[Path]:
    """A node in a loop of its own, and a file that lists it and one that is gone."""
    ready, over = threading.Event(), threading.Event()
    path = tmp_path / "nodes.toml"

    async def serve() -> None:
        worker = toy_worker("phone", Tier.DEVICE)
        worker.senses = Senses(Said())
        worker.links.observe(Goodput("phone", "edge", 1_000_000, 0.1, 0.0))
        async with served(worker) as address:
            lines = [("phone", address), ("gone", "127.0.0.1:1")]
            path.write_text("".join(f'[[nodes]]\nid = "{name}"\naddress = "{at}"\n' for name, at in lines))
            ready.set()
            while not over.is_set():  # noqa: ASYNC110  # another thread says so
                await asyncio.sleep(0.02)
        worker.senses.close()
        worker.thread.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(20)
        yield path
    finally:
        over.set()
        thread.join(20)


def test_once_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(tmp_path) as path:
        assert run(["nodes", "--nodes", str(path), "--once"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("  ")[0] == "node"
    for words in ("phone", "device", "toy", "42 % draining", "~3.2 W", "38.2 C", "70 %", "0 of 4", "0 ms"):
        assert words in lines[1], words
    assert lines[2].split()[:2] == ["gone", "unreachable"]
    assert lines[4].startswith("phone -> edge: 80 Mbit/s")
    assert "gone (127.0.0.1:1): Node gone cannot be reached" in lines[5]


def test_once_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(tmp_path) as path:
        assert run(["nodes", "--nodes", str(path), "--once", "--json"]) == 0
    phone, gone = json.loads(capsys.readouterr().out)
    assert phone["charge"] == 0.42
    assert phone["headroom"] is None
    assert phone["modelled"] == ["power_w"]
    assert phone["error"] is None
    (link,) = phone["links"]
    assert link["bits_per_s"] == pytest.approx(80e6)
    assert link["rtt_s"] is None
    assert gone["error"]
    assert "tier" not in gone


def test_without_a_file_it_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["nodes"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--nodes FILE" in line


def test_what_is_unknown_is_a_dash() -> None:
    node = Node(NodeId("edge"), Tier.EDGE, "", ("onnx",))
    described = NodeDescription(node, "0", "f", 1, 1, 1)
    row = NodeRow("edge", "h:1", described, Telemetry())
    assert cells(row) == ("edge", "edge", "onnx", "-", "0 of 4", "-", "-", "-", "-", "-", "-")
    assert len(cells(NodeRow("edge", "h:1"))) == len(cells(NodeRow("edge", "h:1", error="no"))) == len(HEADER)
    row.look = Telemetry.of({"plugged": Reading(1.0, Quality.MEASURED)})
    assert "mains" in plain([row])


def test_a_node_that_stops_says_so() -> None:
    description = NodeDescription(Node(NodeId("edge"), Tier.EDGE), "1", "f", 1, 1, 1)
    row = NodeRow("edge", "h:1", description, Telemetry(draining=True))
    assert "drains" in cells(row)
    assert as_object(row)["draining"] is True


def test_ctrl_c_ends_the_live_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from eapg_split.cli import nodes

    path = tmp_path / "nodes.toml"
    path.write_text('[[nodes]]\nid = "a"\naddress = "127.0.0.1:1"\n')

    async def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(nodes, "_live", interrupted)
    assert run(["nodes", "--nodes", str(path)]) == 0


def test_the_live_table_is_drawn(tmp_path: Path) -> None:
    from rich.console import Console

    from eapg_split.cli.nodes import _picture

    described = NodeDescription(Node(NodeId("edge"), Tier.EDGE, "", ("onnx",)), "0", "f", 1, 1, 1)
    rows = [NodeRow("edge", "h:1", described, Said().read()), NodeRow("gone", "h:2", error="It is [gone].")]
    console = Console(width=160, record=True, file=(tmp_path / "out").open("w"))
    console.print(_picture(rows))
    shown = console.export_text()
    assert "42 % draining" in shown
    assert "It is [gone]." in shown
    console.file.close()
