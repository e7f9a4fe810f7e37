"""Writes bfcl_decode.jsonl: texts, and what Python makes of them by the rules of BFCL's decoding.

    python3.11 bfcl_decode.py [rows] [seed] > bfcl_decode.jsonl

The rules are stated again here, in our own words, on top of Python's own parsers (`ast`, `json`,
`xml.etree.ElementTree`): those are what the Rust code has to agree with. Texts are drawn from a grammar, and half
of them are damaged afterwards.
"""

import ast
import json
import random
import re
import sys
import warnings
from xml.etree import ElementTree

# ---- the rules ------------------------------------------------------------------------------------------------


def bracketed(text):
    text = text.strip("`\n ")
    return ("" if text.startswith("[") else "[") + text + ("" if text.endswith("]") else "]")


def function_name(node):
    names = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return ".".join(([node.id] if isinstance(node, ast.Name) else []) + names)


def call_of(node):
    return {function_name(node.func): {k.arg: value_of(k.value) for k in node.keywords}}


def value_of(node):
    kind = type(node)
    if kind is ast.Constant:
        return "..." if node.value is ... else node.value
    if kind is ast.UnaryOp:
        return -node.operand.value
    if kind is ast.List:
        return [value_of(item) for item in node.elts]
    if kind is ast.Tuple:
        return tuple(value_of(item) for item in node.elts)
    if kind is ast.Dict:
        return {value_of(k): value_of(v) for k, v in zip(node.keys, node.values)}
    if kind is ast.Name:
        return node.id
    if kind is ast.BinOp:
        return eval(ast.unparse(node), {})
    if kind is ast.Call:
        return call_of(node) if node.keywords else ast.unparse(node)
    if kind is ast.Subscript:
        return ast.unparse(node.value) + "[" + ast.unparse(node.slice) + "]"
    if kind is ast.Lambda:
        raise TypeError("a node has no items")
    raise Exception("no value")


def python(text):
    body = ast.parse(text.strip().strip("'"), mode="eval").body
    if isinstance(body, ast.Call):
        return [call_of(body)]
    calls = []
    for item in body.elts:
        assert isinstance(item, ast.Call)
        calls.append(call_of(item))
    return calls


def from_json(text):
    for pattern in (r"\[.*\]", r"\[\s*{.*?}\s*(?:,\s*{.*?}\s*)*\]"):
        found = re.search(pattern, text, re.DOTALL)
        text = found.group(0) if found else text
    try:
        items = json.loads(text)
    except json.JSONDecodeError:
        return []
    return [{item["function"]: item["parameters"]} for item in items if isinstance(item, dict)]


def typed(text, kind):
    readers = {"integer": int, "float": float, "null": lambda _: None, "boolean": lambda t: t.lower() == "true"}
    readers.update(dict.fromkeys(("array", "tuple", "object", "dict"), ast.literal_eval))
    return readers.get(kind, str)(text)


def from_xml(text, verbose):
    found = re.search(r"<functions>.*?</functions>", text, re.DOTALL)
    if not found:
        raise ValueError("no functions")
    calls = []
    for function in ElementTree.fromstring(found.group(0)).findall("function"):
        name, values, container = function.attrib["name"], {}, function
        if verbose and function.find("params") is not None:
            container = function.find("params")
        for param in container.findall("param"):
            key = param.attrib.get("name") if verbose else param.attrib["name"]
            value = param.attrib.get("value", "") if verbose else (param.text or "").strip()
            values[key] = typed(value, param.attrib.get("type", "string"))
        calls.append({name: values})
    return calls


def decode(text, kind, tag):
    text = bracketed(text)
    if tag:
        found = re.search(r"<TOOLCALL>(.*?)</TOOLCALL>", text, re.DOTALL)
        if not found:
            raise ValueError("no tag")
        text = found.group(1).strip()
    return {
        "python": python,
        "json": from_json,
        "verbose_xml": lambda t: from_xml(t, True),
        "concise_xml": lambda t: from_xml(t, False),
    }[kind](text)


# ---- values as JSON -------------------------------------------------------------------------------------------


def recorded(value):
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else {"__int__": str(value)}
    if isinstance(value, float):
        return {"__float__": repr(value)}
    if isinstance(value, list):
        return [recorded(item) for item in value]
    if isinstance(value, tuple):
        return {"__tuple__": [recorded(item) for item in value]}
    if isinstance(value, dict):
        return {"__dict__": [[recorded(k), recorded(v)] for k, v in value.items()]}
    return {"__other__": type(value).__name__}


# ---- texts ----------------------------------------------------------------------------------------------------

