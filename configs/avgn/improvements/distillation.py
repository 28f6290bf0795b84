# Predictions from few frames learn from the one that has all.
_base_ = '../avgn_mn2_r50_anet.py'

model = dict(distillation_loss=dict(type='BudgetDistillationLoss'))
