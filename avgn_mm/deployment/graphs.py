"""AVGN as graphs of fixed shapes, for ``torch.export`` and ONNX.

Two stages of the eager model have shapes that depend on the video: f_G encodes those selected
frames that were not glanced at, and pi sees a sequence of that length. A graph cannot, and need
not:

- f_G encodes min(k, T - T_G) further frames in any case, those that are needed first. What is left
  over are glanced frames, which get the map that they have.
- pi sees as many frames in this order. It is causal, so that frames behind those that are needed
  change nothing for them; where it looks in glanced frames stays as it was in the glance.

So the answer is the eager one, at the upper end of the eager cost: as if no glanced frame had been
selected. With T_G = T nothing is added. Early exit (AVGN+) ends after a number of frames that
depends on the video: its three stages are graphs for one video, which ``StagedAVGN``
(``stages.py``) calls in a loop. They add nothing.
"""

import copy

import torch
from torch import nn

from avgn_mm.models.layers import patch_boxes
from avgn_mm.models.recognizers import AVGN
from avgn_mm.models.recognizers.avgn import Glance

# What only training uses, beside all that is called a loss.
_TRAINING_PARTS = ('audio_dropout', 'mask_encoder', 'visual_classifier', 'fc_visual', 'fc_local',
                   'audio_classifier', 'fc_audio', 'loss_cls')