NAMES = ["a", "b", "x1", "_", "é", "ﬁ", "print", "true", "null", "match", "true", "math"]
NUMBERS = """0 1 5 -3 42 007 00 0_0 1_000 1__0 1_ 0xff 0X_1 0b101 0b2 0o17 1.5 .5 5. 1e3 1E-3 1e 1.e5 1_0.5 1e999 5j
1.5J 0xfor 1if 9007199254740993 9223372036854775807 9223372036854775808 123456789012345678901234567890 1e16 1e-5
0.0001 1e22 01.5 1.0abc 12and""".split()
STRINGS = r"""'x' "it's" 'it\'s' '' "" 'a' 'b' r'\n' '\n' '\x41' '\u00e9' '\101' '\8' '\q' '''a
b''' u'x' b'x' b'\xff' rb'\x' br"q" 'é' "日本" f'{a}' f'{a!r:>{b}}' f'{{}}' f'a{b=}c' f'{a' f'}' f'{}' '\x4' "a
'unclosed '\U0001F600' '\t' "\\" Rb'1' fr'{a}\n' 'a\
b' '\xa0' '\u200b' 'ÿ\x00'""".replace("\nb'''", "\0b'''").replace("\\\nb'", "\\\0b'").replace('"a\n', '"a ')
STRINGS = [s.replace("\0", "\n") for s in STRINGS.split()]
BINARY = "+ - * / // % ** << >> & | ^ @".split()
COMPARE = ["<", ">", "==", "!=", "<=", ">=", "in", "not in", "is", "is not"]


