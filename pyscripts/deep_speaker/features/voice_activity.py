"""Energy voice activity detection, with the decisions of Kaldi's compute-vad."""

import numpy as np

from deep_speaker.config import AnyVoiceActivity, Trimming, VoiceActivity


def vad_options(options: AnyVoiceActivity) -> str:
    """Return the vad.conf with which compute-vad decides the same; of trimming, what was done.

    compute-vad reads the energy in the first column of its input: of features that Kaldi computes
    with --use-energy=true, not of the filterbanks of feats.scp.
    """
    if isinstance(options, Trimming):
        return (
            "# Kept from the first to the last sample whose amplitude exceeds this percentile of\n"
            "# the utterance's; no program of Kaldi's decides so.\n"
            f"percentile={options.percentile:g}\n"
        )
    return (
        f"--vad-energy-threshold={options.energy_threshold:g}\n"
        f"--vad-energy-mean-scale={options.energy_mean_scale:g}\n"
        f"--vad-proportion-threshold={options.proportion:g}\n"
        f"--vad-frames-context={options.context}\n"
    )


def detect_voice(log_energies: np.ndarray, options: VoiceActivity) -> np.ndarray:
    """Mark the voiced frames of an utterance.

    A frame is loud if its log energy exceeds the threshold plus `energy_mean_scale` times the
    utterance's mean. It is voiced if at least `proportion` of the frames at most `context` away
    are loud. Precision and ties are those of ComputeVadEnergy in Kaldi's
    voice-activity-detection.cc (since 2016; before, the context had no effect).

    Args:
        log_energies: float32, shape (frames,), on the scale of 16-bit integers.

    Returns:
        float32, shape (frames,), exactly 1 for voiced and 0 for other frames, the input of Kaldi's
        select-voiced-frames.
    """
    if not len(log_energies):
        return np.zeros(0, dtype=np.float32)
    threshold = np.float32(options.energy_threshold)
    if options.energy_mean_scale:
        total = np.float32(log_energies.sum(dtype=np.float64))
        threshold += np.float32(options.energy_mean_scale) * total / np.float32(len(log_energies))
    loud = log_energies > threshold
    frames = np.arange(len(loud))
    first = np.maximum(frames - options.context, 0)
    last = np.minimum(frames + options.context + 1, len(loud))
    counts = np.concatenate([[0], np.cumsum(loud)])
    needed = (last - first).astype(np.float32) * np.float32(options.proportion)
    return (counts[last] - counts[first] >= needed).astype(np.float32)
