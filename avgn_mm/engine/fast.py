"""Faster predictions: the encoders of a trained recognizer are run another way.

The encoders do nearly all of the computing. :func:`accelerate` gives each a copy of itself for
prediction: batch norms folded into convolutions and, as wanted, channels-last layout, bf16 and
``torch.compile``. The classifier's large first layer, most of whose time is spent on reading its
weights, follows them into bf16. The recognizer's own modules and weights stay as they are. What
these parts return is float32, and so is all the rest: saliency, places, scores.
"""

import copy
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from mmcv.cnn import fuse_conv_bn
from mmengine.logging import print_log
from torch import nn

DTYPES = {'bf16': torch.bfloat16, None: None}
# The first layer of a PoolingClassifier: 63 MB of weights in float32 at the paper's size.
LARGE_LAYER = 'cls_head.classifier.fc'


def read_options(text: str) -> dict:
    """Options of :func:`accelerate` as the tools take them: ``channels-last,bf16,compile``.

    Raises:
        ValueError: If one is unknown; argparse makes its own message of it.
    """
    words = set(text.split(','))
    if unknown := words - {'channels-last', 'bf16', 'compile'}:
        raise ValueError(f'unknown options: {", ".join(sorted(unknown))}')
    return dict(channels_last='channels-last' in words, dtype='bf16' if 'bf16' in words else None,
                compile='compile' in words)


def describe_options(fast: dict | None) -> str:
    """Options of :func:`accelerate` in a word; None is 'plain'."""
    if fast is None:
        return 'plain'
    words = ['channels-last'] * fast['channels_last'] + ['compile'] * fast['compile']
    return ','.join([*words, fast['dtype'] or 'fp32'])


def find_encoders(model: nn.Module) -> dict[str, nn.Module]:
    """The parts of a recognizer that do nearly all of its computing, by their names.

    They are what is called ``backbone``, with anything before it, wherever it stands in the model;
    OCSampler's ``sampler``; and the classifier's first layer, where there is one.

    Raises:
        ValueError: If there is none.
    """
    encoders = {}
    for name, module in model.named_modules():
        inside = any(name.startswith(f'{outer}.') for outer in encoders)
        if name.endswith(('backbone', 'sampler')) and not inside:
            encoders[name] = module
    if not encoders:
        raise ValueError(f'{type(model).__name__} has no submodule called *backbone to accelerate')
    layers = dict(model.named_modules())
    if LARGE_LAYER in layers:
        encoders[LARGE_LAYER] = layers[LARGE_LAYER]
    return encoders


def accelerate(model: nn.Module, *, channels_last: bool = True, dtype: str | None = None,
               compile: bool = False) -> nn.Module:
    """Make a recognizer predict faster, in place.

    Load the weights first and choose the device: the encoders' copies have the weights of now. In
    training mode the encoders run as ever.

    Args:
        model (nn.Module): A recognizer of this package, or one of MMAction2 with a ``backbone``.
        channels_last (bool): Whether images and maps are stored with their channels last, which
            convolutions like better. Defaults to True.
        dtype (str, optional): ``'bf16'``: convolutions and linear layers compute in bfloat16.
            Defaults to None: in float32.
        compile (bool): Whether to compile. Each encoder is compiled when it first sees one image,
            2 to 15, or more, and again for images of another size. What was compiled is kept on
            disk, see :func:`cache_dir`. Defaults to False.

    Returns:
        nn.Module: The same model.

    Raises:
        ValueError: If ``dtype`` is unknown, or there is no encoder.
        RuntimeError: If it is to compile and there is no C++ compiler.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be 'bf16' or None, got {dtype!r}")
    if compile:
        _prepare_compiling()
    decelerate(model)
    for encoder in find_encoders(model).values():
        # A function, not a module: the model's state_dict stays the same.
        encoder.forward = _fast_forward(encoder, channels_last, DTYPES[dtype], compile)
        if _refuse_weights not in encoder._load_state_dict_post_hooks.values():
            encoder.register_load_state_dict_post_hook(_refuse_weights)
    return model


def decelerate(model: nn.Module) -> nn.Module:
    """Undo :func:`accelerate`."""
    for encoder in find_encoders(model).values():
        encoder.__dict__.pop('forward', None)
    return model


@contextmanager
def plain(model: nn.Module) -> Iterator[None]:
    """Run a model as if it were not accelerated, for a while."""
    encoders = find_encoders(model).values()
    forwards = [encoder.__dict__.pop('forward', None) for encoder in encoders]
    try:
        yield
    finally:
        for encoder, forward in zip(encoders, forwards):
            if forward is not None:
                encoder.forward = forward


@torch.no_grad()
def check_fast(model: nn.Module, batch: dict) -> float:
    """How far the scores of an accelerated model are from those of the plain one.

    Args:
        model (nn.Module): In eval mode.
        batch (dict): ``inputs`` and ``data_samples`` as the data loader gives them.

    Returns:
        float: The greatest difference in probability, over videos and classes.
    """
    def scores() -> torch.Tensor:
        samples = model.test_step(copy.deepcopy(batch))
        return torch.stack([sample.pred_score for sample in samples])

    with plain(model):
        expected = scores()
    return float((scores() - expected).abs().max())


def cache_dir() -> Path:
    """Where compiled code is kept: TORCHINDUCTOR_CACHE_DIR, or a folder of PyTorch's cache."""
    default = Path(torch.hub.get_dir()).parent / 'inductor'
    return Path(os.environ.get('TORCHINDUCTOR_CACHE_DIR', default))


