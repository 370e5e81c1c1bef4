"""Copies of a training set, written as a data directory of their own with 16-bit WAV files.

Each copy is a cut that Lhotse transforms and mixes, after Kaldi's reverberate_data_dir.py,
augment_data_dir.py and perturb_data_dir_{speed,volume}.sh. It depends on the seed, its id and the
recordings to choose from, not on the order of work.
"""

import gzip
import json
import logging
import math
import pickle
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile
from lhotse.audio.utils import AudioLoadingError, DurationMismatchError
from lhotse.cut import Cut
from tqdm import tqdm

from deep_speaker.config import AugmentedCopies, Experiment
from deep_speaker.copies.joining import make_record, write_record
from deep_speaker.copies.mixing import cut_of_copy, label
from deep_speaker.copies.reading import load_cut, with_commands
from deep_speaker.copies.sources import Sources, find_sources, generator_of
from deep_speaker.corpora.manifest_lines import manifest_path
from deep_speaker.corpora.manifests import write_manifests
from deep_speaker.corpora.sorted_utterances import SortedUtterances
from deep_speaker.kaldi.audio import segment_bounds
from deep_speaker.kaldi.data_dir import read_utterances, write_data_dir
from deep_speaker.kaldi.tables import iterate_keys
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.kaldi.wav_entries import AudioInfo
from deep_speaker.system.bad_items import check_bad_items
from deep_speaker.system.errors import describe_error
from deep_speaker.system.files import replacing_directory, replacing_path
from deep_speaker.system.names import file_name
from deep_speaker.system.processes import map_in_processes
from deep_speaker.system.sorting import sort_lines
from deep_speaker.validation.data_dirs import validate_data_dir

BATCH = 16  # utterances that a process takes at a time
SUFFIXES = {"reverberation": "reverb", "noise": "noise", "music": "music", "babble": "babble"}
# Lhotse raises these for audio that it cannot read.
LOADING_ERRORS = (AudioLoadingError, DurationMismatchError, ValueError, OSError, AssertionError)


@dataclass(frozen=True)
class Plan:
    """The options of all processes, and where they write; the sources lie in a file."""

    options: AugmentedCopies
    kinds: tuple[str, ...]
    seed: int
    sampling_rate: int
    partial_folder: Path
    folder: Path

    @property
    def sources(self) -> Path:
        """The file of the sources."""
        return self.partial_folder / "sources.pickle"


@dataclass(frozen=True)
class Copy:
    """A copy that has been written; `cut` is Lhotse's description of it, a line of JSON."""

    utterance: Utterance
    original: str
    kind: str
    cut: str
    lowered: bool


def write_copies(
    train_dir: Path,
    output: Path,
    experiment: Experiment,
    folders: tuple[Path | None, Path | None],
    num_jobs: int,
) -> None:
    """Write the data directory of an experiment's copies, with wav/ and utt2uniq, and manifests.

    The manifest of cuts says how each copy was mixed: Lhotse can mix it again from that.

    Args:
        folders: of noise and of rooms; see `find_sources`.

    Raises:
        ValueError: the experiment has no copies, sources are missing, no copy is drawn, or too
            many are bad. Nothing is changed then.
    """
    options = experiment.augmented_copies
    if options is None:
        raise ValueError("the config has no augmented_copies: nothing to make")
    rate, seed = experiment.features.sampling_rate, experiment.seed
    with replacing_directory(output) as partial_folder:
        _check_copy_ids(train_dir, options)
        sources = find_sources(
            options.kinds, folders, train_dir, partial_folder / "simulated", rate, seed, num_jobs
        )
        kinds = tuple(kind for kind in options.kinds if sources.has(kind))
        plan = Plan(options, kinds, seed, rate, partial_folder.absolute(), output.absolute())
        plan.sources.write_bytes(pickle.dumps(sources))
        made = _make_all_copies(train_dir, plan, num_jobs)
        copies = SortedUtterances(partial_folder / "copies", made)
        write_data_dir(partial_folder, copies)
        sort_lines(partial_folder / "utt2uniq")
        write_record(partial_folder, make_record(experiment))
        validate_data_dir(partial_folder)
        write_manifests(output, copies)
        with replacing_path(manifest_path(output, "cuts")) as manifest:
            (partial_folder / "cuts.jsonl.gz").replace(manifest)
        (partial_folder / "copies").unlink()
        plan.sources.unlink()


def _check_copy_ids(train_dir: Path, options: AugmentedCopies) -> None:
    """Refuse utterances that have the id of another one's copy, before any copy is mixed."""
    ends = tuple(f"-{SUFFIXES[kind]}" for kind in options.kinds)
    keys = iterate_keys(train_dir / "utt2spk")
    named = {key.rpartition("-")[0]: key for key in keys if ends and key.endswith(ends)}
    for key in iterate_keys(train_dir / "utt2spk"):
        if key in named:
            raise ValueError(
                f"{train_dir}: {named[key]!r} has the id of a copy of {key!r}: rename one"
            )


