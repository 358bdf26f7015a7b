"""Incomplete models are recognised by their files, with advice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from abaci.backend.model_files import architectures, local_model_directory, require_hub_model
from abaci.errors import ModelLoadError


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"]}))
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 64)
    return tmp_path


def test_a_complete_directory_is_local(directory: Path) -> None:
    assert local_model_directory(str(directory)) == directory


def test_its_architectures_are_read(directory: Path) -> None:
    assert architectures(directory) == ("LlamaForCausalLM",)


@pytest.mark.parametrize("name", ["gpt2", "Qwen/Qwen2.5-Math-7B-Instruct", "org/model_1.5"])
def test_a_hub_name_is_not_local(name: str) -> None:
    assert local_model_directory(name) is None


@pytest.mark.parametrize("name", ["/nowhere/at/all", "./nowhere", "~/nowhere", "a/b/c", "../model"])
def test_a_path_that_does_not_exist_is_named(name: str) -> None:
    with pytest.raises(ModelLoadError, match="there is no model directory"):
        local_model_directory(name)


def test_a_file_is_no_model(directory: Path) -> None:
    with pytest.raises(ModelLoadError, match="is a file"):
        local_model_directory(str(directory / "config.json"))


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", "has no config.json"),
        ("tokenizer.json", "has no tokenizer"),
        ("model.safetensors", "has no weights"),
    ],
)
def test_what_a_directory_lacks_is_named(directory: Path, missing: str, message: str) -> None:
    (directory / missing).unlink()
    with pytest.raises(ModelLoadError, match=message):
        local_model_directory(str(directory))


def test_a_configuration_that_is_not_json_is_named(directory: Path) -> None:
    (directory / "config.json").write_text("{")
    with pytest.raises(ModelLoadError, match="cannot be read as JSON"):
        local_model_directory(str(directory))


@pytest.mark.parametrize("content", ["[]", "{}", '{"architectures": []}'])
def test_a_configuration_of_something_else_is_named(directory: Path, content: str) -> None:
    (directory / "config.json").write_text(content)
    with pytest.raises(ModelLoadError, match="architectures"):
        local_model_directory(str(directory))


def test_weights_that_are_a_git_lfs_pointer_are_recognised(directory: Path) -> None:
    (directory / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(ModelLoadError, match="git lfs pull"):
        local_model_directory(str(directory))


def test_an_unreachable_hub_is_reported_with_advice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelLoadError, match="name a model directory"):
        require_hub_model("someone/some-model-that-is-not-here")
