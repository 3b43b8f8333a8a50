"""Bytes → blocks. ``load`` is the way in; :mod:`ingest.loaders.registry` says which loader reads what."""

from ingest.loaders.members import unpack
from ingest.loaders.registry import load, load_bytes
from ingest.loaders.showing import blocks, page_picture, pages

__all__ = ["blocks", "load", "load_bytes", "page_picture", "pages", "unpack"]
