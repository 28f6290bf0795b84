"""Uni-AdaFocus' classifiers (Wang et al., TPAMI 2025): first the glances, then the close looks."""

import torch
from torch import nn

from avgn_mm.registry import MODELS

from .pooling_classifier import PoolingClassifier
from .video_head import VideoHead


@MODELS.register_module()
class GlanceFocusHead(VideoHead):
    """Two running maxima, each with a linear layer of its own for every step.

    The steps of the glances see the maximum over the glanced frames so far, those of the close
    looks the maximum over the looks so far beside that of *all* glances. For training there are
    also classifiers of single frames and of what the spatial policy picked from f_G's maps.

    Args:
        num_classes (int): C.
        visual_channels (int): D_G, channels of f_G's pooled features.
        local_channels (int): D_L, channels of f_L's.
        num_glances (int): G.
        num_focus (int): k, the most close looks.
        hidden_channels (int): H. Defaults to 4096.
        dropout_ratio (float): Before the linear layer of every step. Defaults to 0.2.
        frame_dropout_ratio (float): Before the classifiers of single frames. Defaults to 0.2.
        **kwargs: ``loss_cls`` and ``average_clips`` of :class:`VideoHead`.
    """

    def __init__(self, *, num_classes: int, visual_channels: int, local_channels: int,
                 num_glances: int, num_focus: int, hidden_channels: int = 4096,
                 dropout_ratio: float = 0.2, frame_dropout_ratio: float = 0.2, **kwargs) -> None:
        super().__init__(num_classes, visual_channels + local_channels, **kwargs)

        def frame_classifier(channels: int) -> nn.Module:
            return nn.Sequential(
                nn.Dropout(frame_dropout_ratio), nn.Linear(channels, num_classes))

        shared = dict(num_classes=num_classes, hidden_channels=hidden_channels,
                      dropout_ratio=dropout_ratio)
        self.glance_classifier = PoolingClassifier(
            in_channels=visual_channels, num_frames=num_glances, **shared)
        self.focus_classifier = PoolingClassifier(
            in_channels=local_channels, num_frames=num_focus, **shared)
        # They see both maxima.
        self.focus_classifier.steps = nn.ModuleList(
            nn.Linear(2 * hidden_channels, num_classes) for _ in range(num_focus))
        self.fc_visual = frame_classifier(visual_channels)
        self.fc_local = frame_classifier(local_channels)
        self.fc_spatial = nn.Linear(visual_channels, num_classes)

    def forward(self, glances: torch.Tensor, looks: torch.Tensor) -> torch.Tensor:
        """Logits after the last of k close looks, from the linear layer of step k alone.

        Args:
            glances (torch.Tensor): (B, G, H), by ``glance_classifier.embed``.
            looks (torch.Tensor): (B, k, H), by ``focus_classifier.embed``.

        Returns:
            torch.Tensor: (B, C).
        """
        pooled = torch.cat((looks.amax(dim=1), glances.amax(dim=1)), dim=-1)
        return self.focus_classifier.classify(pooled[:, None], looks.shape[1] - 1).squeeze(1)

    def step_logits(self, glances: torch.Tensor, looks: torch.Tensor) -> torch.Tensor:
        """Logits (B, G + k, C) of all steps; shapes as in :meth:`forward`."""
        glances = glances.cummax(dim=1).values
        looks = looks.cummax(dim=1).values
        both = torch.cat((looks, glances[:, -1:].expand_as(looks)), dim=-1)
        return torch.cat((self.glance_classifier.classify(glances),
                          self.focus_classifier.classify(both)), dim=1)
