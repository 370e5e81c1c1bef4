"""Data directories with tables alone, no audio, for the tests of tables."""

from dataclasses import replace
from pathlib import Path

from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.kaldi.tables import write_table
from deep_speaker.kaldi.utterances import Segment, Utterance
from deep_speaker.kaldi.wav_entries import AudioInfo, wav_entry

INFO = AudioInfo(16000, 24000, 1, "FLAC", "PCM_16")

# LibriSpeech's 19 and 198, and 'ab' and 'a_b', are in another order with and without the dash.
# The last two are in another order in UTF-16.
SPEAKERS = {
    "19": ["19-198-0000", "19-198-0001", "19-227-0000"],
    "198": ["198-209-0000", "198-19-0000"],
    "ab": ["ab-1", "ab-10", "ab-2"],
    "a_b": ["a_b-1"],
    "a.b": ["a.b-1"],
    "Łukasz": ["Łukasz-é1", "Łukasz-e1"],
    "李": ["李-1"],
    "\uff21": ["\uff21-1"],
    "\U00010400": ["\U00010400-1"],
}


def make_utterances(speakers: dict[str, list[str]]) -> list[Utterance]:
    utterances = [
        Utterance(
            key,
            speaker,
            wav_entry(Path(f"/speech/{key} (take).flac"), INFO),
            INFO,
            "mf"[len(key) % 2],
        )
        for speaker, keys in speakers.items()
        for key in keys
    ]
    # One sex per speaker.
    sexes = {item.speaker: item.sex for item in utterances}
    utterances = [replace(item, sex=sexes[item.speaker]) for item in utterances]
    return sorted(utterances, key=lambda item: item.id)


def make_segments(speakers: dict[str, list[str]] = SPEAKERS) -> list[Utterance]:
    """Those utterances as parts of 1/4 s of recordings, of which one is all of its recording."""
    utterances = make_utterances(speakers)
    recordings = ["zoom call", "call-2", "call-10"]
    segmented = [
        replace(
            item,
            entry=f"sph2pipe -f wav '/calls/{recordings[i % 3]}.sph' |",
            segment=Segment(recordings[i % 3].replace(" ", "_"), 0.25 * i, 0.25 * i + 0.25),
        )
        for i, item in enumerate(utterances)
    ]
    return [utterances[0], *segmented[1:]]


def write_folder(folder: Path, utterances: list[Utterance]) -> Path:
    """A data directory as after stage 1."""
    write_data_dir(folder, utterances)
    for name in ("feats.scp", "vad.scp", "utt_cmvn.scp"):
        write_table(folder / name, {item.id: f"/ark/{name}.1.ark:7" for item in utterances})
    write_table(folder / "utt2num_frames", {item.id: 150 for item in utterances})
    return folder
