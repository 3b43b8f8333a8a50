"""The chat's prompt templates, in ``prompts/*.md``; how such files are read is known to :mod:`app.llm.prompts`."""

from functools import partial
from pathlib import Path

from app.llm import prompts

FOLDER = Path(__file__).parent / "prompts"

load = partial(prompts.load, folder=FOLDER)
