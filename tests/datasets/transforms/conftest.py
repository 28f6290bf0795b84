import numpy as np
import pytest

from tests.media import write_clip


@pytest.fixture(scope='session')
def long_clip(tmp_path_factory):
    """Ten minutes: frames that say their index at 2 fps, and a sound of 300 + t Hz at t seconds."""
    return write_clip(
        tmp_path_factory.mktemp('long') / 'long.mov',
        num_frames=1200,
        fps=2,
        video_options=dict(g='20'),
        # the integral of 300 + t
        audio=lambda seconds: 0.3 * np.sin(2 * np.pi * (300 + seconds / 2) * seconds),
        audio_codec='pcm_s16le',
        audio_rate=8000)
