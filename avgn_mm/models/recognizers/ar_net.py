"""AR-Net (Meng et al., ECCV 2020): a resolution for each frame, or none.

A light policy network reads the frames in time order, each at the lowest resolution, and an LSTM
over its features chooses: one of several experts, each a network at a resolution of its own, the
last of which is the policy network itself, whose features are there already; or to skip this frame
and those after it, a fixed number in all. Frames that are skipped are not even read by the policy,
and its state stays as it is. The video's logits are the mean of the chosen experts' over the
frames that were not skipped.

Training draws the actions by hard Gumbel-softmax: one-hot forwards, and backwards with the
gradient of the softmax (straight-through). The loss is cross-entropy, the expected computation in
GMACs, and how unevenly the actions are used (section 3.2). ``TemperatureHook`` anneals ``tau``.

Deviations: at test the most probable action is taken, so that results can be repeated. What the
policy itself costs counts in the loss on computation, too: once a frame, or once a skip. A video
all of whose frames are skipped, which has no prediction, gets equal scores. Each expert may be
trained on all frames beside (``experts_weight``): with the other weights at 0 that is the paper's
first stage, in which every network is trained alone; here all in one run.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import nn

from avgn_mm.frame_order import coarse_to_fine_order
from avgn_mm.registry import MODELS

from .selective import Answer, SelectiveRecognizer


def draw_actions(logits: torch.Tensor, tau: float) -> torch.Tensor:
    """Draw one action of each row: one-hot, with the gradient of the Gumbel-softmax.

    Args:
        logits (torch.Tensor): (B, A).
        tau (float): Temperature; the higher, the smoother the gradient. It does not change the
            odds of the draw.
    """
    return F.gumbel_softmax(logits, tau=tau, hard=True)


def mean_of_chosen(logits: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """The video's logits: the mean of the chosen experts' over the frames that were not skipped.

    Args:
        logits (torch.Tensor): (B, T, E, C) of all experts.
        chosen (torch.Tensor): (B, T, E), one-hot, or 0 where the frame is skipped.

    Returns:
        torch.Tensor: (B, C); 0 where all frames are skipped.
    """
    total = (logits * chosen[..., None]).sum(dim=(1, 2))
    return total / chosen.sum(dim=(1, 2)).clamp(min=1)[:, None]


def efficiency_losses(actions: torch.Tensor, gmacs: torch.Tensor
                      ) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean computation of a frame, and the unevenness of the actions' use.

    Args:
        actions (torch.Tensor): (B, T, A), one-hot; a skip stands at every frame that it skips.
        gmacs (torch.Tensor): (A,) What each action costs a frame.

    Returns:
        tuple[torch.Tensor, torch.Tensor]: Scalars: GMACs, and the Euclidean distance of the
        actions' shares from their mean 1 / A.
    """
    usage = actions.mean(dim=(0, 1))
    return usage @ gmacs, torch.linalg.vector_norm(usage - usage.mean())


