"""What the checks that ask somebody have in common."""

from app.doctor.report import Finding

PATIENCE = 5.0  # seconds


def unreachable(part: str, variable: str, url: str, exc: Exception) -> Finding:
    return Finding("error", f"{part}_unreachable", {"url": url, "reason": reason(exc), "variable": variable})


def reason(exc: Exception) -> str:
    """The first line of what went wrong; the class where an error says nothing (timeouts)."""
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0].rstrip(".")
