"""What every rival must hold, whatever it does: called by the tests of each."""

import torch
from mmaction.structures import ActionDataSample

from avgn_mm.evaluation.cost import count_macs

NUM_CLASSES = 5
IMAGE_SIZE = 32


def batch(batch_size, num_frames, audio=False):
    """Random inputs of a data loader after preprocessing, and labels."""
    imgs = torch.randn(batch_size, num_frames, 3, IMAGE_SIZE, IMAGE_SIZE)
    inputs = imgs
    if audio:
        inputs = dict(imgs=imgs, audios=torch.randn(batch_size, num_frames, 1, 24, 16))
    return inputs, [ActionDataSample().set_gt_label(i % NUM_CLASSES) for i in range(batch_size)]


def check_cost(model, batch_size, audio=False):
    """The cost that the data samples state is what an executed prediction computes.

    Returns:
        list[ActionDataSample]: The predicted samples.
    """
    model.eval()
    inputs, samples = batch(batch_size, model.num_frames, audio)
    model.unit_macs(*model.unpack(inputs))  # counted once; not part of a prediction
    predicted = []
    executed = count_macs(lambda: predicted.extend(model.predict(inputs, samples)))
    stated = sum(sample.gmacs for sample in predicted) * 1e9
    assert abs(executed - stated) < 1, f'executed {executed}, stated {stated}'
    for sample in predicted:
        assert sample.pred_score.shape == (NUM_CLASSES, )
        assert abs(float(sample.pred_score.sum()) - 1) < 1e-5
    return predicted


def check_alone(model, audio=False, batch_size=3):
    """A video's scores do not depend on the other videos of its batch."""
    model.eval()
    inputs, samples = batch(batch_size, model.num_frames, audio)
    together = [s.pred_score.clone() for s in model.predict(inputs, samples)]
    for i in range(batch_size):
        one = ({name: x[i:i + 1] for name, x in inputs.items()} if audio else inputs[i:i + 1])
        _, sample = batch(1, model.num_frames, audio)
        alone = model.predict(one, sample)[0].pred_score
        torch.testing.assert_close(alone, together[i], atol=1e-5, rtol=1e-4)


def check_training(model, audio=False, frozen=()):
    """A training step gives finite losses, and gradients to all parameters but the frozen.

    Args:
        frozen (tuple[str, ...]): Beginnings of the names of parameters that must get none.
    """
    model.train()
    inputs, samples = batch(4, model.num_frames, audio)
    losses = model.loss(inputs, samples)
    total = sum(value for name, value in losses.items() if name.startswith('loss'))
    assert torch.isfinite(total)
    total.backward()
    for name, parameter in model.named_parameters():
        reached = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
        assert reached != name.startswith(tuple(frozen)), f"{name}: gradient {reached}"
    return losses
