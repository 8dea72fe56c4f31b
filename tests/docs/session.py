"""A session: a page's blocks, one after the other, in a folder of their own."""

import doctest
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from featurestore.storage.embedded import store_url
from tests.conftest import free_port
from tests.docs.blocks import Block, Command, commands_of, matches

PORT = "8000"  # what pages say; a free one is taken in its place
SECONDS = 60.0
_AGAIN_SECONDS = 15.0
_TO_READ = ("curl -s 'localhost", "curl -s localhost:8000/v1/features", "featurestore get")


@dataclass
class Session:
    """Runs blocks.

    Attributes:
        folder: The folder it works in.
        store: Keeps the folder's server running between commands, once `keep_store` was called.
    """

    folder: Path
    store: ExitStack = field(default_factory=ExitStack)
    names: dict[str, object] = field(default_factory=lambda: {"__name__": "__page__"})
    _port: str = field(default_factory=lambda: str(free_port()))
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def keep_store(self) -> None:
        """Use the folder's server all the time: commands join it, which is quicker."""
        self.store.enter_context(store_url(None, self.folder / ".featurestore"))

    def run(self, block: Block) -> None:
        """Do what a block says, and make sure that what it shows is what comes."""
        if block.name is not None:
            (self.folder / block.name).write_text(self._here(block.text))
        elif block.language == "console":
            for command in commands_of(block):
                self._command(command, block.line)
        elif block.language == "python":
            self._python(block)

    def close(self) -> None:
        """End what still runs."""
        for process in reversed(self._running):
            os.killpg(process.pid, signal.SIGTERM)
        for process in self._running:
            assert process.wait(SECONDS) == 0, process.args
        self.store.close()

    def _environment(self) -> dict[str, str]:
        """Return what commands see: no store of someone's own, and as for a user no pandas.

        pyarrow loads it wherever it is installed, which takes a third of a short command.
        """
        absent = self.folder / ".absent"
        absent.mkdir(exist_ok=True)
        (absent / "pandas.py").write_text("raise ImportError('a user has none')\n")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        kept = {name: os.environ[name] for name in os.environ if name != "FEATURESTORE_REDIS_URL"}
        terminal = {"COLUMNS": "100", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
        return kept | terminal | {"PATH": path, "PYTHONPATH": str(absent)}

    def _here(self, text: str) -> str:
        return text.replace(f":{PORT}", f":{self._port}").replace(
            f"port {PORT}", f"port {self._port}"
        )

    def _command(self, command: Command, line: int) -> None:
        text, shown = self._here(command.text), self._here(command.shown)
        if text.endswith(" &"):
            log = self.folder / f"log-{len(self._running)}"
            self._running.append(self._start(text.removesuffix(" &"), log))
            _settle(log.read_text, shown, command.text, line, SECONDS)
        else:
            seconds = _AGAIN_SECONDS if command.text.startswith(_TO_READ) else 0
            _settle(lambda: self._printed(text, line), shown, command.text, line, seconds)

    def _printed(self, command: str, line: int) -> str:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, (
            f"line {line}: {command} ended with {done.returncode}:\n{done.stdout}"
        )
        return done.stdout

    def _start(self, command: str, log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as out:
            return subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def _python(self, block: Block) -> None:
        if ">>>" not in block.text:
            exec(compile(block.text, f"line {block.line}", "exec"), self.names)
            return
        test = doctest.DocTestParser().get_doctest(
            block.text, self.names, f"line {block.line}", None, block.line
        )
        runner = doctest.DocTestRunner(
            optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE, verbose=False
        )
        said = StringIO()
        runner.run(test, out=said.write, clear_globs=False)
        self.names |= test.globs
        assert not runner.failures, said.getvalue()


def _settle(
    printed: Callable[[], str], shown: str, command: str, line: int, seconds: float
) -> None:
    """Look at what is printed until it is what is shown; nothing shown asks for nothing."""
    until = time.monotonic() + seconds
    while not matches(shown or "…", came := printed()):
        if time.monotonic() > until:
            msg = f"line {line}: $ {command}\nshown:\n{shown}\nbut it printed:\n{came}"
            raise AssertionError(msg)
        time.sleep(0.1)
