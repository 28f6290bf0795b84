"""Keep what an annotation list names within the folder that the config names."""

import os.path as osp
import re

_URL = re.compile(r'[A-Za-z][A-Za-z0-9+.-]*://')


def join_inside(folder: str, path: str, where: str, allow_outside: bool = False) -> str:
    """Join a path of a list to the data root, which it may not leave.

    Lists come from others more often than folders do: one line such as ``../../home/me/x.mp4``
    would be read like any other. Links inside the folder are the folder's owner's and are followed.

    Args:
        folder (str): ``data_prefix['video']``; the working directory where it is empty.
        path (str): As the list has it.
        where (str): Its place, for the message: the list's name and the line's number.
        allow_outside (bool): Allow any local path. Defaults to False.

    Returns:
        str: The joined path, without any ``..`` that a link could bend.

    Raises:
        ValueError: If the path is a URL, or leads out of the folder.
    """
    if _URL.match(path):
        raise ValueError(f'{where}: {path!r} is a URL, and lists name files only: download it')
    joined = osp.join(folder, path)
    if allow_outside:
        return joined
    root = osp.abspath(folder or '.')
    if osp.commonpath((root, osp.abspath(joined))) != root:
        raise ValueError(
            f"{where}: {path!r} lies outside the data root {root}, which data_prefix['video'] "
            'names. Correct one of them, or, if you trust the list, set allow_outside=True on the '
            'dataset')
    return osp.normpath(joined) if '..' in path.split('/') else joined
