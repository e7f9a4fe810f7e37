"""Sparring's sampler and other engines at the same work, in turn; one line of JSON for each engine and round.

    cargo build --release -p sparring-benches --bin sampler_speed
    python benches/peers/sampler.py --ours target/release/sampler_speed --model DIR --gguf FILE --prompts 12 --group 2 \
        [--engines sparring,transformers,vllm,llama.cpp] [--rounds 3] [--threads 2]

Completions of 100 tokens, at temperature 1, of prompts of 600 tokens, the first 400 of which are the same. All engines
have the weights of DIR in f32 but llama.cpp, which has FILE in its own quantised form: what its users run. vLLM caches
prefixes; each round has other prompts, so that nothing but the beginning is known from the last one. The first round
warms up and is not counted in the medians at the end. Each engine is a process of its own that waits while others work.
"""
import argparse, json, os, statistics, subprocess, sys, time

PROMPT, COMMON, TOKENS = 600, 400, 100


def prompt(number):
    of = lambda position: position if position < COMMON else (number + 1) * PROMPT + position
    return [1000 + of(position) * 7919 % 20_011 for position in range(PROMPT)]


assert prompt(1000)[:COMMON] == prompt(2000)[:COMMON] and prompt(1000)[COMMON:] != prompt(2000)[COMMON:]


def transformers(args):
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(args.threads)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)

    def generate(prompts, seed):
        torch.manual_seed(seed)
        ids = torch.tensor(prompts)
        out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=True, temperature=1.0, top_k=0,
                             num_return_sequences=args.group, min_new_tokens=TOKENS, max_new_tokens=TOKENS,
                             pad_token_id=0)
        return (out.shape[1] - PROMPT) * out.shape[0]

    return generate


def vllm(args):
    os.environ.update(VLLM_CPU_KVCACHE_SPACE="2", VLLM_NO_USAGE_STATS="1", VLLM_CPU_OMP_THREADS_BIND="nobind",
                      OMP_NUM_THREADS=str(args.threads), VLLM_ENABLE_V1_MULTIPROCESSING="0", VLLM_TARGET_DEVICE="cpu")
    from vllm import LLM, SamplingParams

    engine = LLM(args.model, dtype="float32", max_model_len=1024, max_num_seqs=64, enforce_eager=True, block_size=32,
                 enable_prefix_caching=True, skip_tokenizer_init=True, seed=0)

    def generate(prompts, seed):
        params = SamplingParams(n=args.group, temperature=1.0, max_tokens=TOKENS, ignore_eos=True, seed=seed,
                                detokenize=False)
        outs = engine.generate([{"prompt_token_ids": ids} for ids in prompts], params, use_tqdm=False)
        return sum(len(completion.token_ids) for out in outs for completion in out.outputs)

    return generate


def llama_cpp(args):
    import concurrent.futures, urllib.request, xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path, settings.port, settings.hostnames = args.gguf, 8813, ["127.0.0.1"]
    settings.n_parallel, settings.n_ctx, settings.kv_unified, settings.warmup = 64, 64 * 1024, True, False
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = args.threads
    server = xllamacpp.Server(settings)

    def one(ids, seed):
        body = {"prompt": ids, "n_predict": TOKENS, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0,
                "ignore_eos": True, "seed": seed, "cache_prompt": True, "return_tokens": True}
        request = urllib.request.Request(server.listening_address + "/completion", json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            return len(json.load(answer)["tokens"])

    def generate(prompts, seed):
        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            work = [pool.submit(one, ids, seed + i) for i, ids in enumerate(prompts * args.group)]
            return sum(part.result() for part in work)

    return generate


ENGINES = {"transformers": transformers, "vllm": vllm, "llama.cpp": llama_cpp}


def serve(engine, args):
    """Plays a round for each line of standard input."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    generate = ENGINES[engine](args)
    for line in sys.stdin:
        seed = int(line)
        # Prompts of this round only, with the common beginning.
        prompts = [prompt(1000 * (seed + 1) + number) for number in range(args.prompts)]
        began = time.perf_counter()
        tokens = generate(prompts, seed)
        print(json.dumps({"seconds": time.perf_counter() - began, "tokens": tokens}), file=out, flush=True)


def main():
    parser = argparse.ArgumentParser()
    for name in ("--ours", "--model", "--gguf", "--serve"):
        parser.add_argument(name)
    for name, default in (("--prompts", 12), ("--group", 2), ("--rounds", 3), ("--threads", 2)):
        parser.add_argument(name, type=int, default=default)
    parser.add_argument("--engines", default="sparring,transformers,vllm,llama.cpp")
    args = parser.parse_args()
    if args.serve:
        return serve(args.serve, args)
    engines = {}
    for name in args.engines.split(","):
        command = [sys.executable, *sys.argv, "--serve", name]
        if name == "sparring":
            command = [args.ours, args.model, *map(str, (args.prompts, args.group, args.threads))]
        engines[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    times = {name: [] for name in engines}
    for seed in range(args.rounds + 1):
        for name, engine in engines.items():
            print(seed, file=engine.stdin, flush=True)
            answer = json.loads(engine.stdout.readline())
            print(json.dumps({"engine": name, "round": seed, **answer}), flush=True)
            assert answer["tokens"] == args.prompts * args.group * TOKENS, answer
            times[name].append(answer["seconds"])
    medians = {name: statistics.median(all[1:]) for name, all in times.items()}
    for name, median in medians.items():
        print(json.dumps({"engine": name, "median_s": median, "ratio": median / medians.get("sparring", median)}))
    for engine in engines.values():
        engine.stdin.close()
        engine.wait()


if __name__ == "__main__":
    main()
