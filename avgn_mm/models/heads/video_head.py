"""Labels and cross-entropy of videos that are classified at several steps."""

import torch
import torch.nn.functional as F
from mmaction.models import BaseHead


class VideoHead(BaseHead):
    """Base of this package's heads.

    Args:
        num_classes (int): C.
        in_channels (int): Channels of a frame's features.
        loss_cls (dict, optional): Takes logits (N, C) and either class indices (N,) or
            distributions (N, C). Defaults to None, which means cross-entropy.
        average_clips (str): As in MMAction2; ``'prob'`` makes scores of logits.
    """

    def __init__(self, num_classes: int, in_channels: int, *, loss_cls: dict | None = None,
                 average_clips: str = 'prob') -> None:
        super().__init__(num_classes, in_channels, average_clips=average_clips,
                         loss_cls=loss_cls or dict(type='CrossEntropyLoss'))

    def gather_labels(self, data_samples: list) -> torch.Tensor:
        """Labels of a batch: (B,) class indices, or (B, C) distributions of multi-hot labels.

        A video with several classes spreads its unit of probability over them evenly.

        Raises:
            ValueError: If a label is not below ``num_classes``.
        """
        labels = torch.stack([sample.gt_label for sample in data_samples])
        if labels.shape[1] == 1:
            labels = labels.squeeze(1)
            if labels.max() >= self.num_classes or labels.min() < 0:
                raise ValueError(f'labels must be in 0..{self.num_classes - 1} '
                                 f'(cls_head.num_classes={self.num_classes}), '
                                 f'got {labels.min()}..{labels.max()}')
            return labels
        if labels.shape[1] != self.num_classes:
            raise ValueError(f'labels have {labels.shape[1]} classes, the head has '
                             f'{self.num_classes}: set num_classes of the dataset and '
                             'cls_head.num_classes to the same number')
        return labels / labels.sum(dim=1, keepdim=True).clamp(min=1)

    def cross_entropy(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy of (B, N, C) logits with each video's label at all N steps."""
        return self.loss_cls(logits.flatten(0, 1), labels.repeat_interleave(logits.shape[1], 0))

    @staticmethod
    def true_class_confidence(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Probability (B, N) that logits (B, N, C) give to the labels of :meth:`gather_labels`."""
        if labels.dim() == 1:
            labels = F.one_hot(labels, logits.shape[-1])
        return (logits.softmax(dim=-1) * labels[:, None]).sum(dim=-1)
