"""The report of an experiment: one HTML page of tables, curves, pictures and origin."""

from deep_speaker.report.page import write_report

__all__ = ["write_report"]
