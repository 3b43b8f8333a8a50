"""``copilot eval`` and ``copilot bench``: plugged into the CLI by an entry point; nothing of ours imports this."""

import typer

evaluate = typer.Typer(help="Is it good: retrieval, answers and parsing on data with expected results.", no_args_is_help=True)
bench = typer.Typer(help="Is it fast: always beside a plain baseline in the same run.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(evaluate, name="eval")
    app.add_typer(bench, name="bench")
