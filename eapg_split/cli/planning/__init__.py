"""`eapg-split plan`: what a job's plan would be now, why, and what if links were others."""

from eapg_split.cli.planning.made import PlanOptions
from eapg_split.cli.planning.show import show_plan

__all__ = ["PlanOptions", "show_plan"]
