"""The theme of the page: light, with the fonts of the system."""

import gradio as gr

FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica", "Arial", "sans-serif"]
MONOSPACED = ["ui-monospace", "Menlo", "Consolas", "monospace"]
ACCENT = "#17756b"  # as in page.css
LIGHT = "() => document.body.classList.remove('dark')"  # JavaScript: whatever the browser prefers


def make_theme() -> gr.themes.Base:
    """Return the theme; page.css does the rest."""
    theme = gr.themes.Default(
        primary_hue="teal",
        secondary_hue="teal",
        neutral_hue="slate",
        font=FONTS,
        font_mono=MONOSPACED,
        radius_size="lg",
    )
    return theme.set(
        body_background_fill="#fbfcfd",
        block_border_color="#e3e7ec",
        block_label_text_color="#5b6673",
        block_shadow="none",
        color_accent=ACCENT,
        border_color_accent=ACCENT,
        loader_color=ACCENT,
        button_primary_background_fill=ACCENT,
        button_primary_background_fill_hover="#115c54",
        button_primary_text_color="white",
    )
