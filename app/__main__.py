"""``python -m app`` is ``copilot``."""

from app.cli.main import main

main()
