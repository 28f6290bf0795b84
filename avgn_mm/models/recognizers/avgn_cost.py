"""What AVGN's parts cost and how often a video uses each: its computation, counted exactly."""

from collections.abc import Callable

import torch
from torch import nn

from avgn_mm.evaluation.cost import count_affine, count_macs


class AVGNCost:
    """Count each part of an AVGN once for each shape of input; add up what a video used.

    Parts are named as the modules. What a part does once for a video has the module's name, what
    it does once for each frame ``.frame`` behind it; ``cls_head.output`` is one classification.

    Args:
        model (nn.Module): The AVGN.
    """

    def __init__(self, model: nn.Module) -> None:
        # In a list, so that the model's modules do not contain the model.
        self._model = [model]
        self._units: dict[tuple, dict[str, int]] = {}

    def units(self, imgs: torch.Tensor, audios: torch.Tensor | None) -> dict[str, int]:
        """MACs of one use of each part.

        Args:
            imgs (torch.Tensor): (B, T, 3, H, W); black frames of this size are run.
            audios (torch.Tensor, optional): (B, T, 1, 96, 64).

        Returns:
            dict[str, int]: By part, for those that the model has.
        """
        key = imgs.shape[1:], None if audios is None else audios.shape[1:]
        if key not in self._units:
            model = self._model[0]
            training = model.training
            model.eval()
            try:
                # What is in the frames makes no difference, and they may not be decoded yet.
                self._units[key] = self._count(
                    model, imgs.new_zeros(1, *imgs.shape[1:]),
                    None if audios is None else audios[:1])
            finally:
                model.train(training)
        return self._units[key]

    def calls(self, num_glances: int, num_encoded: int, num_focus: int, num_outputs: int = 1
              ) -> dict[str, int]:
        """How often a video uses each part.

        Args:
            num_glances (int): T_G; 0 without AV-TeST.
            num_encoded (int): Frames that f_G encodes, glanced and selected ones together.
            num_focus (int): Frames that are looked at closely.
            num_outputs (int): How often the video is classified: after each frame with early
                exit, once without.
        """
        model = self._model[0]
        located = num_encoded if model.policy_scope == 'encoded' else num_focus
        return {
            'backbone.frame': num_encoded,
            'audio_backbone.frame': model.num_frames,
            'temporal_glance': 1,
            'temporal_glance.frame': num_glances,
            'spatial_glance': 1,
            'spatial_glance.frame': located,
            'patch_policy.frame': located,
            'local_backbone.frame': num_focus,
            'audio_fusion': 1,
            'audio_fusion.frame': num_focus,
            'cls_head.frame': num_focus,
            'cls_head.output': num_outputs,
        }

    def gmacs(self, imgs: torch.Tensor, audios: torch.Tensor | None, *used: int) -> float:
        """10^9 MACs of a video that used the parts as :meth:`calls` says."""
        calls = self.calls(*used)
        return sum(macs * calls[part] for part, macs in self.units(imgs, audios).items()) / 1e9

    @staticmethod
    @torch.no_grad()
    def _count(model: nn.Module, imgs: torch.Tensor, audios: torch.Tensor | None
               ) -> dict[str, int]:
        """Run each part on one video's real inputs, in the order in which they depend."""
        units = {}

        def run(part: str, function: Callable[[], torch.Tensor]) -> torch.Tensor:
            units[part] = count_macs(function)
            return function()

        frame = imgs[:, 0]
        maps = run('backbone.frame', lambda: model.encode_frames(frame))
        visual = maps.mean(dim=(2, 3))[:, None]
        audio = fused = None
        if model.audio_backbone is not None:
            fused = run('audio_backbone.frame', lambda: model.encode_audio(audios[:, :1]))
            audio = fused.expand(-1, model.num_frames, -1)
        if model.temporal_glance is not None:
            # One glance of n embedded frames: with T = 1 there is no second one to show.
            units['temporal_glance'], units['temporal_glance.frame'] = count_affine(
                lambda n: model.temporal_glance(visual.expand(-1, n, -1), audio, 1))
        if model.spatial_glance is not None:
            heard = run('spatial_glance', lambda: model.spatial_glance.encode_audio(audio))
            maps = run('spatial_glance.frame', lambda: model.spatial_glance(maps, *heard))
        if model.patch_policy is not None:
            run('patch_policy.frame', lambda: model.patch_policy(maps, [1])[0])
        centre = visual.new_full((1, 2), 0.5)
        local = run('local_backbone.frame', lambda: model.focus(frame, centre))[:, None]
        if model.audio_fusion is not None:
            known = run('audio_fusion', lambda: model.audio_fusion.encode_audio(audio))
            fused = run('audio_fusion.frame', lambda: model.audio_fusion(visual, *known))
        classifier = model.cls_head.classifier
        feats = model.cls_head.fuse(visual, local, fused)
        embedded = run('cls_head.frame', lambda: classifier.embed(feats))
        run('cls_head.output', lambda: classifier.classify(embedded))
        return units