def _make_all_copies(train_dir: Path, plan: Plan, num_jobs: int) -> Iterator[Utterance]:
    """Make the copies, write their originals and cuts beside them, and yield them unsorted."""
    counts: Counter[str] = Counter()
    bad: dict[str, str] = {}
    seconds = 0.0
    with (
        (plan.partial_folder / "utt2uniq").open("w", encoding="utf-8") as utt2uniq,
        gzip.open(plan.partial_folder / "cuts.jsonl.gz", "wt", encoding="utf-8") as cuts,
    ):
        batches = _batches(train_dir, num_jobs)
        for found in map_in_processes(partial(make_copies, plan), batches, num_jobs):
            for copy in found:
                if isinstance(copy, tuple):
                    bad |= dict([copy])
                    continue
                counts.update([copy.kind, *(["lowered"] if copy.lowered else [])])
                seconds += copy.utterance.duration
                utt2uniq.write(f"{copy.utterance.id} {copy.original}\n")
                cuts.write(copy.cut + "\n")
                yield copy.utterance
    lowered = counts.pop("lowered", 0)
    check_bad_items(bad, counts.total() + len(bad), "copies", "mend or remove the files")
    if not counts:
        raise ValueError(
            "no copies were drawn: raise augmented_copies.copies_per_utterance, or name kinds with "
            "sources"
        )
    listed = ", ".join(
        f"{count} {kind}" if kind in SUFFIXES else f"{count} at speed {kind}"
        for kind, count in sorted(counts.items())
    )
    logging.info("%s: %s; %.2f h", plan.folder, listed, seconds / 3600)
    if lowered:
        logging.info("%s: %d copies were lowered, to avoid clipping", plan.folder, lowered)


def _batches(train_dir: Path, num_jobs: int) -> Iterator[list[Utterance]]:
    yield []  # the processes start with this batch, before the threads that read headers
    utterances = read_utterances(train_dir, num_jobs, decoded=True)
    items = iter(tqdm(utterances, "copies", unit="utt", disable=None, leave=False))
    while batch := list(islice(items, BATCH)):
        yield batch


@lru_cache(maxsize=1)
def read_sources(path: Path) -> Sources:
    """Read the sources that `write_copies` has found, once in each process."""
    return pickle.loads(path.read_bytes())


def make_copies(plan: Plan, utterances: list[Utterance]) -> list[Copy | tuple[str, str]]:
    """Write the copies of some utterances; of a bad one, return its id and the reason."""
    sources = read_sources(plan.sources)
    made: list[Copy | tuple[str, str]] = []
    for original in utterances:
        for kind, copy_id, speaker, rng in draw_copies(original, plan):
            try:
                cut = cut_of_copy(original, kind, sources, plan.options, plan.sampling_rate, rng)
                made.append(_write_copy(cut, original, kind, copy_id, speaker, plan))
            except LOADING_ERRORS as error:
                made.append((copy_id, describe_error(error)))
    return made


def draw_copies(
    original: Utterance, plan: Plan
) -> Iterator[tuple[str, str, str, np.random.Generator]]:
    """Draw the copies of an utterance: kind, id, speaker, and a random generator to make each.

    The kind of a copy at another speed is that speed.
    """
    share = min(1, plan.options.copies_per_utterance / max(1, len(plan.kinds)))
    for kind in plan.kinds:
        copy_id = f"{original.id}-{SUFFIXES[kind]}"
        rng = generator_of(plan.seed, copy_id)
        if rng.random() < share:
            yield kind, copy_id, original.speaker, rng
    for speed in plan.options.speeds:
        copy_id = f"sp{speed:g}-{original.id}"
        rng = generator_of(plan.seed, copy_id)
        yield f"{speed:g}", copy_id, f"sp{speed:g}-{original.speaker}", rng


def _fit_length(samples: np.ndarray, original: Utterance, sampling_rate: int) -> np.ndarray:
    """Cut or pad to the samples that stage 1 has of the original: Lhotse may give one less."""
    info, segment = original.info, original.segment
    start, end = (segment.start, segment.end) if segment else (0.0, None)
    first, last = segment_bounds(info.sampling_rate, info.num_samples, start, end)
    count = math.ceil((last - first) * sampling_rate / info.sampling_rate)
    return np.pad(samples[:count], (0, max(0, count - len(samples))))


def _write_copy(
    cut: Cut, original: Utterance, kind: str, copy_id: str, speaker: str, plan: Plan
) -> Copy:
    samples = load_cut(cut)
    if kind in SUFFIXES:
        samples = _fit_length(samples, original, plan.sampling_rate)
    peak = float(np.abs(samples).max())
    if not 0 < peak < np.inf:  # refuses NaN too
        raise ValueError("silent, or not of finite numbers, as one of its sources may be")
    if peak > 1:
        cut, samples = cut.perturb_volume(1 / peak, affix_id=False), samples / peak
    place = Path("wav", file_name(speaker), f"{file_name(copy_id)}.wav")
    (plan.partial_folder / place).parent.mkdir(parents=True, exist_ok=True)
    coded = np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)
    soundfile.write(plan.partial_folder / place, coded, plan.sampling_rate, subtype="PCM_16")
    info = AudioInfo(plan.sampling_rate, len(coded), 1, "WAV", "PCM_16")
    utterance = Utterance(
        copy_id, speaker, str(plan.folder / place), info, original.sex, original.text
    )
    line = json.dumps(with_commands(label(cut, utterance).to_dict()), ensure_ascii=False)
    line = line.replace(str(plan.partial_folder), str(plan.folder))
    return Copy(utterance, original.id, kind, line, peak > 1)
