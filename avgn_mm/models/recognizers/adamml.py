"""AdaMML-style gating of modalities (Panda et al., ICCV 2021), with sight and sound.

A policy network (``ModalityPolicy``) looks at a small version of each segment, here a frame and
the log-mel window around it, and decides for each modality by itself whether its heavy network
shall see the segment. The video's logits are the mean over the segments of the weighted sum of
what was seen; the weights of the modalities are learned and sum to 1, and what was skipped counts
as zeros.

Training draws the decisions by hard Gumbel-softmax with straight-through gradients and runs all
networks on everything. The loss is cross-entropy and, for each modality, lambda times the square
of the share of segments in which it is used; but a video that is classified wrongly pays a
constant instead, so that nothing makes the policy save there. (A constant has no gradient; it is
kept as the paper's objective has it.)

Taken from the authors' code, where the paper is silent or we did not have it: that the policy's
LSTM reads its previous logits, not its previous draws; the zeros for skipped segments.

Deviations. A segment is one frame and 0.96 s of sound in our log-mel front end (64 bands); theirs
has 8 frames for the heavy network and 1.28 s as a 256 x 256 spectrogram. Optical flow is left out.
At test the more probable decision is taken instead of a draw; if that skips all of a video, the
use that came closest to being chosen is forced, so that there is something to answer with (in
training such a draw gives zero logits, which cross-entropy punishes). Theirs first trains each
modality alone, then alternates between epochs of the policy and of the heavy networks, then tunes
the latter; here all is one run, in which ``unimodal_weight`` lets the heavy networks also learn
from all segments of their modality.
"""

import torch
import torch.nn.functional as F
from torch import nn

from avgn_mm.registry import MODELS

from .selective import Answer, SelectiveRecognizer, encode


def draw_uses(logits: torch.Tensor, tau: float) -> torch.Tensor:
    """Draw decisions: (..., 2) logits of (skip, use) -> (...), 1 or 0, straight-through."""
    return F.gumbel_softmax(logits, tau=tau, hard=True)[..., 1]


def decide_uses(logits: torch.Tensor) -> torch.Tensor:
    """Take the more probable decisions, but use something of each video.

    Args:
        logits (torch.Tensor): (B, T, M, 2) of (skip, use).

    Returns:
        torch.Tensor: (B, T, M), bool.
    """
    margins = (logits[..., 1] - logits[..., 0]).flatten(1)
    uses = margins > 0
    nearest = F.one_hot(margins.argmax(dim=1), margins.shape[1]).bool()
    # Where a decision is positive, so is the greatest margin's: this adds to empty videos only.
    return (uses | nearest).view(logits.shape[:-1])


def fuse(logits: torch.Tensor, uses: torch.Tensor, visual_weight: torch.Tensor) -> torch.Tensor:
    """The video's logits.

    Args:
        logits (torch.Tensor): (B, T, 2, C) of frames and windows.
        uses (torch.Tensor): (B, T, 2), 1 where the modality is used and 0 where not.
        visual_weight (torch.Tensor): Scalar w; the sound's weight is 1 - w.

    Returns:
        torch.Tensor: (B, C), the mean over all T segments.
    """
    weights = torch.stack((visual_weight, 1 - visual_weight))
    return (logits * (uses * weights)[..., None]).sum(dim=2).mean(dim=1)


def usage_loss(uses: torch.Tensor, correct: torch.Tensor, weights: tuple[float, float],
               error_penalty: float) -> torch.Tensor:
    """What the use of the modalities costs; a wrong video pays ``error_penalty`` instead.

    Args:
        uses (torch.Tensor): (B, T, 2).
        correct (torch.Tensor): (B,), bool.
        weights (tuple[float, float]): lambda of frames and of windows.
        error_penalty (float): gamma.

    Returns:
        torch.Tensor: Scalar.
    """
    cost = uses.mean(dim=1).square() @ uses.new_tensor(weights)
    return torch.where(correct, cost, error_penalty).mean()


