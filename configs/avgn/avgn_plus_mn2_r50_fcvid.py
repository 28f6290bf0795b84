# AVGN+ on FCVID (Table 1): 2 glances, early exit, with the weights of AVGN. The thresholds
# are solved for those weights: tools/analysis_tools/solve_exits.py writes the file.
_base_ = './avgn_mn2_r50_fcvid.py'

model = dict(
    test_cfg=dict(
        num_glances=2,
        num_focus=16,
        exit_thresholds='work_dirs/avgn_mn2_r50_fcvid/thresholds.json'))
