"""Which model is in use: what was asked for, else what ``nightschool model use`` wrote, else the default."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from models.catalogue import CATALOGUE, DEFAULT, ModelError, known
from models.home import private_directory, private_opener

if TYPE_CHECKING:
    from models.home import Home


def chosen(home: Home) -> str:
    """The name or the path of the model in use.

    Raises:
        ModelError: the file that holds the choice cannot be read.
    """
    try:
        choice = json.loads(home.choice.read_text(encoding="utf-8"))["model"]
    except FileNotFoundError:
        return DEFAULT
    except (OSError, ValueError, KeyError, TypeError):
        raise ModelError(
            f"{home.choice} does not say which model is in use; run: nightschool model use {DEFAULT}"
        ) from None
    return str(choice)


def model_path(home: Home, name: str | None = None) -> Path:
    """Where the model lies, or would lie once it is downloaded.

    Args:
        name: a name of the catalogue or a path of a GGUF file; None for the model in use.

    Raises:
        ModelError: ``name`` is neither, or the choice cannot be read.
    """
    name = name or chosen(home)
    if model := known(name):
        return home.models / model.file
    if name.endswith(".gguf") or os.sep in name or Path(name).exists():
        return Path(name).expanduser().absolute()
    names = ", ".join(model.name for model in CATALOGUE)
    raise ModelError(f"{name!r} is neither the path of a GGUF file nor one of the models {names}")


def remedy(home: Home, name: str | None = None) -> str:
    """The command that makes a model present, where :func:`model_path` leads to none."""
    try:
        name = name or chosen(home)
    except ModelError:
        return f"nightschool model use {DEFAULT}"
    return f"nightschool model get {name}" if known(name) else "nightschool model use NAME|PATH"


def choose(home: Home, name: str) -> None:
    """Write the choice, whole or not at all; ``name`` as for :func:`model_path`."""
    choice = name.lower() if known(name) else str(model_path(home, name))
    private_directory(home.root)
    unfinished = home.choice.with_suffix(".new")
    with open(unfinished, "w", encoding="utf-8", opener=private_opener) as file:
        json.dump({"model": choice}, file)
    unfinished.replace(home.choice)
