"""Where things are: paths on this machine, and URIs of object stores."""

import os
import re
from pathlib import Path, PurePath
from urllib.parse import urlsplit
from urllib.request import url2pathname

from armillary.errors import ArmillaryError


def address(path: str | os.PathLike) -> str:
    """A path or a URI (s3://bucket/name) as a string.

    Raises:
        ArmillaryError: a URI that went through `pathlib.Path`, which takes one of its slashes away.
    """
    text = os.fspath(path)
    if isinstance(path, PurePath) and (found := re.match(r"([a-z][a-z0-9+.-]+):/(?!/)", text)):
        raise ArmillaryError(f"expected a URI as a string, got the path {text!r}; write {found[1]}:// and no Path around it")
    return text


def local_path(path: str | os.PathLike) -> Path | None:
    """The path of something on this machine, also of a file:// URI; None of any other URI."""
    text = address(path)
    if "://" not in text:
        return Path(text)
    parts = urlsplit(text)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def absolute(path: str | os.PathLike) -> str:
    """An address that holds from any working directory: the resolved path, or the URI as it is."""
    text = address(path)
    return text if "://" in text else str(Path(text).resolve())
