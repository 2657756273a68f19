"""The JSON Schema of a line, made from the same dataclasses: `python -m eapg_split.cli.run_log.schema` prints it.

What it prints is shipped as `run_log.schema.json` beside this file, for programs that are not ours.
"""

import inspect
import json
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from typing import get_args, get_origin, get_type_hints

from eapg_split.cli.run_log.lines import FORMAT, KINDS, VERSION, Header
from eapg_split.cli.run_log.values import MAX_INTEGER, MAX_NUMBER

_SEEN = {"type": "number", "minimum": 0, "description": "seconds since the log was opened"}


def schema() -> dict[str, object]:
    """JSON Schema 2020-12 of one line: the header or one of the kinds of records."""
    header = object_schema(Header, {"kind": {"const": "header"}})
    properties = header["properties"]
    assert isinstance(properties, dict)
    properties |= {"format": {"const": FORMAT}, "version": {"const": VERSION}}
    kinds = {
        kind: object_schema(record, {"kind": {"const": kind}, "seen_s": _SEEN})
        for kind, record in KINDS.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "One line of a run log of eapg-split",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in ("header", *kinds)],
        "$defs": {"header": header, **kinds},
    }


def schema_text() -> str:
    """The schema as it is shipped."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def object_schema(kind: type, extra: dict[str, object]) -> dict[str, object]:
    """The schema of a dataclass's fields, and of these besides, which come first."""
    hints = get_type_hints(kind)
    optional = {e.name for e in fields(kind) if (e.default, e.default_factory) != (MISSING, MISSING)}
    properties = extra | {each.name: _value_schema(hints[each.name]) for each in fields(kind)}
    return {
        "type": "object",
        "description": (inspect.getdoc(kind) or kind.__name__).replace("\n", " "),
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


def _value_schema(annotation: object) -> dict[str, object]:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is tuple and len(set(inner)) > 1 and inner[-1] is not Ellipsis:
        items = [_value_schema(each) for each in inner]
        return {"type": "array", "prefixItems": items, "minItems": len(inner), "maxItems": len(inner)}
    if origin is tuple:
        fixed = {} if inner[-1] is Ellipsis else {"minItems": len(inner), "maxItems": len(inner)}
        return {"type": "array", "items": _value_schema(inner[0]), **fixed}
    if origin is dict:
        return {"type": "object", "additionalProperties": _value_schema(inner[1])}
    assert isinstance(annotation, type), annotation
    if is_dataclass(annotation):
        return object_schema(annotation, {})
    if issubclass(annotation, StrEnum):
        return {"enum": [str(each) for each in annotation]}
    plain: dict[type, dict[str, object]] = {
        str: {"type": "string"},
        bool: {"type": "boolean"},
        int: {"type": "integer", "minimum": 0, "maximum": MAX_INTEGER},
        float: {"type": "number", "minimum": 0, "maximum": MAX_NUMBER},
    }
    return plain[annotation]


if __name__ == "__main__":
    print(schema_text(), end="")
