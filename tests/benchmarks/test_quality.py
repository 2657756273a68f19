"""The table of the quality benchmark, and the order of its cases."""

from quality import Result, by_scene, rows
from quality_clips import Measured, cases

from eapg_split.domain.request import Request
from eapg_split.eapg.attributes import SCENES
from eapg_split.eapg.lexicon import understand
from eapg_split.training.motion_metrics import BreakCount


def measured(**judged: str) -> Measured:
    return Measured(judged, 0.99, BreakCount(1, 4), BreakCount(4, 4), 2.0, "strip.png")


def test_cases_cover_every_scene_in_both_languages_before_the_next_seed() -> None:
    planned = list(cases(Request(prompt="-"), seeds=5))
    assert len(planned) == len(SCENES) * 2 * 5
    first = planned[: 2 * len(SCENES)]
    assert {(case.wanted.scene, case.language) for case in first} == {
        (scene, language) for scene in SCENES for language in ("en", "zh")
    }
    assert {case.request.seed for case in first} == {0}
    assert len({case.request.prompt for case in planned}) == len(planned)
    assert all(understand(case.request.prompt).attributes == case.wanted for case in planned)


def test_rows_compare_with_the_bars_and_with_true_renders() -> None:
    results = []
    for index, case in enumerate(cases(Request(prompt="-"), seeds=1)):
        wanted = {name: str(getattr(case.wanted, name)) for name in ("scene", "colour", "direction")}
        missed = wanted | (
            {"direction": "up" if wanted["direction"] != "up" else "left"} if index % 2 else {}
        )
        results.append(Result(case, measured(**missed), measured(**wanted)))
    table = {row.figure: row for row in rows(results, {"scene": 0.99, "colour": 0.98, "direction": 0.96})}
    assert table["classifier: scene on held-out renders"].holds
    assert table["classifier: direction on held-out renders"].holds is False
    everything = table[f"scene recovered, all prompts ({len(results)} clips)"]
    assert (everything.ours, everything.beside, everything.bar, everything.holds) == (
        1.0,
        {"renders": 1.0},
        ">= 0.9",
        True,
    )
    direction = table[f"direction recovered, all prompts ({len(results)} clips)"]
    assert (direction.ours, direction.holds) == (0.5, False)
    breaks = table["motion break rate, moving parts"]
    assert (breaks.ours, breaks.beside) == (0.25, {"renders": 0.25, "renders shuffled": 1.0})
    assert len(by_scene(results)) == len(SCENES)


def test_a_record_survives_its_file() -> None:
    record = measured(scene="cat", colour="red")
    assert Measured.from_json(record.to_json()) == record
