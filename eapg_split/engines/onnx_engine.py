"""The trained networks on ONNX Runtime: the default on every tier, without torch."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnxruntime as ort

from eapg_split.eapg.networks import Floats
from eapg_split.eapg.prompt import tokens_of
from eapg_split.eapg.schedule import SIGMA
from eapg_split.engines.grid import cropped, denoiser_of, even
from eapg_split.engines.store import Manifest
from eapg_split.errors import CorruptWeights, EngineFailure


class OnnxNetworks:
    """`Networks` on ONNX Runtime's CPU provider, which gives the same bits with any number of threads."""

    def __init__(self, manifest: Manifest, *, threads: int = 0) -> None:
        self.fingerprint = manifest.fingerprint
        self.time_shift = manifest.time_shift
        self.quality = manifest.quality
        self._manifest = manifest
        self._threads = threads or os.cpu_count() or 1
        self._sessions: dict[str, ort.InferenceSession] = {}

    def load(self, parts: Iterable[str]) -> None:
        for part in parts:
            if part not in self._sessions:
                self._sessions[part] = self._open(part)

    def _open(self, part: str) -> ort.InferenceSession:
        self._manifest.path(part, "safetensors")
        graph: Path = self._manifest.path(part, "onnx")
        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 3
        # threads that spin would starve the event loop, and the other daemons of a shared machine
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_cpu_mem_arena = False
        try:
            return ort.InferenceSession(
                str(graph), options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
        except Exception as error:  # ONNX Runtime's errors share no base class
            raise CorruptWeights(f"ONNX Runtime cannot load {graph}: {_first_line(error)}.") from error

    def _run(self, part: str, feeds: dict[str, np.ndarray]) -> Floats:
        self.load((part,))
        try:
            (result,) = self._sessions[part].run(None, feeds)
        except Exception as error:
            raise EngineFailure(f"ONNX Runtime failed in {part}: {_first_line(error)}.") from error
        return np.ascontiguousarray(result, dtype=np.float32)

    def embed_text(self, prompt: str) -> Floats:
        rows = [self._run("text", {"tokens": tokens_of(text)[None]})[0] for text in (prompt, "")]
        return np.stack(rows)

    def predict(self, stage: int, x_t: Floats, t: float, clean_up: Floats, text: Floats | None) -> Floats:
        part, patch = denoiser_of(stage)
        feeds: dict[str, np.ndarray] = {
            "x": even(x_t, patch),
            "t": np.array([t], dtype=np.float32),
            "level": np.array([SIGMA[stage - 1]], dtype=np.float32),
        }
        if stage > 1:
            feeds["clean_up"] = even(clean_up, patch)
        if text is not None:
            feeds["text"] = text[None]
        return cropped(self._run(part, feeds), x_t.shape)

    def encode_block(self, frames: Floats) -> Floats:
        return self._run("encoder", {"frames": frames[None]})[0]

    def decode_block(self, latent: Floats, previous: Floats) -> Floats:
        return self._run("decoder", {"latent": latent[None], "previous": previous[None]})[0]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300].rstrip(".")
