"""Each method on GlanceBench-mini: as the test pipeline says, with frames read in stages."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from avgn_mm.apis import AVInferencer
from avgn_mm.registry import DATASETS
from tests.tiny_set import data_options

CONFIGS = sorted(str(path) for path in Path('configs').glob('*/*_glancebench-mini.py')
                 if path.name != 'tsn_glancebench-mini.py')


@pytest.mark.parametrize('config', CONFIGS)
def test_equals_the_test_pipeline(config, glancebench):
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(data_options(config, None, glancebench))
    torch.manual_seed(0)
    inferencer = AVInferencer(cfg, device='cpu', show_progress=False)
    dataset = DATASETS.build(inferencer.cfg.test_dataloader.dataset)
    files = [dataset.get_data_info(i)['filename'] for i in range(len(dataset))]
    for i, result in enumerate(inferencer(files, batch_size=2)):
        assert result.error is None
        with torch.inference_mode():
            (sample, ) = inferencer.model.test_step(pseudo_collate([dataset[i]]))
        scores = torch.zeros(len(sample.pred_score))
        for label in inferencer(files[i])[0].labels:
            scores[label['label']] = label['score']
        best = scores > 0
        torch.testing.assert_close(scores[best], sample.pred_score[best], atol=1e-5, rtol=1e-4)
        assert result.gmacs == pytest.approx(sample.gmacs)
        certain = inferencer.model.certain_frames()
        assert len(certain) == len(set(certain)) <= result.frames_decoded <= cfg.model.num_frames
        read = set(sample.get('selected', torch.tensor([])).tolist()) | set(certain)
        if 'random' not in config:  # which looks at the first frame for its seed
            assert result.frames_decoded <= max(len(read), sample.get('frames_encoded', 0))
