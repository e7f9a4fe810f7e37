"""Writes prompts_P.json into a model's folder: texts that its tokenizer reads as exactly P tokens.

    python benches/peers/prompts.py DIR P [--count 64] [--text FILE]

The texts are cut from FILE [default: this interpreter's own sources], from as many places as there are prompts.
"""
import argparse, json, os, pathlib, sys


def cut(tokenizer, text, tokens):
    """The beginning of `text` that is `tokens` tokens long, if there is one."""
    ids = tokenizer(text[: 12 * tokens], add_special_tokens=False)["input_ids"]
    near = len(tokenizer.decode(ids[:tokens]))
    for length in sorted(range(max(1, near - 60), near + 60), key=lambda length: abs(length - near)):
        if len(tokenizer(text[:length], add_special_tokens=False)["input_ids"]) == tokens:
            return text[:length]
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("tokens", type=int)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--text", type=pathlib.Path)
    args = parser.parse_args()
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(args.model)
    files = [args.text] if args.text else sorted(pathlib.Path(os.__file__).parent.glob("*.py"))
    text = "\n".join(file.read_text(encoding="utf-8", errors="ignore") for file in files)
    prompts, stride = [], max(1, len(text) // (4 * args.count))
    for start in range(0, len(text), stride):
        prompt = cut(tokenizer, text[start:], args.tokens)
        if prompt and prompt not in prompts:
            prompts.append(prompt)
        if len(prompts) == args.count:
            break
    else:
        sys.exit(f"only {len(prompts)} prompts of {args.tokens} tokens; name a longer --text")
    (args.model / f"prompts_{args.tokens}.json").write_text(json.dumps(prompts, indent=0))


if __name__ == "__main__":
    main()
