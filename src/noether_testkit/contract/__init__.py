"""The contract: subjects, checks, and the way from one to a report."""

from noether_testkit.contract.check import Check, Force
from noether_testkit.contract.registry import CHECKS, get_check
from noether_testkit.contract.report import Report, Result
from noether_testkit.contract.runner import Judge, judge_subject
from noether_testkit.contract.subject import DECLARATIONS, Subject
from noether_testkit.contract.verdict import Verdict

__all__ = [
    "CHECKS",
    "DECLARATIONS",
    "Check",
    "Force",
    "Judge",
    "Report",
    "Result",
    "Subject",
    "Verdict",
    "get_check",
    "judge_subject",
]
