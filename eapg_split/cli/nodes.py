"""`eapg-split nodes`: how the nodes of a topology are, once or as long as somebody looks."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from eapg_split.cli.access import access_of
from eapg_split.cli.node_rows import HEADER, NodeRow, as_object, below, cells, plain
from eapg_split.config import NodesFile, read_nodes_file
from eapg_split.errors import EapgError, InvalidRequest
from eapg_split.rpc.client import GrpcPeer

if TYPE_CHECKING:
    from rich.console import RenderableType

_ANSWER_S: Final = 5.0  # how long a node may take to say who it is, and how it is
_AGAIN_S: Final = 2.0  # after a node could not be reached


@dataclass(frozen=True)
class NodesOptions:
    """What the flags of `nodes` say."""

    nodes: Path | None
    once: bool
    as_json: bool
    interval_s: float


def show_nodes(options: NodesOptions) -> None:
    """Prints once, or until Ctrl-C. Raises InvalidRequest where no file is given."""
    if options.nodes is None:
        raise InvalidRequest(
            "There are no nodes to show: 'generate' starts its own for one job only. Start device_node, edge_node"
            " and cloud_node, list them in a file, and give it with --nodes FILE (docs/cli.md shows one)."
        )
    listed = read_nodes_file(options.nodes)
    if options.once:
        asyncio.run(_once(listed, options))
        return
    try:
        asyncio.run(_live(listed, options))
    except KeyboardInterrupt:
        return  # the way to end it


async def _once(listed: NodesFile, options: NodesOptions) -> None:
    async with _followed(listed, options.interval_s) as rows:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + _ANSWER_S + 1
        while not all(row.answered for row in rows) and loop.time() < until_s:  # noqa: ASYNC110  # tasks fill them
            await asyncio.sleep(0.05)
        for row in rows:
            if not row.answered:
                row.error = "It has not answered."
        print(_json(rows) if options.as_json else plain(rows))


async def _live(listed: NodesFile, options: NodesOptions) -> None:
    async with _followed(listed, options.interval_s) as rows:
        if options.as_json or not sys.stdout.isatty():
            words: Callable[[Sequence[NodeRow]], str] = _json if options.as_json else _block
            while True:
                await asyncio.sleep(options.interval_s)
                print(words(rows), flush=True)
        from rich.live import Live

        with Live(_picture(rows), auto_refresh=False) as live:
            while True:
                await asyncio.sleep(min(0.5, options.interval_s))
                live.update(_picture(rows), refresh=True)


@asynccontextmanager
async def _followed(listed: NodesFile, interval_s: float) -> AsyncIterator[list[NodeRow]]:
    """A row for each node, which is kept up to date as long as the block lasts."""
    access = access_of(listed)
    peers = [GrpcPeer(node, access) for node in listed.nodes]
    rows = [NodeRow(node.name, node.address) for node in listed.nodes]
    tasks = [
        asyncio.create_task(_follow(row, peer, interval_s)) for row, peer in zip(rows, peers, strict=True)
    ]
    try:
        yield rows
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for peer in peers:
            await peer.close()


async def _follow(row: NodeRow, peer: GrpcPeer, interval_s: float) -> None:
    while True:
        try:
            async with asyncio.timeout(_ANSWER_S):
                row.description = await peer.describe()
            async with aclosing(peer.telemetry(interval_s)) as looks:
                async for look in looks:
                    row.look, row.error = look, ""
        except TimeoutError:
            row.error = f"It has not answered within {_ANSWER_S:g} s."
        except EapgError as error:
            row.error = error.message
        await asyncio.sleep(_AGAIN_S)


def _json(rows: Sequence[NodeRow]) -> str:
    return json.dumps([as_object(row) for row in rows], ensure_ascii=False)


def _block(rows: Sequence[NodeRow]) -> str:
    return plain(rows) + "\n"


def _picture(rows: Sequence[NodeRow]) -> "RenderableType":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table(*HEADER, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        style = "red" if row.error else _style(row)
        grid.add_row(*(Text(cell) for cell in cells(row)), style=style)
    return Group(grid, *(Text(line, style="dim") for line in below(rows)))


def _style(row: NodeRow) -> str:
    """Yellow for what a plan will mind: a hot or slowed node, or a low battery."""
    look = row.look
    if look is None:
        return "dim"
    low = look.charge.or_else(1.0) < 0.2 and look.plugged.or_else(0.0) < 0.5
    hot = look.clock_ratio.or_else(1.0) < 0.9 or look.headroom.or_else(0.0) > 0.9
    return "yellow" if low or hot else ""
