"""A test set with features as make_fbank.sh and compute_vad_decision.sh of Kaldi leave them."""

from pathlib import Path

import kaldi_native_fbank
import kaldi_native_io
import numpy as np

from deep_speaker.corpora.manifests import write_manifests
from deep_speaker.kaldi.audio import load_audio
from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.kaldi.tables import read_table, write_table
from deep_speaker.trials.lists import write_trials
from deep_speaker.trials.protocols import draw_trials
from support.speech import make_utterances

CONF = """# log-mel filterbanks
--num_mel_bins=64
--high-freq=7600 # of 8000
--dither=0
"""


def write_test_set(corpus: Path) -> Path:
    """A test set as stage 0 leaves it; the folder."""
    utterances = sorted(make_utterances(corpus / "audio", "spk", 4, 3), key=lambda item: item.id)
    write_data_dir(corpus / "test", utterances)
    write_manifests(corpus / "test", utterances)
    utt2spk = {item.id: item.speaker for item in utterances}
    rng = np.random.default_rng(0)
    write_trials(corpus / "test/trials", draw_trials(utt2spk, "all", 10**6, rng))
    return corpus / "test"


def compute_fbank(samples: np.ndarray) -> np.ndarray:
    """Filterbanks by Kaldi's own code, whose frames lie within the samples by default."""
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.mel_opts.num_bins = 64
    options.mel_opts.high_freq = 7600
    options.energy_floor = 0
    computer = kaldi_native_fbank.OnlineFbank(options)
    computer.accept_waveform(16000, samples)
    computer.input_finished()
    frames = [computer.get_frame(i) for i in range(computer.num_frames_ready)]
    return np.array(frames, dtype=np.float32)


def make_fbank(folder: Path, compress: bool = True) -> dict[str, np.ndarray]:
    """Write features into a directory; returns them as Kaldi's own code reads them back."""
    (folder / "data").mkdir(exist_ok=True)
    specifier = f"ark,scp:{folder}/data/raw_fbank.1.ark,{folder}/feats.scp"
    method = kaldi_native_io.CompressionMethod.kAutomaticMethod
    frames = {
        key: compute_fbank(load_audio(entry, 16000)[0])
        for key, entry in read_table(folder / "wav.scp").items()
    }
    if compress:
        with kaldi_native_io.CompressedMatrixWriter(specifier) as writer:
            for key, array in frames.items():
                writer.write(key, array, method)
    else:
        with kaldi_native_io.FloatMatrixWriter(specifier) as writer:
            for key, array in frames.items():
                writer.write(key, array)
    write_table(folder / "utt2num_frames", {key: len(array) for key, array in frames.items()})
    (folder / "frame_shift").write_text("0.01\n")
    (folder / "conf").mkdir(exist_ok=True)
    (folder / "conf/fbank.conf").write_text(CONF)
    with kaldi_native_io.SequentialFloatMatrixReader(f"scp:{folder}/feats.scp") as reader:
        return {key: np.array(array) for key, array in reader}


def write_vad(folder: Path, decisions: dict[str, np.ndarray]) -> None:
    specifier = f"ark,scp:{folder}/data/vad.1.ark,{folder}/vad.scp"
    with kaldi_native_io.FloatVectorWriter(specifier) as writer:
        for key, array in decisions.items():
            writer.write(key, array.astype(np.float32))
