"""What Sparring trains and saves, loaded by `transformers` and PEFT: the same logits?

    pip install torch transformers peft
    sparring conform hf-export OUT MODEL_FOLDER...
    python benches/peers/hf_roundtrip.py OUT/*

Every folder has a checkpoint, and in `lora` an adapter on it; beside each lies ours.safetensors with the logits that
Sparring computes (`logits.j` of the sequences `ids.j`). Compared, in f32: the checkpoint's logits, those with the
adapter, and those with the adapter merged by PEFT. Tensors that the libraries miss or do not know are failures too.
Exits with 1 if anything differs by more than 1e-4.
"""
import argparse, os, pathlib, sys

os.environ["HF_HUB_OFFLINE"] = "1"
BOUND = 1e-4


def difference(model, sequences, ours):
    """The largest difference of a logit."""
    import torch

    with torch.no_grad():
        pairs = [(model(ids[None]).logits[0], ours[name.replace("ids", "logits")]) for name, ids in sequences.items()]
    worst = [(theirs - mine).abs().max().item() for theirs, mine in pairs if theirs.shape == mine.shape]
    if len(worst) < len(pairs) or not worst or any(value != value for value in worst):
        return float("inf")
    return max(worst)


def compare(folder):
    """(what, difference, tensors without a place) of everything in one folder."""
    import torch
    from peft import PeftModel, get_peft_model_state_dict, load_peft_weights
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    ours = load_file(folder / "ours.safetensors")
    sequences = {name: ids for name, ids in ours.items() if name.startswith("ids.")}
    model, info = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    model.eval()
    odd = {key: value for key, value in info.items() if value}
    yield "checkpoint", difference(model, sequences, ours), odd
    plain = ours["logits.2"]
    adapter = folder / "lora"
    ours = load_file(adapter / "ours.safetensors")
    if torch.equal(plain, ours["logits.2"]):
        sys.exit(f"{adapter}: the adapter changes nothing, so nothing would be compared; export it again")
    model = PeftModel.from_pretrained(model, adapter).eval()
    saved, known = set(load_peft_weights(adapter)), set(get_peft_model_state_dict(model))
    yield "adapter", difference(model, sequences, ours), {"tensors": sorted(saved ^ known)} if saved != known else {}
    yield "merged", difference(model.merge_and_unload(), sequences, ours), {}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", type=pathlib.Path, nargs="+")
    args = parser.parse_args()
    failed = 0
    for folder in args.folders:
        for what, worst, odd in compare(folder):
            fine = worst <= BOUND and not odd
            failed += not fine
            print(f"{folder.name:24} {what:10} {worst:9.2e} <= {BOUND:.0e}  {'ok' if fine else 'DIFFERS'} {odd or ''}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
