"""Checks of the resume: what a run does that was stopped and goes on."""

from __future__ import annotations

from noether_testkit.contract.checks.resume.anytime import resumes_at_any_update
from noether_testkit.contract.checks.resume.crashes import resumes_after_a_crash
from noether_testkit.contract.checks.resume.files import (
    continues_its_output_files,
    resumes_from_its_source,
    resumes_without_its_files,
)
from noether_testkit.contract.checks.resume.times import measures_this_session_only
from noether_testkit.contract.checks.resume.uninterrupted import resumes_as_if_uninterrupted

CHECKS = (
    resumes_from_its_source,
    resumes_as_if_uninterrupted,
    resumes_at_any_update,
    resumes_after_a_crash,
    resumes_without_its_files,
    continues_its_output_files,
    measures_this_session_only,
)
