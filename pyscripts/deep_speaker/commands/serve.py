"""Serve a page on this machine: verify, enrol, identify and track in a browser.

    deep-speaker serve
    deep-speaker serve --speakers voices --port 8080

Prints the address, on 127.0.0.1, and serves until Ctrl-C. Nothing is asked of other machines, or
told to them. What is recorded or uploaded is deleted when the page is closed; of those who are
enrolled, numbers are kept and no audio.
"""

import argparse

from deep_speaker.commands.options import (
    add_model_option,
    add_speakers_option,
    model_of,
    port_number,
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_speakers_option(parser)
    add_model_option(parser)
    parser.add_argument(
        "--port", type=port_number, default=7860, help="of the address (default: %(default)s)"
    )


def run(options: argparse.Namespace) -> None:
    """Serve the page until told to stop."""
    from deep_speaker.page.serving import serve  # needs what takes long to import

    serve(model_of(options), options.speakers, options.port)
