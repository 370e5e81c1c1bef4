"""Random voices of espeak-ng, and random sentences of common English words."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

LANGUAGES = (
    "en-us", "en", "en-gb-x-rp", "en-gb-scotland",
    "en-029", "en-gb-x-gbclan", "en-us-nyc", "en-gb-x-gbcwmd",
)  # fmt: skip
# Mean and standard deviation per sex: lowest pitch in Hz, and the vocal-tract factor, which is the
# ratio of all formant frequencies to espeak-ng's own.
PITCH_LOW_HZ = {"m": (112.0, 18.0), "f": (165.0, 22.0)}
VOCAL_TRACT_FACTOR = {"m": (0.98, 0.05), "f": (1.10, 0.05)}
STRESS_LENGTHS = (182, 140, 220, 220, 0, 220, 248, 275)  # espeak-ng's own for English
WORDS_PER_SENTENCE = 7

WORD_LIST = """
    about above across after again air almost along animal answer apple around ask baby back bad
    because before begin behind better between big bird black blood blue boat body book both bottle
    box boy bread bright bring brother brown busy buy carry catch change child choose church city
    clean cloud coffee cold country cup dark daughter day deep dinner doctor dog door down dream
    drink drive early earth eat eight enough evening eye face family farm father field finger fire
    fish five fly follow food foot forest friend from front fruit garden gentle girl give glass go
    gold green ground hair half hand happy head hear heavy help her high hill home horse hour house
    idea island join journey keep kitchen know large laugh learn left letter light listen long
    machine many milk money moon morning mother mountain music name never night noise north number
    ocean often old orange other over page paper people picture place please quick quiet rain red
    rice river road round school sea short silver simple sister sky sleep slow small snow some song
    south spring stone story street strong sugar summer teach the their there thing think thirty
    three today together train tree under valley very village visit voice wait wash water week
    which wide winter with wood work world year yellow yesterday you young zero
"""
WORDS = tuple(WORD_LIST.split())


@dataclass(frozen=True)
class Voice:
    """One speaker: values of an espeak-ng voice, and a warp of the finished sound.

    Percentages are relative to espeak-ng's own value; `formants` holds nine triples (frequency,
    height, width), of formants 0 to 8.
    """

    sex: str  # 'm' or 'f'
    language: str
    pitch_low_hz: int
    pitch_high_hz: int
    formants: tuple[tuple[int, int, int], ...]  # percent
    flutter: int  # 0 to 6
    roughness: int  # 0 to 4
    intonation: int  # 1 to 4: which melody a sentence has
    voicing: int  # percent
    consonants: tuple[int, int]  # percent: unvoiced, voiced
    speed: int  # percent
    breath: tuple[int, ...]  # eight amplitudes, or none
    stress_add: tuple[int, ...]  # eight
    stress_lengths: tuple[int, ...]  # eight
    warp: float  # all frequencies are multiplied by it, durations divided
    rate: float  # words per minute
    pitch_range: int  # 0 to 100


def draw_voice(seed: int, speaker: int) -> Voice:
    """Draw the voice of a speaker: always the same for one (seed, speaker); even ones are male."""
    random = np.random.default_rng((seed, speaker))
    sex = "mf"[speaker % 2]
    pitch_low = float(np.clip(random.normal(*PITCH_LOW_HZ[sex]), 70, 260))
    return Voice(
        sex=sex,
        language=LANGUAGES[random.integers(len(LANGUAGES))],
        pitch_low_hz=round(pitch_low),
        pitch_high_hz=round(pitch_low * (1 + random.uniform(0.25, 0.7))),
        formants=draw_formants(random, sex),
        flutter=int(random.integers(0, 7)),
        roughness=int(random.integers(0, 5)),
        intonation=int(random.integers(1, 5)),
        voicing=round(random.uniform(50, 130)),
        consonants=(round(random.uniform(60, 140)), round(random.uniform(60, 140))),
        speed=round(random.uniform(80, 125)),
        breath=draw_breath(random),
        stress_add=round_all(random.normal(0, 12, 8)),
        stress_lengths=round_all(np.maximum(random.normal(STRESS_LENGTHS, 12), 0)),
        warp=float(np.exp(random.normal(0, 0.03))),
        rate=float(random.uniform(145, 200)),
        pitch_range=round(random.uniform(30, 70)),
    )


def draw_formants(random: Generator, sex: str) -> tuple[tuple[int, int, int], ...]:
    """Draw frequency, height and width, in percent, of formants 1 to 8; formant 0 stays as it is.

    The vocal-tract factor moves all formants together, as a longer or shorter throat would.
    """
    factor = random.normal(*VOCAL_TRACT_FACTOR[sex])
    frequencies = 100 * factor * (1 + random.normal(0, 0.05, 8))
    heights_db = random.uniform(-0.4, 0.4) * np.arange(1, 9) + random.normal(0, 1.5, 8)
    heights = np.minimum(100 * 10 ** (heights_db / 20), 250)
    widths = 100 * np.exp(random.normal(0, 0.2, 8))
    columns = (round_all(column) for column in (frequencies, heights, widths))
    return ((100, 100, 100), *zip(*columns, strict=True))


def draw_breath(random: Generator) -> tuple[int, ...]:
    """Draw the eight amplitudes of the breath noise; four voices in ten have none."""
    if random.random() >= 0.6:
        return ()
    return round_all(random.uniform(1, 12) * random.uniform(0.4, 1.4, 8))


def round_all(values: np.ndarray) -> tuple[int, ...]:
    """Round to plain integers: espeak-ng reads nothing else."""
    return tuple(int(value) for value in np.rint(values))


def variant_text(voice: Voice) -> str:
    """Write the voice as an espeak-ng voice file (see espeak-ng's docs/voices.md)."""
    lines = [
        "language variant",
        "name speaker",
        f"pitch {voice.pitch_low_hz} {voice.pitch_high_hz}",
        *(f"formant {index} {join(triple)}" for index, triple in enumerate(voice.formants)),
        f"flutter {voice.flutter}",
        f"roughness {voice.roughness}",
        f"intonation {voice.intonation}",
        f"voicing {voice.voicing}",
        f"consonants {join(voice.consonants)}",
        f"speed {voice.speed}",
        f"stressLength {join(voice.stress_lengths)}",
        f"stressAdd {join(voice.stress_add)}",
    ]
    if voice.breath:
        lines.append(f"breath {join(voice.breath)}")
    return "\n".join(lines) + "\n"


def join(numbers: tuple[int, ...]) -> str:
    """Join numbers with spaces."""
    return " ".join(str(number) for number in numbers)


def draw_sentences(random: Generator, num_sentences: int) -> str:
    """Draw sentences of seven words, half of them with a comma after two to five words."""
    sentences = []
    for _ in range(num_sentences):
        words = [WORDS[index] for index in random.integers(len(WORDS), size=WORDS_PER_SENTENCE)]
        if random.random() < 0.5:
            words[random.integers(1, 5)] += ","
        sentences.append(" ".join(words).capitalize() + ".")
    return " ".join(sentences)