@MODELS.register_module()
class AdaMML(SelectiveRecognizer):
    """Decide for each segment which modality's heavy network sees it.

    Args:
        num_frames (int): T, how many segments.
        backbone (dict): The heavy network of frames.
        cls_head (dict): Its ``FrameHead``.
        audio_backbone (dict): The heavy network of log-mel windows.
        audio_head (dict): Its ``FrameHead``.
        policy (dict): A ``ModalityPolicy``.
        tau (float): Temperature of the draw in training; ``TemperatureHook`` sets it. Defaults
            to 5.
        train_cfg (dict): ``usage_weights``: lambda of frames and windows, (1, 0.005) by default;
            ``error_penalty``: gamma, 10; ``unimodal_weight``: of each modality's own cross-entropy
            over all segments, 0.
        data_preprocessor (dict): MMAction2's ``MultiModalDataPreprocessor``.
    """

    uses_audio = True

    def __init__(self, *, num_frames: int, backbone: dict, cls_head: dict, audio_backbone: dict,
                 audio_head: dict, policy: dict, tau: float = 5.0, **kwargs) -> None:
        super().__init__(num_frames=num_frames, backbone=backbone, cls_head=cls_head, **kwargs)
        self.audio_backbone = MODELS.build(audio_backbone)
        self.audio_head = MODELS.build(audio_head)
        self.policy = MODELS.build(policy)
        self.visual_weight = nn.Parameter(torch.tensor(0.5))
        self.tau = tau

    def classify(self, frames: torch.Tensor) -> torch.Tensor:
        """Logits of frames: (..., 3, H, W) -> (..., C)."""
        return self.cls_head(encode(self.backbone, frames))

    def classify_audio(self, windows: torch.Tensor) -> torch.Tensor:
        """Logits of windows: (..., 1, 96, 64) -> (..., C)."""
        return self.audio_head(encode(self.audio_backbone, windows))

    def certain_frames(self) -> list[int]:
        """All frames, which the policy skims."""
        return [*range(self.num_frames)]

    def answer(self, imgs: torch.Tensor, audios: torch.Tensor) -> Answer:
        decisions = self.policy(imgs, audios)
        uses = decide_uses(decisions)
        logits = torch.zeros(*uses.shape, self.cls_head.num_classes, device=imgs.device)
        for modality, (classify, inputs) in enumerate(
                ((self.classify, imgs), (self.classify_audio, audios))):
            used = uses[..., modality]
            if used.any():
                logits[:, :, modality][used] = classify(inputs[used]).float()
        counts = uses.sum(dim=1).tolist()
        saliency = decisions.float().softmax(dim=-1)[:, :, 0, 1]
        order = saliency.argsort(dim=1, descending=True, stable=True)
        return Answer(
            fuse(logits, uses, self.visual_weight),
            [dict(policy=1, frame=frames, window=windows) for frames, windows in counts],
            dict(
                selected=[row[used[row]] for row, used in zip(order, uses[..., 0])],
                saliency=saliency,
                frames_encoded=[self.num_frames] * len(imgs),
                frames_focused=[frames for frames, _ in counts],
                windows_focused=[windows for _, windows in counts]))

    def parts(self, imgs: torch.Tensor, audios: torch.Tensor) -> dict:
        return dict(
            policy=lambda: self.policy(imgs, audios),
            frame=lambda: self.classify(imgs[:, 0]),
            window=lambda: self.classify_audio(audios[:, 0]))

    def loss(self, inputs: dict, data_samples: list, **kwargs) -> dict[str, torch.Tensor]:
        """Cross-entropy, the cost of use, and each modality's own cross-entropy if wanted."""
        imgs, audios = self.unpack(inputs)
        head, cfg = self.cls_head, self.train_cfg
        labels = head.gather_labels(data_samples).to(imgs.device)
        uses = draw_uses(self.policy(imgs, audios), self.tau)
        each = torch.stack((self.classify(imgs), self.classify_audio(audios)), dim=2)
        logits = fuse(each, uses, self.visual_weight)
        predicted = logits.argmax(dim=-1)
        correct = (predicted == labels if labels.dim() == 1
                   else labels.gather(1, predicted[:, None])[:, 0] > 0)
        losses = dict(
            loss_cls=head.cross_entropy(logits[:, None], labels),
            loss_usage=usage_loss(uses, correct, cfg.get('usage_weights', (1.0, 0.005)),
                                  cfg.get('error_penalty', 10.0)))
        weight = cfg.get('unimodal_weight', 0.0)
        if weight:
            # Both modalities as two steps of a video; their sum, not their mean.
            losses['loss_unimodal'] = 2 * weight * head.cross_entropy(each.mean(dim=1), labels)
        shares = uses.detach().mean(dim=(0, 1))
        return losses | dict(
            top1_acc=correct.float().mean(), frames_used=shares[0], windows_used=shares[1])