class FrameExpert(BaseModule):
    """A network with a classifier, at a resolution of its own.

    Args:
        backbone (dict): From frames to maps of ``in_channels``.
        image_size (int): Side to which the frames are averaged down.
        cls_head (dict): A ``FrameHead`` with ``in_channels``.
    """

    def __init__(self, *, backbone: dict, image_size: int, cls_head: dict) -> None:
        super().__init__()
        self.backbone = MODELS.build(backbone)
        self.image_size = image_size
        self.head = MODELS.build(cls_head)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Logits of single frames: (N, 3, H, W) -> (N, C)."""
        maps = self.backbone(F.adaptive_avg_pool2d(frames, self.image_size))
        return self.head(maps.mean(dim=(2, 3)))


@MODELS.register_module()
class ARNet(SelectiveRecognizer):
    """Choose an expert for each frame, or skip some.

    Actions are numbered: the ``experts`` as listed, the policy network as an expert, the skips.
    The tensors hold the frames in coarse-to-fine order; they are taken in time order.

    Args:
        backbone (dict): Of the policy network, to maps of ``visual_channels``.
        experts (Sequence[dict]): Each with ``backbone``, its ``channels`` and ``image_size``, the
            side in pixels to which it sees the frames averaged down.
        cls_head (dict): A ``FrameHead`` without ``in_channels``; each expert gets one of its own.
        num_frames (int): T.
        visual_channels (int): Channels of the policy network's maps.
        image_size (int): Side to which the policy network sees the frames averaged down.
        skips (Sequence[int]): Numbers of frames to skip, this one included. Defaults to 1, 2, 4.
        embed_dims (int): Width of the LSTM. Defaults to 512.
        tau (float): Temperature of the draw in training; ``TemperatureHook`` sets it. Defaults
            to 5.
        train_cfg (dict): Weights of the losses: ``accuracy_weight`` (0.95 by default),
            ``efficiency_weight`` (0.05) of computation and unevenness, within it
            ``balance_weight`` (3) of the latter; ``experts_weight`` (0).
        data_preprocessor (dict): MMAction2's ``ActionDataPreprocessor``.

    Raises:
        ValueError: If a skip is below 1.
    """

    def __init__(self, *, backbone: dict, experts: Sequence[dict], cls_head: dict,
                 num_frames: int, visual_channels: int, image_size: int,
                 skips: Sequence[int] = (1, 2, 4), embed_dims: int = 512, tau: float = 5.0,
                 **kwargs) -> None:
        if min(skips, default=1) < 1:
            raise ValueError(f'skips={tuple(skips)} must each be at least 1, the frame itself')
        super().__init__(num_frames=num_frames, backbone=backbone,
                         cls_head=dict(in_channels=visual_channels, **cls_head), **kwargs)
        self.experts = nn.ModuleList(
            FrameExpert(
                backbone=expert['backbone'], image_size=expert['image_size'],
                cls_head=dict(in_channels=expert['channels'], **cls_head))
            for expert in experts)
        self.image_size = image_size
        self.skips = tuple(skips)
        self.tau = tau
        self.lstm = nn.LSTMCell(visual_channels, embed_dims)
        self.fc_action = nn.Linear(embed_dims, len(experts) + 1 + len(skips))
        places = torch.tensor(coarse_to_fine_order(num_frames)).argsort()
        # Where in the tensors the frame of each time is.
        self.register_buffer('places', places, persistent=False)

    @property
    def num_experts(self) -> int:
        """E, the policy network included."""
        return len(self.experts) + 1

    def glance(self, frames: torch.Tensor) -> torch.Tensor:
        """The policy network's pooled features: (N, 3, H, W) -> (N, D)."""
        return self.backbone(F.adaptive_avg_pool2d(frames, self.image_size)).mean(dim=(2, 3))

    # ---------------------------------------------------------------- testing

    def choose(self, imgs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Take the most probable actions, frame by frame; skipped frames are not read.

        Args:
            imgs (torch.Tensor): (B, T, 3, H, W).

        Returns:
            tuple[torch.Tensor, torch.Tensor, torch.Tensor]: Actions (B, T) in time order, a skip
            at every frame that it skips; where the policy read the frame, (B, T) bool; and its
            features (B, T, D), which mean nothing elsewhere.
        """
        batch_size, num_frames = imgs.shape[:2]
        device = imgs.device
        actions = torch.zeros(batch_size, num_frames, dtype=torch.long, device=device)
        read = torch.zeros(batch_size, num_frames, dtype=torch.bool, device=device)
        feats = imgs.new_empty(batch_size, num_frames, self.lstm.input_size)
        state = imgs.new_zeros(2, batch_size, self.lstm.hidden_size)
        remaining = torch.zeros(batch_size, dtype=torch.long, device=device)
        # How many further frames each action skips.
        further = torch.tensor([0] * self.num_experts + [n - 1 for n in self.skips], device=device)
        for t, place in enumerate(self.places.tolist()):
            active = (remaining == 0).nonzero().squeeze(1)
            if t:
                actions[:, t] = actions[:, t - 1]
            remaining = (remaining - 1).clamp(min=0)
            if len(active):
                seen = self.glance(imgs[active, place])
                hidden = self.lstm(seen, tuple(state[:, active]))
                action = self.fc_action(hidden[0]).argmax(dim=1)
                # Mixed precision makes some of these half, whatever the buffers are.
                feats[active, t] = seen.to(feats.dtype)
                state[:, active] = torch.stack(hidden).to(state.dtype)
                actions[active, t] = action
                read[active, t] = True
                remaining[active] = further[action]
        return actions, read, feats

    def certain_frames(self) -> list[int]:
        """The first frame in time, which cannot be skipped over."""
        return self.places[:1].tolist()

    def answer(self, imgs: torch.Tensor, audios: torch.Tensor | None = None) -> Answer:
        actions, read, feats = self.choose(imgs)
        logits = imgs.new_zeros(len(imgs), self.cls_head.num_classes)
        for number in range(self.num_experts):
            videos, times = (actions == number).nonzero(as_tuple=True)
            if len(videos):
                found = (self.cls_head(feats[videos, times]) if number == len(self.experts) else
                         self.experts[number](imgs[videos, self.places[times]]))
                logits.index_add_(0, videos, found.to(logits.dtype))
        looked_at = actions < self.num_experts
        logits = logits / looked_at.sum(dim=1, keepdim=True).clamp(min=1)
        calls = [dict(policy=int(n), **{
            f'expert_{number}': int((taken == number).sum()) for number in range(self.num_experts)
        }) for n, taken in zip(read.sum(dim=1), actions)]
        return Answer(logits, calls, dict(
            actions=actions,
            selected=[self.places[frames.nonzero().squeeze(1)] for frames in looked_at],
            frames_encoded=read.sum(dim=1).tolist(),
            frames_focused=(actions < len(self.experts)).sum(dim=1).tolist()))

    def parts(self, imgs: torch.Tensor, audios: torch.Tensor | None = None) -> dict:
        """The policy with its LSTM on a frame; each expert, the policy network's for its linear
        layer only."""
        frame = imgs[:, 0]
        feats = self.glance(frame)
        parts = dict(policy=lambda: self.fc_action(self.lstm(self.glance(frame))[0]))
        for number, expert in enumerate(self.experts):
            parts[f'expert_{number}'] = lambda expert=expert: expert(frame)
        parts[f'expert_{len(self.experts)}'] = lambda: self.cls_head(feats)
        return parts

    # ---------------------------------------------------------------- training

    def draw(self, feats: torch.Tensor) -> torch.Tensor:
        """Draw the actions of all frames from the policy's features, in time order.

        While a video skips, its state and its action stay as they are, gradients included.

        Args:
            feats (torch.Tensor): (B, T, D).

        Returns:
            torch.Tensor: (B, T, A), one-hot.
        """
        batch_size = len(feats)
        state = tuple(feats.new_zeros(2, batch_size, self.lstm.hidden_size))
        remaining = torch.zeros(batch_size, 1, device=feats.device)
        further = remaining.new_tensor([0] * self.num_experts + [n - 1 for n in self.skips])
        drawn = []
        for feat in feats.unbind(dim=1):
            skipping = remaining > 0
            hidden = self.lstm(feat, state)
            action = draw_actions(self.fc_action(hidden[0]), self.tau)
            if drawn:
                action = torch.where(skipping, drawn[-1], action)
                hidden = [torch.where(skipping, old, new) for old, new in zip(state, hidden)]
            state = tuple(hidden)
            fresh = (action.detach() @ further)[:, None]
            remaining = torch.where(skipping, remaining - 1, fresh)
            drawn.append(action)
        return torch.stack(drawn, dim=1)

    def action_gmacs(self, imgs: torch.Tensor) -> torch.Tensor:
        """What each action costs a frame (A,), in 10^9 multiply-accumulates."""
        units = self.unit_macs(imgs, None)
        costs = [units['policy'] + units[f'expert_{i}'] for i in range(self.num_experts)]
        costs += [units['policy'] / n for n in self.skips]
        return torch.tensor(costs, device=imgs.device, dtype=torch.float32) / 1e9

    def loss(self, inputs: torch.Tensor | dict, data_samples: list, **kwargs
             ) -> dict[str, torch.Tensor]:
        """Cross-entropy, computation, unevenness, and the experts' own losses."""
        imgs, _ = self.unpack(inputs)
        head, weights = self.cls_head, self.train_cfg
        labels = head.gather_labels(data_samples).to(imgs.device)
        gmacs = self.action_gmacs(imgs)
        frames = imgs[:, self.places].flatten(0, 1)
        feats = self.glance(frames)
        logits = torch.stack([*(expert(frames) for expert in self.experts), head(feats)], dim=1)
        logits = logits.unflatten(0, imgs.shape[:2])
        actions = self.draw(feats.unflatten(0, imgs.shape[:2]))
        video_logits = mean_of_chosen(logits, actions[..., :self.num_experts])
        computation, unevenness = efficiency_losses(actions, gmacs)

        efficiency_weight = weights.get('efficiency_weight', 0.05)
        balance_weight = weights.get('balance_weight', 3.0)
        losses = dict(
            loss_cls=weights.get('accuracy_weight', 0.95) * head.cross_entropy(
                video_logits[:, None], labels),
            loss_gmacs=efficiency_weight * computation,
            loss_balance=efficiency_weight * balance_weight * unevenness)
        if weights.get('experts_weight', 0):
            # As in the paper's first stage, a network's prediction is its mean over the frames.
            losses['loss_experts'] = weights['experts_weight'] * head.cross_entropy(
                logits.mean(dim=1), labels)
        if labels.dim() == 1:
            losses['top1_acc'] = (video_logits.argmax(dim=-1) == labels).float().mean()
        losses['frame_gmacs'] = computation.detach()
        return losses
