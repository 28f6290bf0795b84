"""Open one video file and decode the frames that were sampled from it."""

from mmcv.transforms import BaseTransform

from avgn_mm.registry import TRANSFORMS

from .audio_reader import AudioReader
from .cache import MEDIA_CACHE
from .video_reader import BACKENDS, MediaReadError, VideoReader


@TRANSFORMS.register_module()
class AVInit(BaseTransform):
    """Open a video file for its frames and its sound.

    Required Keys:

        - filename

    Added Keys:

        - total_frames (int), avg_fps (float), duration_seconds (float)
        - has_audio (bool)
        - video_reader, audio_reader: taken away by the decoding transforms

    Args:
        backend (str): 'pyav', 'decord', or 'auto': decord for the frames where it is installed
            and exact, else PyAV. decord shows damaged pictures without a word. Sound always comes
            from PyAV. Defaults to 'pyav'.
        num_threads (int): Threads that decode one file's frames. Defaults to 1.
        cache_bytes (int): Keep decoded files (RGB frames and 16 kHz sound) in memory while they
            fit into so many bytes *of each process*: for a small set and few workers, which must
            be persistent (``persistent_workers=True`` or ``num_workers=0``). Defaults to 0: off.

    Raises:
        MediaReadError: If the file cannot be read, naming it and the reason.
    """

    def __init__(self, *, backend: str = 'pyav', num_threads: int = 1,
                 cache_bytes: int = 0) -> None:
        if backend not in BACKENDS:
            raise ValueError(f'backend must be one of {BACKENDS}, got {backend!r}')
        if num_threads < 0 or cache_bytes < 0:
            raise ValueError('num_threads and cache_bytes cannot be negative, got '
                             f'{num_threads} and {cache_bytes}')
        self.backend = backend
        self.num_threads = num_threads
        self.cache_bytes = cache_bytes

    def transform(self, results: dict) -> dict:
        """Open ``results['filename']``."""
        video, audio = self._open(str(results['filename']))
        results['video_reader'] = video
        results['audio_reader'] = audio
        results['total_frames'] = len(video.times)
        results['avg_fps'] = video.avg_fps
        results['duration_seconds'] = video.duration_seconds
        results['has_audio'] = video.has_audio
        return results

    def _open(self, filename: str) -> tuple:
        if self.cache_bytes:
            try:
                key = MEDIA_CACHE.key(filename)
            except OSError as error:
                raise MediaReadError(f'cannot open {filename}: {error}') from error
            entry = MEDIA_CACHE.get(key)
            if entry is not None:
                return entry
        video = VideoReader(filename, backend=self.backend, num_threads=self.num_threads)
        if self.cache_bytes:
            entry = MEDIA_CACHE.admit(key, video, self.cache_bytes)
            if entry is not None:
                video.close()
                return entry
        return video, AudioReader(filename) if video.has_audio else None

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(backend={self.backend!r}, '
                f'num_threads={self.num_threads}, cache_bytes={self.cache_bytes})')


@TRANSFORMS.register_module()
class DecodeFrames(BaseTransform):
    """Decode the sampled frames by seeking, and close the file.

    Required Keys:

        - video_reader, frame_inds

    Added Keys:

        - imgs (list[np.ndarray]): T arrays of HxWx3, RGB, uint8, in the order of ``frame_inds``
        - original_shape, img_shape (tuple): (H, W)
        - clip_len (1), num_clips (T), modality ('RGB')
    """

    def transform(self, results: dict) -> dict:
        """Decode ``results['frame_inds']``."""
        reader = results.pop('video_reader')
        try:
            imgs = reader.get_frames(results['frame_inds'])
        finally:
            reader.close()
        results['imgs'] = imgs
        results['original_shape'] = imgs[0].shape[:2]
        results['img_shape'] = imgs[0].shape[:2]
        results['clip_len'] = 1
        results['num_clips'] = len(imgs)
        results['modality'] = 'RGB'
        return results

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}()'
