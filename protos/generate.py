"""Writes the Python code of the .proto files beside it into the package; `--check` only says whether it is current.

The code is committed so that an install needs no compiler. The .proto files mirror the package's path, so protoc's
imports are right as they come and nothing is rewritten. Stubs are not generated: `rpc.methods` is the whole table, and
`Run` needs raw bytes anyway.
"""

import argparse
import filecmp
import sys
import tempfile
from importlib import resources
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PACKAGE = Path("eapg_split/rpc/v1")


def generate(target: Path) -> list[Path]:
    """Runs protoc into `target` and returns the paths written, relative to it."""
    from grpc_tools import protoc

    sources = sorted(str(path) for path in (HERE / PACKAGE).glob("*.proto"))
    include = str(resources.files("grpc_tools") / "_proto")
    outputs = [f"--{kind}_out={target}" for kind in ("python", "pyi")]
    if protoc.main(["protoc", f"-I{HERE}", f"-I{include}", *outputs, *sources]) != 0:
        raise SystemExit("protoc refused the .proto files; its message is above")
    return sorted(path.relative_to(target) for path in target.rglob("*_pb2*"))


def main() -> int:
    """Returns the exit code: 1 when `--check` finds code that differs from its source."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the code is stale")
    if not parser.parse_args().check:
        generate(ROOT)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        fresh = generate(Path(folder))
        committed = sorted(path.relative_to(ROOT) for path in (ROOT / PACKAGE).glob("*_pb2*"))
        _, different, missing = filecmp.cmpfiles(folder, ROOT, [str(path) for path in fresh], shallow=False)
    stale = sorted({*different, *missing, *(str(path) for path in set(committed) - set(fresh))})
    if stale:
        print(f"stale: {', '.join(stale)}; run `python protos/generate.py` and commit", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
