import numpy as np
import pytest
import torch

from avgn_mm.datasets.transforms import LogMel
from avgn_mm.models.layers import AudioDropout


def numbered(batch_size):
    """Windows that say whose they are."""
    return torch.arange(batch_size).float().view(-1, 1, 1, 1, 1).expand(-1, 3, 1, 4, 5)


def test_silence_is_the_pipelines():
    audios = torch.from_numpy(LogMel()(dict(waveforms=np.zeros((3, 15600), np.float32)))['audios'])
    silent, source = AudioDropout(missing=1.0)(torch.rand(2, *audios.shape))
    assert torch.equal(silent, audios.expand(2, -1, -1, -1, -1))
    assert source.tolist() == [0, 1]


def test_wrong_is_another_videos():
    audios = numbered(50)
    heard, source = AudioDropout(wrong=1.0)(audios)
    assert torch.equal(heard, audios[source])
    assert (source != torch.arange(50)).all() and len(source.unique()) > 10
    # Alone in its batch a video keeps its sound.
    heard, source = AudioDropout(wrong=1.0)(audios[:1])
    assert torch.equal(heard, audios[:1]) and source.tolist() == [0]


def test_shares():
    heard, source = AudioDropout(missing=0.2, wrong=0.3)(numbered(4000) + 1)
    missing = heard[:, 0, 0, 0, 0] < 0
    wrong = source != torch.arange(4000)
    assert missing.float().mean().item() == pytest.approx(0.2, abs=0.03)
    assert wrong.float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert not (missing & wrong).any()
    assert heard.dtype == torch.float32


@pytest.mark.parametrize('shares', [dict(missing=-0.1), dict(missing=0.6, wrong=0.5)])
def test_shares_must_be_shares(shares):
    with pytest.raises(ValueError, match='audio_dropout'):
        AudioDropout(**shares)
