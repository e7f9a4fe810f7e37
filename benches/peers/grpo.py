"""GRPO steps of Sparring and of TRL on one checkpoint, programs taking turns: seconds, memory, and their ratio.

    pip install torch transformers trl accelerate datasets peft
    cargo build --release --bin sparring
    python benches/peers/grpo.py MODEL_FOLDER --prompt-tokens 128 --completion-tokens 128 --rounds 3 [-- --no-sharing]

Both programs do the work that `sparring bench` describes; what follows `--` goes to ours alone. The runs are
refused where the two report different work. Times are medians over the measured steps of all rounds, with the fastest
and the slowest; memory is the largest of all rounds.

The share of the peak is what the step's matrix products need (no recomputation, attention counted causally, the
head for completion tokens only), in GFLOP, over the time, over the fastest product of 1536 x 1536 f32 matrices that
torch reached between the runs, with as many threads. A prompt is counted once a group in a program that shares it. A
forward pass counts in training also where it is recalled from sampling instead of being run: its share may exceed 1.
`others` is the share of the machine that other processes used: with much of it numbers are worth little, the more so
those of a program that joins its threads after every operation. Rounds in which it exceeds --max-others for either
program are repeated, as often as there are rounds; if none was quiet, all count, and a warning says so.
"""
import argparse, json, os, pathlib, platform, resource, statistics, subprocess, sys, time

