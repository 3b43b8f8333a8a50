"""Bytes → blocks. ``load`` is the way in; :mod:`ingest.loaders.registry` says which loader reads what."""

from ingest.loaders.members import unpack
from ingest.loaders.registry import load, load_bytes

__all__ = ["load", "load_bytes", "unpack"]