class FixedShapeAVGN(AVGN):
    """A copy of a model, for prediction only, whose stages have shapes that no video changes.

    Args:
        model (AVGN): With ``test_cfg``'s T_G and k.
    """

    def __init__(self, model: AVGN) -> None:
        nn.Module.__init__(self)
        self.__dict__.update(copy.deepcopy(model).__dict__)
        for owner in (self, self.temporal_glance, self.cls_head):
            if owner is not None:
                for name in [name for name, _ in owner.named_children()]:
                    if name in _TRAINING_PARTS or name.endswith('_loss'):
                        setattr(owner, name, None)
        # Not chained: MMAction2's ResNet.eval() returns None.
        self.eval()
        self.requires_grad_(False)

    def pick(self, saliency: torch.Tensor | None, num_focus: int, batch_size: int) -> torch.Tensor:
        if saliency is None:
            return super().pick(saliency, num_focus, batch_size)
        return greatest(saliency, num_focus)

    def complete(self, imgs: torch.Tensor, glance: Glance, videos: torch.Tensor,
                 frames: torch.Tensor) -> None:
        further = self.unknown_first(frames, glance.num_glances)
        if not further.shape[1]:
            return
        index = videos[:, None], further
        encoded = self.encode_frames(imgs[index].flatten(0, 1)).unflatten(0, further.shape)
        if glance.maps is None:
            glance.maps = encoded.new_zeros(*imgs.shape[:2], *encoded.shape[2:])
        glance.maps = glance.maps.index_put(index, encoded)

    def locate(self, glance: Glance, videos: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        if self.patch_policy is None:
            return super().locate(glance, videos, frames)
        known = glance.num_glances if self.policy_scope == 'encoded' else 0
        further = self.unknown_first(frames, known)
        first = torch.arange(known, device=frames.device).expand(len(frames), -1)
        seen = torch.cat((first, further), dim=1)
        maps = glance.maps[videos[:, None], seen].flatten(0, 1)
        length = known + further.shape[1]
        if self.spatial_glance is not None:
            audio = self.spatial_glance.encode_audio(glance.audio)
            maps = self.spatial_glance(maps, *(x.repeat_interleave(length, dim=0) for x in audio))
        located, _ = self.patch_policy(maps, [length] * len(frames))
        located = located.unflatten(0, (len(frames), length))
        actions = located.new_zeros(*glance.maps.shape[:2], 2).index_put(
            (videos[:, None], further), located[:, known:])
        # Glanced frames among the further ones were located twice; the first time counts.
        glance.actions = torch.cat((located[:, :known], actions[:, known:]), dim=1)
        return glance.actions[videos[:, None], frames]

    def unknown_first(self, frames: torch.Tensor, known: int) -> torch.Tensor:
        """(A, min(k, T - known)) of the frames (A, k), those from ``known`` on first, in order."""
        number = min(frames.shape[1], self.num_frames - known)
        return frames.gather(1, greatest((frames >= known).int(), number))


def greatest(values: torch.Tensor, number: int) -> torch.Tensor:
    """Indices (B, number) of the greatest of (B, N), in order; of equal ones the first comes first.

    For ONNX, whose exporter has no stable sort, and whose TopK need not be stable in all runtimes.
    """
    index = torch.arange(values.shape[1], device=values.device)
    one, other = values[:, :, None], values[:, None, :]
    before = (other > one) | (other == one) & (index < index[:, None])
    return (-before.int().sum(dim=2)).topk(number, dim=1).indices


class Normalise(nn.Module):
    """What the model's preprocessor does to frames, inside the graph.

    Args:
        model (AVGN): With MMAction2's ``ActionDataPreprocessor`` for frames.
    """

    def __init__(self, model: AVGN) -> None:
        super().__init__()
        preprocessor = model.data_preprocessor
        preprocessor = getattr(preprocessor, 'preprocessors', dict(imgs=preprocessor))['imgs']
        self.to_rgb = preprocessor.to_rgb
        self.register_buffer('mean', getattr(preprocessor, 'mean', torch.zeros(())).clone())
        self.register_buffer('std', getattr(preprocessor, 'std', torch.ones(())).clone())

    def forward(self, imgs: torch.Tensor) -> torch.Tensor:
        """(B, n, 3, H, W), uint8 as the pipeline gives them -> what the model takes."""
        imgs = imgs.flip(2) if self.to_rgb else imgs
        return (imgs.float() - self.mean) / self.std


class AVGNGraph(nn.Module):
    """The whole prediction, without early exit, with the T_G and k of ``test_cfg``.

    Args:
        model (AVGN): It is copied.
        raw_frames (bool): Whether the graph takes uint8 frames and normalises them itself.
    """

    outputs = ('scores', 'selected', 'patch_boxes')

    def __init__(self, model: AVGN, *, raw_frames: bool = False) -> None:
        super().__init__()
        self.model = FixedShapeAVGN(model)
        self.normalise = Normalise(model) if raw_frames else nn.Identity()

    def forward(self, imgs: torch.Tensor, audios: torch.Tensor | None = None
                ) -> tuple[torch.Tensor, ...]:
        """Classify.

        Args:
            imgs (torch.Tensor): (B, T, 3, H, W), in coarse-to-fine order.
            audios (torch.Tensor, optional): (B, T, 1, 96, 64), unless there is no audio encoder.

        Returns:
            tuple[torch.Tensor, ...]: Scores (B, C); the frames that were looked at (B, k), most
            salient first, and their patches (B, k, 4): left, top, right, bottom, in pixels.
        """
        model, imgs = self.model, self.normalise(imgs)
        glance, selected = model._glance_and_pick(imgs, audios)
        logits, _ = model.decide(imgs, glance, selected)
        videos = torch.arange(len(imgs), device=imgs.device)[:, None]
        boxes = patch_boxes(glance.actions[videos, selected], model.patch_size, imgs.shape[-2:])
        return model.cls_head.average_clip(logits), selected, boxes


class GlanceStage(AVGNGraph):
    """Glance and selection, and what pi makes of the glanced frames. Args as of ``AVGNGraph``."""

    # The last four are the sound, as AESPA and psi read it.
    outputs = ('saliency', 'selected', 'visual', 'actions', 'memory', 'aespa_tokens',
               'aespa_bottlenecks', 'fusion_keys', 'fusion_values')

    def forward(self, imgs: torch.Tensor, audios: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Look at the first T_G frames (1, T_G, 3, H, W); hear all windows (1, T, 1, 96, 64).

        Returns:
            tuple[torch.Tensor, ...]: Saliency (1, T); the selected frames (1, k), most salient
            first; of the glanced frames the pooled e^G (1, T_G, D_G) and where pi looks
            (1, T_G, 2); pi's memory (1, channels); and the rest of ``outputs``.
        """
        model, num_glances = self.model, imgs.shape[1]
        glance, selected = model._glance_and_pick(self.normalise(imgs), audios)
        sound = model.spatial_glance.encode_audio(glance.audio)
        maps = model.spatial_glance(
            glance.maps[0], *(x.repeat_interleave(num_glances, dim=0) for x in sound))
        actions, memory = model.patch_policy(maps, [num_glances])
        return (glance.saliency, selected, glance.maps.mean(dim=(3, 4)), actions[None], memory,
                *sound, *model.audio_fusion.encode_audio(glance.audio))


class LocateStage(AVGNGraph):
    """f_G, AESPA and pi on one frame that was not glanced at. Args as of ``AVGNGraph``."""

    outputs = ('visual', 'action', 'new_memory')

    def forward(self, frame: torch.Tensor, memory: torch.Tensor, aespa_tokens: torch.Tensor,
                aespa_bottlenecks: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(1, 1, 3, H, W) and the state -> pooled e^G (1, D_G), (1, 2), and the new memory."""
        model = self.model
        maps = model.encode_frames(self.normalise(frame).flatten(0, 1))
        enhanced = model.spatial_glance(maps, aespa_tokens, aespa_bottlenecks)
        action, memory = model.patch_policy(enhanced, [1], memory)
        return maps.mean(dim=(2, 3)), action, memory


class LookStage(AVGNGraph):
    """The close look at one frame, and the decision after it. Args as of ``AVGNGraph``."""

    outputs = ('scores', 'confidence', 'new_pooled', 'patch_box')

    def __init__(self, model: AVGN, *, raw_frames: bool = False) -> None:
        super().__init__(model, raw_frames=raw_frames)
        classifier = self.model.cls_head.classifier
        steps, classifier.steps = classifier.steps[:model.test_cfg['num_focus']], None
        # One tensor, of which the graph reads the step's part.
        self.register_buffer('weight', torch.stack([step.weight for step in steps]))
        self.register_buffer('bias', torch.stack([step.bias for step in steps]))

    def forward(self, frame: torch.Tensor, visual: torch.Tensor, action: torch.Tensor,
                fusion_keys: torch.Tensor, fusion_values: torch.Tensor, pooled: torch.Tensor,
                step: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Look and decide.

        Args:
            frame (torch.Tensor): (1, 1, 3, H, W).
            visual, action (torch.Tensor): What is known of the frame, (1, D_G) and (1, 2).
            fusion_keys, fusion_values (torch.Tensor): Of the glance.
            pooled (torch.Tensor): Running maximum (1, H) over the frames before; zeros at first.
            step (torch.Tensor): (1,) How many frames were looked at before, int64.

        Returns:
            tuple[torch.Tensor, ...]: Scores (1, C), the greatest logit (1,), the new maximum (1, H)
            and the patch (1, 4): left, top, right, bottom, in pixels.
        """
        model, head = self.model, self.model.cls_head
        local = model.focus(self.normalise(frame).flatten(0, 1), action)
        fused = model.audio_fusion(visual[:, None], fusion_keys, fusion_values)
        embedded = head.classifier.embed(head.fuse(visual[:, None], local[:, None], fused))
        # Not negative, so that zeros are where the maximum starts.
        pooled = torch.maximum(pooled, embedded[:, 0])
        logits = (self.weight[step] @ pooled[:, :, None]).squeeze(2) + self.bias[step]
        return (head.average_clip(logits), logits.amax(dim=1), pooled,
                patch_boxes(action, model.patch_size, frame.shape[-2:]))


def stages(model: AVGN, inputs: dict[str, torch.Tensor], *, raw_frames: bool = False
           ) -> dict[str, tuple[AVGNGraph, dict[str, torch.Tensor]]]:
    """The graphs of AVGN+ by name, each with inputs of its shapes.

    Args:
        model (AVGN): With ``test_cfg``'s T_G and k.
        inputs (dict[str, torch.Tensor]): ``imgs`` and ``audios`` of one video, as of ``AVGNGraph``.
        raw_frames (bool): As of ``AVGNGraph``.

    Raises:
        ValueError: If a part is missing, as in ablations, or pi sees the selected frames only.
    """
    parts = ('temporal_glance', 'spatial_glance', 'patch_policy', 'audio_fusion')
    missing = [name for name in parts if getattr(model, name) is None]
    if missing or model.policy_scope != 'encoded':
        raise ValueError('the stages of early exit need all parts of AVGN and '
                         f"policy_scope='encoded'; this model has {model.policy_scope!r} and "
                         f'lacks {", ".join(missing) or "no part"}')
    glance, locate, look = (stage(model, raw_frames=raw_frames)
                            for stage in (GlanceStage, LocateStage, LookStage))
    first = dict(imgs=inputs['imgs'][:, :model.test_cfg['num_glances']], audios=inputs['audios'])
    with torch.no_grad():
        state = dict(zip(glance.outputs, glance(**first)))
    frame = inputs['imgs'][:, :1]
    return dict(
        glance=(glance, first),
        locate=(locate, dict(frame=frame, memory=state['memory'],
                             aespa_tokens=state['aespa_tokens'],
                             aespa_bottlenecks=state['aespa_bottlenecks'])),
        look=(look, dict(frame=frame, visual=state['visual'][:, 0], action=state['actions'][:, 0],
                         fusion_keys=state['fusion_keys'], fusion_values=state['fusion_values'],
                         pooled=look.weight.new_zeros(1, look.weight.shape[2]),
                         step=torch.zeros(1, dtype=torch.long))))
