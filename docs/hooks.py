"""Puts the checks of the registry into the navigation and into the table of all checks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from noether_testkit.contract import CHECKS

TABLE = "<!-- checks -->"


def on_config(config: Any) -> Any:
    """Lists the pages of the checks, by topic, below the navigation's entry `Checks`."""
    checks = next(entry["Checks"] for entry in config.nav if "Checks" in entry)
    for topic, members in groupby(CHECKS, key=lambda check: check.topic):
        checks.append({topic.capitalize(): [{check.name: check.page} for check in members]})
    return config


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Puts the table of all checks where a page asks for it."""
    return markdown.replace(TABLE, "\n".join(table())) if TABLE in markdown else markdown


def table() -> Iterator[str]:
    """Yields the lines of the table, a section a topic."""
    for topic, members in groupby(CHECKS, key=lambda check: check.topic):
        yield from ("", f"## {topic.capitalize()}", "", "| check | force | the callback … | unless |", "|---|---|---|---|")
        for check in members:
            unless = ", ".join(f"`{word}`" for word in sorted(check.unless))
            yield f"| [`{check.name}`]({check.name}.md) | {check.force.value} | {check.promise} | {unless} |"
