"""A trained policy network as a file that `--policy` takes: from a torch module to ONNX, compared with it."""

from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import nn

from eapg_split.planner.onnx_model import OnnxModel
from eapg_split.planner.stage_choices import INPUTS, OUTPUTS

_OPSET: Final = 20
_ROWS: Final = 32  # that are compared
_LARGEST_ERROR: Final = 1e-3


def export_policy(network: nn.Module, path: Path) -> float:
    """Writes a module from [1, INPUTS] to [1, OUTPUTS] as ONNX; returns the largest difference between both.

    Raises InvalidRequest for one of other shapes, ValueError where the file says something else than the module.
    """
    program = torch.onnx.export(
        network.eval(),
        (torch.zeros(1, INPUTS),),
        dynamo=True,
        verbose=False,
        external_data=False,
        opset_version=_OPSET,
    )
    if program is None:
        raise ValueError("the exporter gave no program")
    data = program.model_proto.SerializeToString()
    model, worst = OnnxModel(data), 0.0
    rows = np.random.default_rng(0).random((_ROWS, INPUTS), np.float32)
    for row in rows:
        with torch.inference_mode():
            expected = network(torch.from_numpy(row[None])).reshape(OUTPUTS).numpy()
        worst = max(worst, float(np.abs(model.run(row) - expected).max()))
    if not worst <= _LARGEST_ERROR:
        raise ValueError(f"the graph differs from the network by {worst:g}")
    path.write_bytes(data)
    return worst
