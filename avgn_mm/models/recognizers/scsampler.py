"""SCSampler (Korbar et al., ICCV 2019), in the form that AVGN's Table 1 and AR-Net's paper cost.

A light network classifies all T frames, downsized, each by itself. A frame's saliency is its
greatest class logit. The heavy network sees the k most salient frames; their logits' mean is the
answer.

The original scores clips, not frames, by networks on compressed video and on sound. Here a frame
is a clip, as in AR-Net, whose baseline has MobileNetV2 at 84 px for T = 16 and ResNet-50 at 224 px
for k = 10. Sound is an option: a light audio network scores the window of each frame, and the
saliency is the sum of both networks', or the audio network's alone (``light_backbone=None``).

The light networks learn by cross-entropy of their mean logits; or, with ``ranking_loss``, to order
frames as the heavy network does by its confidence in the true class. Deviations: light and heavy
networks are trained in one run, and the heavy one on random frames, so that it learns from all of
them and, for the ranking, is not asked about its favourites only; it is not asked about more
frames than it is trained on. What is ranked is the saliency that is used at test, the greatest
logit, not that of the true class.
"""

import torch
import torch.nn.functional as F

from avgn_mm.registry import MODELS

from .samplers import FrameSampler, random_frames
from .selective import encode, take


@MODELS.register_module()
class SCSampler(FrameSampler):
    """Score all frames by light networks, look at the k most salient.

    Args:
        light_backbone (dict, optional): The light network, from downsized frames to maps. Defaults
            to None: sound alone decides.
        light_head (dict, optional): Its ``FrameHead``.
        light_size (int): Side, in pixels, to which the light network's frames are averaged down.
            Defaults to 84.
        ranking_loss (dict, optional): A ``PairwiseRankingLoss`` instead of the light networks'
            cross-entropy.
        **kwargs: Of :class:`FrameSampler`: ``num_frames``, ``backbone`` and ``cls_head`` of the
            heavy network, ``audio_backbone`` and ``audio_head`` of the light audio network, ...

    Raises:
        ValueError: If there is no light network, or one lacks its head.
    """

    def __init__(self, *, light_backbone: dict | None = None, light_head: dict | None = None,
                 light_size: int = 84, ranking_loss: dict | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        if (light_backbone is None) != (light_head is None):
            raise ValueError('model.light_backbone and model.light_head need each other: set both '
                             'or neither')
        if light_backbone is None and not self.uses_audio:
            raise ValueError('SCSampler needs model.light_backbone or model.audio_backbone to '
                             'score the frames')
        self.light_backbone = self.light_head = None
        if light_backbone is not None:
            self.light_backbone = MODELS.build(light_backbone)
            self.light_head = MODELS.build(light_head)
        self.light_size = light_size
        self.ranking_loss = None if ranking_loss is None else MODELS.build(ranking_loss)

    def classify_light(self, imgs: torch.Tensor) -> torch.Tensor:
        """The light network's logits of each frame: (B, n, 3, H, W) -> (B, n, C)."""
        small = F.adaptive_avg_pool2d(imgs.flatten(0, 1), self.light_size)
        return self.light_head(encode(self.light_backbone, small.unflatten(0, imgs.shape[:2])))

    def score(self, imgs: torch.Tensor, audios: torch.Tensor | None) -> dict[str, torch.Tensor]:
        """Logits (B, T, C) of all frames, by the light networks there are."""
        logits = {}
        if self.light_backbone is not None:
            logits['light'] = self.classify_light(imgs)
        if self.uses_audio:
            logits['audio'] = self.classify_audio(audios)
        return logits

    @staticmethod
    def saliency(logits: dict[str, torch.Tensor]) -> torch.Tensor:
        """The greatest class logit of each frame, summed over the modalities: (B, T)."""
        return sum(each.amax(dim=-1) for each in logits.values())

    def certain_frames(self) -> list[int]:
        """All frames, which the light network scores; none if it is sound that decides."""
        return [] if self.light_backbone is None else [*range(self.num_frames)]

    def choose(self, imgs: torch.Tensor, audios: torch.Tensor | None
               ) -> tuple[torch.Tensor, dict]:
        saliency = self.saliency(self.score(imgs, audios))
        # Stable: equal scores keep the coarse-to-fine order, whatever the batch.
        order = saliency.argsort(dim=1, descending=True, stable=True)
        return order[:, :self.num_focus], dict(saliency=saliency.float())

    def uses(self, num_focus: int) -> dict[str, int]:
        scorers = dict(light=self.light_backbone, audio=self.audio_backbone)
        return dict(heavy=num_focus, **{
            name: self.num_frames for name, network in scorers.items() if network is not None})

    def look(self, imgs: torch.Tensor, audios: torch.Tensor | None, selected: torch.Tensor
             ) -> dict[str, torch.Tensor]:
        return dict(loss_cls=self.classify(take(imgs, selected)).mean(dim=1))

    def parts(self, imgs: torch.Tensor, audios: torch.Tensor | None) -> dict:
        parts = super().parts(imgs, audios)
        if self.light_backbone is not None:
            parts['light'] = lambda: self.classify_light(imgs[:, :1])
        return parts

    def loss(self, inputs: torch.Tensor | dict, data_samples: list, **kwargs
             ) -> dict[str, torch.Tensor]:
        """Cross-entropy of the heavy network, and what teaches the light ones."""
        imgs, audios = self.unpack(inputs)
        head = self.cls_head
        labels = head.gather_labels(data_samples).to(imgs.device)
        drawn = random_frames(imgs, self.num_focus)
        logits = self.classify(take(imgs, drawn))
        video_logits = logits.mean(dim=1)
        losses = dict(loss_cls=head.cross_entropy(video_logits[:, None], labels))
        scored = self.score(imgs, audios)
        if self.ranking_loss is None:
            for name, each in scored.items():
                losses[f'loss_{name}'] = head.cross_entropy(each.mean(dim=1, keepdim=True), labels)
        else:
            losses['loss_ranking'] = self.ranking_loss(
                take(self.saliency(scored), drawn), head.true_class_confidence(logits, labels))
        if labels.dim() == 1:
            losses['top1_acc'] = (video_logits.argmax(dim=-1) == labels).float().mean()
        return losses
