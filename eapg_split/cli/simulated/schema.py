"""The JSON Schema of a line of a simulation's record: `python -m eapg_split.cli.simulated.schema` prints it.

What it prints is shipped as `simulations/record.schema.json`, for programs that are not ours.
"""

import json
from typing import Any, Final

from eapg_split.cli.run_log.schema import object_schema
from simulations.record_lines import EVENTS, FORMAT, VERSION

_AT: Final = {"type": "number", "minimum": 0, "description": "seconds since the simulation began"}
_COLDEST_C: Final = -100


def schema() -> dict[str, object]:
    """JSON Schema 2020-12 of one line."""
    lines: dict[str, Any] = {
        event: object_schema(line, {"at_s": _AT, "event": {"const": event}}) for event, line in EVENTS.items()
    }
    lines["run"]["properties"] |= {"format": {"const": FORMAT}, "version": {"const": VERSION}}
    node = lines["sample"]["properties"]["nodes"]["additionalProperties"]
    node["properties"]["temperature_c"]["minimum"] = _COLDEST_C
    for each in (*lines.values(), node):
        each["additionalProperties"] = False
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "One line of the record of eapg-split simulate",
        "oneOf": [{"$ref": f"#/$defs/{event}"} for event in lines],
        "$defs": lines,
    }


def schema_text() -> str:
    """The schema as it is shipped."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(schema_text(), end="")
