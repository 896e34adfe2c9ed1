"""Reads the config of a callback from the shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from noether_testkit.errors import SubjectError

_EXAMPLE = "Give a mapping such as '{\"every_n_updates\": 2}' or 'every_n_updates: 2', or the path of a file with one."
_SUFFIXES = (".json", ".yaml", ".yml")


def read_config(text: str) -> dict[str, Any]:
    """Returns the config in a file, or in the text itself; JSON is YAML, too.

    Raises:
        SubjectError: There is no such file, it is neither JSON nor YAML, or it is no mapping.
    """
    import yaml

    file = _file(text)
    origin = "--config" if file is None else f"--config {file}"
    try:
        config = yaml.safe_load(text if file is None else file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise SubjectError(f"{origin} is neither JSON nor YAML: {_first_line(error)} {_EXAMPLE}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SubjectError(f"{origin} cannot be read: {error}.") from None
    if not isinstance(config, dict):
        raise SubjectError(f"{origin} is no mapping, but {type(config).__name__}: {config!r}. {_EXAMPLE}")
    return config


def _file(text: str) -> Path | None:
    """Returns the file that a text names, or `None` for a text that is the config itself."""
    if "\n" in text or ":" in text or "{" in text:
        return None
    path = Path(text)
    if path.suffix in _SUFFIXES and not path.is_file():
        raise SubjectError(f"--config names the file {text}, but there is none.")
    return path if path.is_file() else None


def _first_line(error: Exception) -> str:
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
    return f"{problem or str(error).splitlines()[0]}{where}."
