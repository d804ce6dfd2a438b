"""A GGUF's header is read without trusting the file."""

from __future__ import annotations

import gguf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.catalogue import ModelError
from models.gguf_file import read_header


def test_the_header_tells_the_architecture(smollm, qwen):
    assert read_header(smollm).architecture == "llama"
    assert read_header(qwen).architecture == "qwen2"
    assert len(read_header(qwen).tensors) == 339


def test_the_header_tells_what_the_gguf_library_reads(smollm):
    header, reader = read_header(smollm), gguf.GGUFReader(smollm)

    assert header.values["llama.attention.head_count_kv"] == 3
    assert {name: (place.shape, place.kind, place.start) for name, place in header.tensors.items()} == {
        tensor.name: (tuple(reversed(tensor.shape.tolist())), tensor.tensor_type, tensor.data_offset)
        for tensor in reader.tensors
    }


@pytest.mark.parametrize("size", [10, 1_000, 200_000, 3_000_000, 60_000_000])
def test_a_file_cut_short_anywhere_is_refused(smollm, tmp_path, size):
    cut = tmp_path / "cut.gguf"
    with smollm.open("rb") as whole:
        cut.write_bytes(whole.read(size))

    with pytest.raises(ModelError, match=r"cut\.gguf is (cut short|damaged)"):
        read_header(cut)


def test_another_kind_of_file_is_refused_by_its_first_bytes(tmp_path):
    page = tmp_path / "page.gguf"
    page.write_text("<html>not found</html>")

    with pytest.raises(ModelError, match="no GGUF model: it starts with b'<htm'"):
        read_header(page)


def test_an_empty_and_a_missing_file_are_named(tmp_path):
    (tmp_path / "empty.gguf").touch()
    with pytest.raises(ModelError, match=r"empty\.gguf is empty"):
        read_header(tmp_path / "empty.gguf")
    with pytest.raises(ModelError, match=r"cannot read .*missing\.gguf: No such file"):
        read_header(tmp_path / "missing.gguf")


@given(noise=st.binary(max_size=400), version=st.sampled_from([1, 2, 3, 2**31]))
@settings(max_examples=300, deadline=None)
def test_a_damaged_header_is_never_more_than_a_message(tmp_path_factory, noise, version):
    path = tmp_path_factory.getbasetemp() / "noise.gguf"
    path.write_bytes(b"GGUF" + version.to_bytes(4, "little") + noise)

    try:
        read_header(path)
    except ModelError as error:
        assert "noise.gguf" in str(error)
