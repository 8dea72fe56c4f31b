"""The fenced blocks of a page, and what a test makes of them.

=======================  ==========================================================================
```` ```console ````     commands behind ``$ ``, run by a shell in the page's folder; what follows
                         a command is what it must print. A line that ends in a backslash goes on
                         in the next. A command that ends in `` &`` goes on running until the page
                         ends.
```` ```python x.py ````  a file of that name; the same for json, jsonl, toml …
```` ```python ````      run in this process, names shared by the page; with ``>>>`` a doctest
```` ```text ````        a picture; not run
```` ```sh ````          not run: only what installs or needs a whole checkout (see `test_pages`)
=======================  ==========================================================================

``…`` in what is shown stands for anything.
"""

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(\w+)(?: +(\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: The word behind the fence.
        name: The file name behind that, if any.
        text: What is inside.
        line: Where it starts in the page.
    """

    language: str
    name: str | None
    text: str
    line: int


@dataclass(frozen=True)
class Command:
    """A command of a console block, and what it must print."""

    text: str
    shown: str


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(language, name or None, inside, text[: found.start()].count("\n") + 1)
        for found in _FENCE.finditer(text)
        for language, name, inside in [found.groups()]
    ]


def commands_of(block: Block) -> list[Command]:
    """Split a console block.

    >>> block = Block("console", None, "$ echo a \\\\\\n  b\\na b\\n$ true\\n", 1)
    >>> [(c.text, c.shown) for c in commands_of(block)]
    [('echo a \\\\\\n  b', 'a b'), ('true', '')]
    """
    commands = []
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        found = re.match(r"((?:[^\n]*\\\n)*[^\n]*)\n?(.*)", part, re.DOTALL)
        assert found is not None
        commands.append(Command(found[1], found[2].strip("\n")))
    return commands


def matches(shown: str, printed: str) -> bool:
    """Tell whether a page shows what was printed.

    >>> matches("took … ms", "took 3 ms"), matches("a", "b")
    (True, False)
    """
    pattern = ".*".join(re.escape(part) for part in _stripped(shown).split("…"))
    return re.fullmatch(pattern, _stripped(printed), re.DOTALL) is not None


def _stripped(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())
