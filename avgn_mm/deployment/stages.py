"""AVGN+ in ONNX Runtime: a loop over three graphs. This file needs numpy and onnxruntime only.

    glance   the first T_G frames and all sound -> saliency, selected frames, state     once
    locate   a selected frame that was not glanced at, state -> where to look, state    if needed
    look     a selected frame, where to look, state -> scores, confidence, state        1 to k times
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np


class StagedAVGN:
    """Classify videos one by one with the folder that ``export.py --stages`` wrote.

    ``StagedAVGN('stages')(imgs, audios)['scores']``

    Args:
        folder (str | Path): With ``stages.json`` and the graphs.
        threads (int): Of each graph. Defaults to 0: as many as there are cores.
        providers (Sequence[str]): ONNX Runtime's execution providers. Defaults to the CPU.
    """

    def __init__(self, folder: str | Path, *, threads: int = 0,
                 providers: Sequence[str] = ('CPUExecutionProvider', )) -> None:
        import onnxruntime
        folder = Path(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._sessions = {
            name: onnxruntime.InferenceSession(folder / f'{name}.onnx', options, list(providers))
            for name in ('glance', 'locate', 'look')}
        content = json.loads((folder / 'stages.json').read_text(encoding='utf-8'))
        self.num_glances, self.num_focus = content['num_glances'], content['num_focus']
        self.exit_thresholds = [math.inf if x is None else x for x in content['thresholds']]
        self._pooled_shape = next(value.shape for value in self._sessions['look'].get_inputs()
                                  if value.name == 'pooled')

    def __call__(self, imgs: Sequence[np.ndarray], audios: np.ndarray,
                 exit_thresholds: Sequence[float] | None = None) -> dict[str, np.ndarray | int]:
        """Classify one video.

        Args:
            imgs (Sequence[np.ndarray]): T frames (3, H, W) in coarse-to-fine order, as the graphs
                take them. Only those that are needed are indexed, each once: an object that
                decodes a frame when it is indexed saves the decoding of the others.
            audios (np.ndarray): (T, 1, 96, 64).
            exit_thresholds (Sequence[float], optional): One for each of k steps. Defaults to None:
                those that were exported.

        Returns:
            dict[str, np.ndarray | int]: ``scores`` (C,), ``saliency`` (T,), ``selected`` (n,) and
            ``patch_boxes`` (n, 4) of the frames that were looked at, ``exit_step`` (n),
            ``frames_encoded``.

        Raises:
            ValueError: If there are fewer thresholds than steps.
        """
        thresholds = self.exit_thresholds if exit_thresholds is None else exit_thresholds
        if len(thresholds) < self.num_focus:
            raise ValueError(f'{len(thresholds)} exit thresholds for {self.num_focus} steps')
        glanced = np.stack([imgs[t] for t in range(self.num_glances)])
        state = self._run('glance', imgs=glanced[None], audios=audios[None])
        selected, boxes, encoded = state['selected'][0], [], self.num_glances
        pooled = np.zeros(self._pooled_shape, dtype=np.float32)
        for step, t in enumerate(selected.tolist()):
            if t < self.num_glances:
                frame = glanced[None, t:t + 1]
                visual, action = state['visual'][:, t], state['actions'][:, t]
            else:
                frame = np.asarray(imgs[t])[None, None]
                located = self._run('locate', frame=frame, memory=state['memory'],
                                    aespa_tokens=state['aespa_tokens'],
                                    aespa_bottlenecks=state['aespa_bottlenecks'])
                visual, action, state['memory'] = (
                    located[name] for name in ('visual', 'action', 'new_memory'))
                encoded += 1
            look = self._run('look', frame=frame, visual=visual, action=action, pooled=pooled,
                             fusion_keys=state['fusion_keys'],
                             fusion_values=state['fusion_values'], step=np.array([step]))
            pooled = look['new_pooled']
            boxes.append(look['patch_box'][0])
            if look['confidence'][0] >= thresholds[step]:
                break
        return dict(scores=look['scores'][0], saliency=state['saliency'][0],
                    selected=selected[:step + 1], patch_boxes=np.stack(boxes),
                    exit_step=step + 1, frames_encoded=encoded)

    def _run(self, name: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        session = self._sessions[name]
        outputs = session.run(None, inputs)
        return {value.name: found for value, found in zip(session.get_outputs(), outputs)}
