"""OCSampler (Lin et al., "Compressing Videos to One Clip with Single-step Sampling", CVPR 2022,
section 3).

A light network skims all T frames, small and in time order, and gives each a probability; the N
most probable ones are looked at closely, all at once. In training a set of N frames is drawn
without replacement, and the exact probability of the set, whatever the order of its draws, is
raised or lowered by how much better it is classified than a set drawn by chance (self-critical).
The classifier is FrameExit's, trained before, and frozen.

Deviations: the classifier's linear layer is that of FrameExit's step N, where the publication has
one for all sizes. The reward is the true class's confidence, where the released code takes the
greatest one of any class. The entropy bonus falls linearly with the iterations. In training all T
frames are encoded once, from which both sets take theirs.
"""

import logging

import torch
import torch.nn.functional as F
from mmengine.logging import MessageHub, print_log
from torch import nn

from avgn_mm.frame_order import coarse_to_fine_order
from avgn_mm.models.losses import draw_from_segments, sample_ordered_subset
from avgn_mm.registry import MODELS

from .selective import Answer, SelectiveRecognizer, encode, take


@MODELS.register_module()
class OCSampler(SelectiveRecognizer):
    """Skim all frames, choose N at once, classify them.

    ``backbone`` and ``cls_head`` have FrameExit's names, so that ``load_from`` with a checkpoint
    of FrameExit gives the classifier its weights. A checkpoint without them is refused.

    Args:
        num_frames (int): T.
        sampler (dict): The light network, from small frames to maps of ``sampler_channels``.
        sampler_channels (int): Its output channels.
        sampler_size (int): Side, in pixels, of the frames that it sees.
        resize_mode (str): Of ``torch.nn.functional.interpolate``. Defaults to ``'nearest'``.
        backbone (dict): The classifier's, from frames to maps; frozen.
        cls_head (dict): The classifier's ``PoolingHead``; frozen. Its ``num_frames`` is filled in
            from here.
        subset_loss (dict): A ``SubsetPolicyLoss``.
        train_cfg (dict): ``num_focus``: N of the sets that are drawn.
        test_cfg (dict): ``num_focus``: N.
        **kwargs: ``data_preprocessor``.

    Raises:
        ValueError: If N is missing or not in 1..T.
    """

    def __init__(self, *, num_frames: int, sampler: dict, sampler_channels: int,
                 sampler_size: int, cls_head: dict, subset_loss: dict,
                 resize_mode: str = 'nearest', **kwargs) -> None:
        super().__init__(num_frames=num_frames, cls_head=dict(num_frames=num_frames, **cls_head),
                         **kwargs)
        for name in ('train_cfg', 'test_cfg'):
            size = getattr(self, name).get('num_focus')
            if size is None or not 1 <= size <= num_frames:
                raise ValueError(f'model.{name}.num_focus={size} must be in 1..{num_frames} '
                                 f'(model.num_frames={num_frames})')
        self.sampler = MODELS.build(sampler)
        self.score = nn.Linear(sampler_channels, 1)
        nn.init.normal_(self.score.weight, std=0.01)
        nn.init.zeros_(self.score.bias)
        self.sampler_size = sampler_size
        self.resize_mode = resize_mode
        self.subset_loss = MODELS.build(subset_loss)
        order = torch.tensor(coarse_to_fine_order(num_frames))
        # Time index of the i-th frame of the tensors, and where in them the t-th frame in time is.
        self.register_buffer('time_of', order, persistent=False)
        self.register_buffer('position_of', order.argsort(), persistent=False)
        self._told = False
        for part in (self.backbone, self.cls_head):
            part.requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> 'OCSampler':
        """Set the mode of all but the classifier, whose BN statistics and dropout are frozen."""
        super().train(mode)
        self.backbone.eval()
        self.cls_head.eval()
        return self

    def skim(self, imgs: torch.Tensor) -> torch.Tensor:
        """The policy: log-probabilities (B, T), in the order of the tensors."""
        frames = imgs[:, self.position_of].flatten(0, 1)
        frames = F.interpolate(frames, size=self.sampler_size, mode=self.resize_mode)
        feats = encode(self.sampler, frames.unflatten(0, imgs.shape[:2]))
        return self.score(feats).squeeze(-1)[:, self.time_of].log_softmax(dim=1)

    def embed(self, frames: torch.Tensor) -> torch.Tensor:
        """Features of frames by themselves: (B, N, 3, H, W) -> (B, N, hidden_channels)."""
        return self.cls_head.classifier.embed(encode(self.backbone, frames))

    def classify(self, embedded: torch.Tensor) -> torch.Tensor:
        """Logits of a set of N frames: (B, N, hidden_channels) -> (B, 1, C)."""
        pooled = embedded.amax(dim=1, keepdim=True)
        return self.cls_head.classifier.classify(pooled, first_step=embedded.shape[1] - 1)

    def certain_frames(self) -> list[int]:
        """All frames, which the policy skims."""
        return [*range(self.num_frames)]

    def answer(self, imgs: torch.Tensor, audios: torch.Tensor | None) -> Answer:
        """Skim, take the N most probable frames and classify them."""
        size = self.budget('num_focus')
        log_probs = self.skim(imgs)
        # Stable: equal scores keep the coarse-to-fine order, whatever the batch.
        selected = log_probs.argsort(dim=1, descending=True, stable=True)[:, :size]
        logits = self.classify(self.embed(take(imgs, selected))).squeeze(1)
        calls = {'sampler': 1, 'backbone.frame': size, 'cls_head.frame': size,
                 'cls_head.output': 1}
        return Answer(logits, [calls] * len(imgs), dict(
            saliency=log_probs.exp(), selected=selected,
            frames_encoded=[self.num_frames] * len(imgs), frames_focused=[size] * len(imgs)))

    def parts(self, imgs: torch.Tensor, audios: torch.Tensor | None) -> dict:
        """The skim of a video; a frame, its embedding and a classification."""
        feats = encode(self.backbone, imgs[:, :1])
        embedded = self.cls_head.classifier.embed(feats)
        return {
            'sampler': lambda: self.skim(imgs),
            'backbone.frame': lambda: encode(self.backbone, imgs[:, :1]),
            'cls_head.frame': lambda: self.cls_head.classifier.embed(feats),
            'cls_head.output': lambda: self.classify(embedded),
        }

    def loss(self, inputs: torch.Tensor | dict, data_samples: list, **kwargs
             ) -> dict[str, torch.Tensor]:
        """The policy gradient and the entropy bonus; ``reward`` and ``baseline`` are logged."""
        self._tell_if_untrained()
        imgs, _ = self.unpack(inputs)
        labels = self.cls_head.gather_labels(data_samples)
        size = self.train_cfg['num_focus']
        log_probs = self.skim(imgs)
        with torch.no_grad():
            drawn = sample_ordered_subset(log_probs, size)[0][:, :size]
            times = draw_from_segments(self.num_frames, size, len(imgs), imgs.device)
            embedded = self.embed(imgs)
            reward, baseline = (
                self.cls_head.true_class_confidence(
                    self.classify(take(embedded, chosen)), labels).squeeze(1)
                for chosen in (drawn, self.position_of[times]))
        losses = self.subset_loss(log_probs, drawn, reward - baseline, self._remaining())
        return dict(losses, reward=reward.mean(), baseline=baseline.mean())

    @staticmethod
    def _remaining() -> float:
        """Share of the training that lies ahead; 1 outside a runner."""
        hub = MessageHub.get_current_instance()
        return 1 - (hub.get_info('iter') or 0) / (hub.get_info('max_iters') or 1)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args, **kwargs) -> None:
        """Refuse what lacks the classifier, which loading that is not strict would let pass.

        Raises:
            ValueError: If weights of the classifier are missing or have other shapes.
        """
        own = {prefix + name: value for name, value in self.state_dict().items()
               if name.startswith(('backbone.', 'cls_head.'))
               and not name.endswith('num_batches_tracked')}
        wrong = [name for name, value in own.items()
                 if name not in state_dict or state_dict[name].shape != value.shape]
        if wrong:
            raise ValueError(
                f"the checkpoint lacks {len(wrong)} of the {len(own)} tensors of OCSampler's "
                f'classifier or has them in other shapes, beginning with {wrong[0]}: name in '
                'load_from one of FrameExit (configs/frameexit) with the same num_frames, backbone '
                'and cls_head')
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def _tell_if_untrained(self) -> None:
        """Warn, once, if no classifier was loaded: its BN has then never seen a batch."""
        if not self._told and int(self.cls_head.classifier.norm.num_batches_tracked) == 0:
            print_log("OCSampler's frozen classifier was never trained, so rewards mean nothing: "
                      'name a checkpoint of FrameExit (configs/frameexit) in load_from', 'current',
                      logging.WARNING)
        self._told = True
