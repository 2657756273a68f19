"""`eapg-split train`: hands over to the training package where its extra is installed."""

from collections.abc import Sequence
from importlib.util import find_spec

from eapg_split.errors import Unsupported


def run_training(arguments: Sequence[str]) -> int:
    """Runs the training command and returns its exit code. Raises Unsupported where the extra is missing."""
    missing = [name for name in ("torch", "onnx", "cv2") if find_spec(name) is None]
    if missing:
        raise Unsupported(
            f"Training needs {', '.join(missing)}: install it with pip install 'eapg-split[train]'"
            " (from a clone: pip install -e '.[train]')."
        )
    from eapg_split.training import cli_main

    return cli_main(arguments)
