"""AVGN's prediction head and its classification losses (section 3.3 and 3.4, eq. 8 to 11)."""

import torch
from torch import nn

from avgn_mm.registry import MODELS

from .pooling_classifier import PoolingClassifier
from .video_head import VideoHead


@MODELS.register_module()
class AVGNHead(VideoHead):
    """f_C^AV over the fused features, and the auxiliary classifiers of each modality.

    Args:
        num_classes (int): C.
        num_frames (int): T.
        visual_channels (int): D_G, channels of the pooled e^G.
        local_channels (int): D_L, channels of the pooled e^L.
        audio_channels (int, optional): D_A, channels of the pooled e^A. Defaults to None: no audio.
        fused_channels (int, optional): Channels of the audio part of e^AV: of e^AT, or D_A
            without an audio fusion. Defaults to None: no audio.
        hidden_channels (int): H of every f_C. Defaults to 4096.
        dropout_ratio (float): Before every last linear layer. Defaults to 0.2.
        pooled_visual (bool): Whether L_V has a pooling classifier over e^G and e^L as well; False
            for AdaFocusV2's losses. Defaults to True.
        visual_loss_weight (float): Weight of L_V. Defaults to 1.
        audio_loss_weight (float): Weight of L_A. Defaults to 1.
        loss_cls (dict, optional): Takes logits (N, C) and either class indices (N,) or
            distributions (N, C). Defaults to None, which means cross-entropy.
        average_clips (str): As in MMAction2; ``'prob'`` makes scores of logits.
    """

    def __init__(self,
                 *,
                 num_classes: int,
                 num_frames: int,
                 visual_channels: int,
                 local_channels: int,
                 audio_channels: int | None = None,
                 fused_channels: int | None = None,
                 hidden_channels: int = 4096,
                 dropout_ratio: float = 0.2,
                 pooled_visual: bool = True,
                 visual_loss_weight: float = 1.0,
                 audio_loss_weight: float = 1.0,
                 loss_cls: dict | None = None,
                 average_clips: str = 'prob') -> None:
        visual_and_local = visual_channels + local_channels
        in_channels = visual_and_local + (fused_channels or 0)
        super().__init__(num_classes, in_channels, average_clips=average_clips,
                         loss_cls=loss_cls)
        self.visual_loss_weight = visual_loss_weight
        self.audio_loss_weight = audio_loss_weight

        def pooling_classifier(channels: int) -> PoolingClassifier:
            return PoolingClassifier(
                in_channels=channels, num_classes=num_classes, num_frames=num_frames,
                hidden_channels=hidden_channels, dropout_ratio=dropout_ratio)

        def frame_classifier(channels: int) -> nn.Module:
            return nn.Sequential(nn.Dropout(dropout_ratio), nn.Linear(channels, num_classes))

        self.classifier = pooling_classifier(in_channels)
        self.visual_classifier = pooling_classifier(visual_and_local) if pooled_visual else None
        self.fc_visual = frame_classifier(visual_channels)
        self.fc_local = frame_classifier(local_channels)
        if audio_channels:
            self.audio_classifier = pooling_classifier(audio_channels)
            self.fc_audio = frame_classifier(audio_channels)

    @staticmethod
    def fuse(visual: torch.Tensor, local: torch.Tensor, fused_audio: torch.Tensor | None
             ) -> torch.Tensor:
        """e^AV: concatenate the pooled features of N frames to (B, N, in_channels)."""
        return torch.cat([x for x in (visual, local, fused_audio) if x is not None], dim=-1)

    def forward(self, feats: torch.Tensor) -> torch.Tensor:
        """Logits after the last of k frames.

        Args:
            feats (torch.Tensor): e^AV of the k frames, (B, k, in_channels).

        Returns:
            torch.Tensor: (B, C), from the linear layer of step k alone.
        """
        pooled = self.classifier.embed(feats).amax(dim=1, keepdim=True)
        return self.classifier.classify(pooled, first_step=feats.shape[1] - 1).squeeze(1)

    @torch.no_grad()
    def classify_local(self, local: torch.Tensor) -> torch.Tensor:
        """What f_L makes of each patch by itself, without dropout: (B, N, D_L) -> (B, N, C)."""
        return self.fc_local[-1](local)

    def visual_losses(self, visual: torch.Tensor, local: torch.Tensor, labels: torch.Tensor
                      ) -> dict[str, torch.Tensor]:
        """L_V (eq. 9) from the pooled e^G (B, T, D_G) and e^L (B, T, D_L)."""
        weight = self.visual_loss_weight
        losses = dict(
            loss_visual_global=weight * self.cross_entropy(self.fc_visual(visual), labels),
            loss_visual_local=weight * self.cross_entropy(self.fc_local(local), labels))
        if self.visual_classifier is not None:
            pooled = self.visual_classifier(self.fuse(visual, local, None))
            losses['loss_visual_pooled'] = weight * self.cross_entropy(pooled, labels)
        return losses

    def audio_losses(self, audio: torch.Tensor, labels: torch.Tensor
                     ) -> dict[str, torch.Tensor]:
        """L_A (eq. 10) from the pooled e^A (B, T, D_A)."""
        weight = self.audio_loss_weight
        return dict(
            loss_audio_frame=weight * self.cross_entropy(self.fc_audio(audio), labels),
            loss_audio_pooled=weight * self.cross_entropy(self.audio_classifier(audio), labels))
