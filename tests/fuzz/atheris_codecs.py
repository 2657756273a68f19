"""The same attempts as fuzz_codecs.py, guided by coverage; for where atheris is installed (`pip install atheris`).

    python tests/fuzz/atheris_codecs.py --codec clean -runs=1000000 -max_len=4096 CORPUS

What stands behind `--codec NAME` goes to libFuzzer. An empty CORPUS folder is filled with honest payloads first.
The first byte of an input picks the spec, the rest are parts, each behind its length in two bytes.
"""

import importlib
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
atheris = importlib.import_module(
    "atheris"
)  # not among the project's packages: it has wheels for few Pythons

with atheris.instrument_imports(include=["eapg_split.codecs"]):
    from eapg_split.codecs import codec_named
    from tests.fuzz.fuzz_codecs import Case, attempt, corpus

_LENGTH_BYTES = 2


def pack(spec: int, bodies: tuple[bytes, ...]) -> bytes:
    """A spec's number and parts as one input."""
    lengths = (len(body).to_bytes(_LENGTH_BYTES, "little") + body for body in bodies)
    return bytes([spec]) + b"".join(lengths)


def unpack(data: bytes) -> tuple[int, tuple[bytes, ...]]:
    """The other way round, for any bytes: a length that is too large means the rest."""
    spec, rest, bodies = data[0] if data else 0, data[1:], []
    while len(rest) >= _LENGTH_BYTES:
        stop = _LENGTH_BYTES + int.from_bytes(rest[:_LENGTH_BYTES], "little")
        bodies.append(rest[_LENGTH_BYTES:stop])
        rest = rest[stop:]
    return spec, tuple(bodies)


def main() -> None:
    warnings.simplefilter("error")
    arguments = sys.argv
    name = "lossless"
    if "--codec" in arguments:
        at = arguments.index("--codec")
        name = arguments[at + 1]
        del arguments[at : at + 2]
    codec = codec_named(name)
    cases = [case for case in corpus(codec) if sum(map(len, case.bodies)) < 4096]
    specs = list({case.spec: None for case in cases})

    def one_input(data: bytes) -> None:
        spec, bodies = unpack(data)
        attempt(codec, Case(specs[spec % len(specs)], bodies))

    folders = [Path(argument) for argument in arguments[1:] if not argument.startswith("-")]
    for folder in folders[:1]:
        folder.mkdir(exist_ok=True)
        if not any(folder.iterdir()):
            for number, case in enumerate(cases):
                (folder / f"honest-{number}").write_bytes(pack(specs.index(case.spec), case.bodies))
    atheris.Setup(arguments, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
