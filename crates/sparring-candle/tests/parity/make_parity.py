"""Small random checkpoints of each family, with what transformers and PEFT compute from them.

    pip install torch==2.13.0 transformers==5.24.0 peft==0.21.2
    python make_parity.py make .            # writes one folder a family
    python make_parity.py check DIR ...     # loads folders that Sparring exported, compares with ours.safetensors

A folder has config.json, model.safetensors (bf16) and reference.safetensors: token ids and logits of two sequences,
24 greedy tokens, and the gradient of sum_t w_t * logp_t over the last tokens of the second sequence. The folder `lora`
in it has an adapter, and the logits with it. Some configurations are rewritten to the layout of older, published files.
"""

import copy
import json
import os
import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers import Gemma3ForCausalLM, Gemma3TextConfig
from transformers import GraniteConfig, GraniteForCausalLM
from transformers import MistralConfig, MistralForCausalLM
from transformers import Olmo2Config, Olmo2ForCausalLM
from transformers import Phi3Config, Phi3ForCausalLM
from transformers import SmolLM3Config, SmolLM3ForCausalLM

SEPARATE = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
FUSED = ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]
SIZES = dict(vocab_size=32, hidden_size=16, intermediate_size=8, num_hidden_layers=2, num_attention_heads=2,
             num_key_value_heads=1, max_position_embeddings=128, bos_token_id=1, eos_token_id=2, pad_token_id=0)


def rope(theta, **more):
    return dict(rope_type="default", rope_theta=theta, **more)


LONG = dict(rope_type="longrope", rope_theta=1e4, partial_rotary_factor=0.75, short_factor=[1.0, 1.3, 2.5],
            long_factor=[1.5, 4.0, 9.0])
FAMILIES = {
    "mistral": (MistralConfig, MistralForCausalLM, SEPARATE,
                dict(head_dim=12, sliding_window=8, rope_parameters=rope(1e4), tie_word_embeddings=False)),
    "smollm3": (SmolLM3Config, SmolLM3ForCausalLM, SEPARATE,
                dict(no_rope_layers=[1, 0], use_sliding_window=True, sliding_window=8, rope_parameters=rope(2e6))),
    "gemma3": (Gemma3TextConfig, Gemma3ForCausalLM, SEPARATE,
               dict(head_dim=8, sliding_window=8, layer_types=["sliding_attention", "full_attention"],
                    query_pre_attn_scalar=10, rope_parameters={
                        "full_attention": dict(rope_type="linear", factor=8.0, rope_theta=1e6),
                        "sliding_attention": rope(1e4)})),
    "phi3": (Phi3Config, Phi3ForCausalLM, FUSED,
             dict(rope_parameters=LONG, original_max_position_embeddings=64)),
    "olmo2": (Olmo2Config, Olmo2ForCausalLM, SEPARATE, dict(rope_parameters=rope(5e5))),
    "granite": (GraniteConfig, GraniteForCausalLM, SEPARATE,
                dict(embedding_multiplier=12.0, attention_multiplier=0.2, residual_multiplier=0.3,
                     logits_scaling=3.0, rope_parameters=rope(1e4), tie_word_embeddings=True)),
}
# Those whose configuration is rewritten.
OLDER = {"gemma3", "phi3", "granite"}


def fresh(config_class, model_class, options, seed):
    torch.manual_seed(seed)
    config = config_class(**{**SIZES, **options}, attention_dropout=0.0, attn_implementation="eager")
    model = model_class(config).float().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn_like(parameter)
            value = parameter + 0.2 * noise if parameter.dim() == 1 else 0.25 * noise
            parameter.copy_(value.bfloat16().float())
    return model


def logits(model, ids):
    return model(ids[None], use_cache=False).logits[0].float()