HERE = pathlib.Path(__file__).parent
SAME = ["prompts", "group", "prompt_tokens", "completion_tokens", "steps", "threads", "lora"]
TIMES = ["step_s", "rollout_s", "train_s"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    for name, default in [("prompts", 8), ("group", 8), ("prompt-tokens", 128), ("completion-tokens", 128),
                          ("steps", 3), ("rounds", 3), ("threads", os.cpu_count()), ("lora", None), ("peer-micro", 8)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--max-others", type=float, default=0.1, help="share of the machine, 0 to 1")
    parser.add_argument("--bench", default="target/release/sparring", help="our program")
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    return argparse.Namespace(**vars(parser.parse_args(sys.argv[1:end])), ours=sys.argv[end + 1:])


def busy():
    """Seconds that all processors were at work, in all processes."""
    user, nice, system, _, _, irq, soft, steal = map(int, open("/proc/stat").readline().split()[1:9])
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")


def children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(command):
    """The JSON line of one run, with the share of the machine that others used meanwhile."""
    began, all_before, own_before = time.perf_counter(), busy(), children()
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\nfailed with {done.returncode}:\n{done.stderr[-2000:]}")
    others = (busy() - all_before) - (children() - own_before)
    return {**json.loads(done.stdout.splitlines()[-1]), "others": max(0.0, others) / seconds / os.cpu_count()}


def check_same_work(ours, peer):
    for key in SAME:
        if ours["settings"][key] != peer["settings"][key]:
            sys.exit(f"not the same work: {key} is {ours['settings'][key]} in ours, {peer['settings'][key]} in the peer's")
    if not os.path.samefile(ours["settings"]["model"], peer["settings"]["model"]):
        sys.exit("not the same work: the model folders differ")
    if ours["parameters"] != peer["parameters"]:
        sys.exit(f"not the same model: {ours['parameters']} trained parameters in ours, {peer['parameters']} in the peer's")
    # Completions differ by their random numbers; their entropy says whether they come from one distribution.
    mine, other = (statistics.fmean(x or 0.0 for x in report["per_step"]["entropy"]) for report in (ours, peer))
    if not mine:
        print("warning: ours computed no entropy, which the peer did", file=sys.stderr)
    elif abs(mine - other) > 0.03 * other:
        sys.exit(f"not the same policy: mean entropies {mine:.4f} in ours, {other:.4f} in the peer's")


def gflop(model, args, shared):
    """Matrix products of the rollout and of the training of one step."""
    text = json.loads((model / "config.json").read_text())
    hidden, layers, heads, ff = (text[k] for k in
                                 ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"))
    kv, width = text.get("num_key_value_heads") or heads, text.get("head_dim") or hidden // heads
    prompt, completion, completions = args.prompt_tokens, args.completion_tokens, args.prompts * args.group
    prompts = args.prompts if shared else completions
    rows = prompts * prompt + completions * completion
    pairs = prompts * prompt * (prompt + 1) // 2 + completions * (completion * prompt + completion * (completion + 1) // 2)
    shapes = [(hidden, heads * width), (hidden, kv * width), (hidden, kv * width), (heads * width, hidden),
              (hidden, ff), (hidden, ff), (ff, hidden)]
    weights = 2 * rows * layers * sum(a * b for a, b in shapes) + 2 * completions * completion * hidden * text["vocab_size"]
    attention = 4 * pairs * layers * heads * width
    forward = weights + attention
    # Backward: as much again for the inputs of a product, and once more for its weights unless those are frozen.
    train = 3 * forward
    if args.lora:
        factors = 2 * rows * layers * args.lora * sum(a + b for a, b in shapes)
        forward, train = forward + factors, 2 * weights + 3 * attention + 3 * factors
    return forward / 1e9, train / 1e9


def product_gflops(threads, size=1536, repeats=6):
    """The fastest of a few products, in GFLOP a second."""
    import torch

    torch.set_num_threads(threads)
    a, b, best = torch.rand(size, size), torch.rand(size, size), 0.0
    for _ in range(repeats):
        began = time.perf_counter()
        a @ b
        best = max(best, 2 * size**3 / (time.perf_counter() - began) / 1e9)
    return best


def summary(reports):
    """Medians over all measured steps of all rounds, and what they came from."""
    steps = {key: [x for report in reports for x in report["per_step"][key]] for key in TIMES}
    middle = {key: statistics.median(values) for key, values in steps.items()}
    ranges = {key: (min(values), max(values)) for key, values in steps.items()}
    return {**middle, "ranges": ranges, "peak_rss_mib": max(report["peak_rss_mib"] or 0 for report in reports),
            "others": statistics.mean(report["others"] for report in reports)}


def table(args, results, peak):
    completions = args.prompts * args.group
    print(f"{'':10}{'step s':>26}{'rollout s':>26}{'train s':>26}{'rollout tok/s':>15}{'train tok/s':>13}"
          f"{'MiB':>8}{'of peak: rollout':>18}{'train':>7}{'others':>8}")
    for name, (result, shared) in results.items():
        flop = gflop(args.model, args, shared)
        times = "".join(f"{result[key]:9.3f} ({result['ranges'][key][0]:.3f}-{result['ranges'][key][1]:.3f})".rjust(26)
                        for key in TIMES)
        print(f"{name:10}{times}{completions * args.completion_tokens / result['rollout_s']:15.0f}"
              f"{completions * (args.prompt_tokens + args.completion_tokens) / result['train_s']:13.0f}"
              f"{result['peak_rss_mib']:8.0f}{flop[0] / result['rollout_s'] / peak:18.0%}"
              f"{flop[1] / result['train_s'] / peak:7.0%}{result['others']:8.0%}")
    (ours, _), (peer, _) = results.values()
    print("ratio     " + "".join(f"{peer[key] / ours[key]:9.2f}".rjust(26) for key in TIMES)
          + f"{'':28}{peer['peak_rss_mib'] / max(ours['peak_rss_mib'], 1e-9):8.2f}")


def main():
    args = arguments()
    if not pathlib.Path(args.bench).exists():
        sys.exit(f"{args.bench}: missing; cargo build --release --bin sparring")
    prompts = args.model / f"prompts_{args.prompt_tokens}.json"
    if not prompts.exists():
        sys.exit(f"{prompts}: missing; python benches/peers/prompts.py {args.model} {args.prompt_tokens}")
    sizes = ["--model", args.model]
    for key in SAME:
        if getattr(args, key) is not None:
            sizes += ["--" + key.replace("_", "-"), getattr(args, key)]
    rounds, peak = [], 0.0
    quiet = lambda pair: all(report["others"] <= args.max_others for report in pair)
    while len(rounds) < 2 * args.rounds and sum(map(quiet, rounds)) < args.rounds:
        peak = max(peak, product_gflops(args.threads))
        mine = run([args.bench, "bench", *sizes, *args.ours])
        other = run([sys.executable, HERE / "grpo_trl.py", *sizes, "--micro", args.peer_micro])
        check_same_work(mine, other)
        rounds.append((mine, other))
        print(f"round {len(rounds)}: ours {mine['step_s']:.3f} s, TRL {other['step_s']:.3f} s a step, "
              f"others used {mine['others']:.0%} and {other['others']:.0%}", file=sys.stderr, flush=True)
    peak = max(peak, product_gflops(args.threads))
    used = [pair for pair in rounds if quiet(pair)]
    if len(used) < args.rounds:
        print(f"warning: {len(used)} of {len(rounds)} rounds were quiet; "
              f"{'only those' if used else 'all'} count", file=sys.stderr)
    ours, peers = zip(*(used or rounds))
    shared = not ours[0]["settings"]["no_sharing"]
    libraries = ", ".join(f"{name} {version}" for name, version in peers[0]["libraries"].items())
    print(f"{args.model}: {ours[0]['parameters']} trained parameters; {args.prompts} prompts x {args.group} completions, "
          f"{args.prompt_tokens} + {args.completion_tokens} tokens; lora {args.lora}; {args.threads} threads; "
          f"{len(ours)} rounds of {args.steps} steps; micro-batches {ours[0]['micro']} and {peers[0]['micro']}")
    print(f"sparring {ours[0]['version']}{'' if shared else ' without shared prompts'}; TRL {peers[0]['version']}, "
          f"{libraries}, Python {platform.python_version()}; peak {peak:.0f} GFLOP/s (torch, f32)")
    results = {"sparring": (summary(ours), shared), "trl": (summary(peers), False)}
    table(args, results, peak)
    print(json.dumps({"peak_gflops": peak, "sparring": results["sparring"][0], "trl": results["trl"][0]}))


if __name__ == "__main__":
    main()
