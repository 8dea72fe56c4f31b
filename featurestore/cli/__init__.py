"""The command ``featurestore``.

Commands are loaded when they are called, so that help and a misspelt word cost nothing.
"""

import errno
import os
import signal
import sys
from importlib import import_module
from typing import NoReturn

import click

from featurestore.errors import BadContext, BadEntity, BadFeature, FeatureStoreError, hint

# Command, its help in a line: the module is named like the command. In the order of a first visit.
COMMANDS = {
    "demo": "See it all work on real events.",
    "check": "Validate definitions, and print what they define.",
    "run": "Read events and keep features up to date.",
    "serve": "Answer look-ups over HTTP, and take events in.",
    "get": "Print the vector of one entity as JSON.",
    "inspect": "Print the row of one entity: its events and its tiles.",
    "dead-letters": "Look at events that were rejected, replay them, or throw them away.",
    "forget": "Remove all that is held of one entity.",
    "audit": "Print what was changed by hand.",
}

EXAMPLE = """
A first visit, in a checkout:

\b
  featurestore check examples/flights/features.py
  featurestore run examples/flights/features.py --until-end \\
      --source departures=examples/flights/departures.parquet
  featurestore get examples/flights/features.py delay_risk_v1 --as-of 2013-04-01T04:00:00Z \\
      tailnum=N228JB carrier=B6 origin=JFK dest=BTV

DEFS is a file (features.py) or a module (shop.features). Without --redis, all commands in one
directory share a server of their own, its data in .featurestore/.
"""

_INTERRUPTED = 128 + signal.SIGINT
_TERMINATED = 128 + signal.SIGTERM
_BROKEN_PIPE = 128 + signal.SIGPIPE
_STREAMS = 3  # stdin, stdout, stderr


class Commands(click.Group):
    """A group whose commands are loaded when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name the commands, in the order of a first visit."""
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        """Load a command; None where there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command = getattr(import_module(f"{__name__}.{name}"), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command called; hints at the one that was probably meant."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            known = ", ".join(COMMANDS)
            ctx.fail(f"there is no command {name!r} (has: {known}){hint(name, COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the commands with a line each, without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=Commands,
    epilog=EXAMPLE,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="featurestore", message="featurestore %(version)s")
def cli() -> None:
    """Compute features from event streams, and ask for them right now.

    You write definitions in Python: a stream with its contract, views over windows, and the
    service that a model reads. The flow (run) keeps them up to date, the API (serve) answers.
    """


def main() -> NoReturn:
    """Run the command line; never shows a traceback for what a user can mend.

    Exits with 0 for success, 1 for a failure with its message on stderr, 2 for wrong usage, and
    with 128 and the signal's number where one ended it.
    """
    signal.signal(signal.SIGTERM, _terminate)
    _open_streams()
    try:
        code = cli.main(prog_name="featurestore", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except FeatureStoreError as error:
        click.echo(f"featurestore: {_plainly(error)}", err=True)
        code = 1
    except (click.Abort, KeyboardInterrupt):
        code = _INTERRUPTED
    except BrokenPipeError:  # who read our output has gone
        _drop_output()
        code = _BROKEN_PIPE
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _drop_output()
        click.echo(f"featurestore: cannot write: {error.strerror}", err=True)
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _open_streams() -> None:
    """Let a stdin, stdout or stderr that was closed lead nowhere.

    Else the next file opened takes its number, and programs started here take it for theirs.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) < _STREAMS:
        os.set_inheritable(number, True)  # noqa: FBT003 - it takes no keyword
    os.close(number)
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def _drop_output() -> None:
    """Let stdout lead nowhere: Python would complain once more when it closes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _plainly(error: FeatureStoreError) -> str:
    """Say what is wrong without the place in a request: a command asks for one entity.

    >>> _plainly(BadEntity(0, "key 'user_id' is missing")), _plainly(BadContext(0, "no 'amount'"))
    ("key 'user_id' is missing", "--context: no 'amount'")
    """
    match error:
        case BadEntity() | BadFeature():
            return error.problem
        case BadContext():
            return f"--context: {error.problem}"
    return str(error)


def _terminate(*_: object) -> NoReturn:
    """Leave as on Ctrl-C: what is open gets closed, the embedded server stopped."""
    sys.exit(_TERMINATED)
