"""The page as Gradio draws it: what is on each tab, and which function answers which button."""

from pathlib import Path

import gradio as gr

from deep_speaker.page.about import describe_privacy, read_card
from deep_speaker.page.enrolment import (
    describe_enrolled,
    enrol,
    list_speakers,
    remove,
    speaker_names,
)
from deep_speaker.page.hearing import LONGEST_TRACKED_SECONDS
from deep_speaker.page.identification import identify_speaker
from deep_speaker.page.parts import answer, follow, introduce, recorder, several_files
from deep_speaker.page.rendering import render
from deep_speaker.page.tracking import track_speakers
from deep_speaker.page.uploads import Uploads
from deep_speaker.page.verification import verify
from deep_speaker.voices.speaker_store import SpeakerStore
from deep_speaker.voices.voice_model import VoiceModel

CHECKED_EVERY, KEPT_AT_MOST = 60, 3600  # seconds, of uploads


def build_page(model: VoiceModel, store: SpeakerStore) -> gr.Blocks:
    """Return the page of a model and of those who are enrolled."""
    uploads = Uploads()
    with gr.Blocks(
        title="Who is speaking?",
        analytics_enabled=False,
        delete_cache=(CHECKED_EVERY, KEPT_AT_MOST),
    ) as page:
        gr.HTML(render("header", model=Path(model.name).name))
        with gr.Tab("Verify"):
            add_verification(model, uploads)
        with gr.Tab("Enrol") as enrolment:
            add_enrolment(enrolment, model, store, uploads)
        with gr.Tab("Identify") as identification:
            add_identification(identification, model, store, uploads)
        with gr.Tab("Track"):
            add_tracking(model, store, uploads)
        with gr.Tab("About"):
            gr.HTML(describe_privacy(store.folder, KEPT_AT_MOST // 60))
            with gr.Accordion("The card of the model"):
                gr.Markdown(read_card(model.name), elem_classes="ds-card")

        def close(request: gr.Request) -> None:
            uploads.forget(str(request.session_hash))

        page.unload(close)
    return page


def add_verification(model: VoiceModel, uploads: Uploads) -> None:
    """Draw the tab that compares two recordings."""
    introduce("Do two recordings have one voice?")
    with gr.Row():
        recordings = [recorder("First recording", uploads), recorder("Second recording", uploads)]
    button = gr.Button("Compare", variant="primary")
    result = gr.HTML()

    def compare(one: str | None, other: str | None) -> str:
        return verify(model, one, other)

    answer(button, compare, recordings, result)


def add_enrolment(tab: gr.Tab, model: VoiceModel, store: SpeakerStore, uploads: Uploads) -> None:
    """Draw the tab on which speakers are enrolled, listed and removed."""
    introduce("Make a voice known, by one recording or several of that person alone.")
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            name = gr.Textbox(label="Name", placeholder="any letters", max_lines=1)
            recorded = recorder("Record", uploads, ["microphone"])
            files = several_files("Or choose files", uploads)
            button = gr.Button("Enrol", variant="primary")
            result = gr.HTML()
        with gr.Column(min_width=300):
            listed = gr.HTML()
            with gr.Row(elem_classes="ds-removal") as removal:
                chosen = gr.Dropdown(label="Remove somebody", choices=[], min_width=140, scale=3)
                remove_button = gr.Button("Remove", min_width=90, scale=1)
            removed = gr.HTML()

    def enrol_one(name: str, recorded: str | None, files: list[str] | None) -> str:
        return enrol(model, store, name, recorded, files)

    def remove_one(name: str | None) -> str:
        return remove(store, name)

    def show() -> tuple[str, dict, dict]:
        names = speaker_names(store)
        choices = gr.update(choices=names, value=None)
        return list_speakers(store), choices, gr.update(visible=bool(names))

    def empty() -> tuple[str, None, None]:
        return "", None, None

    given, shown = [name, recorded, files], [listed, chosen, removal]
    follow(tab.select, show, shown)
    enrolled = answer(button, enrol_one, given, result)
    follow(enrolled.success, show, shown)
    follow(enrolled.success, empty, given)
    follow(answer(remove_button, remove_one, [chosen], removed).success, show, shown)


def add_identification(
    tab: gr.Tab, model: VoiceModel, store: SpeakerStore, uploads: Uploads
) -> None:
    """Draw the tab that names a voice."""
    introduce("Which of those who are enrolled speaks here, if any?")
    known = gr.HTML()
    recording = recorder("A recording of one voice", uploads)
    button = gr.Button("Identify", variant="primary")
    result = gr.HTML()

    def identify_one(audio: str | None) -> str:
        return identify_speaker(model, store, audio)

    follow(tab.select, lambda: describe_enrolled(store), [known])
    answer(button, identify_one, [recording], result)


def add_tracking(model: VoiceModel, store: SpeakerStore, uploads: Uploads) -> None:
    """Draw the tab that tells who speaks when."""
    introduce("Who speaks when in a conversation?", LONGEST_TRACKED_SECONDS)
    recording = recorder("A conversation", uploads)
    cluster = gr.Checkbox(True, label="Tell apart those who are not enrolled, as speaker-1, ...")
    button = gr.Button("Track", variant="primary")
    result = gr.HTML()

    def track_one(audio: str | None, cluster: bool) -> str:
        return track_speakers(model, store, audio, cluster)

    answer(button, track_one, [recording, cluster], result)
