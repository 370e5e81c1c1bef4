"""Mixing of copies: cuts of Lhotse, with random noises, rooms and levels."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from lhotse import SupervisionSegment
from lhotse.cut import Cut, MonoCut
from lhotse.utils import fastcopy
from numpy.random import Generator

from deep_speaker.config import AugmentedCopies
from deep_speaker.copies.reading import as_read_here
from deep_speaker.copies.sources import Sources
from deep_speaker.kaldi.utterances import Utterance

Choice = TypeVar("Choice")


def cut_of_copy(
    original: Utterance,
    kind: str,
    sources: Sources,
    options: AugmentedCopies,
    sampling_rate: int,
    rng: Generator,
) -> Cut:
    """Make a copy of an utterance, as a cut that Lhotse mixes when it is loaded.

    The copy is as long as the original, unless its `kind` is a speed.
    """
    cut: Cut = as_cut(original, sampling_rate)
    if kind in MIXERS:
        cut = MIXERS[kind](cut, original, sources, options, rng)
    else:
        cut = cut.perturb_speed(float(kind), affix_id=False)
    if options.volume:
        cut = cut.perturb_volume(rng.uniform(*options.volume), affix_id=False)
    return cut


def reverberate(
    cut: Cut, original: Utterance, sources: Sources, options: AugmentedCopies, rng: Generator
) -> Cut:
    """Reverberate by a room's impulse response from the direct sound on, and keep the power."""
    room = as_read_here(choose(sources.reverberation, rng))
    if room.sampling_rate != cut.sampling_rate:
        room = room.resample(cut.sampling_rate)
    return cut.reverb_rir(room, affix_id=False)


def add_noises(
    cut: Cut, original: Utterance, sources: Sources, options: AugmentedCopies, rng: Generator
) -> Cut:
    """Add noises one after the other, with pauses between them: Kaldi's foreground noises."""
    start = 0.0
    while start < cut.duration:
        noise = from_some_place(as_cut(choose(sources.noise, rng), cut.sampling_rate), cut, rng)
        cut = mix(cut, noise, start, choose(options.noise_snrs_db, rng))
        start += noise.duration + options.noise_interval_s
    return cut


def add_music(
    cut: Cut, original: Utterance, sources: Sources, options: AugmentedCopies, rng: Generator
) -> Cut:
    """Add a piece of music to all of the utterance."""
    piece = choose(sources.music, rng)
    return add_background(cut, piece, choose(options.music_snrs_db, rng), rng)


def add_babble(
    cut: Cut, original: Utterance, sources: Sources, options: AugmentedCopies, rng: Generator
) -> Cut:
    """Add some other speakers to all of the utterance; all of them if they are few."""
    others = [speaker for speaker in sources.babble if speaker != original.speaker]
    fewest, most = options.babble_speakers
    count = min(int(rng.integers(fewest, most + 1)), len(others))
    for i in rng.choice(len(others), count, replace=False):
        said = choose(sources.babble[others[i]], rng)
        cut = add_background(cut, said, choose(options.babble_snrs_db, rng), rng)
    return cut


def add_background(cut: Cut, added: Utterance, snr_db: float, rng: Generator) -> Cut:
    """Add a recording from a random place on, then from its beginning, up to the end."""
    background = from_some_place(as_cut(added, cut.sampling_rate), cut, rng)
    start = 0.0
    while start < cut.duration:
        cut = mix(cut, background, start, snr_db)
        start += background.duration
    return cut


def from_some_place(added: MonoCut, cut: Cut, rng: Generator) -> MonoCut:
    """Cut a recording that is longer than the utterance at a random place; keep another whole."""
    offset = rng.uniform(0, max(0.0, added.duration - cut.duration))
    return added.truncate(offset=offset, preserve_id=True) if offset else added


def mix(cut: Cut, added: MonoCut, start: float, snr_db: float) -> Cut:
    """Add a cut from `start` seconds on, as much of it as fits.

    The ratio is of mean powers, of the whole utterance to the added cut, pauses included, as
    Lhotse and Kaldi have it.
    """
    left = cut.duration - start
    if left < 1 / cut.sampling_rate:
        return cut
    if added.duration > left:
        added = added.truncate(duration=left, preserve_id=True)
    return cut.mix(added, offset_other_by=start, snr=snr_db, preserve_id="left")


def choose(items: Sequence[Choice], rng: Generator) -> Choice:
    """Choose one of some items, all equally likely."""
    return items[int(rng.integers(len(items)))]


Mixer = Callable[[Cut, Utterance, Sources, AugmentedCopies, Generator], Cut]
MIXERS: dict[str, Mixer] = {
    "reverberation": reverberate,
    "noise": add_noises,
    "music": add_music,
    "babble": add_babble,
}


def label(cut: Cut, copy: Utterance) -> Cut:
    """Give a cut the id of its copy, with speaker and text as a supervision."""
    speech = cut if isinstance(cut, MonoCut) else cut.tracks[0].cut
    segment = SupervisionSegment(
        copy.id, copy.id, 0, copy.duration, speech.channel, copy.text,
        speaker=copy.speaker, gender=copy.sex,
    )  # fmt: skip
    if speech is cut:
        return fastcopy(cut, id=copy.id, supervisions=[segment])
    first = fastcopy(cut.tracks[0], cut=fastcopy(cut.tracks[0].cut, supervisions=[segment]))
    return fastcopy(cut, id=copy.id, tracks=[first, *cut.tracks[1:]])


def as_cut(utterance: Utterance, sampling_rate: int) -> MonoCut:
    """Return an utterance, the channel of it that is heard, as a cut of Lhotse."""
    start = utterance.segment.start if utterance.segment else 0
    end = min(start + utterance.duration, utterance.info.duration)  # some segments reach past it
    recording = as_read_here(utterance)
    cut = MonoCut(utterance.id, start, end - start, utterance.channel, recording=recording)
    return cut if utterance.info.sampling_rate == sampling_rate else cut.resample(sampling_rate)
