"""A model that places stages as an ONNX graph: arithmetic without a clock, a file or a socket, as all decisions are."""

from typing import Any

import numpy as np

from eapg_split.errors import InvalidRequest
from eapg_split.planner.stage_choices import INPUTS, MAX_NODES, OUTPUTS, Choice, Rows


class OnnxModel:
    """A graph from `Choice.flat` [1, INPUTS] to [1, OUTPUTS]: a number for each node, then for each codec."""

    def __init__(self, data: bytes) -> None:
        """Raises InvalidRequest for what is no such graph."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                data, options, providers=["CPUExecutionProvider"], enable_fallback=0
            )  # without its second attempt, of which it prints
        except Exception as error:  # onnxruntime raises many kinds
            first = (str(error).splitlines() or [""])[0]
            raise InvalidRequest(f"is no ONNX graph that runs here: {first[:200]}") from error
        inputs: list[Any] = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)":
            raise InvalidRequest("must have one input, of 32 bit floats.")
        self._name: str = inputs[0].name
        self.run(np.zeros(INPUTS, np.float32))

    def logits(self, choice: Choice) -> tuple[Rows, Rows]:
        """As PolicyModel."""
        found = self.run(choice.flat())
        return found[:MAX_NODES], found[MAX_NODES:]

    def run(self, row: Rows) -> Rows:
        """[INPUTS] to [OUTPUTS]; what is no number is the least. Raises InvalidRequest for a graph of other shapes."""
        try:
            found = np.asarray(self._session.run(None, {self._name: row[None]})[0], np.float32)
        except Exception as error:
            first = (str(error).splitlines() or [""])[0]
            raise InvalidRequest(f"does not take {INPUTS} numbers: {first[:200]}") from error
        if found.shape != (1, OUTPUTS):
            raise InvalidRequest(f"answers with shape {found.shape}: (1, {OUTPUTS}) is wanted.")
        answer: Rows = np.nan_to_num(found[0], nan=-np.inf)
        return answer
