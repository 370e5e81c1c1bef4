"""Commands that a corpus has in place of files: counted and told, or refused.

Kaldi's wav.scp and Lhotse's sources `command` may hold such, and a shell runs them whenever the
audio is read, in later stages too. Whoever gives such a corpus to others can run any program there.
"""

import argparse
import logging
from collections.abc import Iterable

from deep_speaker.kaldi.wav_entries import runs_shell

CHOICES = ("run", "refuse")


def add_commands_option(parser: argparse.ArgumentParser) -> None:
    """Add --commands, for corpora that may hold such."""
    parser.add_argument(
        "--commands",
        choices=CHOICES,
        default=CHOICES[0],
        help="in place of audio files: let a shell run them, or refuse such a corpus, which fits "
        "one from elsewhere (default %(default)s)",
    )


class Commands:
    """The commands among a corpus's recordings.

    Args:
        choice: of --commands.
    """

    def __init__(self, choice: str) -> None:
        self._refused = choice == "refuse"
        self._first = ""
        self._found: set[int] = set()  # hashes: several utterances may lie in one recording

    def check(self, where: str, entry: str) -> None:
        """Count an entry of wav.scp if it is a command; those decoded without a shell are none.

        Raises:
            ValueError: it is one, and they are refused.
        """
        if not runs_shell(entry):
            return
        if self._refused:
            raise ValueError(
                f"{where}: a command, which a shell would run: {entry!r}: name an audio file, or "
                "take --commands run if you trust the corpus"
            )
        self._first = self._first or entry
        self._found.add(hash(entry))

    def tell(self, where: str) -> None:
        """Log how many there are, and the first."""
        if self._found:
            logging.warning(
                "%s: %d recordings are commands, which a shell runs whenever they are read "
                "(--commands refuse: to refuse them), first: %s",
                where, len(self._found), self._first,
            )  # fmt: skip


def check_commands(where: str, entries: Iterable[tuple[str, str]], choice: str) -> None:
    """Count and tell the commands of recordings (id, entry of wav.scp), or refuse them.

    Raises:
        ValueError: see `Commands.check`.
    """
    commands = Commands(choice)
    for key, entry in entries:
        commands.check(f"{where}: {key!r}", entry)
    commands.tell(where)
