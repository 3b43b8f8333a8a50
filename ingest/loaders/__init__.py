"""Bytes → blocks. ``load`` is the way in; :mod:`ingest.loaders.registry` says which loader reads what."""

from ingest.loaders.members import unpack
from ingest.loaders.registry import load, load_bytes
from ingest.loaders.showing import blocks, pages, picture

__all__ = ["blocks", "load", "load_bytes", "pages", "picture", "unpack"]
