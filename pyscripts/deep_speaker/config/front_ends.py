"""Front ends: the features of stage 1, by the software whose numbers they are."""

import math
from typing import Annotated, Literal

from pydantic import Discriminator, Tag, model_validator

from deep_speaker.config.section import ConfigSection, Count, NonNegative, Positive


class FrontEnd(ConfigSection):
    """Options of all front ends: frames, and how their arks are stored."""

    sampling_rate: Count = 16000
    frame_length_ms: Positive = 25
    frame_shift_ms: Positive = 10
    compression: Literal["two_byte", "none"] = "two_byte"

    @property
    def frame_samples(self) -> tuple[int, int]:
        """Length and shift of a frame in samples."""
        per_ms = self.sampling_rate / 1000
        return int(self.frame_length_ms * per_ms), int(self.frame_shift_ms * per_ms)

    @property
    def first_sample(self) -> int:
        """The sample of the utterance at which frame 0 begins; below 0: before the utterance."""
        return 0

    @property
    def standardised(self) -> bool:
        """Whether each frame is shifted and scaled by itself, so that no logarithm suits it."""
        return False

    @property
    def log_unit(self) -> float:
        """Natural-log units of power in one unit of frames, of those with `log`."""
        return 1.0

    @model_validator(mode="after")
    def check_frames(self) -> "FrontEnd":
        if self.frame_shift_ms * self.sampling_rate < 1000:
            raise ValueError(
                f"frame_shift_ms {self.frame_shift_ms:g} is less than a sample: give milliseconds"
            )
        if self.frame_length_ms < self.frame_shift_ms:
            raise ValueError(
                f"frame_length_ms {self.frame_length_ms:g} is less than frame_shift_ms "
                f"{self.frame_shift_ms:g}: frames would leave gaps"
            )
        return self


class KaldiFilterbank(FrontEnd):
    """Log-mel filterbanks with the meaning of Kaldi's compute-fbank-feats options."""

    front_end: Literal["kaldi"] = "kaldi"
    num_mels: Count = 64
    low_freq: NonNegative = 20
    high_freq: float = -400

    @property
    def first_sample(self) -> int:
        length, shift = self.frame_samples
        return shift // 2 - length // 2

    @property
    def num_bins(self) -> int:
        return self.num_mels

    @property
    def log(self) -> bool:
        return True

    @model_validator(mode="after")
    def check_band(self) -> "KaldiFilterbank":
        nyquist = self.sampling_rate / 2
        high = self.high_freq if self.high_freq > 0 else nyquist + self.high_freq
        if not self.low_freq < high <= nyquist:
            raise ValueError(
                f"low_freq {self.low_freq:g} and high_freq {self.high_freq:g} Hz leave no band "
                f"below {nyquist:g} Hz (a negative high_freq counts down from there)"
            )
        return self


class TorchaudioSpectrogram(FrontEnd):
    """Spectrograms and mel spectrograms as torchaudio computes them for voxceleb_trainer.

    Of waveforms in -1..1, or as 16-bit integers. `num_mels` null leaves the bins of the spectrum,
    fft_length / 2 + 1.
    """

    front_end: Literal["torchaudio"]
    sample_scale: Literal["unit", "int16"] = "unit"
    fft_length: Count = 512
    window: Literal["hamming", "hann"] = "hamming"
    centred: bool = True
    power: Literal[1, 2] = 2
    num_mels: Count | None = 40
    log: bool = True

    @property
    def first_sample(self) -> int:
        # The window lies in the middle of the samples that the FFT takes.
        inside = (self.fft_length - self.frame_samples[0]) // 2
        return inside - self.fft_length // 2 if self.centred else inside

    @property
    def num_bins(self) -> int:
        return self.num_mels or self.fft_length // 2 + 1

    @property
    def log_unit(self) -> float:
        return 2 / self.power

    @model_validator(mode="after")
    def check_fft(self) -> "TorchaudioSpectrogram":
        check_fft_length(self.fft_length, self)
        return self

    @model_validator(mode="after")
    def check_compression(self) -> "TorchaudioSpectrogram":
        if not self.log and self.compression == "two_byte":
            raise ValueError(
                "log false with compression two_byte, the default: its equal steps would wipe out "
                "the small values; set compression to none"
            )
        return self


class SpeechBrainFilterbank(FrontEnd):
    """Log-mel filterbanks in decibels as SpeechBrain's Fbank computes them.

    Of waveforms in -1..1, none more than 80 dB below the utterance's loudest.
    """

    front_end: Literal["speechbrain"]
    num_mels: Count = 80

    @property
    def first_sample(self) -> int:
        return -(self.frame_samples[0] // 2)

    @property
    def num_bins(self) -> int:
        return self.num_mels

    @property
    def log(self) -> bool:
        return True

    @property
    def log_unit(self) -> float:
        return math.log(10) / 10


class PythonSpeechFeatures(FrontEnd):
    """Mel filterbanks of python_speech_features, each frame to zero mean and unit deviation.

    Of waveforms in -1..1, without a logarithm, as Philippe Rémy's Deep Speaker takes them.
    """

    front_end: Literal["python_speech_features"]
    fft_length: Count = 512
    num_mels: Count = 64

    @property
    def frame_samples(self) -> tuple[int, int]:
        """Length and shift of a frame in samples, halves rounded up as the package does."""
        per_ms = self.sampling_rate / 1000
        return int(self.frame_length_ms * per_ms + 0.5), int(self.frame_shift_ms * per_ms + 0.5)

    @property
    def num_bins(self) -> int:
        return self.num_mels

    @property
    def log(self) -> bool:
        return False

    @property
    def standardised(self) -> bool:
        return True

    @model_validator(mode="after")
    def check_fft(self) -> "PythonSpeechFeatures":
        check_fft_length(self.fft_length, self)
        return self


def check_fft_length(fft_length: int, options: FrontEnd) -> None:
    """Refuse an FFT shorter than a frame."""
    length, _ = options.frame_samples
    if fft_length < length:
        raise ValueError(
            f"fft_length {fft_length} is less than a frame of {options.frame_length_ms:g} ms, "
            f"which has {length} samples"
        )


def _front_end(value: object) -> str | None:
    if isinstance(value, dict):
        return value.get("front_end", "kaldi")
    return getattr(value, "front_end", None)


Features = Annotated[
    Annotated[KaldiFilterbank, Tag("kaldi")]
    | Annotated[TorchaudioSpectrogram, Tag("torchaudio")]
    | Annotated[SpeechBrainFilterbank, Tag("speechbrain")]
    | Annotated[PythonSpeechFeatures, Tag("python_speech_features")],
    Discriminator(_front_end),
]
