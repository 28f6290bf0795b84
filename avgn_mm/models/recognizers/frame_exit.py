"""FrameExit (Ghodrati et al., "Conditional Early Exiting for Efficient Video Recognition", CVPR
2021, section 3).

Frames are looked at one by one, coarse to fine; the maximum over the frames' features so far is
what is known; after each frame a gate decides whether to classify or to go on. As in the released
model the first frame has no gate: its video is finished if the classifier is sure. After the last
frame every video is finished.

Deviations: the publication trains the network first and the gates after it; here both train at
once, and as the gates read detached features, the network does not feel them. At t the gate is
taught by the loss at t of the network as it then is. Frames at test are the centres of T bins,
where the released code spreads them from the first to the last frame.
"""

import torch
from torch import nn

from avgn_mm.registry import MODELS

from .selective import Answer, SelectiveRecognizer, encode


@MODELS.register_module()
class FrameExit(SelectiveRecognizer):
    """Look at whole frames until a gate says that it is enough.

    Args:
        num_frames (int): T, at least 3: with fewer no gate has a choice.
        backbone (dict): From frames to maps.
        cls_head (dict): A ``PoolingHead``; its ``num_frames`` is filled in from here.
        gate (dict): An ``ExitGate``, of which there is one after each of the frames 2..T-1; its
            ``in_channels`` is filled in from here.
        exit_loss (dict): An ``ExitLoss``, which says by beta how early videos exit.
        test_cfg (dict): ``first_exit_confidence``: the greatest class probability above which the
            first frame is enough (default 0.99). ``num_focus``: look at that many frames of every
            video and do without the gates (default None: with gates).
        **kwargs: ``train_cfg`` and ``data_preprocessor``.

    Raises:
        ValueError: If ``num_frames`` is below 3.
    """

    def __init__(self, *, num_frames: int, cls_head: dict, gate: dict, exit_loss: dict,
                 **kwargs) -> None:
        if num_frames < 3:
            raise ValueError(f'model.num_frames={num_frames}: FrameExit needs at least 3, as no '
                             'gate follows the first and the last frame')
        super().__init__(num_frames=num_frames, cls_head=dict(num_frames=num_frames, **cls_head),
                         **kwargs)
        channels = self.cls_head.classifier.fc.out_features
        self.gates = nn.ModuleList(
            MODELS.build(dict(in_channels=channels, **gate)) for _ in range(num_frames - 2))
        self.exit_loss = MODELS.build(exit_loss)

    def embed(self, frames: torch.Tensor) -> torch.Tensor:
        """Features of frames by themselves: (B, N, 3, H, W) -> (B, N, hidden_channels)."""
        return self.cls_head.classifier.embed(encode(self.backbone, frames))

    def certain_frames(self) -> list[int]:
        """The first frame, or all that every video is given."""
        gated = self.test_cfg.get('num_focus') is None
        return [*range(1 if gated else self.budget('num_focus'))]

    def answer(self, imgs: torch.Tensor, audios: torch.Tensor | None) -> Answer:
        """Classify after as many frames as each video needs; finished videos leave the batch."""
        if self.test_cfg.get('num_focus') is not None:
            return self._answer_after(imgs, self.budget('num_focus'))
        classifier = self.cls_head.classifier
        confidence = self.test_cfg.get('first_exit_confidence', 0.99)
        videos = torch.arange(len(imgs), device=imgs.device)
        num_steps = torch.ones_like(videos)
        logits = imgs.new_empty(len(imgs), self.cls_head.num_classes)

        pooled = self.embed(imgs[:, :1])
        logits[:] = classifier.classify(pooled).squeeze(1)
        finished = logits.softmax(dim=1).amax(dim=1) > confidence
        for step in range(1, self.num_frames):
            videos, previous = videos[~finished], pooled[~finished]
            if not len(videos):
                break
            num_steps[videos] = step + 1
            pooled = torch.maximum(previous, self.embed(imgs[videos, step:step + 1]))
            if step < self.num_frames - 1:
                finished = self.gates[step - 1](pooled.squeeze(1), previous.squeeze(1)) > 0
            else:
                finished = torch.ones_like(videos, dtype=torch.bool)
            step_logits = classifier.classify(pooled[finished], first_step=step).squeeze(1)
            logits[videos[finished]] = step_logits.to(logits.dtype)
        steps = num_steps.tolist()
        calls = [{'backbone.frame': n, 'cls_head.frame': n, 'gate': min(n, self.num_frames - 1) - 1,
                  'cls_head.output': min(n, 2)} for n in steps]
        return Answer(logits, calls, dict(
            frames_focused=steps, exit_step=steps,
            selected=[torch.arange(n, device=imgs.device) for n in steps]))

    def _answer_after(self, imgs: torch.Tensor, num_focus: int) -> Answer:
        """Classify every video after ``num_focus`` frames, without gates."""
        pooled = self.embed(imgs[:, :num_focus]).amax(dim=1, keepdim=True)
        logits = self.cls_head.classifier.classify(pooled, first_step=num_focus - 1).squeeze(1)
        calls = {'backbone.frame': num_focus, 'cls_head.frame': num_focus, 'cls_head.output': 1}
        selected = torch.arange(num_focus, device=imgs.device)
        return Answer(logits, [calls] * len(imgs), dict(
            frames_focused=[num_focus] * len(imgs), selected=[selected] * len(imgs)))

    def parts(self, imgs: torch.Tensor, audios: torch.Tensor | None) -> dict:
        """A frame, its embedding, a gate and a classification."""
        classifier = self.cls_head.classifier
        feats = encode(self.backbone, imgs[:, :1])
        pooled = classifier.embed(feats)
        return {
            'backbone.frame': lambda: encode(self.backbone, imgs[:, :1]),
            'cls_head.frame': lambda: classifier.embed(feats),
            'gate': lambda: self.gates[0](pooled.squeeze(1), pooled.squeeze(1)),
            'cls_head.output': lambda: classifier.classify(pooled),
        }

    def loss(self, inputs: torch.Tensor | dict, data_samples: list, **kwargs
             ) -> dict[str, torch.Tensor]:
        """Cross-entropy after each frame, and the loss of the gates."""
        imgs, _ = self.unpack(inputs)
        labels = self.cls_head.gather_labels(data_samples)
        pooled = self.embed(imgs).cummax(dim=1).values
        logits = self.cls_head.classifier.classify(pooled)
        known = pooled.detach()
        gate_logits = torch.stack([
            gate(known[:, step], known[:, step - 1])
            for step, gate in enumerate(self.gates, start=1)], dim=1)
        return dict(loss_cls=self.cls_head.cross_entropy(logits, labels),
                    loss_gate=self.exit_loss(gate_logits, logits, labels))