def _prepare_compiling() -> None:
    """Find a compiler, and a folder that outlives a restart, which PyTorch's own choice does not.

    Raises:
        RuntimeError: If there is no C++ compiler.
    """
    # PyTorch's compiler takes seconds to import.
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler
    try:
        get_cpp_compiler()
    except InvalidCxxCompiler as error:
        raise RuntimeError(
            'compile=True needs a C++ compiler, and none was found: install one (Debian: apt-get '
            'install g++), name one in the environment variable CXX, or leave compiling off'
        ) from error
    os.environ['TORCHINDUCTOR_CACHE_DIR'] = str(cache_dir())
    print_log(f'the first predictions take minutes to compile; kept in {cache_dir()}', 'current')


def _fast_forward(encoder: nn.Module, channels_last: bool, dtype: torch.dtype | None,
                  compile: bool) -> Callable[[torch.Tensor], torch.Tensor]:
    """Prepare an encoder's copy and give what runs it instead of the encoder's own forward."""
    slow = encoder.forward
    fast = copy.deepcopy(encoder)
    # Not chained: MMAction2's ResNet.eval() returns None.
    fast.eval()
    fast = fuse_conv_bn(fast)
    layout = torch.channels_last if channels_last else torch.preserve_format
    fast.to(memory_format=layout)
    if dtype is not None:
        # Autocast would do this again with every call. All else, such as batch norms that follow
        # no convolution, stays in float32.
        for layer in fast.modules():
            if isinstance(layer, (nn.modules.conv._ConvNd, nn.Linear)):
                layer.to(dtype)

    def run(images: torch.Tensor) -> torch.Tensor:
        with torch.autocast(images.device.type, dtype) if dtype is not None else nullcontext():
            return fast(images).to(images.dtype)

    # A layer alone gains nothing, and would be compiled for each number of frames.
    compiled = torch.compile(run) if compile and not isinstance(encoder, nn.Linear) else None

    def forward(images: torch.Tensor) -> torch.Tensor:
        if encoder.training:
            return slow(images)
        if channels_last and images.dim() == 4:
            images = images.contiguous(memory_format=layout)
        with torch.no_grad():
            if compiled is None:
                return run(images)
            if len(images) > 1:
                # Their number differs from video to video; a program holds for many of them (not
                # for all, as PyTorch chooses between convolutions at 16 images).
                torch._dynamo.maybe_mark_dynamic(images, 0)
            # Freezing lays the weights out for oneDNN, but expects the wrong strides of what a
            # convolution of one channel returns (PyTorch 2.11). All encoders share the code of
            # run() and with it dynamo's limit of programs, beyond which it would silently stop.
            with (torch._inductor.config.patch(freezing=images.shape[1] > 1),
                  torch._dynamo.config.patch(recompile_limit=1000)):
                return compiled(images)

    return forward


def _refuse_weights(encoder: nn.Module, incompatible_keys: object) -> None:
    if 'forward' in encoder.__dict__:
        raise RuntimeError('weights were loaded into an accelerated model, which would not use '
                           'them: call accelerate() after loading')