def reference(model, sequences):
    out = {}
    with torch.no_grad():
        for j, ids in enumerate(sequences):
            out[f"ids.{j}"], out[f"logits.{j}"] = ids, logits(model, ids)
        prompt = sequences[0]
        ids = prompt.clone()
        for _ in range(24):
            ids = torch.cat([ids, logits(model, ids)[-1:].argmax(-1)])
    out["greedy.prompt"], out["greedy.tokens"] = prompt, ids[len(prompt):]
    ids, weights = sequences[1], torch.linspace(-1, 1, 16)
    logp = torch.log_softmax(logits(model, ids), -1)[:-1].gather(-1, ids[1:, None])[:, 0]
    (logp[-16:] * weights).sum().backward()
    out["grad.ids"], out["grad.weights"] = ids, weights
    for name, parameter in model.named_parameters():
        out["grad." + name] = parameter.grad.clone()
    return out


def older(folder, name):
    """Rotary fields at the top level, as in published files of the family."""
    path = os.path.join(folder, "config.json")
    config = json.load(open(path))
    parameters = config.pop("rope_parameters")
    if name == "gemma3":
        config["rope_local_base_freq"] = parameters["sliding_attention"]["rope_theta"]
        parameters = parameters["full_attention"]
        config.pop("layer_types")
        config["sliding_window_pattern"] = 2
    config["rope_theta"] = parameters.pop("rope_theta")
    partial = parameters.pop("partial_rotary_factor", None)
    if partial is not None:
        config["partial_rotary_factor"] = partial
    parameters.pop("original_max_position_embeddings", None)
    config["rope_scaling"] = None if parameters["rope_type"] == "default" else parameters
    config["torch_dtype"] = config.pop("dtype")
    json.dump(config, open(path, "w"), indent=2)


def plain(tensors):
    return {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}


def make(out):
    from peft import LoraConfig, get_peft_model
    for seed, (name, (config_class, model_class, targets, options)) in enumerate(FAMILIES.items()):
        folder = os.path.join(out, name)
        model = fresh(config_class, model_class, options, 100 + seed)
        generator = torch.Generator().manual_seed(7 + seed)
        sequences = [torch.randint(3, SIZES["vocab_size"], (n,), generator=generator) for n in (5, 24)]
        recorded = reference(model, sequences)
        # Not the model itself: that would round its rotary frequencies, too.
        copy.deepcopy(model).bfloat16().save_pretrained(folder)
        os.remove(os.path.join(folder, "generation_config.json"))
        if name in OLDER:
            older(folder, name)
        again = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
        with torch.no_grad():
            difference = (logits(again, sequences[1]) - recorded["logits.1"]).abs().max()
        assert difference < 1e-5, (name, difference)
        save_file(plain(recorded), os.path.join(folder, "reference.safetensors"))
        torch.manual_seed(5)
        adapted = get_peft_model(model, LoraConfig(r=1, lora_alpha=3, target_modules=targets, task_type="CAUSAL_LM"))
        with torch.no_grad():
            for parameter_name, parameter in adapted.named_parameters():
                if "lora_" in parameter_name:
                    parameter.copy_(0.2 * torch.randn_like(parameter))
        adapted.eval().save_pretrained(os.path.join(folder, "lora"))
        os.remove(os.path.join(folder, "lora", "README.md"))
        with torch.no_grad():
            changed = {f"logits.{j}": logits(adapted, ids) for j, ids in enumerate(sequences)}
        save_file(plain(changed), os.path.join(folder, "lora", "reference.safetensors"))
        spread = (changed["logits.1"] - recorded["logits.1"]).abs().max()
        print(name, f"adapter changes logits by {spread:.2f}, largest logit {recorded['logits.1'].abs().max():.2f}")


def check(folders):
    for folder in folders:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
        ours = load_file(os.path.join(folder, "ours.safetensors"))
        with torch.no_grad():
            difference = max((logits(model, ours[f"ids.{j}"].long()) - ours[f"logits.{j}"]).abs().max().item()
                             for j in range(2))
        print(f"{folder}: {type(model).__name__}, largest difference of a logit {difference:.1e}")
        assert difference < 1e-4


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2])
    else:
        check(sys.argv[2:])
