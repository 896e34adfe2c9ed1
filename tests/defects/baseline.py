"""Which guilty callback is found by which check, and whether plain mocks would have found it.

`python -m tests.defects.baseline` prints the table, `--write` puts it into docs/baseline.md.
"""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

from tests.defects.catalogue import Case
from tests.defects.naive import naive_suite_fails
from tests.defects.test_defects import CASES

from noether_testkit.contract import CHECKS

PAGE = Path(__file__).parents[2] / "docs/baseline.md"
START, END = "<!-- baseline -->", "<!-- end -->"


def tables() -> str:
    """Returns the sums by topic, and a row for each guilty callback."""
    found = {id(case): naive_suite_fails(case.subject) for case in CASES}
    guilty = [case for case in CASES if case.mark.is_guilty]
    innocent = [case for case in CASES if not case.mark.is_guilty]
    accused = sum(found[id(case)] for case in innocent)
    lines = ["| topic | guilty callbacks | found by the contract | found by plain mocks |", "|---|---|---|---|"]
    for topic, members in groupby(sorted(guilty, key=_order), key=_topic):
        cases = list(members)
        hits = sum(found[id(case)] for case in cases)
        lines.append(f"| {topic} | {len(cases)} | {len(cases)} | {hits} |")
    total = sum(found[id(case)] for case in guilty)
    lines += [f"| all | {len(guilty)} | {len(guilty)} | {total} |", ""]
    lines += [
        f"Of {len(innocent)} innocent callbacks, the contract accuses none, and plain mocks accuse {accused}.",
        "",
    ]
    lines += ["| guilty callback | what it does | found by | plain mocks |", "|---|---|---|---|"]
    lines += [_row(case, hit=found[id(case)]) for case in sorted(guilty, key=_order)]
    return "\n".join(lines) + "\n"


def page_with(table: str) -> str:
    """Returns the text of the page with the table in its place."""
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(START)
    return f"{head}{START}\n\n{table}\n{END}{rest.partition(END)[2]}"


def _row(case: Case, *, hit: bool) -> str:
    doc = (case.subject.callback.__doc__ or "").strip().splitlines()
    checks = ", ".join(f"[{name}](checks/{name}.md)" for name in case.mark.checks)
    return f"| `{case.name}` | {doc[0] if doc else ''} | {checks} | {'found' if hit else 'missed'} |"


def _order(case: Case) -> int:
    names = [check.name for check in CHECKS]
    return names.index(case.mark.checks[0])


def _topic(case: Case) -> str:
    return next(check.topic for check in CHECKS if check.name == case.mark.checks[0])


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page_with(tables()), encoding="utf-8")
    else:
        sys.stdout.write(tables())
