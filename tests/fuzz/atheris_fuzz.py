"""The same targets as fuzz.py, guided by coverage; for where atheris is installed (`pip install atheris`).

    python tests/fuzz/atheris_fuzz.py --target messages -runs=1000000 -max_len=4096 CORPUS

What stands behind `--target NAME` goes to libFuzzer. An empty CORPUS folder is filled with honest inputs first. Half of
the changes are the target's own, which know its structure, half are libFuzzer's.
"""

import importlib
import sys
import warnings
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[2]))
atheris = importlib.import_module("atheris")  # not among the project's packages: wheels for few Pythons

with atheris.instrument_imports(include=["eapg_split"]):
    from tests.fuzz.fuzz import attempt
    from tests.fuzz.targets import TARGETS


def main() -> None:
    warnings.simplefilter("error")
    arguments = sys.argv
    at = arguments.index("--target")
    target = TARGETS[arguments[at + 1]]
    del arguments[at : at + 2]
    corpus = list(target.corpus())

    def changed(data: bytes, most: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() < 0.5:
            return bytes(atheris.Mutate(data, most))
        try:
            return target.mutate(data, random.choice(corpus), random)[:most]
        except (ValueError, LookupError, RecursionError):  # no longer what the target's changes can read
            return bytes(atheris.Mutate(data, most))

    folders = [Path(argument) for argument in arguments[1:] if not argument.startswith("-")]
    for folder in folders[:1]:
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            for number, data in enumerate(corpus):
                (folder / f"honest-{number}").write_bytes(data)
    atheris.Setup(arguments, lambda data: attempt(target, data), custom_mutator=changed)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
