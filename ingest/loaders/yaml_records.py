"""YAML, as :mod:`ingest.loaders.records` shows it. Values stay as they were written: 007 is a code, ``no`` a word.

Only the graph of nodes is taken from PyYAML: nothing is constructed by tag, and what aliases would blow up to is known
before anything is.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from ingest.encoding import decode
from ingest.loaders.plain import load_plain
from ingest.loaders.records import Value, draft_of
from ingest.loaders.source import Draft, Source, corrupt, parsing, too_large

MAX_DEPTH = 200
MAX_VALUES = 1_000_000  # with every alias written out
_NOTHING = frozenset(("", "~", "null", "Null", "NULL"))
_MERGE = "<<"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times as fast


def load_yaml(source: Source) -> Draft:
    """Several documents in a file are a list. What is no YAML is text all the same.

    Raises DocumentRefused ``too_large`` for what is nested deeper than :data:`MAX_DEPTH`, or means more than
    :data:`MAX_VALUES` values.
    """
    with parsing("YAML"):
        text = decode(source.data).text
        try:
            _require_depth(text)
            nodes = [node for node in yaml.compose_all(text, Loader=_LOADER) if node is not None]
        except (yaml.YAMLError, ValueError):
            return load_plain(source)
        if sum(_values(node, {}) for node in nodes) > MAX_VALUES:
            raise too_large(f"This YAML means more than {MAX_VALUES:,} values.")
        values = [_value(node) for node in nodes]
        if len(values) == 1 and isinstance(values[0], str):  # a sentence, or a text of another kind
            return load_plain(source)
        return draft_of(values[0] if len(values) == 1 else values, source.progress)


def _require_depth(text: str) -> None:
    """Before libyaml's nodes are made: that recurses natively, and 200,000 brackets end the process."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise too_large(f"This YAML is nested more than {MAX_DEPTH} levels deep.")


def _values(node: yaml.Node, counted: dict[int, int]) -> int:
    """How many values the node means, each alias counted as what it stands for. Each node is looked at once."""
    if id(node) in counted:
        if counted[id(node)] == 0:  # inside itself
            raise corrupt("YAML")
        return counted[id(node)]
    counted[id(node)] = 0
    counted[id(node)] = 1 + sum(_values(child, counted) for child in _children(node))
    return counted[id(node)]


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from (key, value)
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _value(node: yaml.Node) -> Value:
    if isinstance(node, yaml.SequenceNode):
        return [_value(item) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        return _record(node)
    written = str(node.value)
    return None if node.style is None and written in _NOTHING else written


def _record(node: yaml.MappingNode) -> dict[str, Any]:
    """Keys as text. What is merged in with ``<<`` stands before, and gives way to, the record's own."""
    merged: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for key, value in node.value:
        name = _key(key)
        if name != _MERGE:
            own[name] = _value(value)
            continue
        for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            if isinstance(part, yaml.MappingNode):
                merged = {**_record(part), **merged}
    return merged | own


def _key(node: yaml.Node) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else str(_value(node))
