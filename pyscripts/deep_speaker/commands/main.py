"""The command `deep-speaker` and its subcommands."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from deep_speaker.commands import (
    embed,
    enrol,
    export,
    identify,
    serve,
    speakers,
    track,
    verify,
)
from deep_speaker.commands.options import PROGRAM
from deep_speaker.system.command import ending_in_one_line

DESCRIPTION = """Tell voices apart: whether two recordings have one voice, and whose voice it is.

    deep-speaker verify a.wav b.wav
    deep-speaker enrol ana ana1.wav ana2.flac
    deep-speaker identify unknown.wav
    deep-speaker track --cluster meeting.wav

Each command has its own --help. Exit status: 0, whatever the answer; 1, a recording, model or
folder was refused; 2, wrong options."""
# Each with a docstring, of which the first line is its summary, `add_options` and `run`. They
# import what takes long (torch, pydantic, scipy) when they run: --help is for people who wait.
COMMANDS: dict[str, ModuleType] = {
    "verify": verify,
    "enrol": enrol,
    "identify": identify,
    "speakers": speakers,
    "track": track,
    "embed": embed,
    "export": export,
    "serve": serve,
}


def main(words: Sequence[str] | None = None) -> None:
    """Run a command line; None: that of this process."""
    logging.basicConfig(format=f"{PROGRAM}: %(message)s")
    options = build_parser().parse_args(words)
    with ending_in_one_line(PROGRAM):
        run(options)


def run(options: argparse.Namespace) -> None:
    """Run the command of parsed options."""
    try:
        options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # as of `| head`: who reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; `run` in what it parses takes that."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(PROGRAM, description=DESCRIPTION, formatter_class=plain)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        text = module.__doc__ or ""
        summary = text.splitlines()[0].rstrip(".")
        command = commands.add_parser(
            name, help=summary, description=text, formatter_class=plain, allow_abbrev=False
        )
        module.add_options(command)
        command.set_defaults(run=module.run)
    return parser
