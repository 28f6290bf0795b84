"""Uni-AdaFocus (Wang et al., TPAMI 2025) with patches of one size, as AdaFocusV3 (ECCV 2022).

    glance   f_G on G of the N candidate frames, one of each N / G successive ones
    policies spatial: a patch for each glanced frame, interpolated in time to all candidates;
             temporal: a weight for each glanced frame, spread over its candidates
    focus    f_L on the patches of k distinct candidates, drawn by the weights
    decide   running maxima over the glances, then over the close looks

No gradient of the crop or of the draw reaches the policies. They learn on f_G's features: the
spatial one by a classifier of patches of f_G's maps, the temporal one by a mean of the glanced
frames' logits under draws without replacement. As in AdaFocusV2, random patches are learned from
in a second pass. Only AdaFocusV3's abstract and no code of it is public; its cubes, looked at one
after the other until the prediction is sure, are not rebuilt here.

Deviations from Uni-AdaFocus: patches do not change in size, so the loss on their size is gone.
The close looks are classified coarse to fine, not in time order, so that a smaller ``num_focus``
at test, which is a new draw over the whole video, meets linear layers that were trained on such.
The scale of the temporal mean's weights has its gradient. There is no early exit.
"""

import torch
import torch.nn.functional as F

from avgn_mm.frame_order import coarse_to_fine_order
from avgn_mm.models.layers import crop_patches, patch_boxes, pool_patches
from avgn_mm.models.necks.temporal_policy import draw_frames, inclusion_shares
from avgn_mm.registry import MODELS

from .selective import Answer, SelectiveRecognizer, encode, take


