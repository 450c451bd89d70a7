"""Compares data/chat/jinja with jinja2 as transformers sets it up, on templates written by hand and on
those that a grammar generates from a seed.

    python scripts/parity/templates.py compare RENDERER [--count N] [--seed N] [--show N] [FILE.jinja …]
    python scripts/parity/templates.py golden FILE [--count N] [--seed N]

RENDERER is the program built from scripts/parity/templates. Files are compared too, on a few conversations each. A text
that differs, or that one side refuses and the other renders, counts as different, but for what ours refuses by name.
golden writes the templates with their results for the test that runs without Python.
"""

import argparse
import collections
import copy
import datetime
import json
import pathlib
import random
import signal
import subprocess
import sys
import warnings

warnings.filterwarnings("ignore")
import transformers.utils.chat_template_utils as reference  # noqa: E402


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 6, 9, 5, 7, 89)


reference.datetime = Clock

TOOL = {"type": "function", "function": {"name": "weather", "description": "Tells the \"weather\" <now> & here.", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "default": 3, "minimum": -1.5}}, "required": ["city"]}}}
CHAT = [
    {"role": "system", "content": "You answer <briefly> & \"well\".\n"},
    {"role": "user", "content": "  What's 2+2?\n\nSay it. "},
    {"role": "assistant", "content": "<think>\nhm\n</think>\n\n Four: \u00e9\u4e16\U0001f642 "},
    {"role": "user", "content": "tab\tand na\u00efve \u00dfTRASSE \u01c6ungla \u039f\u0394\u039f\u03a3"},
]
CALLS = [
    {"role": "user", "content": "Weather?", "name": "Ann"},
    {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": {"city": "Z\u00fcrich", "days": 2}}}]},
    {"role": "tool", "tool_call_id": "c1", "content": "{\"sun\": true}"},
    {"role": "assistant", "content": "Sunny.", "reasoning_content": "easy"},
]
PARTS = [
    {"role": "user", "content": [{"type": "text", "text": "Look: "}, {"type": "image", "url": "x.png"}, {"type": "text", "text": "what?"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "A cat."}], "weight": 0},
]


def variables(messages, **more):
    return {"messages": messages, "tools": None, "documents": None, "add_generation_prompt": False, "bos_token": "<s>", "eos_token": "</s>", **more}


# What templates are rendered with; a snippet names one.
SETS = {
    "chat": variables(CHAT, add_generation_prompt=True, s="Hello, W\u00f6rld", t="  a-b_c d\u2028e\n", i=3, j=-7, big=12345678901234567890, f=2.5, g=-0.125,
                      no=None, yes=True, off=False, xs=[3, 1, 2, 3], ss=["b", "A", "c", "\u00e9", "b"], e=[], d={"b": 1, "a": {"k": [1, 2.0, None, True]}, "\u00e9": "x"},
                      rows=[{"n": "x", "v": 3, "t": ["p"]}, {"n": "Y", "v": 1, "t": []}, {"n": "x", "v": 2}], h="<a href='x'>T&amp;</a>", z=""),
    "calls": variables(CALLS, tools=[TOOL], s="\u0130stanbul", t="a,b,,c", i=0, j=10, big=-(2**70), f=1e16, g=1e-7, no=None, yes=True, off=False,
                       xs=[1.5, 2, True], ss=["x"], e=[], d={"role": "r", "items": 5, "get": "g", "x y": [{}]}, rows=[{"n": None, "v": 0}, {"n": "q", "v": "w"}],
                       h="plain", z=""),
    "parts": variables(PARTS, s="\U0001f642\u0301x", t="\tx\r\ny\x85z ", i=-1, j=255, big=2**63, f=100.0, g=0.1, no=None, yes=True, off=False,
                       xs=[], ss=["", " ", "a\nb"], e=[], d={}, rows=[], h="<!-- c --><b>x</b>", z=""),
}

# What files are rendered with beside: conversations as models meet them.
U, A, S = {"role": "user", "content": " What is 2+2? "}, {"role": "assistant", "content": "Four: \u00e9\u4e16.\n"}, {"role": "system", "content": "Be brief."}
THOUGHT = {"role": "assistant", "content": "<think>\nhm\n</think>\n\nYes.", "reasoning_content": "so"}
CALLED = {"role": "assistant", "content": "", "tool_calls": CALLS[1]["tool_calls"]}
ANSWERED = {"role": "tool", "name": "weather", "tool_call_id": "c1", "content": "{\"sun\": true}"}
TALKS = {
    "user": variables([U], add_generation_prompt=True),
    "pair": variables([U, A]),
    "three": variables([U, A, U], add_generation_prompt=True, enable_thinking=False, date_string="26 Jul 2024"),
    "system": variables([S, U, A, U], add_generation_prompt=True, enable_thinking=True),
    "thought": variables([S, U, THOUGHT, U, THOUGHT], pad_token="<pad>", unk_token="<unk>"),
    "tools": variables([S, U], tools=[TOOL], add_generation_prompt=True, documents=None),
    "called": variables([U, CALLED, ANSWERED, A, U], tools=[TOOL], add_generation_prompt=True),
    "documents": variables([U], documents=[{"title": "T", "text": "x"}], add_generation_prompt=True),
    "parts": variables([{"role": "user", "content": [{"type": "text", "text": "Look."}, {"type": "image"}]}, {"role": "assistant", "content": [{"type": "text", "text": "A cat."}]}]),
}

STRINGS = ["", "a", "b", "x", " ", "\\n", "abc", "Hello World", "user", "role", "content", "a,b,c", "  pad  ", "\u00e9", "\u4f60\u597d", "\U0001f642", "it's", "aXbXc",
           "</think>", "1", "12", " 42 ", "3.5", "-7", "x1y2", "A", "ABC", "\u00df", "a\\tb", "\\u00e9", "\\x41", "%s", "{}", "<b>", "&", "foo-bar baz", "\\'", "0x1F", "1e3", "k"]


# Templates of one line each, written by hand for what a grammar seldom meets: the borders of each function, and what
# Python refuses.
BORDERS = pathlib.Path(__file__).parent / "templates" / "borders.txt"

# Filters, tests, methods and names of arguments, which are also put together as no template would.
FILTERS = [f for f in reference._cached_compile_jinja_template("").environment.filters if f != "random"]
TESTS = [t for t in reference._cached_compile_jinja_template("").environment.tests if t.isidentifier()]
METHODS = [m for t in (str, dict, list, tuple) for m in dir(t) if m[0] != "_"] + ["__len__", "_x", "is_integer", "bit_length", "real", "striptags", "unescape"]
NAMES = ["attribute", "default", "reverse", "case_sensitive", "width", "first", "start", "precision", "method", "boolean", "indent", "sep", "maxsplit", "count", "by", "chars", "value", "s", "length", "x", "n"]


class Grammar:
    """Writes templates: mostly such that they render, now and then with a value of another type."""

    def __init__(self, rng):
        self.rng = rng
        self.names = []  # that the template has set
        self.macros = []
        self.loops = 0
        self.blocks = 0

    def pick(self, *options):
        return self.rng.choice(options)

    def chance(self, p):
        return self.rng.random() < p

    def literal(self):
        quote = self.pick("'", '"')
        s = self.pick(*STRINGS)
        if "'" in s and "\\'" not in s:
            quote = '"'
        return quote + s + quote

    # Expressions by type, down to depth n.

    def text(self, n):
        if n <= 0 or self.chance(0.25):
            return self.pick(self.literal(), self.literal(), "s", "t", "h", "z", "bos_token", "messages[0].role", "messages[-1]['role']", "messages[1].content", "ss[0]", "ss[-1]")
        m = n - 1
        r = self.rng.randrange(13)
        if r == 0:
            return f"{self.text(m)} + {self.text(m)}"
        if r == 1:
            return f"{self.text(m)} ~ {self.any(m)}"
        if r <= 4:
            return f"{self.atom(self.text(m))}.{self.text_method(m)}"
        if r <= 7:
            return f"{self.atom(self.text(m))}|{self.text_filter(m)}"
        if r == 8:
            return f"{self.atom(self.text(m))}[{self.slice()}]"
        if r == 9:
            return f"({self.text(m)} if {self.boolean(m)} else {self.text(m)})"
        if r == 10:
            return self.printf(m)
        if r == 11:
            return self.braces(m)
        return self.pick(f"{self.atom(self.text(m))} * {self.rng.randrange(-1, 4)}", f"{self.atom(self.items(m))}|join({self.literal()})",
                         f"{self.literal()}.join({self.atom(self.texts(m))})", f"{self.atom(self.any(m))}|string", f"{self.atom(self.any(m))}|tojson{self.json_args()}",
                         f"strftime_now('{self.pick('%Y-%m-%d', '%d %b %Y', '%A %B %-d, %Y', '%H:%M', '%I:%M %p', '%j|%U|%W|%V', '%e %y %C %%', '%x %X', '%-m/%_d %^a')}')")

    def atom(self, s):
        return s if s.isidentifier() else f"({s})" if not (s[0] in "'\"[(" and self.chance(0.3)) else s if s[0] in "'\"" and s.count(s[0]) == 2 and s[-1] == s[0] else f"({s})"

    def text_method(self, n):
        a, b = self.text(n - 1), self.text(n - 1)
        i, j = self.rng.randrange(-4, 9), self.rng.randrange(-4, 9)
        lit = self.literal
        return self.pick(
            "upper()", "lower()", "title()", "capitalize()", "swapcase()", "casefold()", "strip()", f"strip({lit()})", "lstrip()", f"lstrip({lit()})", "rstrip()", f"rstrip({lit()})",
            f"strip({a})", f"replace({a}, {b})", f"replace({lit()}, {lit()}, {i})", f"split({lit()})[0]", f"split({lit()})[-1]", "split()|join('|')", f"split({lit()}, {i})|join('|')",
            f"rsplit({lit()}, 1)[0]", f"center({i + 5}, {self.pick(repr('*'), lit())})", f"ljust({i + 5})", f"rjust({i + 5}, '0')", f"zfill({i + 4})", f"removeprefix({lit()})", f"removesuffix({lit()})",
            f"expandtabs({i})", f"format({a}, {b})", f"join([{a}, {b}])", f"partition({lit()})[{i % 4}]", f"rpartition({lit()})|join('/')", "splitlines()|join('|')", f"splitlines(true)|list|join({lit()})")

    def text_filter(self, n):
        i = self.rng.randrange(-2, 12)
        lit = self.literal
        return self.pick(
            "upper", "lower", "title", "capitalize", "trim", f"trim({lit()})", f"replace({lit()}, {lit()})", f"replace({self.text(n - 1)}, {lit()}, {i})", f"center({i})", f"indent({i})",
            f"indent({i}, true)", f"indent(width={lit()}, first=true, blank=True)", f"truncate({i + 2})", f"truncate({i + 3}, true, '..')", f"truncate({i + 3}, False, leeway=0)", f"wordwrap({abs(i) + 1})",
            f"wordwrap({abs(i) + 1}, false)", f"wordwrap({abs(i) + 2}, break_on_hyphens=false, wrapstring='|')", "e", "escape", "forceescape", "safe", "safe|e", "e|upper", "striptags", "string", "urlencode",
            f"default({lit()})", f"d({lit()}, true)", "reverse", "first", "last", "list|join('.')", f"format({self.any(n - 1)})", "urlize", "pprint", "tojson", "sort|join", "unique|join", "count|string",
            "wordcount|string", "length ~ ''", "map('upper')|join", "batch(2)|map('join')|join('-')", "slice(3)|map('join', ',')|join(';')", "attr('upper')()", "select|join", "int|string", "float|string")

    def json_args(self):
        return self.pick("", "", "(indent=2)", "(indent=0)", "(ensure_ascii=true)", "(sort_keys=True)", "(separators=(',', ':'))", "(indent=4, sort_keys=true)", "(indent='\\t')", "(true, 1)",
                         "(separators=['; ', '='], indent=none)")

    def printf(self, n):
        kind = self.pick("%s", "%s-%s", "%d", "%5d|", "%-5s|", "%05d", "%+d", "%x", "%#X", "%o", "%.2f", "%8.3f", "%e", "%g", "%G", "%r", "%a", "%c", "%%", "%(k)s", "%(k)05.1f", "%5.2s|", "% d", "%i%%", "%*d", "%.3d")
        if "(k)" in kind:
            return f"'{kind}' % {{'k': {self.number(n)}}}"
        count = kind.replace("%%", "").count("%") + kind.count("*")
        values = [self.number(n) if kind[-1] not in "srac%|" or "*" in kind else self.any(n) for _ in range(count)]
        if count == 1 and self.chance(0.5):
            return f"'{kind}' % {self.atom(values[0])}"
        if self.chance(0.3):
            return f"'{kind}'|format({', '.join(values)})"
        return f"'{kind}' % ({', '.join(values)}{',' if count == 1 else ''})"

    def braces(self, n):
        spec = self.pick("", ":5", ":<6", ":^7", ":>6", ":*^9", ":05d", ":,", ":_", ":+.2f", ":.3", ":e", ":g", ":%", ":x", ":#b", ":c", ":n", "!r", "!s:>4", "!a", ":.1%", ":08.3f", ":,.2f", ":#x", ":=+8", ":{1}")
        value = self.number(n) if spec and spec[-1] in "dfegxbcn%,_8" else self.any(n)
        field = self.pick("", "0", "a") if spec else self.pick("", "0", "a", "a[0]", "0.x", "a.b", "0[k]")
        if spec == ":{1}":
            return f"'{{0:{{1}}}}'.format({value}, {self.rng.randrange(1, 9)})"
        if field[:1] == "a":
            return f"'<{{{field}{spec}}}>'.format(a={value})"
        return f"'[{{{field}{spec}}}]'.format({value})"

    def slice(self):
        part = lambda: self.pick("", "", str(self.rng.randrange(-5, 6)), "i", "none")  # noqa: E731
        step = self.pick("", "", ":", ":2", ":-1", ":-2", ":1", ":-1")
        return f"{part()}:{part()}{step}"

    def number(self, n):
        if n <= 0 or self.chance(0.3):
            return self.pick("0", "1", "2", "-1", "7", "10", "255", "2.5", "0.1", "-0.5", "1e3", "100.0", "i", "j", "f", "g", "xs[0]", "true", "big", "1_000", "0x1f", "1e-7")
        m = n - 1
        r = self.rng.randrange(8)
        if r <= 2:
            return f"{self.atom(self.number(m))} {self.pick('+', '-', '*', '/', '//', '%', '-', '+')} {self.atom(self.number(m))}"
        if r == 3:
            return self.pick(f"{self.pick('2', '-3', '10', '1.5', 'i')} ** {self.pick('0', '1', '2', '3', '-1', '5')}", f"{self.pick('-', '+', '- ')}{self.atom(self.number(m))}", "-2 ** 2", "2 ** 3 ** 2")
        if r == 4:
            a = self.atom(self.number(m))
            return a + self.pick("|abs", "|int", "|float", "|round", "|round(1)", "|round(1, 'floor')", "|round(2, 'ceil')", "|round(-1)", "|int|abs", "|round|int", "|default(3)", "|filesizeformat|length", "|round(method='ceil')")
        if r == 5:
            a = self.atom(self.text(m))
            return a + self.pick("|length", "|count", "|wordcount", "|int", "|int(-1)", "|int(0, 16)", "|float", "|float(1.5)", f".find({self.literal()})", f".rfind({self.literal()})", f".count({self.literal()})",
                                 f".index({self.literal()})", f".find({self.literal()}, {self.rng.randrange(-3, 4)})", "|int(base=8)")
        if r == 6:
            a = self.atom(self.items(m))
            return a + self.pick("|length", "|count", "|first", "|last", "|sum", "|max", "|min", f".index({self.any(0)})", f".count({self.any(0)})", "[0]", "[-1]")
        return self.pick("rows|sum(attribute='v')", "rows|map(attribute='v')|sum", "loop.index0", "xs|max", "d|length", "messages|length", "range(5)|sum", "(1, 2, 3)|sum(start=10)", "[0.1, 0.2, 0.3]|sum", "range(3, 20, 4)|last")

    def boolean(self, n):
        if n <= 0 or self.chance(0.15):
            return self.pick("true", "false", "True", "False", "yes", "off", "no", "none", "missing", "xs", "e", "d", "s", "add_generation_prompt", "tools", "messages", "1", "0", "''")
        m = n - 1
        r = self.rng.randrange(8)
        if r == 0:
            return f"{self.boolean(m)} {self.pick('and', 'or')} {self.boolean(m)}"
        if r == 1:
            return f"not {self.atom(self.boolean(m))}"
        if r == 2:
            return f"{self.atom(self.text(m))} {self.pick('==', '!=', '<', '<=', '>', '>=', 'in', 'not in')} {self.atom(self.text(m))}"
        if r == 3:
            op = lambda: self.pick('==', '!=', '<', '<=', '>', '>=')  # noqa: E731
            tail = f" {op()} {self.atom(self.number(m))}" if self.chance(0.2) else ""
            return f"{self.atom(self.number(m))} {op()} {self.atom(self.number(m))}{tail}"
        if r == 4:
            return f"{self.atom(self.any(m))} {self.pick('in', 'not in')} {self.atom(self.pick(self.items(m), self.mapping(m)))}"
        if r == 5:
            return f"{self.atom(self.text(m))}.{self.pick('startswith', 'endswith')}({self.pick(self.literal(), '(' + self.literal() + ', ' + self.literal() + ')', self.text(m))})"
        if r == 6:
            return f"{self.atom(self.text(m))}.{self.pick('isalpha', 'isdigit', 'isalnum', 'isspace', 'islower', 'isupper', 'istitle', 'isdecimal', 'isnumeric', 'isascii', 'isprintable', 'isidentifier')}()"
        return f"{self.atom(self.any(m))} is {self.pick('', 'not ')}{self.test(m)}"

    def test(self, n):
        return self.pick("defined", "undefined", "none", "string", "mapping", "number", "sequence", "iterable", "boolean", "integer", "float", "true", "false", "odd", "even", "lower", "upper", "callable", "escaped",
                         f"divisibleby({self.pick('2', '3', '0', '2.5')})", f"divisibleby {self.pick('2', '3')}", f"equalto({self.any(n - 1)})", f"eq {self.pick(self.literal(), '1', 'none', 's')}", f"in({self.items(n - 1)})", "in [1, 'a', none]",
                         f"gt({self.number(n - 1)})", "lt 3", "ge(1)", "le(2)", "ne('a')", "sameas none", "sameas(true)", "sameas s", "filter", "test", f"greaterthan {self.pick('1', '2.5')}", "in 'abc'")

    def texts(self, n):
        if n <= 0 or self.chance(0.3):
            return self.pick("ss", f"[{self.literal()}, {self.literal()}]", "['b', 'a']", "messages|map(attribute='role')|list", "('x', 'y')")
        m = n - 1
        return self.pick(f"{self.atom(self.text(m))}.split({self.pick('', self.literal(), 'none, 1')})", f"{self.atom(self.text(m))}.splitlines()", f"{self.atom(self.text(m))}|list", f"{self.atom(self.texts(m))}|sort{self.pick('', '(true)', '(case_sensitive=true)', '(reverse=true)')}",
                         f"{self.atom(self.texts(m))}|map('{self.pick('upper', 'trim', 'length', 'title', 'string')}')|list", f"{self.atom(self.texts(m))}|select('string')|list", f"{self.atom(self.texts(m))}|unique|list",
                         f"{self.atom(self.texts(m))}[{self.slice()}]", f"{self.atom(self.texts(m))} + {self.atom(self.texts(m))}", f"{self.atom(self.texts(m))}|reverse|list", "d.keys()|list", "d|list")

    def items(self, n):
        if n <= 0 or self.chance(0.2):
            return self.pick("xs", "ss", "e", "rows", "messages", "[1, 'a', 2.5, none, true]", "(1, 2)", "[]", "()", "(1,)", "range(4)", "d", "d.items()", "d.values()", "s", "[[1, 2], [3]]", "messages[1:]", "range(5, -3, -2)")
        m = n - 1
        r = self.rng.randrange(8)
        if r == 0:
            return f"[{', '.join(self.any(m) for _ in range(self.rng.randrange(4)))}]"
        if r == 1:
            return f"({', '.join(self.any(m) for _ in range(self.rng.randrange(2, 4)))})"
        if r == 2:
            return f"{self.atom(self.items(m))}[{self.slice()}]"
        if r == 3:
            return self.texts(m)
        if r == 4:
            a = self.atom(self.items(m))
            return a + self.pick("|list", "|sort", "|sort(reverse=true)", "|reverse|list", "|unique|list", "|batch(2)|list", "|batch(3, 'f')|list", "|slice(2)|list", "|slice(3, none)|list", "|slice(2, 'z')|list", "|select|list", "|reject|list",
                                 f"|select('{self.pick('odd', 'string', 'defined', 'none', 'number')}')|list", f"|reject('{self.pick('even', 'mapping', 'undefined')}')|list", f"|map('{self.pick('string', 'tojson', 'default', 'upper', 'int', 'length', 'first', 'abs')}')|list",
                                 f"|select('in', {self.pick('[1, 2]', 'ss', repr('abc'))})|list", "|map('default', 'D', true)|list")
        if r == 5:
            return self.pick("rows", "messages") + self.pick("|map(attribute='n')|list", "|map(attribute='t.0', default='?')|list", "|selectattr('v')|list", "|selectattr('v', 'gt', 1)|list", "|rejectattr('n', 'equalto', 'x')|list",
                                                             "|selectattr('role', 'in', ['user', 'tool'])|list", "|sort(attribute='n')", "|sort(attribute='n,v', reverse=true)", "|sort(attribute='role')|map(attribute='content')|list", "|groupby('role')", "|groupby('n', default='none')|list",
                                                             "|unique(attribute='n')|list", "|map(attribute='missing')|list", "|map(attribute=0)|list", "|min(attribute='v')", "|max(attribute='role')", "|groupby(attribute='n', case_sensitive=true)|map('first')|list",
                                                             "|selectattr('tool_calls', 'defined')|list", "|rejectattr('content', 'undefined')|map(attribute='content')|list", "|selectattr('content', 'string')|list|length")
        if r == 6:
            return self.pick("d|dictsort", "d|dictsort(true)", "d|dictsort(by='value')", "d|dictsort(false, 'key', true)", "d|items|list", "d.items()|list", "d.values()|list", "dict(a=1, b=2)|items|list", "{'x': 1}.items()|map('last')|list", "d.items()|sort", "d|list", "dict([('q', 1)])|list")
        return f"{self.atom(self.items(m))} {self.pick('+', '+', '*')} {self.pick(self.atom(self.items(m)), '2')}"

    def mapping(self, n):
        if n <= 0 or self.chance(0.4):
            return self.pick("d", "messages[0]", "messages[-1]", "{}", "{'a': 1, 'b': none}", "dict(x=1)", "rows[0]", "tools[0].function", "d.a")
        m = n - 1
        pairs = ", ".join(f"{self.pick(self.literal(), '1', 'none', '1.0', 'true', '(1, 2)', 's')}: {self.any(m)}" for _ in range(self.rng.randrange(4)))
        return self.pick("{" + pairs + "}", f"dict({self.mapping(m)}, z={self.any(m)})", "dict(d, **{'q': 1})", f"{self.atom(self.mapping(m))}.copy()", "dict.fromkeys(ss, 0)")

    def any(self, n):
        if n > 0 and self.chance(0.14):
            return self.pick(self.odd, self.odd, self.wild)(n - 1)
        return self.pick(self.text, self.text, self.number, self.boolean, self.items, self.mapping)(n)

    def odd(self, n):
        """Something at a border: undefined, an item that is not there, a conditional without else."""
        a, b = self.atom(self.any(n)), self.atom(self.any(n))
        name = self.pick("x", "role", "items", "upper", "__class__", "append", "get", "missing", "0", "content", "keys", "pop", "start", "real", "_x", "count", "copy")
        return self.pick("missing", "missing.x", "d.nope", "d['nope']", "d.nope.deeper", f"{a} if {self.boolean(n)}", f"{a}.{name if name != '0' else 'x'}", f"{a}['{name}']", f"{a}[{self.number(0)}]", f"{a}[{b}]", f"{a} + {b}", f"{a} < {b}", f"{a}|{self.text_filter(1)}",
                         f"{a} or {b}", f"{a} and {b}", f"{a} ~ {b}", f"{a}[{self.slice()}]", f"{a}.get({self.literal()}, {b})", f"{a} in {b}", f"-{a}", f"{a} * {b}", f"{a} % {b}", f"{a}()", f"{a} is {self.test(1)}", f"{a} == {b}", "namespace(a=1, b='x')", "namespace(a=1).a",
                         "cycler(1, 2).next()", "joiner('|')()", f"{a}|default({b}, {self.pick('true', 'false')})", f"{a}|attr('{name}')", f"{a}|first", f"{a}|last", f"{a}|int", f"{a}|float", f"{a}|length", f"{a}|list", f"{a}|sum", f"{a}|max", f"{a}|round", f"{a}|items|list", f"{a}|tojson",
                         f"{a}|string|length", f"({a}, {b})", f"[{a}]", f"{{{self.literal()}: {a}}}", f"{a} if {b} else none", f"raise_exception({self.text(n)})", f"{a}.format({b})", "range(1, i)", "range(j)", f"{a}|xmlattr", f"{a}|urlencode", f"{a}|filesizeformat", "[].x", "''.x", "none.x",
                         f"{a}|batch({self.rng.randrange(-1, 4)})|list", f"{a}|map('{self.pick('upper', 'nope', 'join')}')|list", f"{a}|unique|list", f"{a} is sameas({a})", f"none[{self.slice()}]", "loop.index", "self.b1()", "caller()", "varargs", "kwargs", f"{a}.items()", f"{a}.strip()", f"{a}|reverse", f"{a}.keys()")

    def wild(self, n):
        """A filter, test, method or global with arguments of any type."""
        arguments = [self.any(n) for _ in range(self.pick(0, 0, 1, 1, 2, 3))]
        if self.chance(0.3):
            arguments.append(f"{self.pick(*NAMES)}={self.any(n)}")
        if self.chance(0.05):
            arguments.append(f"*{self.atom(self.items(n))}")
        if self.chance(0.05):
            arguments.append(f"**{self.atom(self.mapping(n))}")
        inside = f"({', '.join(arguments)})"
        a = self.atom(self.any(n))
        kind = self.rng.randrange(10)
        if kind < 4:
            return f"{a}|{self.pick(*FILTERS)}{inside if arguments or self.chance(0.2) else ''}{self.pick('', '|list', '|string', '|list|length')}"
        if kind < 6:
            return f"{a} is {self.pick(*TESTS)}{inside if arguments else ''}"
        if kind < 9:
            return f"{a}.{self.pick(*METHODS)}{inside}"
        return f"{self.pick('range', 'dict', 'namespace', 'cycler', 'joiner', 'dict.fromkeys', 'loop.cycle', 'loop.changed', 'raise_exception', 'strftime_now', 'namespace(a=1).a', 's', 'missing')}{inside}"

    # Statements.

    def space(self):
        return self.pick("", "", "", " ", "  ", "\n", "\n  ", "\t", " \n ", "\n\n")

    def words(self):
        return self.pick("", "x", " and ", "A: ", "<|im_start|>", "\n", "\n\n", "  ", "é", "你", "{ ", "}", "% ", "# ", "\n   ", "line\n", " - ", "\t", "{ { ", "\r\n", "'", "\\n", "\u00a0\n")

    def tag(self, inside):
        begin, end = self.pick("{%", "{%", "{%-", "{%+"), self.pick("%}", "%}", "-%}", "+%}")
        pad = self.pick(" ", " ", " ", "", "\n", "  ")
        if pad == "" and (begin[-1] != "%" and inside[0] in "+-" or begin == "{%" and inside[0] in "+-" or inside[-1] in "+-%"):
            pad = " "
        return f"{begin}{pad}{inside}{pad}{end}"

    def output(self, n):
        begin, end = self.pick("{{", "{{", "{{-", "{{+"), self.pick("}}", "}}", "-}}")
        value = self.any(n)
        if self.names and self.chance(0.4):
            value = self.pick(*self.names)
            if self.chance(0.3):
                value = f"{value}|{self.text_filter(1)}"
        return f"{begin} {value} {end}"

    def body(self, n):
        parts = []
        for _ in range(self.rng.randrange(1, 4)):
            parts.append(self.pick(self.words, self.space, lambda: self.output(2))())
            if n > 0 and self.chance(0.5):
                parts.append(self.statement(n - 1))
        return "".join(parts)

    def name(self):
        return self.pick("a", "b", "c", "q", "s", "i")

    def scoped(self, n, *names):
        """A body in which names are set."""
        known = list(self.names)
        self.names += names
        text = self.body(n)
        self.names = known
        return text

    def statement(self, n):
        kind = self.rng.randrange(17)
        tag = self.tag
        if kind <= 2:
            text = tag(f"if {self.boolean(2)}{self.pick('', '', ':')}") + self.body(n)
            for _ in range(self.pick(0, 0, 0, 1)):
                text += tag(f"elif {self.boolean(2)}") + self.body(n)
            if self.chance(0.4):
                text += tag("else") + self.body(n)
            return text + tag("endif")
        if kind <= 5:
            return self.loop(n)
        if kind == 6:
            name = self.name()
            text = tag(f"set {name} = {self.any(2)}")
            self.names.append(name)
            return text
        if kind == 7:
            name = self.name()
            text = tag(f"set {name}{self.pick('', '', ' | upper', ' | trim', '|replace(' + self.literal() + ', ' + self.literal() + ')')}") + self.body(n) + tag("endset")
            self.names.append(name)
            return text
        if kind == 8:
            target, value = self.pick(("a, b", "1, 'x'"), ("(a, b)", "d.items()|first"), ("a, b", self.any(1)), ("a, (b, c)", "1, (2, 3)"), ("a", "1, 2"), ("(a)", "3"), ("a, b", "'xy'"))
            self.names += ["a", "b"]
            return tag(f"set {target} = {value}")
        if kind == 9:
            text = tag(f"set ns = namespace({self.pick('', 'n=0', 'n=0, last=none', 'dict(n=1)')})") + tag(f"for x in {self.items(1)}") + tag(f"set ns.n = {self.pick('ns.n + 1', 'x', 'ns.n ~ x', 'loop.index', 'loop.first')}") + self.body(0) + tag("endfor")
            return text + "{{ ns.n }}" + self.pick("", "{{ ns }}", "{{ ns.last }}")
        if kind == 10:
            return self.macro(n)
        if kind == 11:
            return tag(f"with {self.name()} = {self.any(2)}{self.pick('', ', b = a', ', c = s')}") + self.scoped(n, "a", "b") + tag("endwith")
        if kind == 12:
            return tag(f"filter {self.text_filter(1)}") + self.body(n) + tag("endfilter")
        if kind == 13:
            return self.pick("{# c #}", "{#- c -#}", "{#+ {{ x }} +#}\n", "\n  {# two\nlines #}\n", "{#-#}", "{% raw %}{{ x }}{% endraw %}", " {%- raw -%} {% if %} \n{%- endraw -%} ", "\n  {% raw %}\n a\n  {% endraw %}\n", "{#\n-#}\n", "{%+ raw %} x {%+ endraw +%}\n")
        if kind == 14:
            return tag("generation") + self.body(n) + tag("endgeneration")
        if kind == 15:
            self.blocks += 1
            name = f"b{self.blocks}"
            return tag(f"block {name}{self.pick('', ' scoped')}") + self.body(n) + tag(f"endblock{self.pick('', ' ' + name)}") + self.pick("", f"{{{{ self.{name}() }}}}")
        return self.pick(tag(f"print {self.any(1)}, {self.any(1)}"), tag(f"set {self.name()} = {self.any(3)}"), tag("if false") + tag("include 'x'") + tag("endif"), tag("autoescape false") + self.body(n) + tag("endautoescape"),
                         tag(f"if {self.boolean(1)}") + f"{{{{ {self.any(1)}|nope }}}}" + tag("endif"), tag("do xs"), tag(self.pick("endif", "else", "nope", "break", "endfor", "import 'x' as y", "extends 'x'", "set x", "for", "if")))

    def loop(self, n):
        target, items = self.pick(("x", self.items(2)), ("x", self.items(1)), ("m", "messages"), ("m", "messages"), ("k, v", "d.items()"), ("k, v", "d|items"), ("k, v", "d|dictsort"), ("x", "range(3)"), ("x", "ss|reverse"),
                                  ("x", "xs|select('odd')"), ("a, b", "[(1, 2), (3, 4)]"), ("x", self.any(1)), ("g, l", "messages|groupby('role')"), ("x", "xs|map('string')"))
        test = self.pick("", "", "", f" if {self.boolean(1)}", " if x is odd", " if loop.index", " if m.role != 'system'", " if x")
        recursive = self.pick("", "", "", "", " recursive")
        inside = self.pick("", "{{ loop.index }}", "{{ loop.last }}", "{{ loop.revindex0 }}/{{ loop.length }}", "{{ loop.previtem }}", "{{ loop.nextitem|default('end') }}", "{{ loop.cycle('o', 'e') }}", "{{ loop.changed(x) }}", "{{ loop.first }}{{ loop.depth }}",
                           "{{ m.role }}: {{ m.content }}", "{{ m['content'] | trim }}", "{{ loop }}", "{{ loop.index0 }}{{ loop.revindex }}", "{% if not loop.last %},{% endif %}", "{% set q = loop.index %}{{ q }}", "{{ loop|length }}", "{% set s = s ~ 'x' %}{{ s }}")
        if recursive:
            inside += self.pick("{{ loop([1]) if loop.depth < 3 }}", "{% if loop.depth0 == 0 %}{{ loop('ab') }}{% endif %}", "{{ loop(x.t) if x.t is defined }}")
        control = self.pick("", "", "", self.tag("break"), f"{{% if {self.boolean(1)} %}}{self.tag('break')}{{% endif %}}", f"{{% if loop.index > 1 %}}{self.tag('continue')}{{% endif %}}", f"{{% if {self.boolean(1)} %}}{self.tag('continue')}{{% endif %}}")
        self.loops += 1
        body = self.scoped(n, *[t.strip() for t in target.split(",")])
        self.loops -= 1
        tail = self.tag("else") + self.body(0) if self.chance(0.2) else ""
        return self.tag(f"for {target} in {items}{test}{recursive}") + self.pick(inside + control + body, body + control + inside) + tail + self.tag("endfor")

    def macro(self, n):
        name = f"m{len(self.macros)}"
        params, calls = self.pick(("", ["()", "(1)"]), ("a", ["('p')", "()", "(a=2)", "(1, 2)", "(b=3)"]), ("a, b='d'", ["(1)", "(1, 2)", "(b=1, a=2)", "(*[1, 2])", "(**{'a': 5})", "(1, a=2)"]), ("a, b=a", ["(1)", "(1, none)"]),
                                  ("a=1, c=3", ["()", "(c=s)", "(1, 2, 3)"]), ("a=missing", ["()"]), ("x, caller=none", ["(1)"]))
        inside = self.pick("", "{{ a }}", "{{ b }}", "{{ varargs }}", "{{ kwargs }}", "{{ caller() }}", "{{ caller is defined }}", "{{ s }}", "{% set s = 'in' %}{{ s }}", "{{ varargs|length }}{{ kwargs|length }}", "{{ a|default('none') }}", "{{ caller('arg') }}")
        body = self.scoped(n, "a", "b")
        self.macros.append(name)
        text = self.tag(f"macro {name}({params})") + inside + body + self.tag("endmacro")
        for _ in range(self.rng.randrange(1, 3)):
            call = self.pick(*calls)
            text += self.pick(f"{{{{ {name}{call} }}}}", f"{{{{ {name}{call} }}}}", self.tag(f"call {name}{call}") + self.body(0) + self.tag("endcall"), self.tag(f"call(y) {name}{call}") + "{{ y }}" + self.tag("endcall"),
                              f"{{{{ {name}{call}|upper }}}}", f"{{{{ {name}.{self.pick('name', 'arguments', 'catch_kwargs', 'caller', 'defaults')} }}}}", f"{{{{ {name} }}}}")
        return text

    def template(self):
        self.names, self.macros, self.blocks = [], [], 0
        kind = self.rng.random()
        if kind < 0.45:
            return "".join(self.pick("", "", self.words()) + self.output(self.rng.randrange(1, 5)) for _ in range(self.rng.randrange(1, 3)))
        if kind < 0.5:
            return self.damaged()
        if kind < 0.6:
            # Macros that are not defined where they are called are most errors here: define them first, mostly.
            first = self.pick("", "{% macro m(a) %}<{{ a }}{{ b }}>{% endmacro %}{% macro w() %}({{ caller() if caller else c }}{{ varargs }}{{ kwargs }}){% endmacro %}")
            return first + "".join(self.scopes(self.rng.randrange(1, 4)) for _ in range(self.rng.randrange(1, 4)))
        return "".join(self.body(self.rng.randrange(1, 4)) for _ in range(self.rng.randrange(1, 3)))

    def scopes(self, n):
        """Statements that set and read a few names in frames within frames: whose variable is it?"""
        name, other = self.pick(*"abcd"), self.pick(*"abcd")
        read = lambda: "{{ " + self.pick(name, other, f"{name}|default('-')", f"{other} is defined", f"{name} ~ {other}") + " }}"  # noqa: E731
        more = lambda: "".join(self.scopes(n - 1) for _ in range(self.rng.randrange(0, 3))) if n > 0 else read()  # noqa: E731
        kind = self.rng.randrange(15)
        if kind == 0:
            return f"{{% set {name} = {self.pick(repr(name), other, '1', name, f'{name} ~ 1', f'{other} or 2')} %}}{read()}"
        if kind == 1:
            return f"{{% set {name}, {other} = {self.pick('1, 2', f'{other}, {name}')} %}}{read()}"
        if kind == 2:
            return f"{{% set {name} %}}{read()}{more()}{{% endset %}}{read()}"
        if kind == 3:
            return f"{{% if {self.pick(name, other, 'true', 'false', f'{name} is defined')} %}}{more()}{read()}{{% elif {other} %}}{more()}{{% else %}}{more()}{{% endif %}}{read()}"
        if kind <= 6:
            target = self.pick(name, f"{name}, {other}")
            items = "[(1, 2), (3, 4)]" if "," in target else self.pick("[1, 2]", "'xy'", other, "[]", f"[{name}]")
            test = self.pick("", "", f" if {name}", f" if {other} != 1", " if loop is defined")
            loop = self.pick("", "", "{{ loop.index }}", "{{ loop.index }}")
            return f"{{% for {target} in {items}{test}{self.pick('', '', '', ' recursive')} %}}{loop}{read()}{more()}{self.pick('', '', read() + '{% break %}')}{{% else %}}{read()}{more()}{{% endfor %}}{read()}"
        if kind <= 8:
            macro = self.pick("m", "w")
            params = self.pick("", name, f"{name}=1", f"{name}, {other}=2", f"{name}={other}", f"{name}=1, {other}={name}", "caller=none", f"{name}={name}")
            calls = [f"{{{{ {macro}({self.pick('', '5', name, f'{name}=3', '5, 6')}) }}}}" for _ in range(self.rng.randrange(3))]
            return f"{{% macro {macro}({params}) %}}[{read()}{more()}{self.pick('', '', '{{ caller() }}', '{{ varargs }}', '{{ kwargs }}')}]{{% endmacro %}}{''.join(calls)}{read()}"
        if kind == 9:
            return f"{{% call{self.pick('', '(' + name + ')')} {self.pick('m', 'w')}({self.pick('', '7', name)}) %}}{read()}{more()}{{% endcall %}}"
        if kind == 10:
            return f"{{% with {name} = {self.pick('8', other, name)}{self.pick('', f', {other} = {name}')} %}}{read()}{more()}{{% endwith %}}{read()}"
        if kind == 11:
            return f"{{% filter {self.pick('upper', f'replace({name}, {other})', f'default({name})', 'trim')} %}}{read()}{more()}{{% endfilter %}}"
        if kind == 12:
            self.blocks += 1
            return f"{{% block x{self.blocks}{self.pick('', ' scoped')} %}}{read()}{more()}{{% endblock %}}{self.pick('', f'{{{{ self.x{self.blocks}() }}}}')}"
        if kind == 13:
            return f"{{% set n{name} = namespace({other}={self.pick('1', other)}) %}}{more()}{{% set n{name}.{other} = {name} %}}{{{{ n{name}.{other} }}}}{more()}{{{{ n{name}.{other} }}}}"
        return f"{{% generation %}}{read()}{more()}{{% endgeneration %}}{{{{ {self.pick('m', 'w')}({self.pick('', '1')}) }}}}"

    def damaged(self):
        """A template with a character lost, doubled or put in."""
        s = self.body(2) + self.output(3)
        at = self.rng.randrange(len(s) + 1)
        return self.pick(s[:at] + s[at + 1:], s[:at] + s[at:at + 2] + s[at:], s[:at] + self.pick("{", "}", "%", "(", ")", "[", "'", "\\", "|", ".", "-", "+", " ", "\n", "é", "$", "#", "@", "!", "=", ",", ":", "_", "0") + s[at:])


class Late(Exception):
    pass


def late(*_):
    raise Late()


def expected(template, values):
    """The reference's text and spans, or its error."""
    signal.signal(signal.SIGALRM, late)
    signal.alarm(5)
    try:
        compiled = reference._cached_compile_jinja_template(template)
        blocks, spans = [], []
        with compiled.environment.activate_tracker(blocks, spans):
            for block in compiled.generate(**copy.deepcopy(values)):  # the filter indent changes lists
                blocks.append(block)
        text = "".join(blocks)
        text.encode()
        return {"text": text, "spans": [list(s) for s in spans]}
    except Late:
        return {"late": True}
    except Exception as e:
        return {"error": f"{type(e).__name__}: {e}"}
    finally:
        signal.alarm(0)


def snippets(count, seed):
    """Templates with the names of the sets that they are rendered with."""
    for line in BORDERS.read_text().splitlines():
        yield line, "chat"
    rng = random.Random(seed)
    for _ in range(count):
        yield Grammar(rng).template(), rng.choice(list(SETS))


def addresses(text):
    """Whether a text holds what differs from run to run."""
    return " at 0x" in text


def compare(args):
    tasks = [(t, SETS[s], s) for t, s in snippets(args.count, args.seed)]
    for file in args.files:
        for s, values in {**SETS, **TALKS}.items():
            tasks.append((pathlib.Path(file).read_text(), values, f"{file} {s}"))
    lines = "".join(json.dumps({"template": t, "vars": v}) + "\n" for t, v, _ in tasks)
    out = subprocess.run([args.renderer], input=lines, capture_output=True, text=True)
    if out.returncode:
        sys.exit(out.stderr)
    counts, shown = collections.Counter(), collections.Counter()
    refusals = collections.Counter()
    for (template, values, place), line in zip(tasks, out.stdout.removesuffix("\n").split("\n"), strict=True):
        ours, theirs = json.loads(line), expected(template, values)
        if ours.get("kind") == "internal error":
            verdict = "DIFFERENT"
        elif "late" in theirs:
            verdict = "late"
        elif "text" in theirs and addresses(theirs["text"]):
            verdict = "address, refused" if ours.get("kind") in ("refused", "limit") else "DIFFERENT"
        elif "error" in theirs and "text" not in ours:
            verdict = "both refuse"
        elif ours.get("kind") in ("refused", "limit"):
            verdict = "refused by name"
            refusals[ours["error"].split(": ", 1)[-1]] += 1
        elif "text" in theirs and ours.get("text") == theirs["text"] and ours.get("spans", []) == theirs["spans"]:
            verdict = "equal"
        else:
            verdict = "DIFFERENT"
        counts[verdict] += 1
        if verdict == "DIFFERENT" and shown[verdict] < args.show:
            shown[verdict] += 1
            print(f"--- {place}\n{template!r}\n  jinja2 {theirs}\n  ours   {ours}")
    for reason, n in refusals.most_common():
        print(f"  refused {n}: {reason}")
    print(f"seed {args.seed}: {len(tasks)} templates: " + ", ".join(f"{n} {v}" for v, n in counts.most_common()))
    sys.exit(1 if counts["DIFFERENT"] else 0)


def golden(args):
    cases = []
    for template, name in snippets(args.count, args.seed):
        result = expected(template, SETS[name])
        if "late" in result or "text" in result and addresses(result["text"]) or len(template) > 400:
            continue
        case = {"template": template, "set": name}
        if "text" in result:
            case["text"] = result["text"]
            if result["spans"]:
                case["spans"] = result["spans"]
        cases.append(case)
    body = ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases)
    sets = json.dumps(SETS, ensure_ascii=False)
    path = pathlib.Path(args.file)
    path.write_text(f'{{"sets": {sets},\n"cases": [\n{body}\n]}}\n')
    print(f"{path}: {len(cases)} cases, {sum('text' in c for c in cases)} with a text, {path.stat().st_size} bytes")


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    p = commands.add_parser("compare")
    p.add_argument("renderer")
    p.add_argument("files", nargs="*")
    p.add_argument("--count", type=int, default=5000)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--show", type=int, default=20)
    p.set_defaults(run=compare)
    p = commands.add_parser("golden")
    p.add_argument("file")
    p.add_argument("--count", type=int, default=4000)
    p.add_argument("--seed", type=int, default=7)
    p.set_defaults(run=golden)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
