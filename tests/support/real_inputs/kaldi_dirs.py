"""Kaldi data directories of other programs."""

from collections.abc import Mapping
from pathlib import Path

import kaldiio
import soundfile

from deep_speaker.kaldi.tables import write_table
from support.real_inputs.cases import ALL, SPEAKERS, UTTERANCES, Words, case, speakers
from support.speech import make_speech, write_audio
from support.spoiled_audio import write_coded


def write_folder(folder: Path, entries: Mapping[str, str] | None = None) -> Path:
    """A data directory of the folder of speakers; its words are those of `of_kaldi`."""
    if entries is None:
        paths = sorted(speakers(folder).rglob("*.wav"))
        entries = {f"{path.parent.name}-{path.stem}": str(path) for path in paths}
    utt2spk = {key: key.split("-")[0] for key in entries}
    (folder / "kaldi").mkdir(parents=True)
    write_table(folder / "kaldi/wav.scp", entries)
    write_table(folder / "kaldi/utt2spk", utt2spk)
    write_spk2utt(folder / "kaldi", utt2spk)
    return folder / "kaldi"


def write_spk2utt(folder: Path, utt2spk: Mapping[str, str]) -> None:
    names = sorted(set(utt2spk.values()))
    of_speaker = {n: " ".join(k for k in sorted(utt2spk) if utt2spk[k] == n) for n in names}
    write_table(folder / "spk2utt", of_speaker)


def of_kaldi(folder: Path) -> Words:
    return ["--corpus-dir", folder / "kaldi"]


def write_segments(folder: Path, spans: Mapping[str, tuple[str, float, float]]) -> Path:
    """A data directory of segments of calls of 4 s, c0 to c9, by utterance."""
    calls = sorted({recording for recording, _, _ in spans.values()})
    entries = {
        call: str(write_audio(folder / f"calls/{call}.wav", make_speech(i, 4)))
        for i, call in enumerate(calls)
    }
    kaldi = write_folder(folder, dict.fromkeys(spans, ""))
    write_table(kaldi / "wav.scp", entries)
    write_table(kaldi / "segments", {k: f"{r} {a:.2f} {b:.2f}" for k, (r, a, b) in spans.items()})
    return kaldi


def two_speakers_a_call(end: float) -> dict[str, tuple[str, float, float]]:
    """Ten speakers, each in two calls of two; the first ends at `end`, the other begins at 2 s."""
    spans = {}
    for i in range(10):
        spans[f"a{i // 2}-{i % 2}"] = (f"c{i}", 0.1, end)
        spans[f"b{i // 2}-{i % 2}"] = (f"c{i}", 2.0, 3.9)
    return spans


@case("kaldi", ALL)
def archives_of_wav(folder: Path) -> Words:
    entries = {}
    speakers(folder)
    with (folder / "wav.ark").open("wb") as ark:
        for path in sorted((folder / "speech").rglob("*.wav")):
            key = f"{path.parent.name}-{path.stem}"
            ark.write(key.encode() + b" ")
            entries[key] = f"{folder}/wav.ark:{ark.tell()}"
            ark.write(path.read_bytes())
    write_folder(folder, entries)
    return of_kaldi(folder)


@case("kaldi", ALL)
def archives_that_kaldiio_writes(folder: Path) -> Words:
    speakers(folder)
    with kaldiio.WriteHelper(f"ark,scp:{folder}/w.ark,{folder}/w.scp") as writer:
        for path in sorted((folder / "speech").rglob("*.wav")):
            samples, rate = soundfile.read(path, dtype="int16")
            writer(f"{path.parent.name}-{path.stem}", (rate, samples))
    write_folder(folder, dict(line.split() for line in (folder / "w.scp").read_text().splitlines()))
    return of_kaldi(folder)


@case("kaldi", ALL)
def wav_of_sizes_zero_from_a_pipe(folder: Path) -> Words:
    entries = {
        f"{path.parent.name}-{path.stem}": f"cat {path} |"
        for path in sorted(speakers(folder).rglob("*.wav"))
    }
    write_folder(folder, entries)
    return of_kaldi(folder)


@case("kaldi", None, r"sph2pipe: command not found")
def a_program_that_is_not_installed(folder: Path) -> Words:
    entries = {
        f"{path.parent.name}-{path.stem}": f"sph2pipe -f wav {path} |"
        for path in sorted(speakers(folder).rglob("*.wav"))
    }
    write_folder(folder, entries)
    return of_kaldi(folder)


@case("kaldi", 20, r"overlap")
def speakers_who_overlap_by_20_ms(folder: Path) -> Words:
    spans = two_speakers_a_call(2.02)
    for part, chosen in (("train", "012"), ("test", "34")):
        write_segments(folder / part, {key: spans[key] for key in spans if key[1] in chosen})
    return ["--train-dir", folder / "train/kaldi", "--test-dir", folder / "test/kaldi"]


@case("kaldi", 20)
def segments_of_files_that_cannot_seek(folder: Path) -> Words:
    kaldi = write_segments(folder, two_speakers_a_call(1.5))
    for i, line in enumerate((kaldi / "wav.scp").read_text().splitlines()):
        path = Path(line.split()[1])
        write_audio(path, make_speech(i, 4, 8000), 8000, subtype="GSM610")
    return of_kaldi(folder)


