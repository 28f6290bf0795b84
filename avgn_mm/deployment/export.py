"""Write a graph to a file, and run it from there."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch

from .graphs import AVGNGraph

FORMATS = ('torch_export', 'onnx')
_NEEDED = ('onnx', 'onnxruntime', 'onnxscript')


def check_onnx() -> None:
    """Raise ImportError, with what to type, if a package that ONNX needs is missing."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ImportError(f'ONNX needs {", ".join(missing)}: pip install {" ".join(_NEEDED)} '
                          '-c requirements/constraints.txt')


def save_graph(graph: AVGNGraph, inputs: dict[str, torch.Tensor], path: Path, kind: str) -> None:
    """Trace a graph with inputs of its shapes and write it, weights included, to one file.

    Args:
        graph (AVGNGraph): With ``outputs``, the names of what it returns.
        inputs (dict[str, torch.Tensor]): By the names of its arguments, in their order.
        path (Path): File to write.
        kind (str): ``'torch_export'`` or ``'onnx'``.

    Raises:
        ImportError: If a package that ONNX needs is missing.
    """
    graph.eval()
    if kind == 'onnx':
        check_onnx()
        torch.onnx.export(
            graph, tuple(inputs.values()), str(path), dynamo=True, external_data=False,
            input_names=[*inputs], output_names=[*graph.outputs], verbose=False)
    else:
        torch.export.save(torch.export.export(graph, (), inputs), path)


def load_graph(path: Path, kind: str, threads: int = 0
               ) -> Callable[[dict[str, torch.Tensor]], list[torch.Tensor]]:
    """A function from named inputs to outputs, which runs a file of :func:`save_graph`.

    Args:
        path (Path): The file.
        kind (str): Its format.
        threads (int): For ONNX Runtime, on the CPU. Defaults to 0: as many as there are cores.
    """
    if kind == 'onnx':
        check_onnx()
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(path, options, ['CPUExecutionProvider'])
        return lambda inputs: [*map(torch.from_numpy, session.run(
            None, {name: value.numpy() for name, value in inputs.items()}))]
    module = torch.export.load(path).module()
    return lambda inputs: [*module(**inputs)]