class Texts:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def one(self, *options):
        return self.random.choice(options)

    def many(self, draw, separator=", ", least=0):
        items = [draw() for _ in range(self.random.randint(least, 3))]
        return separator.join(items) + (self.one("", "", "", ",") if items and separator == ", " else "")

    def constant(self):
        return self.one(
            self.one(*NUMBERS), self.one(*NUMBERS[:3]), self.one(*STRINGS), self.one(*STRINGS[:8]),
            "True", "None", "False", "...", "'a' 'b'", "-1", "2.5",
        )

    def arithmetic(self, depth=2):
        if depth == 0 or self.random.random() < 0.3:
            return self.one("1", "2", "7", "0", "-3", "2.5", "True", "10", "'ab'", "[1]", "(1,)", "1e10", "x", "~5")
        sides = self.arithmetic(depth - 1), self.arithmetic(depth - 1)
        text = sides[0] + " " + self.one(*BINARY[:12]) + " " + sides[1]
        return self.one(text, text, "(" + text + ")")

    def expression(self, depth=3):
        if depth == 0 or self.random.random() < 0.25:
            return self.one(self.constant(), self.constant(), self.one(*NAMES))
        e = lambda: self.expression(depth - 1)
        star = lambda: self.one(e(), e(), e(), "*" + e(), "x := " + e())
        clause = lambda: self.one(" for ", " for ", " async for ") + self.one(
            "x", "x, y", "(x, y)", "*x", "x.y", "x[0]", "1", "[x]", "x,"
        ) + " in " + e() + self.one("", " if " + e())
        param = lambda: self.one("a", "b", "c=1", "*", "*d", "**k", "/", "d=2")
        index = lambda: self.one(e(), e() + ":" + e(), ":", "::" + e(), "*" + e(), e() + ":")
        return self.one(
            lambda: "[" + self.many(star) + "]",
            lambda: "(" + self.many(star) + ")",
            lambda: "{" + self.many(lambda: self.one(e() + ": " + e(), e() + ": " + e(), "**" + e())) + "}",
            lambda: "{" + self.many(star, least=1) + "}",
            lambda: e() + self.one(" ", "") + self.one(*BINARY) + self.one(" ", "") + e(),
            lambda: e() + " " + self.one(*COMPARE) + " " + e(),
            lambda: e() + self.one(" and ", " or ") + e() + self.one("", " and " + e(), " or " + e()),
            lambda: self.one("-", "+", "~", "not ", "- -", "await ") + e(),
            lambda: e() + " if " + e() + " else " + e(),
            lambda: "lambda" + self.one("", " ") + self.many(param) + ": " + e(),
            lambda: self.call(depth - 1),
            lambda: e() + "." + self.one(*NAMES, "real", "None"),
            lambda: e() + "[" + self.many(index, least=1) + "]",
            lambda: self.one("[", "(", "{") + e() + self.one("", ": " + e()) + clause() + self.one("]", ")", "}"),
            lambda: "[" + e() + clause() + "]",
            lambda: "(" + self.one("yield", "yield " + e(), "yield from " + e(), "x := " + e(), e()) + ")",
            lambda: "f'{" + e() + self.one("", "!r", ":>5", "=", "!x") + "}'",
            lambda: "(" + e() + ")",
        )()

    def argument(self, depth):
        name = self.one(*NAMES, "from", "True", "a.b")
        named = name + self.one("=", "=", " = ") + self.expression(depth)
        return self.one(named, named, named, self.expression(depth), "*" + self.expression(depth), "**x", "x for x in y")

    def call(self, depth=3):
        function = self.one("f", "f", "a.b", "a.b.c", "é.ﬁ", "g()", "a[0].b", "(f)", "1 .x", "f ")
        return function + "(" + self.many(lambda: self.argument(depth)) + ")"

    def plain_call(self):
        value = lambda: self.one(self.constant(), self.constant(), self.arithmetic(), self.expression(2))
        arguments = self.many(lambda: self.one(*"abcde") + "=" + value(), self.one(", ", ", ", ",\n  "))
        return self.one("f", "a.b", "get_x") + "(" + arguments + ")"

    def python(self):
        calls = self.many(lambda: self.one(self.plain_call, self.plain_call, self.call)(), least=1)
        text = self.one("[" + calls + "]", "[" + calls + "]", calls, "[" + calls, "(" + calls + ")", "{" + calls + "}")
        return self.one(text, text, text, "```\n" + text + "\n```", text + " # ok", "'" + text + "'", text + "\n\n")

    def json_value(self, depth=3):
        if depth == 0 or self.random.random() < 0.4:
            return self.one(
                "1", "-0", "1.5", "1e400", "01", "1.", "NaN", "-Infinity", "true", "null", '"x"', '"]"', '"}]"',
                '"\\u00e9\\n"', '"\\ud83d\\ude00"', '"\\x"', '"a\tb"', "'x'", "99999999999999999999", '"é"', "True",
            )
        v = lambda: self.json_value(depth - 1)
        return self.one(
            lambda: "[" + self.many(v, self.one(", ", " ,\n")) + "]",
            lambda: "{" + self.many(lambda: self.one('"a"', '"b"', '"a"', "1") + self.one(":", " : ") + v()) + "}",
        )()

    def json(self):
        parameters = lambda: "{" + self.many(lambda: self.one('"a": ', '"b":') + self.json_value(2)) + "}"
        call = lambda: '{"' + self.one("function", "function", "function", "name") + '": ' + self.one(
            '"f"', '"f"', '"a.b"', "1", "[1]", "null"
        ) + ', "' + self.one("parameters", "parameters", "arguments") + '": ' + self.one(parameters(), parameters(), "5") + "}"
        item = lambda: self.one(call(), call(), call(), self.json_value(1))
        text = "[" + self.many(item, self.one(", ", ",", "\n,")) + "]"
        return self.one(text, text, "```json\n" + text + "\n```", "Sure [1] " + text + " ok", text[1:-1], self.json_value())

    def xml(self, verbose):
        word = lambda: self.one(
            "5", " 5 ", "-5", "1_0", "1.5", "nan", "true", "TRUE", "[1, 'a']", "(1, 2)", "{'a': [1]}", "{1, 2}", "-1",
            "1+2j", "[x]", "f()", "set()", "a &amp; b", "a & b", "&#65;&#x42;", "&lt;b&gt;", "&nope;", "x\ty", "", "é",
            "<b>t</b>", "a<!-- c -->b", "<![CDATA[a<b]]>", "]]>", "{[1]: 2}", "1 +", "'it''s'", "None", "\r\n x", "<?p q?>z",
        )
        kind = lambda: self.one(*"string integer float boolean null array tuple object dict any".split())
        typ = lambda: self.one(' type="' + kind() + '"', ' type="' + kind() + '"', "", " type='" + kind() + "'")
        attribute = lambda text: text.replace("<", self.one("&lt;", "<")).replace('"', "&quot;")
        name = lambda: self.one(' name="a"', ' name="b"', ' name="a"', "", ' name="a" name="b"', ' id="1" name="c"', ' x:y="1"')

        def param():
            if verbose:
                return "<param" + name() + ' value="' + attribute(word()) + '"' + typ() + self.one("/>", " />", "></param>")
            return "<param" + name() + typ() + ">" + word() + "</param>"

        params = self.many(param, self.one("", "\n  "))
        if verbose and self.random.random() < 0.7:
            params = "<params>" + params + "</params>"
        function = self.one("function", "function", "function", 'function xmlns="u"', "func") + self.one(' name="f"', ' name="f"', "")
        text = "<functions>" + "<" + function + ">" + params + "</" + function.split()[0] + ">" + "</functions>"
        return self.one(text, text, "Sure: " + text + " done", "```xml\n" + text + "\n```", text[:-3])

    def damaged(self, text):
        for _ in range(self.random.randint(1, 3)):
            at = self.random.randint(0, len(text))
            cut = at + self.random.randint(0, 3)
            sign = self.one("", "", *"()[]{},:='\"\\#. \n\t*-+x0<>/&;!@", "é", " for ", " if ", "not ", "\r", "\x0c")
            text = text[:at] + sign + text[cut:]
        return text

    def row(self):
        kind = self.one("python", "python", "python", "python", "json", "verbose_xml", "concise_xml")
        text = {"python": self.python, "json": self.json}.get(kind, lambda: self.xml(kind == "verbose_xml"))()
        tag = self.random.random() < 0.1
        if tag:
            text = self.one("", "Sure ") + "<TOOLCALL>" + self.one("", "\n", " '") + text + "</TOOLCALL>" + self.one("", " ok")
        if self.random.random() < 0.4:
            text = self.damaged(text)
        return text, kind, tag


def main(rows=2000, seed=1):
    warnings.simplefilter("ignore")
    texts = Texts(seed)
    for _ in range(rows):
        text, kind, tag = texts.row()
        row = {"text": text, "format": kind, "tag": tag}
        try:
            row["decoded"] = recorded(decode(text, kind, tag))
        except Exception as error:
            row["error"] = type(error).__name__
        print(json.dumps(row))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
