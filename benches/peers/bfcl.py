"""BFCL's checker and Sparring's, one thread each, on the same rows, in one run.

    pip install --no-deps bfcl-eval==2026.3.23 tree_sitter==0.21.3 tree-sitter-java==0.21.0 tree-sitter-javascript==0.21.4
    pip install tenacity
    cargo build --profile bench -p sparring-benches --bin bfcl_speed
    python benches/peers/bfcl.py AST.jsonl.gz DECODE.jsonl.gz BENCHMARK_FOLDER

AST rows have functions, gold, predicted, category, language, model; DECODE rows entry_id, return_format, raw,
has_tool_call_tag, category, language, and their functions and golds stand in BENCHMARK_FOLDER. Reading the files is
not counted. Each program goes over the rows five times; the fastest pass counts, programs taking turns. In both,
rows with equal functions or golds share them, as they do where both come from the benchmark's files.
"""
import argparse, gzip, json, pathlib, subprocess, sys, time, types

PASSES = 5


def official():
    """The official functions, without the vendors' SDKs that its list of models imports."""
    config = types.ModuleType("bfcl_eval.constants.model_config")
    row = lambda dots: types.SimpleNamespace(underscore_to_dot=dots)
    config.MODEL_CONFIG_MAPPING = {"plain": row(False), "u2d": row(True)}
    sys.modules["bfcl_eval.constants.model_config"] = config
    if "bfcl_eval.utils" not in sys.modules:
        utils = types.ModuleType("bfcl_eval.utils")
        utils.__all__ = []
        sys.modules["bfcl_eval.utils"] = utils
    from bfcl_eval.constants.enums import Language, ReturnFormat
    from bfcl_eval.eval_checker.ast_eval.ast_checker import ast_checker
    from bfcl_eval.model_handler.utils import default_decode_ast_prompting

    return ast_checker, default_decode_ast_prompting, Language, ReturnFormat


def rows(path):
    with (gzip.open if str(path).endswith(".gz") else open)(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def python_value(value):
    """A recorded value: JSON with tags for tuples and for floats that JSON cannot write."""
    if isinstance(value, list):
        return [python_value(item) for item in value]
    if isinstance(value, dict):
        if set(value) == {"__tuple__"}:
            return tuple(python_value(item) for item in value["__tuple__"])
        if set(value) == {"__float__"}:
            return float(value["__float__"])
        return {key: python_value(item) for key, item in value.items()}
    return value


def entries(folder):
    questions, golds = {}, {}
    for path in sorted(folder.glob("BFCL_v4_*.json")):
        for row in rows(path):
            questions[row["id"]] = row.get("function")
    for path in sorted((folder / "possible_answer").glob("BFCL_v4_*.json")):
        for row in rows(path):
            golds[row["id"]] = row["ground_truth"]
    return {key: (questions[key], gold) for key, gold in golds.items()}


def passes(work, items):
    """One pass: items a second, and how many were valid."""
    start = time.perf_counter()
    valid = sum(map(work, items))
    return len(items) / (time.perf_counter() - start), valid


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ast", type=pathlib.Path)
    parser.add_argument("decode", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--sparring", default="target/release/bfcl_speed", help="the program to compare with")
    args = parser.parse_args()
    check, decode, Language, ReturnFormat = official()

    lists = {}
    shared = lambda value: lists.setdefault(json.dumps(value), value)
    checks = [
        (shared(row["functions"]), python_value(row["predicted"]), shared(row["gold"]), Language(row["language"]), row["category"], row["model"])
        for row in rows(args.ast)
    ]
    data = entries(args.data)
    texts = [
        (row["raw"], ReturnFormat(row["return_format"]), row["has_tool_call_tag"], *data[row["entry_id"]],
         Language(row["language"]), row["category"])
        for row in rows(args.decode)
    ]

    def check_one(item):
        try:
            return check(*item)["valid"]
        except Exception:  # the official code raises on some rows
            return False

    def text_one(item):
        raw, form, tag, functions, gold, language, category = item
        try:
            return check(functions, decode(raw, form, tag), gold, language, category, "plain")["valid"]
        except Exception:  # not decoded
            return False

    formats = {item[1] for item in texts}
    by_format = [(f"text {form.value}", text_one, [t for t in texts if t[1] == form]) for form in formats]
    jobs = [("ast", check_one, checks), ("text", text_one, texts)] + sorted(by_format, key=lambda job: job[0])
    best = {}
    ours = {}
    for _ in range(PASSES):
        for name, work, items in jobs:
            rate, valid = passes(work, items)
            best[name] = max(best.get(name, (0, 0)), (rate, valid))
        line = subprocess.run(
            [args.sparring, args.ast, args.decode, args.data], check=True, capture_output=True, text=True
        ).stdout
        for name, value in json.loads(line).items():
            ours[name] = max(ours.get(name, (0, 0)), tuple(value))
    for name, _, items in jobs:
        rate, valid = best[name]
        our_rate, our_valid = ours[name]
        print(json.dumps({
            "work": name, "rows": len(items),
            "official_per_s": round(rate), "sparring_per_s": round(our_rate), "ratio": round(our_rate / rate, 1),
            "official_valid": valid, "sparring_valid": our_valid,
        }))


if __name__ == "__main__":
    main()
