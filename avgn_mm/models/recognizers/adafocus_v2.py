"""AdaFocusV2 (Wang et al., CVPR 2022), the network that AVGN adds time and sound to.

f_G reads all T frames in coarse-to-fine order, the recurrent pi places a patch in each, f_L reads
the patches, f_C classifies after each frame. One stage of training: the crop is differentiable, and
a second pass over uniformly random patches trains f_L and f_C on all places. AdaFocusV2+ exits
early, by thresholds of ``tools/analysis_tools/solve_exits.py``.

Deviations: with k < T frames at test the first k are read, and cost, k/T of the whole. Each exit
pays for one linear layer of f_C, and so does a prediction without exits; the published figures
charge one a frame. A label of several classes is spread over them; the authors train on the first.
"""

from avgn_mm.registry import MODELS

from .avgn import AVGN


@MODELS.register_module()
class AdaFocusV2(AVGN):
    """AVGN without sound and without AV-TeST: its stages, training and cost are inherited.

    Args:
        backbone (dict): f_G, from frames to maps of ``visual_channels``.
        local_backbone (dict): f_L, from patches to maps of ``local_channels``.
        patch_policy (dict): pi.
        cls_head (dict): An ``AVGNHead`` with ``pooled_visual=False``; its channels are filled in
            from here.
        num_frames (int): T.
        patch_size (int): P, in pixels of the input frames.
        visual_channels (int): D_G.
        local_channels (int): D_L.
        hindsight_loss (dict, optional): Not in the paper: see :class:`AVGN`. Defaults to None.
        glance_size (int, optional): Side to which f_G's input is averaged down. Defaults to None.
        train_cfg (dict): ``random_patch``: whether to train on random patches too.
        test_cfg (dict): ``num_focus``: k; ``exit_thresholds``: as of :class:`AVGN`.
        data_preprocessor (dict): MMAction2's ``ActionDataPreprocessor``.
    """

    def __init__(self,
                 *,
                 backbone: dict,
                 local_backbone: dict,
                 patch_policy: dict,
                 cls_head: dict,
                 num_frames: int,
                 patch_size: int,
                 visual_channels: int,
                 local_channels: int,
                 hindsight_loss: dict | None = None,
                 glance_size: int | None = None,
                 train_cfg: dict | None = None,
                 test_cfg: dict | None = None,
                 data_preprocessor: dict | None = None) -> None:
        super().__init__(
            backbone=backbone, local_backbone=local_backbone, patch_policy=patch_policy,
            cls_head=cls_head, num_frames=num_frames, patch_size=patch_size,
            visual_channels=visual_channels, local_channels=local_channels,
            hindsight_loss=hindsight_loss, glance_size=glance_size, train_cfg=train_cfg,
            test_cfg=test_cfg, data_preprocessor=data_preprocessor)
