"""`noether-testkit list`: all checks, for people and for programs."""

from __future__ import annotations

import json

from tests.cli.conftest import Shell

from noether_testkit.contract import CHECKS


def test_lists_each_check_with_force_and_promise(shell: Shell) -> None:
    """There is one line a check below its topic, in the order of the registry."""
    answer = shell("list")
    assert (answer.code, answer.err) == (0, "")
    listed = [line.split(maxsplit=2) for line in answer.out.splitlines() if line.startswith("  ")]
    assert listed == [[check.name, check.force.value, check.promise] for check in CHECKS]


def test_topics_stand_above_their_checks(shell: Shell) -> None:
    """Each topic is named once."""
    topics = [line.removesuffix(":") for line in shell("list").out.splitlines() if not line.startswith(" ")]
    assert topics == list(dict.fromkeys(check.topic for check in CHECKS))


def test_lists_as_json(shell: Shell) -> None:
    """A program reads name, topic, force, promise, reason, declarations and page of each check."""
    listed = json.loads(shell("list", "--format", "json").out)
    assert [each["name"] for each in listed] == [check.name for check in CHECKS]
    assert all(set(each) == {"name", "topic", "force", "promise", "why", "unless", "page"} for each in listed)
