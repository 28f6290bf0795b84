"""AVGN, the Audio-Visual Glance Network (Nugroho et al., ICCV 2023), section 3.

A video is T frames in coarse-to-fine order, each with its log-mel window. The stages are methods on
plain tensors, used alike by training and by testing:

    glance  f_A on all T windows, f_G on the first T_G frames, AV-TeST -> saliency   (3.1)
    pick    the k most salient frames                                                (3.1)
    focus   AESPA -> pi -> P x P patches -> f_L                                      (3.2)
    decide  psi -> f_C                                                               (3.3)

Where the paper is silent: f_C sees frames by descending saliency, in training too; T_G is drawn
uniformly from 1..T for each training batch; with ``policy_scope='encoded'`` the recurrent pi sees
every frame that has e^G, in the order in which they get it, which is what Table 3's costs say.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from mmaction.models import BaseRecognizer

from avgn_mm.evaluation.exits import read_thresholds
from avgn_mm.models.layers import AudioDropout, crop_patches, patch_boxes
from avgn_mm.models.losses import frame_confidence
from avgn_mm.registry import MODELS

from .avgn_cost import AVGNCost
from .selective import take


@dataclass
class Glance:
    """What is known of a batch of B videos; the stages after the glance add to it.

    Attributes:
        maps: e^G, (B, T, D_G, H_G, W_G), or None before any frame is encoded. What stands at
            frames that were not encoded means nothing.
        audio: pooled e^A, (B, T, D_A), or None without audio.
        saliency: s, (B, T), or None without AV-TeST.
        num_glances: T_G, how many of the first frames are encoded; 0 without AV-TeST.
        actions: where pi looked, (B, T, 2), zeros at frames that it has not seen.
        memory: the state of pi's GRU, (B, channels).
        aespa_audio, fusion_audio: what AESPA and psi make of the sound, once a video.
    """
    maps: torch.Tensor | None
    audio: torch.Tensor | None
    saliency: torch.Tensor | None
    num_glances: int
    actions: torch.Tensor | None = None
    memory: torch.Tensor | None = None
    aespa_audio: tuple[torch.Tensor, ...] | None = None
    fusion_audio: tuple[torch.Tensor, ...] | None = None


@MODELS.register_module()
class AVGN(BaseRecognizer):
    """Look at T frames cheaply, then at patches of the k best of them closely.

    Every part is a registered module. Table 4's ablations set one to None: ``audio_backbone``
    (which also drops ``spatial_glance`` and ``audio_fusion``, as they need audio),
    ``temporal_glance`` (frames are then picked in coarse-to-fine order, evenly over the video),
    ``spatial_glance`` (pi then reads e^G itself), ``audio_fusion`` (e^A_t itself is then
    classified). Without ``patch_policy`` the patch is the centre (Table 6), and
    ``spatial_glance``, which serves nothing else, is dropped.

    Args:
        backbone (dict): f_G, from frames to maps of ``visual_channels``.
        local_backbone (dict): f_L, from patches to maps of ``local_channels``.
        cls_head (dict): An ``AVGNHead``. Its channel numbers are filled in from here, as are those
            of the following parts.
        audio_backbone (dict, optional): f_A, from log-mel windows to maps of ``audio_channels``.
        temporal_glance (dict, optional): AV-TeST.
        spatial_glance (dict, optional): AESPA.
        patch_policy (dict, optional): pi.
        audio_fusion (dict, optional): psi.
        saliency_loss, mask_loss, ordered_loss (dict, optional): L_s, L_mask and L_ord. Table 7
            sets ``loss_weight=0``, which keeps all parameters in the graph.
        hindsight_loss, surrogate_loss (dict, optional): Not in the paper. With either of them no
            gradient of the crop reaches pi, as in Uni-AdaFocus: they teach it. Hindsight needs
            ``random_patch``; the surrogate's channels and classes are filled in. Default to None.
        distillation_loss (dict, optional): Not in the paper: small k learn from k = T, the
            learned patches alone. Defaults to None.
        saliency_target (str): What L_s takes for a frame's confidence. ``'fused'`` is the paper's
            (eq. 11): the greatest probability that f_C^AV gives any class. ``'focus'`` is not: the
            probability that f_L's own classifier gives the true class, so that frames where the
            close look pays are salient, whatever they sound like. Defaults to ``'fused'``.
        num_frames (int): T.
        patch_size (int): P, in pixels of the input frames.
        visual_channels (int): D_G.
        local_channels (int): D_L.
        audio_channels (int): D_A.
        glance_size (int, optional): Side, in pixels, to which f_G's input is averaged down.
            Defaults to None: f_G sees the frames as they come.
        policy_scope (str): ``'encoded'`` or ``'selected'``: which frames AESPA and pi see.
        train_cfg (dict): ``num_glances``: T_G, or None to draw it for each batch;
            ``random_patch``: whether to classify uniformly random patches too, AdaFocusV2's
            second pass, which trains f_L on all places; ``audio_dropout``: None or, not in the
            paper, the settings of an ``AudioDropout``.
        test_cfg (dict): ``num_glances``: T_G; ``num_focus``: k; ``exit_thresholds``: None or, for
            early exit (AVGN+), a threshold for each of k steps, or the path of a JSON file of
            ``tools/analysis_tools/solve_exits.py``.
        data_preprocessor (dict): MMAction2's ``MultiModalDataPreprocessor``.

    Raises:
        ValueError: If ``policy_scope`` or ``saliency_target`` is unknown, T_G or k is not in 1..T,
            or ``audio_channels`` is missing.
    """

    def __init__(self,
                 *,
                 backbone: dict,
                 local_backbone: dict,
                 cls_head: dict,
                 num_frames: int,
                 patch_size: int,
                 visual_channels: int,
                 local_channels: int,
                 audio_channels: int | None = None,
                 audio_backbone: dict | None = None,
                 temporal_glance: dict | None = None,
                 spatial_glance: dict | None = None,
                 patch_policy: dict | None = None,
                 audio_fusion: dict | None = None,
                 saliency_loss: dict | None = None,
                 mask_loss: dict | None = None,
                 ordered_loss: dict | None = None,
                 hindsight_loss: dict | None = None,
                 surrogate_loss: dict | None = None,
                 distillation_loss: dict | None = None,
                 saliency_target: str = 'fused',
                 glance_size: int | None = None,
                 policy_scope: str = 'encoded',
                 train_cfg: dict | None = None,
                 test_cfg: dict | None = None,
                 data_preprocessor: dict | None = None) -> None:
        if policy_scope not in ('encoded', 'selected'):
            raise ValueError(f"policy_scope must be 'encoded' or 'selected', got {policy_scope!r}")
        if saliency_target not in ('fused', 'focus'):
            raise ValueError(f"saliency_target must be 'fused' or 'focus', got {saliency_target!r}")
        if audio_backbone is not None and audio_channels is None:
            raise ValueError('model.audio_backbone needs model.audio_channels, its output channels')
        if audio_backbone is None:
            audio_channels = spatial_glance = audio_fusion = None
        if patch_policy is None:
            spatial_glance = None
        modalities = dict(visual_channels=visual_channels, audio_channels=audio_channels)

        def build(part: dict | None, **channels) -> torch.nn.Module | None:
            return None if part is None else MODELS.build({**channels, **part})

        super().__init__(backbone, data_preprocessor=data_preprocessor,
                         train_cfg=train_cfg or {}, test_cfg=test_cfg or {})
        self.local_backbone = MODELS.build(local_backbone)
        self.audio_backbone = build(audio_backbone)
        self.temporal_glance = build(temporal_glance, **modalities, num_frames=num_frames)
        self.spatial_glance = build(spatial_glance, **modalities)
        self.patch_policy = build(
            patch_policy,
            in_channels=getattr(self.spatial_glance, 'out_channels', visual_channels))
        self.audio_fusion = build(audio_fusion, **modalities)
        self.cls_head = build(
            cls_head, **modalities, num_frames=num_frames, local_channels=local_channels,
            fused_channels=getattr(self.audio_fusion, 'out_channels', audio_channels))
        self.saliency_loss = build(saliency_loss)
        self.mask_loss = build(mask_loss)
        self.ordered_loss = build(ordered_loss)
        self.hindsight_loss = build(hindsight_loss)
        self.surrogate_loss = build(surrogate_loss, in_channels=visual_channels,
                                    num_classes=self.cls_head.num_classes)
        self.distillation_loss = build(distillation_loss)
        dropout = self.train_cfg.get('audio_dropout')
        self.audio_dropout = None if dropout is None else AudioDropout(**dropout)
        self.saliency_target = saliency_target
        self.num_frames = num_frames
        self.patch_size = patch_size
        self.glance_size = glance_size
        self.policy_scope = policy_scope
        self.cost = AVGNCost(self)
        if hindsight_loss is not None and not self.train_cfg.get('random_patch'):
            raise ValueError('model.hindsight_loss needs model.train_cfg.random_patch=True: it '
                             'learns from the random patches')
        for cfg, name in (('train_cfg', 'num_glances'), ('test_cfg', 'num_glances'),
                          ('test_cfg', 'num_focus')):
            self._budget(cfg, name)

    def _budget(self, cfg: str, name: str) -> int | None:
        """T_G or k from ``train_cfg`` or ``test_cfg``, checked at each use: it may change."""
        value = getattr(self, cfg).get(name)
        if value is not None and not 1 <= value <= self.num_frames:
            raise ValueError(f'model.{cfg}.{name}={value} must be in 1..{self.num_frames} '
                             f'(model.num_frames={self.num_frames})')
        return value

    def _exit_thresholds(self) -> list[float] | None:
        """The thresholds of ``test_cfg``, which may name a file, checked at each use."""
        thresholds = self.test_cfg.get('exit_thresholds')
        if thresholds is None:
            return None
        source = 'model.test_cfg.exit_thresholds'
        if isinstance(thresholds, str):
            source = thresholds
            solved = read_thresholds(thresholds)
            thresholds = solved['thresholds']
            num_glances = self._budget('test_cfg', 'num_glances') or self.num_frames
            if self.temporal_glance is not None and solved['num_glances'] != num_glances:
                raise ValueError(
                    f'{source} was solved for T_G={solved["num_glances"]}, but '
                    f'model.test_cfg.num_glances={num_glances}: set them to the same number')
        num_focus = self._budget('test_cfg', 'num_focus') or self.num_frames
        if len(thresholds) < num_focus:
            raise ValueError(f'{source} holds {len(thresholds)} exit thresholds, fewer than '
                             f'model.test_cfg.num_focus={num_focus}')
        return thresholds

    # ---------------------------------------------------------------- stages
    # A stage works on A videos of a batch of B: ``videos`` (A,) are their indices in the batch and
    # ``frames`` (A, n) the indices of n frames of each. What it finds is kept in the ``Glance``.

    def encode_frames(self, frames: torch.Tensor) -> torch.Tensor:
        """f_G (eq. 1): (N, 3, H, W) -> e^G (N, D_G, H_G, W_G)."""
        if self.glance_size is not None:
            frames = F.adaptive_avg_pool2d(frames, self.glance_size)
        return self.backbone(frames)

    def encode_audio(self, audios: torch.Tensor) -> torch.Tensor:
        """f_A (eq. 1), averaged over time and frequency: (B, T, 1, 96, 64) -> (B, T, D_A)."""
        maps = self.audio_backbone(audios.flatten(0, 1))
        return maps.mean(dim=(2, 3)).unflatten(0, audios.shape[:2])

    def glance(self, imgs: torch.Tensor, audios: torch.Tensor | None, num_glances: int) -> Glance:
        """Look at the first ``num_glances`` frames and hear all windows (section 3.1).

        Without AV-TeST there is nothing to glance for, and no frame is encoded yet.

        Args:
            imgs (torch.Tensor): (B, T, 3, H, W).
            audios (torch.Tensor, optional): (B, T, 1, 96, 64).
            num_glances (int): T_G.
        """
        audio = None if self.audio_backbone is None else self.encode_audio(audios)
        if self.temporal_glance is None:
            return Glance(None, audio, None, 0)
        glanced = self.encode_frames(imgs[:, :num_glances].flatten(0, 1))
        maps = glanced.new_empty(*imgs.shape[:2], *glanced.shape[1:])
        maps[:, :num_glances] = glanced.unflatten(0, (len(imgs), num_glances))
        saliency, _, _ = self.temporal_glance(
            maps[:, :num_glances].mean(dim=(3, 4)), audio, num_glances)
        return Glance(maps, audio, saliency, num_glances)

    def pick(self, saliency: torch.Tensor | None, num_focus: int, batch_size: int) -> torch.Tensor:
        """Indices (B, k) of the k most salient frames, most salient first."""
        if saliency is None:
            device = next(self.parameters()).device
            return torch.arange(num_focus, device=device).expand(batch_size, -1)
        # Stable: equal scores keep the coarse-to-fine order, whatever the batch.
        order = saliency.detach().argsort(dim=1, descending=True, stable=True)
        return order[:, :num_focus]

    def complete(self, imgs: torch.Tensor, glance: Glance, videos: torch.Tensor,
                 frames: torch.Tensor) -> None:
        """Encode those frames that were not glanced at; each is asked for once."""
        rows, ranks = (frames >= glance.num_glances).nonzero(as_tuple=True)
        if not len(rows):
            return
        index = videos[rows], frames[rows, ranks]
        encoded = self.encode_frames(imgs[index])
        if glance.maps is None:
            glance.maps = encoded.new_empty(*imgs.shape[:2], *encoded.shape[1:])
        glance.maps[index] = encoded

    def locate(self, glance: Glance, videos: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        """AESPA and pi (eq. 4 and 5): where to crop frames that have e^G.

        The recurrent pi goes on where an earlier call with other frames of the video left off; in
        the scope 'encoded' the first call for a batch begins with the glanced frames.

        Returns:
            torch.Tensor: (A, n, 2) in [0, 1], order (y, x); the centre without a policy.
        """
        if self.patch_policy is None:
            glance.actions = glance.maps.new_full((*glance.maps.shape[:2], 2), 0.5)
            return glance.actions[videos[:, None], frames]
        known = glance.num_glances if self.policy_scope == 'encoded' else 0
        rows, ranks = (frames >= known).nonzero(as_tuple=True)
        seen_videos, seen_frames = videos[rows], frames[rows, ranks]
        if glance.actions is None:
            batch_size = len(glance.maps)
            glance.actions = glance.maps.new_zeros(*glance.maps.shape[:2], 2)
            glance.memory = glance.maps.new_zeros(batch_size, self.patch_policy.embed_dims)
            if self.spatial_glance is not None:
                glance.aespa_audio = self.spatial_glance.encode_audio(glance.audio)
            first = torch.arange(known, device=frames.device)
            every = torch.arange(batch_size, device=frames.device)
            seen_videos = torch.cat((every.repeat_interleave(known), seen_videos))
            seen_frames = torch.cat((first.repeat(batch_size), seen_frames))
            # Stable, so that a video's glanced frames stay before its others.
            order = seen_videos.argsort(stable=True)
            seen_videos, seen_frames = seen_videos[order], seen_frames[order]
        if len(seen_videos):
            maps = glance.maps[seen_videos, seen_frames]
            if self.spatial_glance is not None:
                maps = self.spatial_glance(maps, *(x[seen_videos] for x in glance.aespa_audio))
            present, lengths = seen_videos.unique_consecutive(return_counts=True)
            located, memory = self.patch_policy(maps, lengths.tolist(), glance.memory[present])
            glance.actions = glance.actions.index_put((seen_videos, seen_frames), located)
            glance.memory = glance.memory.index_put((present, ), memory)
        return glance.actions[videos[:, None], frames]

    def focus(self, frames: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Crop and f_L (eq. 6 and 7): (N, 3, H, W) and (N, 2) -> pooled e^L (N, D_L)."""
        patches = crop_patches(frames, actions, self.patch_size)
        return self.local_backbone(patches).mean(dim=(2, 3))

    def fuse_audio(self, glance: Glance, visual: torch.Tensor, videos: torch.Tensor,
                   frames: torch.Tensor) -> torch.Tensor | None:
        """psi: e^AT (A, n, D) of frames whose pooled e^G is (A, n, D_G)."""
        if glance.audio is None:
            return None
        if self.audio_fusion is None:
            return glance.audio[videos[:, None], frames]
        if glance.fusion_audio is None:
            glance.fusion_audio = self.audio_fusion.encode_audio(glance.audio)
        return self.audio_fusion(visual, *(x[videos] for x in glance.fusion_audio))

    def look(self, imgs: torch.Tensor, glance: Glance, videos: torch.Tensor, frames: torch.Tensor
             ) -> torch.Tensor:
        """The close look at any frames: e^AV (A, n, channels)."""
        self.complete(imgs, glance, videos, frames)
        return self.examine(imgs, glance, videos, frames)

    def examine(self, imgs: torch.Tensor, glance: Glance, videos: torch.Tensor,
                frames: torch.Tensor) -> torch.Tensor:
        """The close look at frames that have e^G: e^AV (A, n, channels)."""
        actions = self.locate(glance, videos, frames)
        index = videos[:, None], frames
        local = self.focus(imgs[index].flatten(0, 1), actions.flatten(0, 1))
        visual = glance.maps[index].mean(dim=(3, 4))
        return self.cls_head.fuse(visual, local.unflatten(0, frames.shape),
                                  self.fuse_audio(glance, visual, videos, frames))

    def decide(self, imgs: torch.Tensor, glance: Glance, selected: torch.Tensor,
               exit_thresholds: Sequence[float] | None = None
               ) -> tuple[torch.Tensor, torch.Tensor]:
        """Look at the selected frames and classify (eq. 8).

        With thresholds (AVGN+) frames are looked at one by one, and a video is finished, and
        leaves the batch, as soon as its greatest logit reaches the step's threshold.

        Args:
            imgs (torch.Tensor): (B, T, 3, H, W).
            glance (Glance): What the glance found.
            selected (torch.Tensor): (B, k), most salient first.
            exit_thresholds (Sequence[float], optional): One a step; the k-th is not used.

        Returns:
            tuple[torch.Tensor, torch.Tensor]: Logits (B, C), and how many frames were looked at,
            (B,) from 1 to k.
        """
        head = self.cls_head
        videos = torch.arange(len(imgs), device=imgs.device)
        num_steps = torch.full_like(videos, selected.shape[1])
        if exit_thresholds is None:
            return head(self.look(imgs, glance, videos, selected)), num_steps
        logits = imgs.new_empty(len(imgs), head.num_classes)
        pooled = None
        for step, threshold in enumerate(exit_thresholds[:selected.shape[1]]):
            feats = self.look(imgs, glance, videos, selected[videos, step:step + 1])
            embedded = head.classifier.embed(feats)
            pooled = embedded if pooled is None else torch.maximum(pooled, embedded)
            step_logits = head.classifier.classify(pooled, first_step=step).squeeze(1)
            finished = step_logits.amax(dim=1) >= threshold
            if step == selected.shape[1] - 1:
                finished = torch.ones_like(finished)
            logits[videos[finished]] = step_logits[finished].to(logits.dtype)
            num_steps[videos[finished]] = step + 1
            videos, pooled = videos[~finished], pooled[~finished]
            if not len(videos):
                break
        return logits, num_steps

    # ---------------------------------------------------------------- testing

    def extract_feat(self, inputs: dict, stage: str = 'head', data_samples: list | None = None,
                     test_mode: bool = True) -> tuple[torch.Tensor, dict]:
        """All stages but the classifier, with ``test_cfg``'s T_G and k and without early exit.

        Args:
            inputs (dict): ``imgs`` (B, T, 3, H, W) and, unless there is no audio encoder,
                ``audios`` (B, T, 1, 96, 64).

        Returns:
            tuple[torch.Tensor, dict]: e^AV of the k frames (B, k, channels); no head arguments.
        """
        imgs, audios = self.unpack(inputs)
        glance, selected = self._glance_and_pick(imgs, audios)
        videos = torch.arange(len(imgs), device=imgs.device)
        return self.look(imgs, glance, videos, selected), {}

    def predict(self, inputs: dict | torch.Tensor, data_samples: list, **kwargs) -> list:
        """Classify a batch; each data sample also says what was looked at and what it cost.

        Returns:
            list[ActionDataSample]: With ``pred_score``, ``pred_label``; ``saliency`` (T,) in the
            frames' order; of the frames that were looked at, most salient first, ``selected``
            (n,) and ``patch_boxes`` (n, 4) as left, top, right, bottom in input pixels;
            ``frames_encoded`` (by f_G), ``frames_focused`` (n, at most k) and, with
            ``exit_thresholds``, ``exit_step`` (n); ``gmacs``, 10^9 multiply-accumulates.
        """
        imgs, audios = self.unpack(inputs)
        thresholds = self._exit_thresholds()
        glance, selected = self._glance_and_pick(imgs, audios)
        logits, num_steps = self.decide(imgs, glance, selected, thresholds)
        data_samples = self.cls_head.predict_by_feat(logits.float(), data_samples)
        videos = torch.arange(len(imgs), device=imgs.device)[:, None]
        boxes = patch_boxes(glance.actions[videos, selected], self.patch_size, imgs.shape[-2:])
        for i, (sample, n) in enumerate(zip(data_samples, num_steps.tolist())):
            looked_at = selected[i, :n]
            encoded = glance.num_glances + int((looked_at >= glance.num_glances).sum())
            if glance.saliency is not None:
                sample.set_field(glance.saliency[i], 'saliency')
            sample.set_field(looked_at, 'selected')
            sample.set_field(boxes[i, :n], 'patch_boxes')
            sample.set_field(encoded, 'frames_encoded')
            sample.set_field(n, 'frames_focused')
            num_outputs = 1
            if thresholds is not None:
                sample.set_field(n, 'exit_step')
                num_outputs = n
            sample.set_field(
                self.cost.gmacs(imgs, audios, glance.num_glances, encoded, n, num_outputs), 'gmacs')
        return data_samples

    def certain_frames(self) -> list[int]:
        """Positions of the frames that every prediction reads; they can be decoded in advance."""
        if self.temporal_glance is not None:
            return [*range(self._budget('test_cfg', 'num_glances') or self.num_frames)]
        if self.test_cfg.get('exit_thresholds') is not None:
            return [0]
        return [*range(self._budget('test_cfg', 'num_focus') or self.num_frames)]

    def _glance_and_pick(self, imgs: torch.Tensor, audios: torch.Tensor | None
                         ) -> tuple[Glance, torch.Tensor]:
        """The first two stages with ``test_cfg``'s T_G and k."""
        num_glances = self._budget('test_cfg', 'num_glances') or self.num_frames
        num_focus = self._budget('test_cfg', 'num_focus') or self.num_frames
        glance = self.glance(imgs, audios, num_glances)
        return glance, self.pick(glance.saliency, num_focus, len(imgs))

    def predict_budgets(self, inputs: dict, num_glances: Sequence[int]
                        ) -> dict[int, tuple[torch.Tensor, torch.Tensor]]:
        """Predict with every k and several T_G at once; what they share is computed once.

        Args:
            inputs (dict): As of :meth:`extract_feat`.
            num_glances (Sequence[int]): The T_G to try. Without AV-TeST they make no difference.

        Returns:
            dict[int, tuple[torch.Tensor, torch.Tensor]]: For each T_G the logits after 1..T frames
            (B, T, C), and how many frames are encoded for k = 1..T, (B, T).
        """
        imgs, audios = self.unpack(inputs)
        batch_size, num_frames = imgs.shape[:2]
        maps = self.encode_frames(imgs.flatten(0, 1)).unflatten(0, (batch_size, num_frames))
        audio = None if self.audio_backbone is None else self.encode_audio(audios)
        videos = torch.arange(batch_size, device=imgs.device)
        classifier = self.cls_head.classifier
        results = {}
        for number in num_glances:
            glance = Glance(maps, audio, None, 0)
            if self.temporal_glance is not None:
                visual = maps[:, :number].mean(dim=(3, 4))
                glance.saliency, _, _ = self.temporal_glance(visual, audio, number)
                glance.num_glances = number
            order = self.pick(glance.saliency, num_frames, batch_size)
            step_logits = classifier(self.examine(imgs, glance, videos, order))
            encoded = glance.num_glances + (order >= glance.num_glances).cumsum(dim=1)
            results[number] = step_logits, encoded
        return results

    def _forward(self, inputs: dict, stage: str = 'head', **kwargs) -> torch.Tensor:
        """Logits (B, C), or with ``stage='backbone'`` e^AV of the k frames."""
        feats, _ = self.extract_feat(inputs)
        return feats if stage == 'backbone' else self.cls_head(feats)

    def unpack(self, inputs: dict | torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Check the pipeline's tensors and split them by modality.

        Args:
            inputs (dict | torch.Tensor): ``imgs`` and ``audios``, or the frames alone.

        Returns:
            tuple[torch.Tensor, torch.Tensor | None]: Frames (B, T, 3, H, W) and, unless the model
            has no audio encoder, log-mel windows (B, T, 1, 96, 64).

        Raises:
            ValueError: If their number is not T, or the windows are missing.
        """
        by_name = inputs if isinstance(inputs, dict) else dict(imgs=inputs)
        imgs, audios = by_name['imgs'], by_name.get('audios')
        if imgs.shape[1] != self.num_frames:
            raise ValueError(f'the pipeline gives {imgs.shape[1]} frames a video, the model wants '
                             f'model.num_frames={self.num_frames}')
        if self.audio_backbone is None:
            return imgs, None
        if audios is None:
            raise ValueError("inputs lack 'audios': add it to PackActionInputs' collect_keys, or "
                             'set model.audio_backbone=None')
        if audios.shape[1] != self.num_frames:
            raise ValueError(f'the pipeline gives {audios.shape[1]} audio windows a video, the '
                             f'model wants model.num_frames={self.num_frames}')
        if audios.dim() != 5 or audios.shape[2] != 1:
            raise ValueError(f'audios of shape {tuple(audios.shape)} are not (videos, frames, 1, '
                             'time, mel): the pipeline needs LogMel after DecodeAudio')
        return imgs, audios

    # ---------------------------------------------------------------- training

    def loss(self, inputs: dict, data_samples: list, **kwargs) -> dict[str, torch.Tensor]:
        """The six losses (section 3.4) with its stop-gradients.

        Nothing flows from pi (hence AESPA) and AV-TeST to f_G and f_A, nor from psi to f_G.
        """
        imgs, audios = self.unpack(inputs)
        batch_size, num_frames = imgs.shape[:2]
        labels = self.cls_head.gather_labels(data_samples).to(imgs.device)
        audio_labels = labels
        if self.audio_dropout is not None and audios is not None:
            audios, source = self.audio_dropout(audios)
            audio_labels = labels[source]
        maps = self.encode_frames(imgs.flatten(0, 1)).unflatten(0, (batch_size, num_frames))
        visual = maps.mean(dim=(3, 4))
        audio = None if self.audio_backbone is None else self.encode_audio(audios)
        detached_audio = None if audio is None else audio.detach()
        num_glances = self._budget('train_cfg', 'num_glances')
        if num_glances is None:
            num_glances = int(torch.randint(1, num_frames + 1, ()))

        losses = {}
        saliency = None
        if self.temporal_glance is not None:
            saliency, features, tokens = self.temporal_glance(
                visual.detach(), detached_audio, num_glances)
            if self.mask_loss is not None:
                losses['loss_mask'] = self.mask_loss(
                    self.temporal_glance.mask_encoder(features), tokens, num_glances)
        order = self.pick(saliency, num_frames, batch_size)

        videos = torch.arange(batch_size, device=imgs.device)
        glance = Glance(maps.detach(), detached_audio, saliency,
                        num_glances if saliency is not None else 0)
        self.locate(glance, videos, order)
        frames = imgs.flatten(0, 1)
        actions = glance.actions
        if self.hindsight_loss is not None or self.surrogate_loss is not None:
            # Their gradient is small beside that of the crop, noise where textures are fine.
            actions = actions.detach()
        passes = [actions]
        if self.train_cfg.get('random_patch', False):
            passes.append(torch.rand_like(actions))
        # Both passes form one batch of twice as many videos: every loss below averages over them.
        local = torch.cat([self.focus(frames, a.flatten(0, 1)).unflatten(0, a.shape[:2])
                           for a in passes])
        # Unlike pi, psi teaches f_A.
        in_order = torch.arange(num_frames, device=imgs.device).expand(batch_size, -1)
        fused = self.fuse_audio(Glance(maps, audio, None, 0), visual.detach(), videos, in_order)

        def repeat(x: torch.Tensor | None) -> torch.Tensor | None:
            return None if x is None else torch.cat([x] * len(passes))

        head = self.cls_head
        order, labels_twice = repeat(order), repeat(labels)
        visual, local = take(repeat(visual), order), take(local, order)
        fused = None if fused is None else take(repeat(fused), order)
        embedded = head.classifier.embed(head.fuse(visual, local, fused))
        step_logits = head.classifier.classify(embedded.cummax(dim=1).values)
        losses['loss_cls'] = head.cross_entropy(step_logits, labels_twice)
        losses.update(head.visual_losses(visual, local, labels_twice))
        if audio is not None:
            losses.update(head.audio_losses(take(audio, order[:batch_size]), audio_labels))
        if self.hindsight_loss is not None:
            confidence = head.true_class_confidence(
                head.classifier.classify_alone(embedded), labels_twice).chunk(2)
            losses['loss_hindsight'] = self.hindsight_loss(
                *take(torch.cat((glance.actions, passes[1])), order).chunk(2), *confidence)
        if self.surrogate_loss is not None:
            losses['loss_surrogate'] = self.surrogate_loss(
                glance.maps, glance.actions, self.patch_size, imgs.shape[-1],
                lambda logits: head.cross_entropy(logits, labels))
        # What follows is of the learned patches alone, as at test.
        embedded, local, step_logits = (x[:batch_size] for x in (embedded, local, step_logits))
        if saliency is not None:
            losses.update(self._saliency_losses(
                saliency.gather(1, order[:batch_size]), embedded, local, labels))
        if self.distillation_loss is not None:
            losses['loss_distillation'] = self.distillation_loss(step_logits)
        if labels.dim() == 1:
            hits = step_logits[:, -1].argmax(dim=-1) == labels
            losses['top1_acc'] = hits.float().mean()
        return losses

    def _saliency_losses(self, saliency: torch.Tensor, embedded: torch.Tensor,
                         local: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """L_s and L_ord from saliency (B, T), f_C's features (B, T, H) and e^L (B, T, D_L)."""
        head, losses = self.cls_head, {}
        if self.saliency_loss is not None:
            if self.saliency_target == 'fused':
                confidence = frame_confidence(head.classifier.classify_alone(embedded))
            else:
                confidence = head.true_class_confidence(head.classify_local(local), labels)
            losses['loss_saliency'] = self.saliency_loss(saliency, confidence)
        if self.ordered_loss is not None:
            losses['loss_ordered'] = self.ordered_loss(
                head.classifier, embedded, saliency,
                lambda logits: head.cross_entropy(logits, labels))
        return losses
