"""networkx' node-link JSON: the tables of nodes and links that a file holds."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from eapg_split.errors import InvalidRequest
from simulations.presets import Table
from simulations.scenario import problem_in, schema

MAX_FILE_BYTES: Final = 64 << 20


def read_node_link(path: Path) -> tuple[dict[str, Table], list[Table]]:
    """Nodes by name and links, with their attributes; a directed graph's links have no way back.

    Raises InvalidRequest for what is no such file, and for an attribute that no scenario has.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidRequest(f"{path.name} is larger than {MAX_FILE_BYTES >> 20} MiB: cut it.")
        graph = json.loads(path.read_bytes())
    except OSError as error:
        raise InvalidRequest(f"{path.name} cannot be read ({error.strerror}): check its name.") from error
    except RecursionError as error:
        raise InvalidRequest(f"{path.name} is nested too deeply: flatten it.") from error
    except ValueError as error:
        raise InvalidRequest(f"{path.name} is not JSON ({error}): write it with node_link_data.") from error
    if not isinstance(graph, dict) or not isinstance(graph.get("nodes"), list):
        raise InvalidRequest(f"{path.name} has no list of nodes: write it with networkx.node_link_data.")
    edges = graph.get("edges") or graph.get("links") or []
    one_way = {"one_way": True} if graph.get("directed") else {}
    try:
        nodes: dict[str, Table] = {str(node["id"]): _without(node, "id") for node in graph["nodes"]}
        links: list[Table] = [_link(edge) | one_way for edge in edges]
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidRequest(
            f"{path.name} has a node without id or an edge without ends: {error}."
        ) from error
    found = problem_in({"nodes": nodes, "links": links}, _wanted())
    if found is not None:
        where, words = found
        raise InvalidRequest(f"{path.name}, {' '.join(map(str, where))}: {words}")
    return nodes, links


@cache
def _wanted() -> dict[str, Any]:
    """Of nodes and links the same as in a scenario."""
    return {"properties": {name: schema()["properties"][name] for name in ("nodes", "links")}}


def _link(edge: dict[str, Any]) -> dict[str, Any]:
    attributes = _without(edge, "source", "target", "key")
    return {**attributes, "from": str(edge["source"]), "to": str(edge["target"])}


def _without(table: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in names}
