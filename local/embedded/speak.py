"""Speech of espeak-ng: a program of its own, that answers requests until its input ends.

It stands alone for two reasons. espeak-ng is GPL-3, so no other file of this project loads it:
they talk to this program through pipes. And espeak-ng keeps state between calls, so the same
request gives the same samples only in a fresh process: each is answered by a fork of this one,
which has Python's libraries, but not espeak-ng yet.

Standard input: a line per request, a JSON object {"language": "en-us", "variant": text of an
espeak-ng voice file, "utterances": [{"text", "rate" (words per minute), "pitch" (0 to 100),
"pitch_range" (0 to 100)}, ...]}.

Standard output, per request, in native byte order: uint32 1 if it failed, else 0, and uint32 number
of bytes that follow. These are the reason, in UTF-8, or per utterance: uint32 number of words W,
uint32 number of samples N; W pairs of uint32 (where the word starts in the text, counted in
characters; the sample at which it starts); N int16 samples, mono, 22050 Hz.
"""

import array
import ctypes
import json
import os
import sys
import tempfile

import espeakng_loader

# Constants and the event structure of espeak-ng's speak_lib.h.
SYNCHRONOUS, DO_NOT_EXIT, UTF8 = 2, 0x8000, 1
RATE, PITCH, RANGE = 1, 3, 4
EVENT_LIST_END, EVENT_WORD = 0, 1
BUFFER_MS = 500
SAMPLE_RATE = 22050


class Event(ctypes.Structure):
    """espeak_EVENT: something, such as the start of a word, at a sample of the speech."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("identity", ctypes.c_char * 8),
    ]


CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event)
)


def make_data_folder(folder: str, language: str, variant: str) -> None:
    """Lay out espeak-ng's data below `folder`: links to the wheel's, and our one voice variant.

    Of the hundred dictionaries only the language's own: links to all cost half the start-up.
    """
    source = espeakng_loader.get_data_path()
    target = os.path.join(folder, "espeak-ng-data")
    dictionary = language.partition("-")[0] + "_dict"
    names = [name for name in os.listdir(source) if not name.endswith(("_dict", "voices"))]
    if not os.path.exists(os.path.join(source, dictionary)):
        raise ValueError(f"unknown language '{language}': choose one of espeak-ng's, as 'en-us'")
    os.makedirs(os.path.join(target, "voices", "!v"))
    for name in [dictionary, *names]:
        os.symlink(os.path.join(source, name), os.path.join(target, name))
    with open(os.path.join(target, "voices", "!v", "speaker"), "w", encoding="utf-8") as file:
        file.write(variant)


def load_espeak(folder: str, language: str) -> ctypes.CDLL:
    """Load the library, point it at `folder` and choose `language` with our voice variant."""
    espeak = ctypes.CDLL(espeakng_loader.get_library_path())
    sample_rate = espeak.espeak_Initialize(SYNCHRONOUS, BUFFER_MS, folder.encode(), DO_NOT_EXIT)
    if sample_rate != SAMPLE_RATE:
        raise ValueError(f"espeak-ng cannot start in '{folder}': set TMPDIR to a shorter path")
    # Initialising seeds the breath noise with the time of day: seed it with the same number.
    if espeak.espeak_ng_SetRandSeed(ctypes.c_long(1)) != 0:
        raise RuntimeError("espeak_ng_SetRandSeed failed")
    if espeak.espeak_SetVoiceByName(f"{language}+speaker".encode()) != 0:
        raise ValueError(f"unknown language '{language}': choose one of espeak-ng's, as 'en-us'")
    return espeak


def speak(espeak: ctypes.CDLL, utterance: dict) -> None:
    """Speak one utterance into the callback that `espeak` was given."""
    for parameter, name in ((RATE, "rate"), (PITCH, "pitch"), (RANGE, "pitch_range")):
        if espeak.espeak_SetParameter(parameter, utterance[name], 0) != 0:
            raise ValueError(f"espeak-ng refused the {name} {utterance[name]}")
    text = utterance["text"].encode()
    if espeak.espeak_Synth(text, len(text) + 1, 0, 1, 0, UTF8, None, None) != 0:
        raise ValueError(f"espeak-ng refused the text '{utterance['text']}'")


def answer(request: dict, folder: str) -> bytes:
    """Speak every utterance of the request, with the data folder made in `folder`."""
    make_data_folder(folder, request["language"], request["variant"])
    espeak = load_espeak(folder, request["language"])
    words, samples = array.array("I"), array.array("h")

    def receive(
        pcm: "ctypes._Pointer[ctypes.c_short]", num_samples: int, events: "ctypes._Pointer[Event]"
    ) -> int:
        """Keep what espeak-ng hands over; 0 asks it to go on."""
        if pcm and num_samples:
            samples.frombytes(ctypes.string_at(pcm, 2 * num_samples))
        index = 0
        while events[index].type != EVENT_LIST_END:
            if events[index].type == EVENT_WORD:
                words.extend((events[index].text_position - 1, events[index].sample))
            index += 1
        return 0

    callback = CALLBACK(receive)  # espeak-ng keeps only the pointer: we keep the object alive
    espeak.espeak_SetSynthCallback(callback)
    parts = []
    for utterance in request["utterances"]:
        del words[:], samples[:]
        speak(espeak, utterance)
        sizes = array.array("I", [len(words) // 2, len(samples)])
        parts += [sizes.tobytes(), words.tobytes(), samples.tobytes()]
    return b"".join(parts)


def send(failed: bool, content: bytes) -> None:
    """Write one answer."""
    sys.stdout.buffer.write(array.array("I", [failed, len(content)]).tobytes() + content)
    sys.stdout.buffer.flush()


def answer_in_fork(line: bytes) -> None:
    """Answer one request, in a process of its own."""
    child = os.fork()
    if child:
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status:
            send(True, f"its process ended with status {status}".encode())
        return
    status = 1
    try:
        send(*attempt(line))
        status = 0
    finally:
        os._exit(status)


def attempt(line: bytes) -> tuple[bool, bytes]:
    """Return whether a request fails, and why; or the answer."""
    try:
        with tempfile.TemporaryDirectory(prefix="espeak-") as folder:
            return False, answer(json.loads(line), folder)
    except Exception as error:
        return True, f"{type(error).__name__}: {' '.join(str(error).split())}".encode()


if __name__ == "__main__":
    try:
        for request in sys.stdin.buffer:
            answer_in_fork(request)
    except BrokenPipeError:  # whoever asked has ended
        os._exit(1)
