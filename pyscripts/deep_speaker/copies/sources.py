"""Sources of copies: noises, music, other speakers and rooms."""

import hashlib
import heapq
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from deep_speaker.copies import simulation
from deep_speaker.corpora.audio_files import AudioFolder
from deep_speaker.corpora.recordings import read_infos
from deep_speaker.kaldi.data_dir import read_utterances
from deep_speaker.kaldi.tables import iterate_table
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.kaldi.wav_entries import wav_entry
from deep_speaker.system.processes import map_in_processes

SHORTEST_S = 0.1  # of a recording that is added to speech
MAX_BABBLE = 5000  # training utterances to be heard in babble
MAX_NOISES, MAX_ROOMS = 200, 500  # to simulate; fewer if there are fewer training utterances
MUSAN_PARTS = ("noise", "music", "speech")


@dataclass(frozen=True)
class Sources:
    """Recordings to draw from; copies of a kind without any are not made.

    Attributes:
        babble: utterances by speaker; a recording of an unknown speaker counts as one.
    """

    reverberation: Sequence[Utterance] = ()
    noise: Sequence[Utterance] = ()
    music: Sequence[Utterance] = ()
    babble: Mapping[str, Sequence[Utterance]] = field(default_factory=dict)

    def has(self, kind: str) -> bool:
        """Tell whether there are recordings for a kind of copies."""
        return bool(getattr(self, kind))


def generator_of(seed: int, key: str) -> np.random.Generator:
    """Make a random generator of an utterance or file, which does not depend on others."""
    digest = hashlib.sha256(key.encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest, "<u4").tolist()])


def find_sources(
    kinds: Collection[str],
    folders: tuple[Path | None, Path | None],
    train_dir: Path,
    simulated: Path,
    sampling_rate: int,
    seed: int,
    num_jobs: int,
) -> Sources:
    """Find or simulate the recordings that kinds of copies need, and log them.

    Args:
        folders: of noise (MUSAN, or any recordings) and of rooms (RIRS_NOISES, or any impulse
            responses); None: there is none.
        simulated: the folder of simulated recordings.

    Raises:
        ValueError: a folder is missing or holds no such recordings, or babble has only one speaker.
    """
    noise_dir, room_dir = folders
    simulate = partial(_simulate, sampling_rate=sampling_rate, seed=seed, num_jobs=num_jobs)
    num_utterances = sum(1 for _ in iterate_table(train_dir / "utt2spk"))
    found = find_noise(noise_dir, kinds, num_jobs) if noise_dir else Sources()
    if "noise" in kinds and not found.noise:
        logging.info("noise: simulated, without a --noise-dir")
        files = simulate(
            simulated / "noise", simulation.write_noise, min(MAX_NOISES, num_utterances)
        )
        found = replace(found, noise=files)
    if "music" in kinds and not found.music:
        logging.info("music: no such copies, without a --noise-dir that has a folder music/")
    if "babble" in kinds and not found.babble:
        found = replace(found, babble=draw_babble(train_dir, seed, num_jobs))
        logging.info("babble: of %d training speakers", len(found.babble))
    if "reverberation" not in kinds:
        return found
    if room_dir:
        return replace(found, reverberation=find_rooms(room_dir, num_jobs))
    logging.info("rooms: simulated, without a --rir-dir")
    rooms = simulate(simulated / "rooms", simulation.write_room, min(MAX_ROOMS, num_utterances))
    return replace(found, reverberation=rooms)


def find_noise(folder: Path, kinds: Collection[str], num_jobs: int) -> Sources:
    """Find the parts of MUSAN that copies need, or all of another folder as noise."""
    parts = [name for name in MUSAN_PARTS if (folder / name).is_dir()]
    if not parts:
        noise = read_folder([folder], "--noise-dir", num_jobs)
        logging.info("noise: %d recordings in %s", len(noise), folder)
        return Sources(noise=noise)
    if "noise" in kinds and "noise" not in parts:
        raise ValueError(f"--noise-dir {folder}: it has {parts[0]}/, but no folder noise/: add one")
    found = {}
    for part, kind in zip(MUSAN_PARTS, ("noise", "music", "babble"), strict=True):
        files: list[Utterance] = []
        if part in parts and kind in kinds:
            files = read_folder([folder / part], "--noise-dir", num_jobs)
            logging.info("%s: %d recordings in %s", kind, len(files), folder / part)
        found[kind] = files
    babble = {item.id: [item] for item in found["babble"]}
    return Sources(noise=found["noise"], music=found["music"], babble=babble)


def find_rooms(folder: Path, num_jobs: int) -> list[Utterance]:
    """Find the small and medium simulated rooms of RIRS_NOISES, or all of another folder."""
    folders = [folder]
    for base in (folder, folder / "simulated_rirs", folder / "RIRS_NOISES" / "simulated_rirs"):
        sizes = [base / name for name in ("smallroom", "mediumroom") if (base / name).is_dir()]
        folders = sizes or folders
    rooms = read_folder(folders, "--rir-dir", num_jobs, shortest=0)
    logging.info("rooms: %d impulse responses in %s", len(rooms), " ".join(map(str, folders)))
    return rooms


def read_folder(
    folders: Iterable[Path], option: str, num_jobs: int, shortest: float = SHORTEST_S
) -> list[Utterance]:
    """Read all recordings below folders, sorted by path, each its own speaker.

    Raises:
        ValueError: there are none, or too many are bad.
    """
    found = []
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"{option} {folder}: no such folder")
        tree = AudioFolder(folder.absolute())
        for path, info in read_infos(tree.audio(tree.survey([tree.root])), num_jobs):
            if info.duration >= shortest:
                found.append(Utterance(str(path), str(path), wav_entry(path, info), info))
        if not found:
            raise ValueError(f"{option} {folder}: no recordings in it")
    return found


def draw_babble(train_dir: Path, seed: int, num_jobs: int) -> dict[str, list[Utterance]]:
    """Draw some training utterances, by speaker; the choice depends on the seed and ids alone."""
    utterances = read_utterances(train_dir, num_jobs, decoded=True)
    usable = (item for item in utterances if item.duration >= SHORTEST_S)
    chosen = heapq.nsmallest(
        MAX_BABBLE, usable, key=lambda item: generator_of(seed, item.id).random()
    )
    by_speaker: dict[str, list[Utterance]] = {}
    for item in sorted(chosen, key=lambda item: item.id):
        by_speaker.setdefault(item.speaker, []).append(item)
    if len(by_speaker) < 2:
        raise ValueError(
            f"{train_dir}: babble is made of other speakers, but there is only one: take babble "
            "out of augmented_copies.kinds"
        )
    return by_speaker


def _simulate(
    folder: Path,
    write: Callable[[Path, int, np.random.Generator], None],
    count: int,
    sampling_rate: int,
    seed: int,
    num_jobs: int,
) -> list[Utterance]:
    folder.mkdir(parents=True)
    paths = [folder / f"{number:04}.wav" for number in range(count)]
    write_one = partial(_write_seeded, write, sampling_rate, seed)
    for _ in map_in_processes(write_one, paths, num_jobs):
        pass
    return read_folder([folder], "simulated", num_jobs, shortest=0)


def _write_seeded(
    write: Callable[[Path, int, np.random.Generator], None],
    sampling_rate: int,
    seed: int,
    path: Path,
) -> None:
    write(path, sampling_rate, generator_of(seed, f"{path.parent.name}/{path.name}"))
