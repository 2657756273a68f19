import re
import tracemalloc
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from eapg_split.errors import InvalidRequest
from eapg_split.planner import is_code, resolve
from eapg_split.planner.policy_models import ROW_INPUTS, write_row_model
from eapg_split.planner.stage_choices import CODECS, INPUTS, MAX_NODES, NODE_FEATURES, OUTPUTS
from eapg_split.testing.policy_contract import assert_policy

SHAPE = r"(?<='shape': )\(.*?\)"
COST = NODE_FEATURES.index("cost of the stage")


def row_model(path: Path, feature: int) -> Path:
    """One that likes the node with the least of a feature."""
    weights = np.zeros((ROW_INPUTS, 1), np.float32)
    weights[feature] = -1.0
    write_row_model(path, [(weights, np.zeros(1, np.float32))])
    return path


def onnx_model(path: Path, inputs: int = INPUTS, outputs: int = OUTPUTS) -> Path:
    """One that likes the last node best, and the last codec."""
    weights = helper.make_tensor("w", TensorProto.FLOAT, (inputs, outputs), np.zeros(inputs * outputs))
    biases = helper.make_tensor("b", TensorProto.FLOAT, (outputs,), np.arange(outputs))
    node = helper.make_node("Gemm", ["seen", "w", "b"], ["liked"])
    shapes = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, width))
        for name, width in (("seen", inputs), ("liked", outputs))
    ]
    graph = helper.make_graph([node], "policy", shapes[:1], shapes[1:], [weights, biases])
    opset = helper.make_opsetid("", 20)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=10), path)
    return path


def reheaded(array: bytes, found: str, instead: str) -> bytes:
    """An array of numpy's with something else in its header (a pattern), which stays as long as it says."""
    header, end, numbers = array.partition(b"\n")
    fresh = re.sub(found.encode("latin1"), lambda _: instead.encode("latin1"), header, count=1)
    return fresh.rstrip().ljust(len(header)) + end + numbers


def test_a_model_in_a_file_keeps_what_every_policy_owes(tmp_path: Path) -> None:
    for path in (row_model(tmp_path / "least.npz", COST), onnx_model(tmp_path / "last.onnx")):
        assert_policy(partial(resolve, str(path)), views=40)


def test_a_model_is_a_file_of_the_caller_s_choice(tmp_path: Path) -> None:
    path = str(row_model(tmp_path / "least.npz", COST))
    assert resolve(path).name == "least"
    assert is_code(path)
    assert is_code("mine.onnx")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({}, "has 0 layers"),
        ({"w0": np.zeros((3, 1)), "b0": np.zeros(1)}, f"where {ROW_INPUTS} inputs are wanted"),
        ({"w0": np.zeros((ROW_INPUTS, 2)), "b0": np.zeros(2)}, "ends in 2 numbers"),
        ({"w0": np.full((ROW_INPUTS, 1), np.nan), "b0": np.zeros(1)}, "no number in layer 0"),
        ({"w1": np.zeros((ROW_INPUTS, 1)), "b1": np.zeros(1)}, "w0, b0, w1, b1 and so on are wanted"),
        ({"w0": np.array([object()]), "b0": np.zeros(1)}, "w0 as object of shape"),
        ({"w0": np.full((ROW_INPUTS, 1), 1e300), "b0": np.zeros(1)}, "no number in layer 0"),
        ({"\x1b[2J": np.zeros(1), "b0": np.zeros(1)}, r"holds \['\\x1b"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray], words: str) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, allow_pickle=True, **arrays)
    with pytest.raises(InvalidRequest, match=words):
        resolve(str(path))


def test_files_that_hold_something_else_are_refused(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.npz"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("w0.npy", bytes(65 << 20))
    for name in ("text.npz", "text.onnx"):
        (tmp_path / name).write_text("no model")
    for path, words in (
        (bomb, "unpacks to more"),
        (tmp_path / "text.npz", "is no file of numpy's savez"),
        (tmp_path / "text.onnx", "is no ONNX graph"),
        (tmp_path / "gone.npz", "cannot be read"),
        (onnx_model(tmp_path / "narrow.onnx", inputs=3), f"does not take {INPUTS} numbers"),
        (onnx_model(tmp_path / "short.onnx", outputs=3), rf"\(1, {MAX_NODES + len(CODECS)}\) is wanted"),
    ):
        with pytest.raises(InvalidRequest, match=words):
            resolve(str(path))


@pytest.mark.parametrize(
    ("found", "instead", "words"),
    [
        (SHAPE, "(2**40, 9)", "no file of numpy's savez"),
        (SHAPE, "(9999999, 9)", "floats are wanted"),  # more than there is
        (SHAPE, "(-1, -28)", "floats are wanted"),
        ("'descr'", "(descr'", "no file of numpy's savez"),
        ("NUMPY\x01", "NUMPY\x02", "a version that numpy does not write"),
    ],
)
def test_arrays_that_claim_what_they_are_not_are_refused(
    tmp_path: Path, found: str, instead: str, words: str
) -> None:
    """Before room is made for them."""
    honest, path = row_model(tmp_path / "honest.npz", COST), tmp_path / "bad.npz"
    with zipfile.ZipFile(honest) as arrays, zipfile.ZipFile(path, "w") as broken:
        for name in arrays.namelist():
            broken.writestr(name, reheaded(arrays.read(name), found, instead))
    with pytest.raises(InvalidRequest, match=words):
        resolve(str(path))


@pytest.mark.parametrize("flag", [6, 8])  # of the archive: that a member is encrypted, how it is packed
def test_archives_of_other_kinds_are_refused(tmp_path: Path, flag: int) -> None:
    body = bytearray(row_model(tmp_path / "honest.npz", COST).read_bytes())
    for mark, at in ((b"PK\x03\x04", flag), (b"PK\x01\x02", flag + 2)):
        body[body.index(mark) + at] = 1
    path = tmp_path / "bad.npz"
    path.write_bytes(body)
    with pytest.raises(InvalidRequest, match="no file of numpy's savez"):
        resolve(str(path))


def test_a_member_that_unpacks_to_more_than_it_says_takes_no_more_room(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as parts:
        for name in ("w0.npy", "b0.npy"):
            parts.writestr(name, bytes(300 << 20))
    body = bytearray(path.read_bytes())
    said = (300 << 20).to_bytes(4, "little")
    path.write_bytes(body.replace(said, (1000).to_bytes(4, "little")))
    tracemalloc.start()
    try:
        with pytest.raises(InvalidRequest, match="no file of numpy's savez"):
            resolve(str(path))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_graph_that_is_refused_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = onnx_model(tmp_path / "bad.onnx")
    path.write_bytes(path.read_bytes().replace(b"Gemm", b"\x90emm"))
    with pytest.raises(InvalidRequest, match="no ONNX graph"):
        resolve(str(path))
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # torch's own
def test_a_torch_network_is_exported_as_what_it_is(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from eapg_split.export.policy_network import export_policy

    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(INPUTS, 8), torch.nn.Tanh(), torch.nn.Linear(8, OUTPUTS))
    path = tmp_path / "trained.onnx"
    assert export_policy(network, path) < 1e-5
    assert resolve(str(path)).name == "trained"
