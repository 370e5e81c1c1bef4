"""The readers of files that others may have written, each with small valid files."""

import gzip
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from kaldiio.matio import write_array
from lhotse import CutSet, RecordingSet, SupervisionSet

from deep_speaker.config import Experiment, read_experiment
from deep_speaker.features.conditions import Conditions, read_conditions, write_conditions
from deep_speaker.features.kaldi_conf import read_conf
from deep_speaker.kaldi.archives import ArchiveTable
from deep_speaker.kaldi.audio import load_audio, read_entry_info
from deep_speaker.kaldi.data_dir import iterate_segments, write_data_dir
from deep_speaker.networks.checkpoints import load_network, save_checkpoint
from deep_speaker.published.importing import import_weights
from deep_speaker.report.training_curves import read_history
from deep_speaker.results.rows import read_results
from deep_speaker.results.text_table import format_results
from deep_speaker.scoring.decision_files import read_decisions, write_decisions
from deep_speaker.scoring.kaldi_plda_files import read_backend, read_plda, write_backend
from deep_speaker.scoring.plda import Plda
from deep_speaker.scoring.score_files import read_scores
from deep_speaker.scoring.transforms import COSINE, Transform
from deep_speaker.scoring.vector_backend import VectorBackend
from deep_speaker.trials.importing import import_trials
from deep_speaker.trials.lists import read_trials
from deep_speaker.trials.models import read_models
from deep_speaker.trials.table import read_trial_table
from deep_speaker.validation.archives import validate_features
from deep_speaker.validation.data_dirs import validate_data_dir
from deep_speaker.voices.loading import load
from deep_speaker.voices.speaker_store import SpeakerStore
from lhotse_manifests import read_part
from support.experiment_files import CONF
from support.fuzzing import Target
from support.kaldi_folders import make_segments
from support.keras_layers import make_weights, write_weights
from support.lhotse_parts import make_part, write_part
from support.model_folders import make_trained
from support.report_experiments import make_reported
from support.speech import make_speech
from support.tiny_data import make_experiment, write_experiment, write_features
from support.voice_models import TABLE, write_voice_model

AUDIO_FORMS = (
    ("wav", "PCM_16"), ("wav", "FLOAT"), ("wav", "MS_ADPCM"), ("flac", "PCM_16"), ("ogg", "VORBIS"),
    ("mp3", "MPEG_LAYER_III"), ("aiff", "PCM_16"), ("w64", "PCM_16"), ("nist", "PCM_16"),
)  # fmt: skip
ARK_FORMS = {"FM": None, "CM": 2, "CM2": 3, "CM3": 5}  # Kaldi's numbers of compressions


