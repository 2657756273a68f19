"""A short run of the fuzzer; `python tests/fuzz/fuzz_codecs.py` makes long ones."""

from pathlib import Path

import numpy as np
import pytest

from eapg_split.codecs import CODECS
from tests.fuzz.fuzz_codecs import Case, attempt, broken, corpus, fuzz


@pytest.mark.parametrize("name", CODECS)
def test_nothing_but_latents_and_corrupt_payloads(name: str) -> None:
    summary = fuzz(CODECS[name], 1500, seed=1)
    assert [outcome for outcome, _ in summary.findings] == []
    assert set(summary.outcomes) == {"decoded", "refused"}, "the fuzzer must reach behind the first check"


def test_a_finding_can_be_replayed(tmp_path: Path) -> None:
    case = corpus(CODECS["int8"])[1]
    case.write(tmp_path / "case.json")
    assert Case.read(tmp_path / "case.json") == case
    assert attempt(CODECS["int8"], case) == "decoded"


def test_the_same_seed_breaks_the_same_payloads() -> None:
    cases = corpus(CODECS["int8"])
    first, second = (
        [broken(cases, generator) for _ in range(50)]
        for generator in (np.random.default_rng(3), np.random.default_rng(3))
    )
    assert first == second
