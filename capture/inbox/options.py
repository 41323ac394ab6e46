"""What the file of inboxes says of one of them, read word by word; every problem is noted, not just the first."""

import re
from pathlib import Path
from typing import Any


class Options:
    """The table of one inbox, or what another `kind` of thing says. A word that nobody asked for is a problem too (`leftover`).

    Without `opens` nothing looks whether the files that it names can be read.
    """

    def __init__(
        self, name: str, facts: dict[str, Any], folder: Path, problems: list[str], kind: str = "inbox", *, opens: bool = True
    ) -> None:
        self.name, self._facts, self._folder, self._problems, self._kind = name, facts, folder, problems, kind
        self._opens = opens
        self._asked: set[str] = set()

    def text(self, word: str, default: str | None = None, *, form: str = ".+", like: str = "a text") -> str:
        """A text of that form; one without a default must be there."""
        value = self._take(word, default)
        if value == default and default is not None:
            return default
        if not isinstance(value, str) or not re.fullmatch(form, value):
            self.problem(f"{word} must be {like}" if value is not None else f"{word} is not set")
            return ""
        return value

    def number(self, word: str, default: int, *, low: int, high: int) -> int:
        """A whole number within limits."""
        value = self._take(word, default)
        if type(value) is not int or not low <= value <= high:
            self.problem(f"{word} must be a whole number from {low:,} to {high:,}")
            return default
        return value

    def flag(self, word: str, *, default: bool) -> bool:
        """True or false."""
        value = self._take(word, default)
        if type(value) is not bool:
            self.problem(f"{word} must be true or false")
            return default
        return value

    def names(self, word: str, *, form: str, like: str) -> tuple[str, ...]:
        """A list of texts of that form; empty without the word. A list that says nothing is a problem: it may mean all, or none."""
        value = self._take(word, None)
        if value is None:
            return ()
        if not isinstance(value, list) or not value or not all(isinstance(one, str) and re.fullmatch(form, one) for one in value):
            self.problem(f"{word} must be a list of {like}")
            return ()
        return tuple(value)

    def table(self, word: str, *, key: str, form: str, like: str) -> dict[str, str]:
        """A table of texts: keys and values of those forms, or none."""
        value = self._take(word, {})
        if not isinstance(value, dict) or not all(re.fullmatch(key, k) and re.fullmatch(form, str(v)) for k, v in value.items()):
            self.problem(f"{word} must be a table of {like}")
            return {}
        return {str(k): str(v) for k, v in value.items()}

    def file(self, word: str, *, needed: bool = False) -> Path | None:
        """A file that can be read and is not empty, beside the file of inboxes or by its whole path."""
        value = self._take(word, None)
        if value is None:
            if needed:
                self.problem(f"{word} is not set")
            return None
        path = self._folder / str(value)
        try:
            if self._opens and not path.read_bytes().strip():
                self.problem(f"{word}: {path} is empty")
        except (OSError, ValueError) as error:
            self.problem(f"{word}: {path} cannot be read: {getattr(error, 'strerror', None) or error}")
        return path

    def problem(self, what: str) -> None:
        """Note what is not right."""
        self._problems.append(f"{self._kind} {self.name}: {what}")

    def leftover(self) -> None:
        """Note the words that nobody asked for."""
        for word in sorted(self._facts.keys() - self._asked):
            self.problem(f"{word!r} is not a word of this kind of {self._kind}")

    def _take(self, word: str, default: Any) -> Any:
        self._asked.add(word)
        return self._facts.get(word, default)
