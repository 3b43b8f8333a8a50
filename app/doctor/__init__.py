"""``copilot doctor``: which settings are in force and from where, and what is missing or wrong."""

from app.doctor.checks import examine
from app.doctor.readme import settings_table
from app.doctor.report import Finding, Report, render
from app.doctor.sources import invalid_settings, unreadable_settings

__all__ = ["Finding", "Report", "examine", "invalid_settings", "render", "settings_table", "unreadable_settings"]
