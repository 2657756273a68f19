"""`eapg-split report`: a run log as one page."""

from eapg_split.cli.report_page.page import render, write_report
from eapg_split.cli.report_page.story import read_story

__all__ = ["read_story", "render", "write_report"]
