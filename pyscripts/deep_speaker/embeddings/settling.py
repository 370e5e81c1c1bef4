"""The device and the precision of an extraction, settled before it begins."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

from deep_speaker.embeddings.extraction import (
    Extractor,
    in_processes,
    load_extractor,
    open_shards,
)
from deep_speaker.embeddings.inference import embed_pieces, for_inference
from deep_speaker.networks.devices import choose_device, has_bfloat16
from deep_speaker.networks.pace import PRECISIONS, Asked, Precision, Step, choose_pace

SAMPLED = 50  # utterances whose lengths tell which is a middling one


def settle(
    device: str, precision: Precision | None, extractors: Mapping[Path, Extractor]
) -> dict[Path, Extractor]:
    """Choose the device and the precision of a run, on a machine that is to embed.

    Args:
        extractors: by output.
    """
    chosen = choose_device(device)
    settled = {folder: replace(each, device=chosen) for folder, each in extractors.items()}
    asked = precision or find_precision(settled)
    precision = choose_precision(next(iter(settled.values())), asked)
    return {folder: replace(each, precision=precision) for folder, each in settled.items()}


def choose_precision(extractor: Extractor, asked: Precision | None) -> Precision:
    """Choose the precision of a run's embeddings, which are compared with each other, and say so.

    The experiment's `extraction.precision` holds if it is float32. Else it is what is asked for, or
    what takes an utterance of a middling length less time: on a CPU on one thread, as in a worker.
    """
    if extractor.experiment.extraction.precision == "float32":
        if asked == "bfloat16":
            logging.info("extraction.precision of the config is float32: --precision gives way")
        asked = "float32"
    threads = 1 if in_processes(extractor.device) else None
    pace, said = choose_pace(extractor.device, Asked(asked, threads), lambda: make_trial(extractor))
    logging.info("extraction: %s", said)
    return pace.precision


def make_trial(extractor: Extractor) -> Step:
    """Return what embeds an utterance that is neither short nor long."""
    network, reader = load_extractor(extractor)  # not to be kept: workers open files of their own
    utterances = reader.source.utt2spk
    step = -(-len(utterances) // SAMPLED)
    some = sorted(islice(utterances, None, None, step), key=reader.source.num_voiced)
    pieces = list(reader.read(some[len(some) // 2]))
    networks = {
        precision: for_inference(network, extractor.device, precision) for precision in PRECISIONS
    }
    options = extractor.experiment.extraction
    return lambda pace: embed_pieces(networks[pace.precision], pieces, options, extractor.device)


def find_precision(extractors: Mapping[Path, Extractor]) -> Precision | None:
    """Return the precision of the shards that an earlier call has left, by output; None: of none.

    A trial may choose another one: all would then be embedded anew.
    """
    for output, extractor in extractors.items():
        known = PRECISIONS if has_bfloat16(extractor.device) else PRECISIONS[-1:]
        for precision in known if extractor.checkpoint.is_file() else ():
            if open_shards(replace(extractor, precision=precision), output).begun():
                return precision
    return None
