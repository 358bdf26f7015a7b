"""Whether a model can be loaded at all, found out from its files in milliseconds, before any heavy import."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from abaci.errors import ModelLoadError

_TOKENIZER_FILES: Final = ("tokenizer.json", "tokenizer.model", "vocab.json", "tekken.json", "spiece.model")
_WEIGHT_PATTERNS: Final = ("*.safetensors", "*.bin", "*.pt")
_HUB_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_LFS_POINTER: Final = b"version https://git-lfs"


def local_model_directory(model: str) -> Path | None:
    """The directory that `model` names, checked to be complete; None: `model` is a name on the hub.

    Raises:
        ModelLoadError: it is neither, or the directory lacks a configuration, a tokenizer or weights.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        _check_directory(path)
        return path
    if path.is_file():
        raise ModelLoadError(f"{model} is a file: name the directory that holds config.json, the tokenizer and weights")
    if _HUB_NAME.fullmatch(model) is None or model.startswith((".", "~")):
        raise ModelLoadError(f"there is no model directory {model}: check the path")
    return None


def architectures(directory: Path) -> tuple[str, ...]:
    """The model classes that a directory's config.json names.

    Raises:
        ModelLoadError: the file is missing, is not JSON, or names none.
    """
    path = directory / "config.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelLoadError(
            f"{directory} has no config.json: name the directory of a complete model in the Hugging Face layout"
        ) from error
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"{path} cannot be read as JSON ({error}): download the model again") from error
    names = content.get("architectures") if isinstance(content, dict) else None
    if not isinstance(names, list) or not names:
        raise ModelLoadError(f'{path} names no "architectures": it is not the configuration of a language model')
    return tuple(str(name) for name in names)


def require_hub_model(name: str) -> None:
    """Make sure that the hub, or the cache of it on this machine, has the model `name`; fetches its config.json only.

    Raises:
        ModelLoadError: there is no such model, it needs a login, or the hub cannot be reached.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        hf_hub_download(name, "config.json")
    except GatedRepoError as error:
        raise ModelLoadError(f"the model {name} needs an accepted licence and a login: `hf auth login`") from error
    except RepositoryNotFoundError as error:
        raise ModelLoadError(
            f"there is no model {name}: neither a directory here nor a public model on the hub"
        ) from error
    except LocalEntryNotFoundError as error:
        raise ModelLoadError(
            f"{name} is no directory here, was not downloaded before, and the hub cannot be reached: "
            "check the spelling, go online, or name a model directory"
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise ModelLoadError(f"the hub did not give the model {name}: {error}") from error


def _check_directory(directory: Path) -> None:
    """Raise `ModelLoadError` for the first thing that a model directory lacks."""
    architectures(directory)
    if not any((directory / name).is_file() for name in _TOKENIZER_FILES):
        raise ModelLoadError(
            f"{directory} has no tokenizer (none of {', '.join(_TOKENIZER_FILES)}): copy the tokenizer files of the "
            "model that it was trained from into it"
        )
    weights = list(_weight_files(directory))
    if not weights:
        raise ModelLoadError(
            f"{directory} has no weights (none of {', '.join(_WEIGHT_PATTERNS)}): the download is incomplete"
        )
    for path in weights:
        with path.open("rb") as file:
            if file.read(len(_LFS_POINTER)) == _LFS_POINTER:
                raise ModelLoadError(f"{path} is a Git LFS pointer, not weights: run `git lfs pull` in {directory}")


def _weight_files(directory: Path) -> Iterator[Path]:
    """The files of `directory` that hold weights."""
    for pattern in _WEIGHT_PATTERNS:
        yield from sorted(directory.glob(pattern))
