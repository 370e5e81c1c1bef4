"""The server of the page, on 127.0.0.1."""

import os
import signal
import tempfile
from pathlib import Path
from typing import Any

from deep_speaker.page.hearing import MOST_MEGABYTES
from deep_speaker.voices.speaker_store import SpeakerStore
from deep_speaker.voices.voice_model import VoiceModel

ADDRESS = "127.0.0.1"
NO_TELEMETRY = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}
STYLES = Path(__file__).with_name("page.css")


def serve(model: VoiceModel, speakers: Path, port: int) -> None:
    """Serve the page until the process is told to stop, and delete what was uploaded.

    Args:
        speakers: the folder of those who are enrolled.

    Raises:
        ValueError: the port cannot be had.
    """
    _ = model.scoring  # what is damaged is found now, not by the first visitor
    store = SpeakerStore(speakers, model.id, model.name)
    with tempfile.TemporaryDirectory(prefix="deep-speaker-") as folder:
        os.environ.update(NO_TELEMETRY | {"GRADIO_TEMP_DIR": folder})
        bypass_proxies()
        page = launch(model, store, port)
        print(f"The page is at http://{ADDRESS}:{port}/ (Ctrl-C ends it)", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass
        finally:
            page.close(verbose=False)


def launch(model: VoiceModel, store: SpeakerStore, port: int) -> Any:
    """Start the server and return the page; see `serve`."""
    # Seconds to import, and read by nobody else; after the settings, which it reads once.
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from deep_speaker.page.fence import HOSTS, SelfContained
    from deep_speaker.page.layout import build_page
    from deep_speaker.page.theme import LIGHT, make_theme

    page = build_page(model, store)
    guards = [Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS), Middleware(SelfContained)]
    try:
        page.launch(
            server_name=ADDRESS,
            server_port=port,
            share=False,
            prevent_thread_lock=True,
            quiet=True,
            footer_links=[],
            run_history=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            enable_monitoring=False,
            max_file_size=f"{MOST_MEGABYTES}mb",
            app_kwargs={"middleware": guards},
            theme=make_theme(),
            css_paths=STYLES,
            js=LIGHT,
        )
    except OSError as error:
        raise ValueError(f"port {port}: in use, or not allowed: take another --port") from error
    return page


def bypass_proxies() -> None:
    """Keep Gradio's look at its own server, when it starts, from going through a proxy."""
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), ADDRESS]))
