"""The parts of which the tabs are made: inputs for recordings, and buttons that are answered."""

import logging
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Literal

import gradio as gr
from gradio.events import Dependency
from markupsafe import escape

from deep_speaker.page.hearing import LONGEST_SECONDS, MOST_MEGABYTES, say_seconds
from deep_speaker.page.rendering import render
from deep_speaker.page.uploads import Uploads
from deep_speaker.system.errors import EXPECTED_ERRORS, describe_error

NOTHING = "() => ''"  # JavaScript: an old answer would stand beside a new question
SHOWN_SECONDS = 20  # of a refusal
WAVE_COLOUR, PLAYED_COLOUR = "#a9b4c0", "#17756b"
Source = Literal["upload", "microphone"]


def introduce(sentence: str, longest: float = LONGEST_SECONDS) -> None:
    """Say what a tab is for, and what its recordings may measure."""
    limits = f"up to {say_seconds(longest)} and {MOST_MEGABYTES} MB"
    gr.HTML(render("introduction", sentence=sentence, limits=limits))


def recorder(
    label: str, uploads: Uploads, sources: Sequence[Source] = ("upload", "microphone")
) -> gr.Audio:
    """Return an input for a recording."""
    audio = gr.Audio(
        label=label,
        sources=list(sources),
        type="filepath",
        editable=False,
        min_width=240,  # below, two stand one above the other
        buttons=[],
        waveform_options=gr.WaveformOptions(
            waveform_color=WAVE_COLOUR, waveform_progress_color=PLAYED_COLOUR
        ),
    )

    def note(path: str | None, request: gr.Request) -> None:
        uploads.remember(str(request.session_hash), [path] if path else [])

    audio.change(note, audio, None, queue=False, show_progress="hidden", api_visibility="private")
    return audio


def several_files(label: str, uploads: Uploads) -> gr.File:
    """Return an input for several recordings."""
    files = gr.File(label=label, file_count="multiple", file_types=["audio"], height=140)

    def note(paths: list[str] | None, request: gr.Request) -> None:
        uploads.remember(str(request.session_hash), paths or [])

    files.change(note, files, None, queue=False, show_progress="hidden", api_visibility="private")
    return files


def answer(
    button: gr.Button,
    function: Callable[..., Any],
    inputs: Sequence[gr.components.Component],
    outputs: gr.components.Component | Sequence[gr.components.Component],
) -> Dependency:
    """Let a function answer a button; a refusal is shown in its own words.

    Args:
        outputs: the first is emptied at once.
    """
    first = outputs[0] if isinstance(outputs, Sequence) else outputs
    button.click(None, None, first, js=NOTHING, api_visibility="private")
    return button.click(refusing(function), list(inputs), outputs, api_visibility="private")


def refusing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose errors are words for the user, never a traceback."""

    @wraps(function)
    def wrapped(*inputs: Any) -> Any:
        try:
            return function(*inputs)
        except EXPECTED_ERRORS as error:
            words = describe_error(error)
        except Exception:  # a bug: its traceback belongs to the terminal
            logging.exception("the page could not answer")
            words = "something went wrong in this program: the terminal says what"
        raise gr.Error(str(escape(words)), SHOWN_SECONDS, title="Refused", print_exception=False)

    return wrapped


def follow(
    event: Callable[..., Any],
    function: Callable[[], Any],
    outputs: Sequence[gr.components.Component | gr.Row],
) -> None:
    """Let a function follow an event, unseen."""
    event(function, None, list(outputs), show_progress="hidden", api_visibility="private")
