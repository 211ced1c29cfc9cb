"""The code blocks of the docs, found and run, so that a page can not promise what the program does not do.

A comment before a fence says how to take the block that follows:

    <!-- illustration: why it is not run -->
    <!-- file: studies/measles/study.yaml -->      write the block there, for what follows on the page
    <!-- exit: 1 -->                               the commands are meant to end so

and one anywhere on a page says how to take the page: `<!-- page: slow -->`, `<!-- page: empty -->`
(start in an empty folder rather than in a copy of `examples/`).
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = Path(sysconfig.get_path("scripts"))

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w-]*)\s*$")
_DIRECTIVE = re.compile(r"^\s*<!-- (?P<name>illustration|file|exit): (?P<value>.+?) -->\s*$")
_PAGE = re.compile(r"<!-- page: ([a-z, ]+) -->")


@dataclass(frozen=True)
class Block:
    """One fenced block: where it is, what it is in, what it says, how to take it."""

    page: Path
    line: int
    language: str
    text: str
    directives: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}, line {self.line}"

    @property
    def is_illustration(self) -> bool:
        return "illustration" in self.directives


class BlockError(Exception):
    """A block did not do what its page says."""


def pages() -> list[Path]:
    """Every page a reader may copy from."""
    written = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in written if page.is_file()]


def page_directives(page: Path) -> set[str]:
    """What a page says about itself: `slow`, `empty`."""
    return {word.strip() for words in _PAGE.findall(page.read_text("utf-8")) for word in words.split(",")}


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    directives: dict[str, str] = {}
    opened: tuple[int, str, int] | None = None
    held: list[str] = []
    for number, line in enumerate(page.read_text("utf-8").splitlines(), start=1):
        fence = _FENCE.match(line)
        if opened is not None:
            start, language, indent = opened
            if fence and not fence["language"]:
                yield Block(page, start, language, "\n".join(held) + "\n", directives)
                opened, held, directives = None, [], {}
            else:
                held.append(line[indent:])
        elif fence:
            opened = (number, fence["language"], len(fence["indent"]))
        elif directive := _DIRECTIVE.match(line):
            directives = {**directives, directive["name"]: directive["value"]}
        elif line.strip():
            directives = {}


class Reader:
    """Somebody who follows one page from top to bottom, in a folder of their own."""

    def __init__(self, page: Path, folder: Path) -> None:
        self.page = page
        self.folder = folder
        self.here = folder
        self.namespace: dict[str, object] = {"__name__": page.stem.replace("-", "_")}
        if "empty" not in page_directives(page):
            ignored = shutil.ignore_patterns("runs", "site", ".*", "__pycache__")
            shutil.copytree(ROOT / "examples", folder, dirs_exist_ok=True, ignore=ignored)

    def follow(self) -> None:
        """Do what every block says that is not an illustration."""
        for block in blocks(self.page):
            if block.is_illustration:
                continue
            if "file" in block.directives:
                self.write(block)
            elif block.language == "python":
                self.run_python(block)
            elif block.language == "console":
                self.run_commands(block)
            elif block.language:
                raise BlockError(f"{block.place}: a block in `{block.language}` is neither a file nor an illustration")

    def write(self, block: Block) -> None:
        target = (self.here / block.directives["file"]).resolve()
        if self.folder.resolve() not in target.parents:
            raise BlockError(f"{block.place}: {target} is outside the folder of the page")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(block.text, "utf-8")

    def run_python(self, block: Block) -> None:
        before = Path.cwd()
        os.chdir(self.here)
        try:
            if block.text.lstrip().startswith(">>>"):
                self._run_examples(block)
            else:
                exec(compile(block.text, block.place, "exec"), self.namespace)
        except BlockError:
            raise
        except Exception as error:
            raise BlockError(f"{block.place}: {type(error).__name__}: {error}") from error
        finally:
            os.chdir(before)

    def _run_examples(self, block: Block) -> None:
        example = doctest.DocTestParser().get_doctest(
            block.text, self.namespace, block.place, str(self.page), block.line
        )
        said: list[str] = []
        result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=said.append, clear_globs=False)
        # A doctest works on a copy of the names; what it made is there for the blocks below.
        self.namespace.update(example.globs)
        if result.failed:
            raise BlockError(f"{block.place}:\n" + "".join(said))

    def run_commands(self, block: Block) -> None:
        for command, shown in commands(block.text):
            if command[0] == "cd":
                self.here = (self.here / command[1]).resolve()
                continue
            if command[0] not in {"modelworks", "cat", "ls"}:
                raise BlockError(f"{block.place}: `{command[0]}` is not run here; mark the block as an illustration")
            self._run_command(block, command, shown)

    def _run_command(self, block: Block, command: list[str], shown: list[str]) -> None:
        path = os.pathsep.join([str(SCRIPTS), os.environ.get("PATH", "")])
        environment = {**os.environ, "PATH": path, "COLUMNS": "100", "NO_COLOR": "1"}
        result = subprocess.run(
            command, cwd=self.here, env=environment, capture_output=True, text=True, timeout=900, check=False
        )
        wanted = int(block.directives.get("exit", "0"))
        said = f"{result.stdout}\n{result.stderr}"
        if result.returncode != wanted:
            raise BlockError(
                f"{block.place}: `{shlex.join(command)}` ended with {result.returncode}, not {wanted}:\n{said}"
            )
        if missing := first_missing(shown, said):
            raise BlockError(f"{block.place}: `{shlex.join(command)}` does not say `{missing}`, but:\n{said}")


def commands(text: str) -> list[tuple[list[str], list[str]]]:
    r"""Each command of a console block with the lines shown below it.

    >>> commands("$ modelworks list\nnothing yet\n$ cd studies\n")
    [(['modelworks', 'list'], ['nothing yet']), (['cd', 'studies'], [])]
    """
    found: list[tuple[list[str], list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((shlex.split(line[2:], comments=True), []))
        elif line.strip() and found:
            found[-1][1].append(line.strip())
    return found


def first_missing(shown: list[str], said: str) -> str:
    """The first shown line that was not said; `…` stands for anything within a line.

    >>> first_missing(["calibrated in … s", "next: …"], "calibrated in 48 s\\nnext: modelworks report")
    ''
    >>> first_missing(["fine"], "stop")
    'fine'
    """
    # Runs of blanks are one: a table may be laid out for a wider terminal than the page.
    flat = re.sub(r"[ \t]+", " ", said)
    for line in shown:
        pattern = ".*".join(re.escape(part) for part in re.sub(r"[ \t]+", " ", line).split("…"))
        if re.search(pattern, flat) is None:
            return line
    return ""
