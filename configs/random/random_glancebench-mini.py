# Random frames, k of 16, whole and without sound; the network learns from 8.
# Test other k with `--cfg-options model.test_cfg.num_focus=8`.
_base_ = '../uniform/uniform_glancebench-mini.py'

model = dict(type='Random')
