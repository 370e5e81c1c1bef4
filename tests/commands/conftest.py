"""A tiny model, two recordings, and the command `deep-speaker` in this process."""

from pathlib import Path

import pytest

from deep_speaker.commands.main import main
from support.command_lines import Answer, Command
from support.speech import make_speech, write_audio
from support.voice_models import write_voice_model


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_voice_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run a command line in an empty folder, with a.wav, b.flac and silence.wav."""
    monkeypatch.chdir(tmp_path)
    write_audio(Path("a.wav"), make_speech(1, 2.0))
    write_audio(Path("b.flac"), make_speech(2, 2.0))
    write_audio(Path("silence.wav"), 0 * make_speech(1, 2.0))

    def run(*words: str | Path) -> Answer:
        status = 0
        try:
            main([str(word) for word in words])
        except SystemExit as stopped:
            status = int(stopped.code or 0)
        captured = capsys.readouterr()
        return Answer(captured.out, captured.err, status)

    return run
