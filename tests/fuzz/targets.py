"""Every target by its name."""

from typing import Final

from tests.fuzz.codec_targets import CODEC_TARGETS
from tests.fuzz.file_targets import FILE_TARGETS
from tests.fuzz.journal_targets import JOURNAL_TARGETS
from tests.fuzz.message_targets import MESSAGE_TARGETS
from tests.fuzz.model_targets import MODEL_TARGETS
from tests.fuzz.scenario_targets import SCENARIO_TARGETS
from tests.fuzz.stream_targets import STREAM_TARGETS
from tests.fuzz.target import Target

TARGETS: Final[dict[str, Target]] = {
    target.name: target
    for target in (
        *CODEC_TARGETS,
        *MESSAGE_TARGETS,
        *STREAM_TARGETS,
        *FILE_TARGETS,
        *JOURNAL_TARGETS,
        *MODEL_TARGETS,
        *SCENARIO_TARGETS,
    )
}
