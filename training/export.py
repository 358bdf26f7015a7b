"""Write a trained model as a folder that stock vLLM and transformers load.

`python -m training.export --config training/configs/cpu.toml` writes the latest checkpoint of a run that is not done.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from training.chat import END, PAD
from training.model import NanoModel
from training.recipe import Recipe, read
from training.tokenizer import id_of

ROOT = Path(__file__).resolve().parents[1]


def export(model: NanoModel, recipe: Recipe, tokenizer_folder: Path, target: Path, facts: dict[str, object]) -> None:
    """Write configuration, tokenizer, weights (bf16) and training.json to `target`."""
    target.mkdir(parents=True, exist_ok=True)
    made = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    end, pad = id_of(made, END), id_of(made, PAD)
    _write(target / "config.json", recipe.model.to_llama(end, pad))
    _write(target / "generation_config.json", {"eos_token_id": end, "pad_token_id": pad, "do_sample": False})
    _write(target / "training.json", {"recipe": recipe.as_dict(), "data": facts})
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if (tokenizer_folder / name).resolve() != (target / name).resolve():
            shutil.copyfile(tokenizer_folder / name, target / name)
    weights = {name: value.detach().cpu().to(torch.bfloat16).contiguous() for name, value in model.state_dict().items()}
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    # safetensors writes the file for its owner alone; package data is for everybody.
    (target / "model.safetensors").chmod(0o644)


def _write(path: Path, data: dict[str, object]) -> None:
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=ROOT / "training" / "configs" / "cpu.toml")
    parser.add_argument("--export", type=Path, default=ROOT / "abaci" / "backend" / "nano")
    chosen = parser.parse_args()
    recipe = read(chosen.config)
    folder = ROOT / "build" / "training" / recipe.name
    state = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)
    model = NanoModel(recipe.model)
    model.load_state_dict(state["model"])
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    facts |= {"seen_tokens": state["tokens"], "seconds": round(state["seconds"]), "steps": state["step"]}
    export(model, recipe, folder, chosen.export, facts)


if __name__ == "__main__":
    main()