@case("kaldi", 20)
def a_segment_that_ends_after_its_recording(folder: Path) -> Words:
    spans = two_speakers_a_call(1.5)
    spans["b3-1"] = ("c7", 2.0, 4.3)
    write_segments(folder, spans)
    return of_kaldi(folder)


@case("kaldi", None, r"'a(\d-\d)'.*'b\1'|'b(\d-\d)'.*'a\2'")
def one_span_under_two_speakers(folder: Path) -> Words:
    spans = {
        f"{side}{i // 2}-{i % 2}": (f"c{i}", 0.5, 1.5) for i in range(10) for side in ("a", "b")
    }
    write_segments(folder, spans)
    return of_kaldi(folder)


@case("kaldi", None, r"train")
def one_call_that_trains_and_tests(folder: Path) -> Words:
    """Ten speakers in one call, each overlapping the next."""
    spans = {f"a{i}-1": ("c0", 0.3 * i + 0.1, 0.3 * i + 0.6) for i in range(10)}
    write_segments(folder, spans)
    return of_kaldi(folder)


@case("kaldi", ALL)
def cmvn_of_utterances_that_were_removed(folder: Path) -> Words:
    kaldi = write_folder(folder)
    keys = [line.split()[0] for line in (kaldi / "utt2spk").read_text().splitlines()]
    write_table(kaldi / "utt_cmvn.scp", dict.fromkeys([*keys, "s9-9"], "/x/cmvn.ark:7"))
    return of_kaldi(folder)


@case("kaldi", None, r"utt2spk, line 3")
def a_space_before_an_id(folder: Path) -> Words:
    lines = (write_folder(folder) / "utt2spk").read_text().splitlines()
    lines[2] = f" {lines[2]}"
    (folder / "kaldi/utt2spk").write_text("\n".join(lines) + "\n")
    return of_kaldi(folder)


@case("kaldi", None, r"byte order mark")
def a_byte_order_mark_in_a_table(folder: Path) -> Words:
    path = write_folder(folder) / "utt2spk"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    return of_kaldi(folder)


@case("kaldi", None, r"CRLF|carriage return")
def lines_that_windows_ends(folder: Path) -> Words:
    path = write_folder(folder) / "utt2spk"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    return of_kaldi(folder)


@case("kaldi", None, r"utt2spk.*sort")
def a_table_that_is_not_sorted(folder: Path) -> Words:
    path = write_folder(folder) / "utt2spk"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    return of_kaldi(folder)


@case("kaldi", None, r"newline")
def a_table_without_its_last_newline(folder: Path) -> Words:
    path = write_folder(folder) / "utt2spk"
    path.write_text(path.read_text().rstrip("\n"))
    return of_kaldi(folder)


@case("kaldi", None, r"sort")
def ids_that_do_not_begin_with_the_speaker(folder: Path) -> Words:
    paths = sorted(speakers(folder).rglob("*.wav"))
    entries = {f"s{path.stem}-{path.parent.name}": str(path) for path in paths}
    kaldi = write_folder(folder, entries)
    utt2spk = {key: f"s{key[-1]}" for key in entries}
    write_table(kaldi / "utt2spk", utt2spk)
    write_spk2utt(kaldi, utt2spk)
    return of_kaldi(folder)


@case("kaldi", ALL)
def relative_paths(folder: Path) -> Words:
    paths = sorted(speakers(folder).rglob("*.wav"))
    entries = {f"{path.parent.name}-{path.stem}": str(path.relative_to(folder)) for path in paths}
    write_folder(folder, entries)
    return of_kaldi(folder)


@case("kaldi", ALL)
def a_trial_list_of_another_program(folder: Path) -> Words:
    """With a byte order mark, labels 1 and 0 before the pair, and lines that Windows ends."""
    keys = [f"s{i}-{j}" for i in range(SPEAKERS) for j in range(UTTERANCES)]
    paths = {f"{p.parent.name}-{p.stem}": str(p) for p in speakers(folder).rglob("*.wav")}
    train = write_folder(folder, {key: paths[key] for key in keys if key < "s3"})
    train.rename(folder / "train")
    test = write_folder(folder, {key: paths[key] for key in keys if key >= "s3"})
    lines = ["1 s3-0 s3-1", "1 s4-0 s4-1", "0 s3-0 s4-1", "0 s4-0 s3-1"]
    (test / "trials").write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*lines, ""]).encode())
    return ["--train-dir", folder / "train", "--test-dir", test]


@case("kaldi", ALL, r"s3-9: not in the test set")
def a_trial_of_what_is_not_there(folder: Path) -> Words:
    words = a_trial_list_of_another_program(folder)
    lines = ["s3-0 s3-9 target", "s3-0 s3-1 target", "s3-0 s4-0 nontarget", ""]
    (folder / "kaldi/trials").write_text("\n".join(lines))
    return words


@case("kaldi", ALL, r"resampled from 8000")
def g711_in_sphere(folder: Path) -> Words:
    entries = {}
    for i in range(SPEAKERS):
        for j in range(UTTERANCES):
            path = folder / f"sph/s{i}-{j}.sph"
            write_coded(path, 10 * i + j, "ULAW", 8000, "NIST")
            entries[path.stem] = str(path)
    write_folder(folder, entries)
    return of_kaldi(folder)
