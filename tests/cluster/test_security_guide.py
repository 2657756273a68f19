"""docs/security.md: its commands are run as they stand, on one machine instead of three."""

import asyncio
import re
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from eapg_split.rpc.authorisation import ROLES
from eapg_split.rpc.callers import Role
from tests.daemons import daemon

pytestmark = pytest.mark.cluster

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
SMALL = ["--seconds", "0.5", "--fps", "8", "--width", "64", "--height", "64", "--steps", "2,2,2,2"]


def commands(program: str) -> list[list[str]]:
    """What follows the program's name in the lines of the guide's code, before its next section."""
    first_part = GUIDE.partition("## Who may")[0]
    return [line.split() for line in re.findall(rf"^ {{4}}{program} (.*)$", first_part, re.MULTILINE)]


async def run(folder: Path, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "eapg_split.cli", *arguments),
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, said.decode()
    return said.decode()


async def test_five_commands_and_three_daemons(tmp_path: Path) -> None:
    folder = tmp_path / "certs"
    made = [*commands("eapg-split certs")]
    assert len(made) == 5
    for command in made:
        await run(tmp_path, "certs", *(word.replace("10.0.0.", "127.0.0.") for word in command))
    addresses: dict[str, str] = {}
    async with AsyncExitStack() as running:
        for words in commands("python -m"):
            module, *flags = words
            listen = flags[flags.index("--listen") + 1]
            flags[flags.index("--listen") + 1] = listen.replace("10.0.0.", "127.0.0.").split(":")[0] + ":0"
            for number, flag in enumerate(flags):
                flags[number] = _local(flag, folder, addresses)
            started = daemon(*flags, tier=module.removesuffix("_node"))
            _, addresses[listen] = await running.enter_async_context(started)
        (nodes,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
        for said, real in addresses.items():
            nodes = nodes.replace(f'"{said}"', f'"{real}"')
        (folder / "nodes.toml").write_text(nodes)
        (command,) = [shown for shown in commands("eapg-split") if shown[0] == "generate"]
        prompt = re.findall(r'"(.*?)"', " ".join(command))[0]
        flags = command[command.index("--nodes") :]
        said = await run(folder, "generate", prompt, *flags, *SMALL, "--policy", "pyramid")
        assert (folder / "cat.mp4").stat().st_size > 0
        assert all(name in said for name in ("device", "edge", "cloud"))
        assert "cannot be reached" not in said


def _local(flag: str, folder: Path, addresses: dict[str, str]) -> str:
    if (folder / flag).is_file():
        return str(folder / flag)
    name, equals, address = flag.partition("=")
    return f"{name}={addresses[address]}" if equals else flag


def test_the_table_of_the_guide_is_the_one_that_is_asked() -> None:
    rows = dict(re.findall(r"^\| `([\w./]+)` \| (\w[\w, ]+) \|$", GUIDE, re.MULTILINE))
    assert rows.pop("grpc.health.v1.Health/Check") == "everybody who can connect"
    assert rows == {
        key.removeprefix("/").removeprefix("eapg_split.rpc.v1."): ", ".join(
            role for role in Role if role in roles
        )
        for key, roles in ROLES.items()
    }
