"""TRL's GRPOTrainer at the work of `sparring bench`: the same lengths, reward and settings; one line of JSON.

    python benches/peers/grpo_trl.py --model DIR --prompts 8 --group 8 --prompt-tokens 128 --completion-tokens 128 \
        --steps 4 [--micro 8] [--threads 2] [--lora 16]

Prompts are the texts of prompts_P.json in the model's folder (prompts.py writes it), in order. The first step warms up.
What is counted where is what `sparring bench` counts: `rollout_s` is the generation, `train_s` the forward and backward
passes with clipping and AdamW, `step_s` everything between two steps, `peak_rss_mib` the process with its libraries.
"""
import argparse, json, os, pathlib, resource, statistics, sys, tempfile, time

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false", CUDA_VISIBLE_DEVICES="")


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=pathlib.Path, required=True)
    for name, default in [("prompts", 8), ("group", 8), ("prompt-tokens", 128), ("completion-tokens", 128), ("steps", 4)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--micro", type=int, default=8, help="completions of a micro-batch")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--lora", type=int, help="rank of adapters on all projections")
    return parser.parse_args()


def peak_rss_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def even(completion_ids, **_):
    """The share of even token ids."""
    return [sum(token % 2 == 0 for token in ids) / len(ids) for ids in completion_ids]


class Clock:
    """Seconds of the parts of one step, and the steps so far."""

    def __init__(self):
        self.steps = []
        self.start()

    def start(self):
        self.began, self.parts, self.lengths = time.perf_counter(), {"rollout_s": 0.0, "train_s": 0.0}, set()
        self.completions, self.scoring, self.trained = 0, 0.0, None

    def finish(self):
        self.steps.append({"step_s": time.perf_counter() - self.began, **self.parts})
        self.start()


def trainer_with(clock, args):
    """The trainer's class, timed, and the callback that ends a step."""
    from transformers import TrainerCallback
    from trl import GRPOTrainer

    class Timed(GRPOTrainer):
        def _generate_single_turn(self, *rest, **named):
            began = time.perf_counter()
            out = super()._generate_single_turn(*rest, **named)
            clock.parts["rollout_s"] += time.perf_counter() - began
            clock.lengths |= {len(ids) for ids in out[0]}
            clock.completions += len(out[0])
            return out

        def _generate_and_score_completions(self, *rest, **named):
            began = time.perf_counter()
            out = super()._generate_and_score_completions(*rest, **named)
            clock.scoring += time.perf_counter() - began
            if out["prompt_ids"].shape[1] != args.prompt_tokens:
                sys.exit(f"prompts have {out['prompt_ids'].shape[1]} tokens instead of {args.prompt_tokens}")
            if out.get("old_per_token_logps") is not None or out.get("ref_per_token_logps") is not None:
                sys.exit("the trainer computed old or reference log-probabilities, which sparring bench does not")
            return out

        def training_step(self, *rest, **named):
            began, before = time.perf_counter(), clock.scoring
            out = super().training_step(*rest, **named)
            clock.trained = time.perf_counter()
            clock.parts["train_s"] += clock.trained - began - (clock.scoring - before)
            return out

    class Callback(TrainerCallback):
        def on_train_begin(self, *_, **__):
            clock.start()

        def on_optimizer_step(self, *_, **__):  # after clipping and the optimiser
            clock.parts["train_s"] += time.perf_counter() - clock.trained

        def on_step_end(self, *_, **__):
            expected = args.prompts * args.group
            if clock.completions != expected or clock.lengths != {args.completion_tokens}:
                sys.exit(f"{clock.completions} completions of lengths {sorted(clock.lengths)} instead of {expected}")
            step = len(clock.steps)
            clock.finish()
            print(f"step {step}:", {k: round(v, 3) for k, v in clock.steps[-1].items()}, file=sys.stderr, flush=True)

    return Timed, Callback()


def settings(args, folder):
    from trl import GRPOConfig

    completions = args.prompts * args.group
    if completions % args.micro:
        sys.exit(f"--micro {args.micro} does not divide {completions} completions")
    return GRPOConfig(
        output_dir=folder, use_cpu=True, bf16=False, fp16=False, seed=0, shuffle_dataset=False,
        per_device_train_batch_size=args.micro, gradient_accumulation_steps=completions // args.micro,
        num_generations=args.group, max_completion_length=args.completion_tokens,
        generation_kwargs={"min_new_tokens": args.completion_tokens}, temperature=1.0,
        loss_type="dapo", beta=0.0, num_iterations=1, learning_rate=1e-5, lr_scheduler_type="constant",
        max_grad_norm=1.0, weight_decay=0.0, optim="adamw_torch_fused", gradient_checkpointing=False,
        max_steps=args.steps + 1, logging_steps=1, save_strategy="no", report_to=[], disable_tqdm=True,
        dataloader_pin_memory=False,
    )


def main():
    args = arguments()
    import torch

    torch.set_num_threads(args.threads)
    import accelerate, transformers, trl
    from datasets import Dataset

    transformers.logging.set_verbosity_error()
    libraries = peak_rss_mib()
    file = args.model / f"prompts_{args.prompt_tokens}.json"
    if not file.exists():
        sys.exit(f"{file}: missing; benches/peers/prompts.py writes it")
    model = transformers.AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32, attn_implementation="sdpa")
    adapters = {}
    if args.lora:
        from peft import LoraConfig

        adapters["peft_config"] = LoraConfig(
            r=args.lora, lora_alpha=2 * args.lora, target_modules="all-linear", task_type="CAUSAL_LM"
        )
    clock = Clock()
    Timed, callback = trainer_with(clock, args)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Timed(
            model=model, reward_funcs=even, args=settings(args, folder), callbacks=[callback],
            train_dataset=Dataset.from_dict({"prompt": json.loads(file.read_text())}),
            processing_class=transformers.AutoTokenizer.from_pretrained(args.model), **adapters,
        )
        parameters = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
        trainer.train()
    logs = [log for log in trainer.state.log_history if "loss" in log][1:]
    warm_up, measured = clock.steps[0], clock.steps[1:]
    per_step = {key: [step[key] for step in measured] for key in warm_up}
    for name, key in [("reward", "reward"), ("entropy", "entropy"), ("grad_norm", "grad_norm")]:
        per_step[name] = [float(log[key]) for log in logs]
    medians = {key: statistics.median(per_step[key]) for key in warm_up}
    completions = args.prompts * args.group
    print(json.dumps({
        "program": "trl", "version": trl.__version__,
        "libraries": {m.__name__: m.__version__ for m in (torch, transformers, accelerate)},
        "settings": {**vars(args), "model": str(args.model)}, "parameters": parameters, "micro": args.micro, **medians,
        "rollout_tok_s": completions * args.completion_tokens / medians["rollout_s"],
        "train_tok_s": completions * (args.prompt_tokens + args.completion_tokens) / medians["train_s"],
        "peak_rss_mib": peak_rss_mib(), "rss_of_libraries_mib": libraries, "warm_up_step_s": warm_up["step_s"],
        "per_step": per_step,
    }))


if __name__ == "__main__":
    main()
