"""VoxCeleb as it is downloaded: its archives, its trees of audio and its lists."""
