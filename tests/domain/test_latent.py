import numpy as np
import pytest

from eapg_split.domain.latent import MAX_RAW_BYTES, Latent, LatentSpec, TensorSpec
from eapg_split.errors import InvalidRequest


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def test_a_latent_describes_itself() -> None:
    latent = Latent({"xbar": zeros(1, 2, 3), "text": zeros(4)})
    assert list(latent) == ["text", "xbar"]
    assert latent.spec == LatentSpec.of(xbar=(1, 2, 3), text=(4,))
    assert (latent.spec.elements, latent.spec.raw_bytes) == (10, 40)
    assert "xbar=(1, 2, 3)" in repr(latent)


def test_a_latent_cannot_be_written_to() -> None:
    latent = Latent({"xbar": zeros(2)})
    with pytest.raises(ValueError, match="read-only"):
        latent["xbar"][0] = 1
    with pytest.raises(TypeError):
        latent["xbar"] = zeros(2)  # type: ignore[index]


def test_arrays_keep_their_identity_and_become_contiguous() -> None:
    first = Latent({"xbar": np.arange(6, dtype=np.float32).reshape(2, 3).T})
    assert first["xbar"].flags.c_contiguous
    assert Latent({"source": first["xbar"]})["source"] is first["xbar"]


def test_equality_is_of_bits() -> None:
    assert Latent({"xbar": zeros(2)}) == Latent({"xbar": zeros(2)})
    assert Latent({"xbar": zeros(2)}) != Latent({"xbar": -zeros(2)})
    assert Latent({"xbar": zeros(2)}) != Latent({"source": zeros(2)})
    assert Latent({"xbar": zeros(2)}) != Latent({"xbar": zeros(2, 1)})
    nan = np.full(2, np.nan, np.float32)
    assert Latent({"xbar": nan}) == Latent({"xbar": nan.copy()})
    assert Latent() == Latent({})
    assert Latent() != {}


@pytest.mark.parametrize("shape", [(), (0,), (-1, 2), (65537,), (1,) * 7])
def test_shapes_are_bounded(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidRequest):
        TensorSpec("xbar", shape)


@pytest.mark.parametrize("name", ["", "a b", "1x", "x" * 33, "x\n"])
def test_names_are_bounded(name: str) -> None:
    with pytest.raises(InvalidRequest):
        TensorSpec(name, (1,))


def test_only_float32_crosses_a_cut() -> None:
    with pytest.raises(InvalidRequest, match="float32"):
        TensorSpec("xbar", (1,), "float64")
    with pytest.raises(InvalidRequest, match="float32"):
        Latent({"xbar": np.zeros(2)})  # type: ignore[dict-item]


def test_the_whole_is_bounded() -> None:
    LatentSpec.of(xbar=(MAX_RAW_BYTES // 4 // 65536, 65536))
    with pytest.raises(InvalidRequest, match="shorter"):
        LatentSpec.of(xbar=(MAX_RAW_BYTES // 4 // 65536, 65536), text=(1,))
    with pytest.raises(InvalidRequest, match="at most 4"):
        LatentSpec.of(a=(1,), b=(1,), c=(1,), d=(1,), e=(1,))
    with pytest.raises(InvalidRequest, match="sorted"):
        LatentSpec((TensorSpec("b", (1,)), TensorSpec("a", (1,))))
