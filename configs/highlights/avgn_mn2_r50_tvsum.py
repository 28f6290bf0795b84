# Zero-shot highlight detection on TVSum (section 4.3, Table 2): AVGN as trained on ActivityNet by
# ../avgn/avgn_mn2_r50_anet.py. Test only; a sample is a window of 16 frames, one frame a shot.
_base_ = '../avgn/avgn_mn2_r50_anet.py'

num_frames = 16
data_root = 'data/tvsum'
# All frames of a window are glanced at, so that each shot is seen. Only the saliency is wanted:
# one frame is looked at closely.
model = dict(test_cfg=dict(num_glances=num_frames, num_focus=1))

test_dataloader = dict(
    _delete_=True,
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='HighlightDataset',
        ann_file=f'{data_root}/highlights.json',
        data_prefix=dict(video=f'{data_root}/videos'),
        num_frames=num_frames,
        pipeline=[
            dict(type='AVInit'),
            dict(type='SampleWindow', num_frames=num_frames),
            dict(type='DecodeFrames'),
            dict(type='Resize', scale=(256, 256), keep_ratio=False),
            dict(type='CenterCrop', crop_size=224),
            dict(type='FormatShape', input_format='NCHW'),
            dict(type='DecodeAudio'),
            dict(type='LogMel'),
            dict(
                type='PackActionInputs',
                collect_keys=('imgs', 'audios'),
                meta_keys=('filename', 'slot_times', 'window', 'num_windows', 'shot_seconds',
                           'category', 'annotations'))
        ]))
# The costs are those of a window.
test_evaluator = [dict(type='HighlightMetric'), dict(type='CostMetric')]
