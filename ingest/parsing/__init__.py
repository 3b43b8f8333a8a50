"""Reading files in processes of their own: what a bomb, a hang or a crash costs is one document."""

from ingest.parsing.isolated import IsolatedParser
from ingest.parsing.ports import DirectParser, Parser, Viewer

__all__ = ["DirectParser", "IsolatedParser", "Parser", "Viewer"]
