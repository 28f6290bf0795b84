"""What configs change, and Table 6's classifier of patches."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from avgn_mm.engine.analysis import build_model, read_config
from avgn_mm.evaluation.ablations import PatchReadout, changed_settings

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / 'configs/avgn/avgn_mn2_r50_anet.py'
MINI = str(ROOT / 'configs/avgn/avgn_glancebench-mini.py')
CHANGES = sorted(path for folder in ('ablations', 'improvements')
                 for path in ROOT.glob(f'configs/avgn/{folder}/*.py'))


@pytest.mark.parametrize('config', CHANGES, ids=lambda path: path.stem)
def test_settings_say_all_that_a_config_changes(config):
    base, changed = Config.fromfile(BASE), Config.fromfile(config)
    settings = changed_settings(changed.to_dict(), base.to_dict())
    base.merge_from_dict(settings)
    assert base.to_dict() == changed.to_dict()
    assert all(name.startswith('model.') for name in settings) and settings
    # Every data set's AVGN takes them; the smallest is enough to see that they fit together.
    build_model(read_config(MINI, settings))


def test_what_is_new_is_said_without_dicts():
    base = dict(a=1, b=dict(c=2), d=None)
    assert changed_settings(dict(a=1, b=dict(c=3), d=dict(e=dict(f=4)), g={}), base) == {
        'b.c': 3, 'd.e.f': 4, 'g': {}}


def test_patch_readout_is_linear_in_the_mean_patch():
    model = build_model(read_config(MINI))
    readout = PatchReadout(model.cls_head)
    visual, local, audio = (torch.randn(2, 5, channels) for channels in (64, 128, 64))
    logits = readout(model.cls_head.fuse(visual, local, audio))
    for n in range(1, 6):
        expected = model.cls_head.fc_local[-1](local[:, :n].mean(dim=1))
        torch.testing.assert_close(logits[:, n - 1], expected)
