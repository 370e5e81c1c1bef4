"""Options that run.sh passes to every local/prepare_<corpus>.py."""

import argparse
from pathlib import Path

from deep_speaker.system.command import add_jobs_option, positive_int, resolved_path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every corpus has."""
    parser.add_argument("output", type=Path, help="data/<name>, the folder to write")
    parser.add_argument("--data-seed", type=int, default=0, help="of splits and trials (default 0)")
    parser.add_argument(
        "--trials",
        choices=("all", "balanced"),
        default="all",
        help="all pairs up to --max-trials, or as many targets as nontargets (default all)",
    )
    parser.add_argument("--max-trials", type=positive_int, default=200000)
    parser.add_argument(
        "--trial-lists",
        type=resolved_path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="in place of drawn trials; in Kaldi's, voxceleb_trainer's or WeSpeaker's form",
    )
    parser.add_argument(
        "--enrolments",
        type=positive_int,
        nargs="+",
        default=[],
        metavar="N",
        help="draw trials of speakers enrolled with N utterances each, too",
    )
    parser.add_argument(
        "--identification",
        action="store_true",
        help="draw trials of all test utterances against all test speakers, too (closed set)",
    )
    add_jobs_option(parser)


def add_folder_options(
    parser: argparse.ArgumentParser, corpus_dir: str, train_dir: str = "", test_dir: str = ""
) -> None:
    """Add --corpus-dir; and --train-dir and --test-dir, which may replace it, if given a help.

    The second may stand alone: weights that are only judged need no training speakers.
    """
    parser.add_argument("--corpus-dir", type=resolved_path, required=not train_dir, help=corpus_dir)
    for name, text in (("train", train_dir), ("test", test_dir)):
        if text:
            parser.add_argument(f"--{name}-dir", type=resolved_path, help=text)


def explain_folders(corpus: str, more: str = "") -> str:
    """Say which folders a corpus takes, to end an error."""
    return (
        f"corpus {corpus!r} needs --corpus-dir{more}, or both --train-dir and --test-dir, or, to "
        "judge published weights (--initial-model), --test-dir alone"
    )


def add_share_option(parser: argparse.ArgumentParser) -> None:
    """Add --test-share, for corpora without test speakers; see `choose_test_speakers`."""
    parser.add_argument(
        "--test-share", type=float, default=0.2, help="share of the speakers to test (default 0.2)"
    )


def describe_options(options: argparse.Namespace) -> dict[str, str]:
    """Return the options that decide what a corpus becomes, as words, without those not given."""
    words = {
        name: " ".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in vars(options).items()
        if name not in ("output", "nj") and value is not None and value is not False
    }
    return {name: value for name, value in words.items() if value}
