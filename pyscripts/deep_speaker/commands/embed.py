"""Write the embeddings of recordings into a file.

    deep-speaker embed *.wav --output embeddings.ark     # Kaldi's, with embeddings.scp beside
    deep-speaker embed *.wav --output embeddings.npz     # numpy's: arrays keys and embeddings
    deep-speaker embed a.wav b.flac --output embeddings.csv

The key of a recording is its file's name without suffix, spaces as _; where two are equal, the
later one gets -2, and so on. Recordings that are refused are left out; then the exit status is 1.
The cosine of two embeddings tells how alike two voices are.
"""

import argparse
import sys
from pathlib import Path

from deep_speaker.commands.hearing import hear_each
from deep_speaker.commands.options import (
    add_channel_option,
    add_json_option,
    add_model_option,
    model_of,
)
from deep_speaker.commands.wording import print_json
from deep_speaker.voices.vector_files import WRITERS, unique_keys


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("files", type=Path, nargs="+", help="recordings")
    parser.add_argument(
        "--output", type=output_file, required=True, help=f"file to write: {', '.join(WRITERS)}"
    )
    add_channel_option(parser)
    add_model_option(parser)
    add_json_option(parser)


def output_file(text: str) -> Path:
    """Read the path of a file that can be written, for argparse."""
    if Path(text).suffix not in WRITERS:
        raise argparse.ArgumentTypeError(f"{text!r} does not end in {', '.join(WRITERS)}")
    return Path(text)


def run(options: argparse.Namespace) -> None:
    """Embed recordings and write them."""
    model = model_of(options)
    files = list(dict.fromkeys(options.files))
    keys = dict(zip(files, unique_keys(files), strict=True))
    vectors, refused = {}, {}
    for file, voice in hear_each(model, files, options.channel):
        if isinstance(voice, str):
            refused[str(file)] = voice
        else:
            vectors[keys[file]] = voice.vector
    if not vectors:
        raise ValueError(f"every recording was refused: {options.output} is not written")
    WRITERS[options.output.suffix](options.output, vectors)
    if options.json:
        written = {key: str(file) for file, key in keys.items() if key in vectors}
        content = {"output": str(options.output), "model": model.name, "keys": written}
        print_json(content | {"refused": refused})
    else:
        print(f"{len(vectors)} of {len(keys)} recordings embedded into {options.output}")
    if refused:
        sys.exit(1)