def read_files(folder: Path) -> dict[str, bytes]:
    """All files of a folder, by their names."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def make_tables(folder: Path) -> Target:
    write_data_dir(folder, make_segments())

    def read(folder: Path) -> None:
        validate_data_dir(folder)
        for _ in iterate_segments(folder / "segments"):
            pass

    return Target(read_files(folder), read)


def make_trials(folder: Path) -> Target:
    utt2spk = {f"{speaker}-{i}": speaker for speaker in "abc" for i in range(3)}
    lines = [f"{a} {b} {'target' if a[0] == b[0] else 'nontarget'}\n" for a in utt2spk
             for b in utt2spk]  # fmt: skip
    published = [f"{int(a[0] == b[0])} wav/{a.replace('-', '/')}.wav {b}.wav\n" for a in utt2spk
                 for b in utt2spk]  # fmt: skip
    (folder / "trials").write_text("".join(lines))
    (folder / "veri_test.txt").write_text("".join(published))
    (folder / "enroll_spk2utt").write_text("m a-0 a-1\nn b-0\n")

    def read(folder: Path) -> None:
        models = read_models(folder)
        read_trials(folder / "trials")
        read_trial_table(folder / "trials")
        import_trials(folder / "trials", utt2spk, models)
        import_trials(folder / "veri_test.txt", utt2spk, models)

    return Target(read_files(folder), read)


def make_scores(folder: Path) -> Target:
    names = [f"{speaker}-{i}" for speaker in "abc" for i in range(3)]
    trials = [f"{a} {b} {'target' if a[0] == b[0] else 'nontarget'}\n" for a in names
              for b in names]  # fmt: skip
    scores = [f"{a} {b} {len(a) - i / 7:.7f}\n" for i, a in enumerate(names) for b in names]
    (folder / "trials").write_text("".join(trials))
    (folder / "finetuning.trials.plda").write_text("".join(scores))
    (folder / "finetuning.trials.other").write_text("".join(reversed(scores)))

    def read(folder: Path) -> None:
        table = read_trial_table(folder / "trials")
        for end in ("plda", "other"):
            read_scores(folder / f"finetuning.trials.{end}", table)

    return Target(read_files(folder), read)


def make_yaml(folder: Path) -> Target:
    write_experiment(folder / "x.yaml", make_experiment())
    (folder / "small.yaml").write_text("base: x.yaml\nseed: 3\nscoring: {lda_dim: 3}\n")
    (folder / "more.yaml").write_text("pretraining:\n  epochs: 3\nfeatures:\n  num_mels: 12\n")
    (folder / "fbank.conf").write_text("--num-mel-bins=64 # many\n--dither=0\n")

    def read(folder: Path) -> None:
        read_experiment(folder / "small.yaml", [folder / "more.yaml"], ["seed=4"])
        read_conf(folder / "fbank.conf")

    return Target(read_files(folder), read)


def make_scp(folder: Path) -> Target:
    write_ark(folder, "CM2")
    return Target(read_files(folder), read_arks)


def make_arks(folder: Path) -> Target:
    for form in (*ARK_FORMS, "DM"):
        write_ark(folder, form)
    files = read_files(folder)
    return Target({name: files[name] for name in files if name.endswith(".ark")}
                  | {"feats.scp": b"".join(files[n] for n in files if n.endswith(".scp"))},
                  read_arks)  # fmt: skip


def write_ark(folder: Path, form: str) -> None:
    """An archive of a matrix of 7 rows and a vector in a form, named by the current folder."""
    values = np.random.default_rng(0).normal(size=(7, 5))
    values = values.astype(np.float64 if form == "DM" else np.float32)
    ark, scp = io.BytesIO(), ""
    for key, array in ((f"{form}-a", values), (f"{form}-b", values[0]), (f"{form}-c", values)):
        ark.write(f"{key} ".encode())
        scp += f"{key} {form}.ark:{ark.tell()}{'[1:3,0:2]' if key.endswith('c') else ''}\n"
        compression = ARK_FORMS.get(form) if array.ndim == 2 else None
        write_array(ark, array, compression_method=compression)
    (folder / f"{form}.ark").write_bytes(ark.getvalue())
    (folder / f"{form}.scp").write_text(scp)


def read_arks(folder: Path) -> None:
    """Read all that the tables of a folder name; a bad object leaves the others to be read."""
    problem: ValueError | None = None
    for scp in folder.glob("*.scp"):
        table = ArchiveTable(scp)
        for key in table:
            try:
                table.rows(key)
                table.rows(key, 2, 5)
            except ValueError as error:
                problem = error
    if problem:
        raise problem


def make_features(folder: Path) -> Target:
    frames = {f"s{i}-0": np.full((6, 4), i, np.float32) for i in range(3)}
    write_features(folder / "made", frames, make_experiment(features={"num_mels": 4}))
    files = read_files(folder / "made")
    made = str(folder / "made").encode()
    files = {name: content.replace(made, b"@") for name, content in files.items()}

    def read(folder: Path) -> None:
        for scp in folder.glob("*.scp"):
            scp.write_bytes(scp.read_bytes().replace(b"@", str(folder).encode()))
        validate_features(folder)

    return Target(files, read)


def make_audio(folder: Path) -> Target:
    samples = make_speech(0, 0.3, 8000)
    wav = io.BytesIO()
    soundfile.write(wav, samples, 8000, format="WAV")
    (folder / "wav.ark").write_bytes(b"key " + wav.getvalue())
    for number, (suffix, subtype) in enumerate(AUDIO_FORMS):
        path = folder / f"{number}.{suffix}"
        soundfile.write(path, samples, 8000 if suffix != "mp3" else 16000, subtype=subtype)

    def read(folder: Path) -> None:
        problem: ValueError | None = None
        for path in sorted(folder.iterdir()):
            try:
                entry = f"{path}:4" if path.suffix == ".ark" else str(path)
                read_entry_info(entry)
                load_audio(entry, 16000)
                load_audio(entry, 8000, 0.1, 0.2)
            except ValueError as error:
                problem = error
        if problem:
            raise problem

    return Target(read_files(folder), read)


def make_manifests(folder: Path) -> Target:
    with tempfile.TemporaryDirectory() as audio:
        recordings, supervisions = make_part("a", Path(audio))
        write_part(folder, "a", recordings, supervisions)
        cuts = CutSet.from_manifests(
            RecordingSet.from_recordings(recordings), SupervisionSet.from_segments(supervisions)
        )
        for kind in ("recordings", "supervisions"):
            path = folder / f"tiny_{kind}_a.jsonl.gz"
            (folder / f"{kind}.jsonl").write_bytes(gzip.decompress(path.read_bytes()))
        cuts.to_file(folder / "cuts.jsonl")
        (folder / "tiny_supervisions_a.jsonl.gz").unlink()

    def read(folder: Path) -> None:
        paths = {kind: folder / f"{kind}.jsonl" for kind in ("recordings", "supervisions", "cuts")}
        cuts = {"cuts": paths.pop("cuts")}
        packed = paths | {"recordings": folder / "tiny_recordings_a.jsonl.gz"}
        for part in (paths, packed, cuts):
            for _ in read_part(part, folder / "scratch"):
                pass

    return Target(read_files(folder), read)


def make_model_folder(folder: Path) -> Target:
    write_voice_model(folder)
    write_conditions(folder, Conditions([0.5] * 16, [1.0] * 16, 3.0))
    backend = VectorBackend(COSINE, np.eye(8, dtype=np.float32), 5)
    write_decisions(folder, "cosine_as_norm", backend, TABLE)

    def read(folder: Path) -> None:
        read_decisions(folder)
        read_conditions(folder)
        load(folder, "cpu").embedder(1000 * make_speech(0, 0.3))

    return Target(read_files(folder), read)


def make_checkpoint(folder: Path) -> Target:
    experiment = make_experiment()
    save_checkpoint(folder / "best.pt", make_trained(experiment))
    return Target(read_files(folder), lambda folder: load_network(folder / "best.pt", experiment))


def make_keras(folder: Path) -> Target:
    published = read_experiment(CONF / "deep_speaker_published.yaml").model_dump()
    published["network"] |= {"channels": (2, 3), "embedding_dim": 4}
    experiment = Experiment.model_validate(published)
    write_weights(folder / "x.h5", make_weights((2, 3), 4))
    return Target(read_files(folder), lambda folder: import_weights(folder / "x.h5", experiment))


def make_plda(folder: Path) -> Target:
    rng = np.random.default_rng(0)
    plda = Plda(rng.normal(size=3), rng.normal(size=(3, 3)), np.arange(3.0, 0, -1))
    backend = Transform(np.eye(4, 3, dtype=np.float32), np.zeros(3, np.float32), plda)
    write_backend(folder / "made", backend, np.ones(4))
    (folder / "text").write_text(
        "<Plda>  [ 1 2 3 ]\n [\n  1 0 0 \n  0 1 0 \n  0 0 1 ]\n [ 3 2 1 ]\n</Plda> "
    )

    def read(folder: Path) -> None:
        read_backend(folder, 4)
        read_plda(folder / "text")

    return Target(read_files(folder) | read_files(folder / "made"), read)


def make_store(folder: Path) -> Target:
    store = SpeakerStore(folder, "id", "models/x")
    for name in ("Ana", "Bo"):
        store.add(name, np.eye(4, dtype=np.float32)[:2], ["a.wav", "b.wav"])
    return Target(read_files(folder), lambda folder: SpeakerStore(folder, "id").speakers())


def make_results(folder: Path) -> Target:
    made = make_reported(folder / "made").experiment_dir
    rows = json.loads((made / "results.json").read_text())
    files = {"results.json": json.dumps(rows[:3], indent=1).encode()}
    files["history.json"] = (made / "pretraining/history.json").read_bytes()

    def read(folder: Path) -> None:
        read_history(folder / "history.json")
        format_results(read_results(folder / "results.json"))

    return Target(files, read)


TARGETS: dict[str, Callable[[Path], Target]] = {
    "tables": make_tables,
    "trials": make_trials,
    "scores": make_scores,
    "yaml": make_yaml,
    "scp": make_scp,
    "arks": make_arks,
    "features": make_features,
    "audio": make_audio,
    "manifests": make_manifests,
    "model_folder": make_model_folder,
    "checkpoint": make_checkpoint,
    "keras": make_keras,
    "plda": make_plda,
    "speaker_store": make_store,
    "results": make_results,
}
