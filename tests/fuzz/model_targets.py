"""Trained models as policies: archives of numbers, and graphs, in files that somebody sends around."""

import contextlib
import io
from functools import cache
from random import Random
from typing import Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np
import onnx

from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.learned import LearnedPolicy
from eapg_split.planner.policy_models import ROW_INPUTS, write_row_model
from eapg_split.testing.views import random_view
from tests.fuzz.files import FOLDER, file_of
from tests.fuzz.mutations import mutated_bytes
from tests.fuzz.protobuf import mutated_message
from tests.fuzz.target import MIB, Target
from tests.planner.test_learned import SHAPE, onnx_model, reheaded

_KINDS: Final = (
    "'<f4'",
    "'<f8'",
    "'>f4'",
    "'<c8'",
    "'|O'",
    "'<U3'",
    "'<M8[s]'",
    "'|b1'",
    "'<i8'",
    "[('a','<f4')]",
)
_NAMES: Final = (
    "w0.npy",
    "w1.npy",
    "b9.npy",
    "w0",
    "../w0.npy",
    "w0/",
    "\u6f22",
    "\x1b[2J.npy",
    "x" * 300,
    "w-1.npy",
)
_SHAPES: Final = (
    "()",
    "(1,)",
    "(-1,)",
    "(10**9,)",
    f"(1, {2**40})",
    f"({2**62}, 4)",
    "(0, 0)",
    "('a',)",
    "None",
)


def _plans(data: bytes, name: str) -> None:
    """A model that is taken places the stages of any job, legally."""
    policy = LearnedPolicy(file_of(data, name))
    with contextlib.suppress(InfeasiblePlan):
        policy.plan(random_view(len(data) % 4))


@cache
def _archives() -> tuple[bytes, ...]:
    numbers = np.random.default_rng(1)
    written = []
    for widths in ((1,), (4, 1), (3, 2, 1)):
        layers, width = [], ROW_INPUTS
        for out in widths:
            layers.append(
                (numbers.standard_normal((width, out), np.float32), numbers.standard_normal(out, np.float32))
            )
            width = out
        path = FOLDER / "honest.npz"
        write_row_model(path, layers)
        written.append(path.read_bytes())
    doubles = FOLDER / "doubles.npz"
    np.savez(doubles, w0=np.asfortranarray(numbers.standard_normal((ROW_INPUTS, 1))), b0=np.zeros(1))
    return (*written, doubles.read_bytes())


@cache
def _graphs() -> tuple[bytes, ...]:
    return (onnx_model(FOLDER / "honest.onnx").read_bytes(),)


def _members(data: bytes) -> dict[str, bytes]:
    with ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _mutate_archive(data: bytes, other: bytes, random: Random) -> bytes:
    """Its bytes, one time out of four; else one of its arrays, or a name, in an archive that is whole."""
    if random.random() < 0.25:
        return mutated_bytes(data, other, random)
    members, elsewhere = _members(data), list(_members(other).values())
    name = random.choice(list(members))
    match random.randrange(5):
        case 0:
            members[name] = mutated_bytes(members[name], random.choice(elsewhere), random)
        case 1:
            members[name] = reheaded(members[name], "'<f4'", random.choice(_KINDS))
        case 2:
            members[name] = reheaded(members[name], SHAPE, random.choice(_SHAPES))
        case 3:
            members[random.choice(_NAMES)] = members.pop(name)
        case _:
            members[name] = random.choice(elsewhere)
    return _archive(members, random.choice((ZIP_STORED, ZIP_DEFLATED)))


def _mutate_graph(data: bytes, other: bytes, random: Random) -> bytes:
    with contextlib.suppress(ValueError):  # its enums take no number that they do not know
        return mutated_message(onnx.ModelProto, data, other, random)
    return mutated_bytes(data, other, random)


def _archive(members: dict[str, bytes], compression: int) -> bytes:
    packed = io.BytesIO()
    with ZipFile(packed, "w", compression) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return packed.getvalue()


MODEL_TARGETS: Final = (
    Target(
        "models", "policies", _archives, _mutate_archive, lambda data: _plans(data, "input.npz"),
        base_bytes=8 * MIB, quick_runs=600,
    ),
    Target(
        "policy-graphs", "policies", _graphs, _mutate_graph,
        lambda data: _plans(data, "input.onnx"), base_bytes=16 * MIB, quick_runs=0,
    ),
)  # fmt: skip