@MODELS.register_module()
class UniAdaFocus(SelectiveRecognizer):
    """Glance at evenly spaced frames, look closely at patches of frames drawn from all.

    The tensors hold the frames in coarse-to-fine order; where time matters they are taken in
    theirs.

    Args:
        backbone (dict): f_G, from frames to maps of ``visual_channels``.
        local_backbone (dict): f_L, from patches to maps of ``local_channels``.
        spatial_policy (dict): A ``SpatialPolicy``; its input channels are filled in from here, as
            are those of the following parts.
        temporal_policy (dict): A ``TemporalPolicy``.
        cls_head (dict): A ``GlanceFocusHead``.
        num_frames (int): N.
        num_glances (int): G, which divides N.
        num_focus (int): k in training, and the most at test.
        patch_size (int): P, in pixels of the input frames.
        visual_channels (int): D_G.
        local_channels (int): D_L.
        glance_size (int, optional): Side to which f_G's input is averaged down. Defaults to None.
        train_cfg (dict): ``random_patch``: whether to train on random patches too, on by default;
            ``num_samples``: random draws of the temporal loss, 128 by default.
        test_cfg (dict): ``num_focus``: k at test; as in training by default.
        data_preprocessor (dict): MMAction2's ``ActionDataPreprocessor``.

    Raises:
        ValueError: If G does not divide N, or k is not in 1..N.
    """

    def __init__(self, *, backbone: dict, local_backbone: dict, spatial_policy: dict,
                 temporal_policy: dict, cls_head: dict, num_frames: int, num_glances: int,
                 num_focus: int, patch_size: int, visual_channels: int, local_channels: int,
                 glance_size: int | None = None, **kwargs) -> None:
        if num_glances < 1 or num_frames % num_glances:
            raise ValueError(f'num_glances={num_glances} must divide num_frames={num_frames}')
        if not 1 <= num_focus <= num_frames:
            raise ValueError(f'num_focus={num_focus} must be in 1..{num_frames} (num_frames)')
        super().__init__(
            num_frames=num_frames, backbone=backbone,
            cls_head=dict(visual_channels=visual_channels, local_channels=local_channels,
                          num_glances=num_glances, num_focus=num_focus, **cls_head),
            **kwargs)
        self.local_backbone = MODELS.build(local_backbone)
        self.spatial_policy = MODELS.build(dict(in_channels=visual_channels, **spatial_policy))
        self.temporal_policy = MODELS.build(dict(in_channels=visual_channels, **temporal_policy))
        self.num_glances = num_glances
        self.num_focus = num_focus
        self.patch_size = patch_size
        self.glance_size = glance_size
        self.budget('num_focus', num_focus)
        order = torch.tensor(coarse_to_fine_order(num_frames))
        # Time index of each place in the tensors, and the reverse.
        self.register_buffer('times', order, persistent=False)
        self.register_buffer('places', order.argsort(), persistent=False)

    # ---------------------------------------------------------------- stages

    def glance(self, imgs: torch.Tensor) -> torch.Tensor:
        """f_G's maps (B, G, D_G, H_G, W_G) of one frame of each N / G, in time order.

        The frame is a random one in training, else the middle one.
        """
        candidates = self.num_frames // self.num_glances
        times = torch.arange(0, self.num_frames, candidates, device=imgs.device)
        if self.training:
            times = times + torch.randint(
                candidates, (len(imgs), self.num_glances), device=imgs.device)
        else:
            times = (times + candidates // 2).expand(len(imgs), -1)
        return self.encode_frames(take(imgs, self.places[times]))

    def certain_frames(self) -> list[int]:
        """The glanced frames."""
        candidates = self.num_frames // self.num_glances
        return self.places[candidates // 2::candidates].tolist()

    def encode_frames(self, frames: torch.Tensor) -> torch.Tensor:
        """f_G: (B, n, 3, H, W) -> maps (B, n, D_G, H_G, W_G)."""
        images = frames.flatten(0, 1)
        if self.glance_size is not None:
            images = F.adaptive_avg_pool2d(images, self.glance_size)
        return self.backbone(images).unflatten(0, frames.shape[:2])

    def spread(self, actions: torch.Tensor) -> torch.Tensor:
        """Interpolate the glanced frames' patches in time: (B, G, 2) -> (B, N, 2)."""
        return F.interpolate(
            actions.transpose(1, 2), self.num_frames, mode='linear').transpose(1, 2)

    def draw(self, log_weights: torch.Tensor, num_focus: int) -> torch.Tensor:
        """Time indices (B, k) of the frames to look at, coarse to fine.

        Of k equal parts of the distribution each gives one: at random in training, else its
        middle.
        """
        parts = torch.arange(num_focus, device=log_weights.device)
        within = 0.5
        if self.training:
            within = torch.rand(
                len(log_weights), num_focus, device=log_weights.device, dtype=torch.double)
        quantiles = ((parts + within) / num_focus).view(-1, num_focus)
        frames = draw_frames(log_weights.exp(), self.num_frames, quantiles)
        return frames[:, coarse_to_fine_order(num_focus)]

    def focus(self, frames: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Crop and f_L: (B, n, 3, H, W) and (B, n, 2) -> pooled (B, n, D_L)."""
        patches = crop_patches(frames.flatten(0, 1), actions.flatten(0, 1), self.patch_size)
        return encode(self.local_backbone, patches.unflatten(0, frames.shape[:2]))

    # ---------------------------------------------------------------- testing

    def answer(self, imgs: torch.Tensor, audios: torch.Tensor | None = None) -> Answer:
        num_focus = self.budget('num_focus', self.num_focus)
        maps = self.glance(imgs)
        visual = maps.mean(dim=(3, 4))
        actions = self.spread(self.spatial_policy(maps))
        log_weights = self.temporal_policy(visual)
        drawn = self.draw(log_weights, num_focus)
        selected, actions = self.places[drawn], take(actions, drawn)
        looks = self.focus(take(imgs, selected), actions)
        logits = self.cls_head(self.cls_head.glance_classifier.embed(visual),
                               self.cls_head.focus_classifier.embed(looks))
        candidates = self.num_frames // self.num_glances
        saliency = log_weights.exp().repeat_interleave(candidates, dim=1) / candidates
        counts = dict(glance=self.num_glances, policies=1, focus=num_focus, decide=1)
        return Answer(logits, [counts] * len(imgs), dict(
            saliency=saliency[:, self.times], selected=selected,
            patch_boxes=patch_boxes(actions, self.patch_size, imgs.shape[-2:]),
            frames_encoded=[self.num_glances] * len(imgs),
            frames_focused=[num_focus] * len(imgs)))

    def parts(self, imgs: torch.Tensor, audios: torch.Tensor | None = None) -> dict:
        """f_G with its share of f_C; both policies; f_L with its share; the last linear layer."""
        frame, head = imgs[:, :1], self.cls_head
        maps = self.encode_frames(frame).expand(-1, self.num_glances, -1, -1, -1)
        visual = maps.mean(dim=(3, 4))
        centre = imgs.new_full((1, 1, 2), 0.5)
        embedded = head.glance_classifier.embed(visual[:, :1])
        return dict(
            glance=lambda: head.glance_classifier.embed(
                self.encode_frames(frame).mean(dim=(3, 4))),
            policies=lambda: (self.spatial_policy(maps), self.temporal_policy(visual)),
            focus=lambda: head.focus_classifier.embed(self.focus(frame, centre)),
            decide=lambda: head(embedded, torch.zeros_like(embedded)))

    # ---------------------------------------------------------------- training

    def loss(self, inputs: torch.Tensor | dict, data_samples: list, **kwargs
             ) -> dict[str, torch.Tensor]:
        """Losses of all steps' and single frames' classifiers, and of both policies."""
        imgs, _ = self.unpack(inputs)
        head = self.cls_head
        labels = head.gather_labels(data_samples).to(imgs.device)
        maps = self.glance(imgs)
        visual = maps.mean(dim=(3, 4))
        actions = self.spatial_policy(maps.detach())
        log_weights = self.temporal_policy(visual)

        frame_logits = head.fc_visual(visual)
        shares = inclusion_shares(
            log_weights, max(self.num_glances // 3, 1), self.train_cfg.get('num_samples', 128))
        expected = shares[:, None] @ frame_logits
        losses = dict(
            loss_visual=head.cross_entropy(frame_logits, labels),
            loss_temporal=head.cross_entropy(expected, labels),
            loss_spatial=head.cross_entropy(
                self.patch_logits(maps.detach(), actions, imgs.shape[-1]), labels))

        drawn = self.draw(log_weights, self.num_focus)
        placed = [take(self.spread(actions.detach()), drawn)]
        if self.train_cfg.get('random_patch', True):
            placed.append(torch.rand_like(placed[0]))
        passes = len(placed)
        frames = take(imgs, self.places[drawn]).repeat(passes, 1, 1, 1, 1)
        looks = self.focus(frames, torch.cat(placed))
        labels_of_passes = torch.cat([labels] * passes)
        glances = head.glance_classifier.embed(visual).repeat(passes, 1, 1)
        step_logits = head.step_logits(glances, head.focus_classifier.embed(looks))
        losses['loss_local'] = head.cross_entropy(head.fc_local(looks), labels_of_passes)
        losses['loss_cls'] = head.cross_entropy(step_logits, labels_of_passes)
        if labels.dim() == 1:
            hits = step_logits[:len(imgs), -1].argmax(dim=-1) == labels
            losses['top1_acc'] = hits.float().mean()
        return losses

    def patch_logits(self, maps: torch.Tensor, actions: torch.Tensor, image_size: int
                     ) -> torch.Tensor:
        """Classify what lies under the patches in f_G's maps, which is differentiable in place.

        Args:
            maps (torch.Tensor): (B, G, D_G, H_G, W_G).
            actions (torch.Tensor): (B, G, 2).
            image_size (int): Width of the frames, of which the patch is the same share.

        Returns:
            torch.Tensor: Logits (B, 1, C) of the mean over place and time.
        """
        feats = pool_patches(maps, actions, self.patch_size, image_size)
        return self.cls_head.fc_spatial(feats.mean(dim=1, keepdim=True))
