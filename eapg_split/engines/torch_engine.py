"""The trained networks on torch (extra `torch`): the same safetensors files, on a GPU where there is one."""

import os
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from eapg_split.eapg.networks import Floats
from eapg_split.eapg.prompt import tokens_of
from eapg_split.eapg.schedule import SIGMA
from eapg_split.engines.grid import cropped, denoiser_of, even
from eapg_split.engines.store import Manifest
from eapg_split.engines.torch_networks.denoiser import LOW, STAGE1, STAGE2, Denoiser
from eapg_split.engines.torch_networks.text_encoder import TextEncoder
from eapg_split.engines.torch_networks.video_networks import VideoDecoder, VideoEncoder
from eapg_split.errors import CorruptWeights, EngineFailure


def blank(part: str) -> nn.Module:
    match part:
        case "text":
            return TextEncoder()
        case "stage1":
            return Denoiser(STAGE1)
        case "stage2":
            return Denoiser(STAGE2)
        case "low":
            return Denoiser(LOW)
        case "encoder":
            return VideoEncoder()
        case _:
            return VideoDecoder()


def _tensor(array: Floats | NDArray[np.int64]) -> Tensor:
    """The array without a copy where torch allows it: a state's arrays are read-only, and torch has no such thing."""
    ours = np.ascontiguousarray(array)
    return torch.from_numpy(ours if ours.flags.writeable else ours.copy())


class TorchNetworks:
    """`Networks` on torch: CUDA when it is available, else the CPU."""

    def __init__(self, manifest: Manifest, *, threads: int = 0) -> None:
        self.fingerprint = manifest.fingerprint
        self.time_shift = manifest.time_shift
        self.quality = manifest.quality
        self._manifest = manifest
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._modules: dict[str, nn.Module] = {}
        torch.set_num_threads(threads or os.cpu_count() or 1)

    def load(self, parts: Iterable[str]) -> None:
        for part in parts:
            if part not in self._modules:
                self._modules[part] = self._open(part)

    def _open(self, part: str) -> nn.Module:
        path = self._manifest.path(part, "safetensors")
        module = blank(part)
        try:
            stored = {key: value.float() for key, value in load_file(path).items()}
            module.load_state_dict(stored)
        except Exception as error:
            raise CorruptWeights(f"The weights file {path} does not fit this version's networks.") from error
        return module.eval().to(self._device)

    def _run(self, part: str, *inputs: Tensor | None) -> Floats:
        self.load((part,))
        placed = [None if x is None else x.to(self._device) for x in inputs]
        try:
            with torch.inference_mode():
                result = self._modules[part](*placed)
        except RuntimeError as error:
            raise EngineFailure(f"torch failed in {part}: {str(error).splitlines()[0][:300]}") from error
        return np.ascontiguousarray(result.cpu().numpy(), dtype=np.float32)

    def embed_text(self, prompt: str) -> Floats:
        return np.stack([self._run("text", _tensor(tokens_of(text)[None]))[0] for text in (prompt, "")])

    def predict(self, stage: int, x_t: Floats, t: float, clean_up: Floats, text: Floats | None) -> Floats:
        part, patch = denoiser_of(stage)
        result = self._run(
            part,
            _tensor(even(x_t, patch)),
            torch.tensor([t], dtype=torch.float32),
            _tensor(even(clean_up, patch)) if stage > 1 else None,
            None if text is None else _tensor(text[None]),
            torch.tensor([SIGMA[stage - 1]], dtype=torch.float32),
        )
        return cropped(result, x_t.shape)

    def encode_block(self, frames: Floats) -> Floats:
        return self._run("encoder", _tensor(frames[None]))[0]

    def decode_block(self, latent: Floats, previous: Floats) -> Floats:
        return self._run("decoder", _tensor(latent[None]), _tensor(previous[None]))[0]
