"""Writes sums of what jinja2, as transformers sets it up, makes of combinations: each operator, filter, test and method with values of each type, and
statements within statements: data/chat/jinja/testdata/combinations.json.

    python scripts/golden/combinations.py RENDERER > data/chat/jinja/testdata/combinations.json

A family has templates with the places $1, $2 … and what stands there in turn. The last place turns fastest. A sum is of the results of a template and a
choice of all places but the last: the first eight hexadecimal digits of the SHA-256 of the texts, each followed by a zero byte, an error being "!".
What RENDERER, the program built from scripts/parity/templates, refuses is an error too. It fails, with what differs, where RENDERER has another text, or one
where jinja2 has an error.
"""

import collections
import concurrent.futures
import hashlib
import inspect
import itertools
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "parity"))
import templates  # noqa: E402

FILTERS = templates.reference._cached_compile_jinja_template("").environment.filters
TESTS = templates.reference._cached_compile_jinja_template("").environment.tests

NUMBERS = ["true", "0", "1", "-1", "2", "7", "-12", "255", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "(2**70)", "0.0", "0.5", "-2.5", "2.0", "1e16", "1e-7", "123456.789", "('inf'|float)",
           "('-inf'|float)", "('nan'|float)"]
STRINGS = ["''", "'a'", "'b'", "'ab'", "'aB cd\\n'", "' 12 '", "'-3.5'", "'\u00e9\u4e16\U0001f642'", "'\u007f\u0080\u00a0\u00ff\u0100\uffff\U00010000'", "'a,b,,c'", "'x%y{z}<&>'", "(h|safe)", "'it\\'s \"q\"'"]
SEQUENCES = ["[]", "[1]", "[3, 1, 2]", "['b', 'A', 'a']", "[[1, 2], [3, 4]]", "[none, 1.0, true, 'x']", "()", "(1,)", "(2, 'x')", "range(0)", "range(1)", "range(5, 0, -2)", "range(1, 9, 3)"]
MAPPINGS = ["{}", "{'a': 1}", "d", "{2: 'x', (1, 2): [3], none: none}", "d.keys()", "d.values()", "d.items()", "{'a': 1}.keys()", "{}.values()", "messages[0]"]
OTHERS = ["missing", "none", "false", "d.nope", "(xs|map('abs'))", "(''|map('abs'))", "namespace()", "joiner('x')", "cycler(1, 2)", "rows", "range", "dict"]
VALUES = NUMBERS + STRINGS + SEQUENCES + MAPPINGS + OTHERS
FEW = ["none", "true", "0", "1", "-1", "3", "2.5", "''", "'a'", "'b'", "' '", "'a,b'", "'n'", "['a', 'b']", "('', 'b')", "{'a': 'A'}", "missing", "[1]"]
TEXTS = ["''", "'a'", "'abab'", "' A  b\\tC\\r\\n'", "'a,b,,c'", "'\u00e9\u4e16\U0001f642a'", "('<a> b'|safe)", "'-07'", "'1a B2\u00df'"]
BINARY = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]
LEFT = ["true", "0", "1", "-1", "7", "-12", "9223372036854775807", "(2**70)", "0.0", "-2.5", "2.0", "('nan'|float)", "''", "'ab'", "'%s'", "'\u00e9\u4e16'", "(h|safe)", "[]", "[1]", "['b', 'A']", "()", "(1,)", "(2, 'x')", "range(0)", "range(1, 9, 3)",
        "{}", "{'a': 1}", "d.keys()", "{'a': 1}.items()", "missing", "none", "(xs|map('abs'))", "dict"]
SMALL = [v for v in LEFT if v not in ("9223372036854775807", "(2**70)")]  # to repeat with

shown = "{{ $ }}|{{ [$] }}"


def show(expression):
    return shown.replace("$", expression)


def unary():
    yield from (show(e) for e in ["$1", "not $1", "-$1", "+$1", "$1 if $1 else 'no'", "($1 if false)", "$1 == $1", "$1 is sameas $1", "$1[0]", "$1[1]", "$1[-1]", "$1[-2]", "$1['a']", "$1.a", "$1['b'].a", "$1[none]", "$1[true]", "$1[1.0]", "$1[(1, 2)]",
                                  "$1[:]", "$1[1:]", "$1[:1]", "$1[:-1]", "$1[-1:]", "$1[::2]", "$1[::-1]", "$1[2:0:-1]", "$1[1:9:2]", "$1[5:]", "$1[-9:2]", "$1()", "$1(1)", "$1 ** 0", "$1 ** 2", "2 ** $1 if $1 is number and $1 < 99 else 0",
                                  "$1 < 1 < 2", "0 < $1 < 3", "1 if $1", "{$1: 1}", "($1, $1)", "[[$1]]|string", "($1)|tojson", "$1|tojson(indent=2)", "$1|tojson(sort_keys=true)", "{'k': $1}|tojson", "[$1]|pprint", "[[$1] * 9] * 3|pprint",
                                  "dict($1)", "dict($1, a=2)", "namespace($1)", "range($1)|length if $1 is not number or $1 < 999 else 0", "range(2, $1)|length", "range(9, 1, $1)|list", "cycler($1).next()", "joiner($1)", "d.get($1)", "d.get('nope', $1)", "d[$1]", "xs[$1]", "s[$1]", "xs[$1:]",
                                  "s[:$1]", "s[::$1]", "(1, 2)[$1]", "range(9)[$1]", "range(9)[$1:]", "s.count($1)", "xs.count($1)", "xs.index($1)", "range(9).count($1)", "range(9).index($1)", "$1 in xs", "$1 in s", "$1 in d", "$1 in range(9)", "$1 in d.keys()", "$1 in d.values()",
                                  "s.split($1)", "s.join($1)", "'-'.join($1)", "s.startswith($1)", "s.strip($1)", "s.replace('l', $1)", "s.replace('l', 'L', $1)", "s.find('l', $1)", "s.find('l', 0, $1)", "raise_exception($1)", "strftime_now($1)"])
    yield "{% for x in $1 %}{{ loop.index }}/{{ loop.length }}:{{ x }}{{ loop.last }};{% else %}none{% endfor %}"
    yield "{% for x in $1 if x %}{{ loop.index0 }}{{ loop.revindex }}:{{ x }}{{ loop.previtem }}{{ loop.nextitem }};{% else %}none{% endfor %}"
    yield "{% for a, b in $1 %}{{ a }}={{ b }}{{ loop.first }}{{ loop.changed(a) }};{% endfor %}"
    yield "{% set a, b = $1 %}{{ a }}-{{ b }}"
    yield "{% set a = $1 %}{{ [a] }}{{ a is defined }}"
    yield "{% if $1 %}yes{% elif not $1 %}no{% endif %}"
    yield "{% macro m(a, b=$1) %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m($1) }}{{ m(*$1) }}{{ m(**$1) }}"
    yield "{% macro m(a, b=$1) %}{{ a }}{{ b }}{{ varargs }}{% endmacro %}{{ m($1) }}{{ m($1, b=2) }}"
    yield "{% set ns = namespace(a=$1) %}{{ ns.a }}{% set ns.b = $1 %}{{ [ns.b] }}"
    yield "{% with a = $1 %}{{ a }}{% endwith %}"
    yield "{% filter default($1) %}x{% endfilter %}"
    yield "{% autoescape true %}{{ $1 }}{% endautoescape %}"
    for name in FILTERS:
        if name != "random":
            yield show(f"$1|{name}")
            yield show(f"$1|{name}|list")
    for name in ["upper", "length", "first", "abs", "string", "int", "default", "tojson", "e"]:
        yield show(f"$1|map('{name}')|list")
    for name in TESTS:
        if name.isidentifier():
            yield show(f"$1 is {name}")
            yield show(f"$1 is not {name}")
            yield show(f"$1|select('{name}')|list")
    for name in templates.METHODS:
        yield show(f"$1.{name}()")
        yield show(f"$1.{name}('a')")


def formats():
    for flags in ["", "5", "-5", "05", "+", " ", "#", ".2", "8.3", "-8.1", "+08.2", "#.0", ".0"]:
        for kind in "sdrafegxXocEGiu":
            yield f"{{{{ '[%{flags}{kind}]' % $1 }}}}"
    yield from ["{{ '%s %s' % $1 }}", "{{ '%(a)s' % $1 }}", "{{ '%%' % $1 }}", "{{ 'x' % $1 }}", "{{ '%s' % ($1,) }}", "{{ '%*d' % ($1, 5) }}", "{{ '%.*f' % (2, $1) }}", "{{ '%s'|format($1) }}", "{{ '{a[0]}'.format(a=$1) }}", "{{ '{0.a}'.format($1) }}", "{{ '{:{}}'.format($1, 7) }}",
                "{{ '{!r} {!s} {!a}'.format($1, $1, $1) }}"]
    for spec in ["", "5", "<5", ">5", "^6", "*^7", "=5", "05", "+", "-", " ", "#", ",", "_", ".2", ".0", "7.3"]:
        for kind in ["", "s", "d", "f", "e", "g", "x", "b", "o", "c", "%", "n", "X", "G"]:
            yield f"{{{{ '[{{:{spec}{kind}}}]'.format($1) }}}}"


def arguments():
    """Filters with a value for each of their parameters, alone."""
    values = ["'aB, c-d\\n e'", "ss", "rows", "d", "-12.567", "missing", "'http://a.bc/d?e=f&g x@y.zz <b>'"]
    snippets = []
    for name, f in FILTERS.items():
        if name in ("random",):
            continue
        for p in list(inspect.signature(f).parameters.values())[1:]:
            if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in ("environment", "eval_ctx", "context"):
                snippets.append(show(f"$1|{name}({p.name}=$2)") if name not in ("map", "select") else show(f"$1|{name}({p.name}=$2)|list"))
        snippets.append(show(f"$1|{name}($2)"))
        snippets.append(show(f"$1|{name}($2)|list"))
    for name in ["map", "select", "reject", "selectattr", "rejectattr"]:
        snippets += [show(f"$1|{name}('v', $2)|list"), show(f"$1|{name}('n', 'eq', $2)|list"), show(f"$1|{name}('default', $2)|list")]
    for more in ["batch(2, $2)|list", "slice(2, $2)|list", "truncate(7, false, $2)", "truncate(7, true, '', $2)", "truncate(5, leeway=$2)", "indent(2, $2)", "indent(2, true, $2)", "indent($2, true, true)", "wordwrap(3, $2)", "wordwrap(4, true, $2)", "wordwrap(4, true, none, $2)",
                 "round($2, 'floor')", "round($2, 'ceil')", "join('-', $2)", "join($2, 'v')", "sort(true, $2)", "sort(false, true, $2)", "sum('v', $2)", "default('x', $2)", "replace('a', $2)", "replace('', $2)", "replace(' ', '', $2)", "tojson(true, $2)", "tojson(indent=1, separators=(';', $2))", "int($2, 16)", "int(0, $2)",
                 "dictsort(true, $2)", "dictsort(false, 'value', $2)", "groupby('n', $2)", "groupby('v')|map('last')|list", "map(attribute='n', default=$2)|list", "urlize(5, $2)", "urlize(none, false, $2)", "xmlattr($2)", "filesizeformat($2)"]:
        snippets.append(show(f"$1|{more}"))
    return snippets, values


def methods():
    names = [m for m in dir(str) if m[0] != "_"] + ["get", "pop", "copy", "append", "items", "keys"]
    return [show(f"$1.{name}($2)") for name in names]


def scopes():
    """Statements around statements; what is set inside is read inside and behind."""
    around = ["@{{ a }}", "{% if true %}@{% endif %}{{ a }}", "{% if not a %}{% set a = 'e' %}{% else %}@{% endif %}{{ a }}", "{% for x in [1, 2] %}@{{ a }}{% endfor %}{{ a }}{{ x }}", "{% for a in 'pq' %}@{{ a }}{% else %}0{% endfor %}{{ a }}",
              "{% for x in [] %}{% else %}@{% endfor %}{{ a }}", "{% with a = 3 %}@{{ a }}{% endwith %}{{ a }}", "{% with b = a %}@{{ b }}{% endwith %}{{ a }}{{ b }}", "{% macro m(a) %}@{{ a }}{% endmacro %}{{ m(5) }}{{ a }}{{ m() }}",
              "{% macro m(b, c=a) %}@{{ c }}{% endmacro %}{% set a = 6 %}{{ m(1) }}{{ c }}", "{% macro n() %}<{{ caller() }}{{ a }}>{% endmacro %}{% call n() %}@{{ a }}{% endcall %}{{ a }}", "{% macro n() %}{{ caller('v') }}{% endmacro %}{% call(a) n() %}@{{ a }}{% endcall %}{{ a }}",
              "{% set a %}@{{ a }}{% endset %}{{ a }}", "{% set b %}@{% endset %}{{ b }}{{ a }}", "{% filter upper %}@{{ a }}{% endfilter %}{{ a }}", "{% generation %}@{% endgeneration %}{{ a }}", "{% block k %}@{{ a }}{% endblock %}{{ a }}",
              "{% for x in [1, 2] if x != a %}@{{ loop.index }}{% break %}{% endfor %}", "{% for x in [1, [2]] recursive %}@{{ loop.depth }}{% if loop.depth < 2 and x != 1 %}{{ loop(x) }}{% endif %}{% endfor %}"]
    inner = ["", "{{ a }}", "{% set a = 'i' %}", "{{ a }}{% set a = 'i' %}{{ a }}", "{% set a = a ~ 'i' %}", "{% set b = 'j' %}{{ b }}", "{{ b }}{% set a, b = 1, 2 %}", "{% for a in 'z' %}{{ a }}{% endfor %}", "{{ m is defined }}", "{% if a %}{% set a = none %}{% endif %}"]
    before = ["", "{% set a = 'o' %}", "{% set a = '' %}{% set b = 'k' %}"]
    twice = [x.replace("@", y.replace("macro m", "macro q").replace(" m(", " q(").replace("macro n", "macro r").replace(" n()", " r()").replace("block k", "block l")) for x in around for y in around]
    return ["$1" + t.replace("@", "$2") for t in twice], before, inner


def spaces():
    """Tags with marks for white space between pieces of text."""
    tags = [f"{{%{a} if true {b}%}}" for a in ("", "-", "+") for b in ("", "-", "+")] + [f"{{{{{a} 'v' {b}}}}}" for a in ("", "-") for b in ("", "-")] + \
           [f"{{#{a} c {b}#}}" for a in ("", "-") for b in ("", "-")] + ["{% raw %} r \n{% endraw %}", "{%- raw -%} r \n {%- endraw -%}", "{% raw -%}\n r{%+ endraw -%}"]
    texts = ["", " ", "\n", " \n", "\n ", "  \n\n  ", "x", " x", "x ", "x\n", "\nx", "x\n  ", "\r\n", " \t"]
    return ["$1" + t + "$2" + ("{% endif %}" if "if" in t else "") for t in tags] + ["$1" + t + "$2" + u for t in tags[::2] for u in ("{% endif %}$1" if "if" in t else "{{ 1 }}$1", "{%- endif -%}$1" if "if" in t else "{#- -#}$1")], texts, texts


def tokens():
    """Two and three tokens in a row: what the lexer and the parser make of them."""
    parts = ["a", "1", "1.5", "'s'", "+", "-", "*", "**", "/", "//", "%", "~", "==", "=", "<", "(", ")", "[", "]", "{", "}", ",", ".", ":", "|", "in", "not", "is", "and", "or", "if", "else", "none", "x", "upper", "defined", "1_0", ".5", "!"]
    return ["{{ $1 $2 }}", "{{$1$2}}", "{{ a $1 $2 }}", "{{ a $1 b $2 }}", "{{ ($1 $2) }}", "{% set a = $1 $2 %}{{ a }}", "{% if $1 $2 %}y{% endif %}", "{{ 2 $1 1 $2 3 }}", "{{ s[$1 $2] }}", "{{ s.$1 $2 }}", "{{ xs|$1 $2 }}", "{% for $1 $2 xs %}{{ x }}{% endfor %}", "{{ dict($1 $2) }}"], parts, parts


def literals():
    numbers = ["0", "00", "01", "10", "1_0", "1__0", "1_", "_1", "0x1F", "0X_1f", "0x", "0b101", "0B2", "0o17", "0O8", "1.5", "1.", ".5", "1.5e3", "1e5", "1E+5", "1e-5", "1e", "1.5_0", "1_0.5e1_0", "1e400", "1.0.0", "0.1", "123456789012345678901234567890", "5.5.upper", "5 .real"]
    texts = [r"\n", r"\t", r"\\", r"\'", r"\"", r"\x41", r"\x4", r"\xe9", r"\u00e9", r"\u12", r"\U0001f642", r"\101", r"\7", r"\18", r"\400", r"\q", r"\N{DASH}", r"\a\b\f\v\r", "\n", "\u00e9", "{{", "%}", "#}", "$", "\U0001f642"]
    names = ["a", "_a", "\u00e9", "\u4e16", "a1", "1a", "a-b", "True", "none", "None", "loop", "caller", "if", "in", "a\u00b7", "\u2118", "x\u0300"]
    return [show("$1"), "{{$1}}", "{{ $1.real }}", "{{ [$1, 2][0] }}", "{{ $1 + 1 }}", "{{ $1e1 }}", "{{ -$1|abs }}", "{% set $1 = 5 %}{{ $1 }}", "{% for $1 in [1] %}{{ $1 }}{% endfor %}", "{% macro $1($1) %}{{ $1 }}{% endmacro %}{{ $1(3) }}", "{{ d.$1 }}", "{{ dict($1=2) }}", "{{ 5|$1 }}", "{{ 5 is $1 }}",
            "{{ '$1' }}", '{{ "$1" }}', "{{ '$1'|length }}", "{{ 'a$1b' 'c' }}"], numbers + texts + names


def loops():
    attributes = ["index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0", "previtem", "nextitem", "previtem is defined", "nextitem|default('n')", "cycle('a', 'b')", "cycle()", "changed(x)", "changed(x, loop.first)", "nope", "cycle", "__x__"]
    heads = ["for x in $1", "for x in $1 if x", "for x in $1 if loop.index", "for x in $1|reverse", "for x in ($1, $1)|first recursive", "for x, y in [$1, $1]", "for x in $1|map('string')"]
    tails = ["", "{% if loop.index > 1 %}{% break %}{% endif %}", "{% if x == 1 %}{% continue %}{% endif %}", "{% for y in 'ab' %}{{ loop.index }}{{ loop.depth }}{% endfor %}"]
    return [f"{{% {head} %}}{{{{ loop.$2 }}}}{tail}{{{{ loop.$2 }}}};{{% else %}}e{{% endfor %}}" for head in heads for tail in tails], ["[]", "[1]", "[1, 2]", "[1, 1, 2]", "'ab'", "{'a': 1, 'b': 2}", "(xs|map('abs'))", "range(3)", "5", "missing"], attributes


def calls():
    parameters = ["", "a", "a, b", "a=1", "a, b=a", "a=b, b=2", "a, b=2, c=3", "caller", "a, caller=none", "a, a", "a=1, b", "*a", "self", "varargs"]
    arguments = ["", "5", "5, 6", "5, 6, 7, 8", "a=5", "5, a=6", "b=6", "b=6, a=5", "5, c=9", "z=1", "*[1, 2]", "*[]", "**{'a': 1}", "**{'z': 1}", "5, *[6]", "*5", "**5", "a=1, a=2", "a=1, 5", "missing", "caller=3"]
    body = "[{{ a }}{{ b }}{{ c }}"
    return ["{% macro m($1) %}" + body + "]{% endmacro %}{{ m($2) }}", "{% macro m($1) %}" + body + "{{ varargs }}{{ kwargs }}]{% endmacro %}{{ m($2) }}", "{% macro m($1) %}" + body + "{{ caller($2) }}]{% endmacro %}{% call m(5) %}{{ a }}x{% endcall %}",
            "{% macro m(a) %}" + body + "{{ caller($2) }}]{% endmacro %}{% call($1) m(5) %}{{ a }}{{ b }}x{% endcall %}", "{% macro m($1) %}{{ caller is defined }}{{ caller }}{% endmacro %}{{ m($2) }}",
            "{% macro m($1) %}{% endmacro %}{{ m.name }}{{ m.arguments }}{{ m.catch_kwargs }}{{ m.catch_varargs }}{{ m.caller }}{{ m($2) }}", "{{ range($2) }}", "{{ dict($2) }}", "{{ namespace($2).a }}", "{{ 'x'.replace($2) }}", "{{ s.split($2) }}", "{{ xs|join($2) }}", "{{ 5 is divisibleby($2) }}", "{{ cycler($2).next() }}",
            "{{ strftime_now($2) }}", "{{ raise_exception($2) }}", "{{ '{} {a}'.format($2) }}", "{{ d.get($2) }}"], parameters, arguments


def dates():
    letters = "aAbBcCdDeFgGhHIjklmMnNpPQrRsStTuUvVwWxXyYzZ%E"
    return ["[{{ strftime_now('$1$2') }}]", "[{{ strftime_now('a $1$2%Y') }}]"], ["%", "%-", "%_", "%0", "%^", "%#", "%-^", "%_^", "%E", "%O", "%5", "%05", "%_5", "%-5", "%+", "% ", "%%"], list(letters) + [""]


def statements():
    """Statements that templates of one file do not have, where nobody comes."""
    context = ["", " with context", " without context", " with", " context", " ignore missing", " ignore missing with context", " ignore missing without context"]
    heads = ["include 'x'", "include ['x', 'y']", "include a", "import 'x' as y", "import 'x'", "from 'x' import y", "from 'x' import y as z, w", "from 'x' import y,", "from 'x' import", "from 'x' import _y", "extends 'x'", "extends", "do a", "do", "debug", "trans %}{% endtrans", "set x", "set x = ", "set = 1",
             "set x.y = 1", "set x, y", "with", "with a", "with a = 1", "autoescape", "autoescape true", "macro", "macro m", "macro m()", "call", "call m()", "call(a) m()", "filter", "filter upper", "filter upper|lower", "filter nope", "block", "block b", "block b scoped", "block b required", "block b required scoped", "block b-c", "block b %}{% endblock c", "block b %}{% endblock b",
             "for", "for x", "for x in", "for x in [] if", "for x in [] recursive", "for x in [] recursive if true", "for x.y in [1]", "for 1 in [1]", "for x, in [1]", "if", "elif", "else", "endif", "print", "print 1", "print 1, 2", "raw", "generation", "generation x", "break", "continue", "break x"]
    ends = ["", "{% endset %}", "{% endwith %}", "{% endautoescape %}", "{% endmacro %}", "{% endcall %}", "{% endfilter %}", "{% endblock %}", "{% endfor %}", "{% endif %}", "{% else %}{% endfor %}", "{% else %}{% endif %}", "{% elif x %}{% endif %}", "{% endraw %}", "{% endgeneration %}"]
    return ["{% if false %}{% $1 %}$2{% endif %}ok", "{% $1 %}x$2", "{%- $1 -%} x $2"], [h + c for h in heads for c in (context if h[:3] in ("inc", "imp", "fro") else [""])], ends


def families():
    yield {"templates": list(unary()), "places": [VALUES]}
    yield {"templates": list(formats()), "places": [NUMBERS + [STRINGS[8], "'aB cd'", "'\u00e9\u4e16\U0001f642'", "(h|safe)", "[1]", "(1,)", "(2, 'x')", "d", "{'a': 1.5}", "none", "missing", "range(3)"]]}
    yield {"templates": [show(f"$1 {op} $2") for op in BINARY if op != "*"], "places": [LEFT, LEFT]}
    yield {"templates": [show("$1 * $2")], "places": [SMALL, SMALL]}
    snippets, values = arguments()
    yield {"templates": snippets, "places": [values, FEW]}
    yield {"templates": methods(), "places": [TEXTS + ["d", "xs", "(1, 2)", "range(3)"], FEW]}
    yield {"templates": [show(f"$1.{name}($2, $2)") for name in templates.METHODS], "places": [["'aba'", "xs", "(1, 2)", "d", "range(3)", "5", "2.5", "h|e"], ["0", "1", "'a'", "none"]]}
    yield {"templates": [show(f"$1.{name}($2, $3)") for name in ["replace", "find", "rfind", "count", "index", "split", "rsplit", "center", "ljust", "rjust", "startswith", "endswith"]],
           "places": [TEXTS, ["'a'", "''", "'ab'", "none", "1", "7", "('a', 'b')", "'\u4e16'"], ["0", "1", "-1", "2", "'b'", "'xy'", "none", "99"]]}
    a, b, c = scopes()
    yield {"templates": a, "places": [b, c]}
    a, b, c = spaces()
    yield {"templates": a, "places": [b, c]}
    a, b = literals()
    yield {"templates": a, "places": [b]}
    a, b, c = loops()
    yield {"templates": a, "places": [b, c]}
    a, b, c = calls()
    yield {"templates": a, "places": [b, c]}
    a, b, c = dates()
    yield {"templates": a, "places": [b, c]}
    a, b, c = statements()
    yield {"templates": a, "places": [b, c]}
    a, b, c = tokens()
    yield {"templates": a, "places": [b, c]}


def written(template, choice):
    for i, text in enumerate(choice):
        template = template.replace(f"${i + 1}", text)
    return template


def expected(template):
    return templates.expected(template, templates.SETS["chat"])


def main():
    done, counts = [], collections.Counter()
    with concurrent.futures.ProcessPoolExecutor(3) as pool:
        for family in families():
            family["templates"] = list(dict.fromkeys(family["templates"]))
            keys = [(t, choice) for t in family["templates"] for choice in itertools.product(*family["places"])]
            sources = [written(t, choice) for t, choice in keys]
            lines = "".join(json.dumps({"template": t, "vars": templates.SETS["chat"]}) + "\n" for t in sources)
            out = subprocess.run([sys.argv[1]], input=lines, capture_output=True, text=True)
            if out.returncode:
                sys.exit(out.stderr)
            sums = {}
            references = pool.map(expected, sources, chunksize=200)
            for (t, choice), source, line, theirs in zip(keys, sources, out.stdout.removesuffix("\n").split("\n"), references, strict=True):
                ours = json.loads(line)
                verdict = "equal" if "text" in ours else "error" if "error" in theirs else "refused"
                if ours.get("kind") == "internal error" or "text" in ours and ours["text"] != theirs.get("text"):
                    verdict = "DIFFERENT"
                    print(f"{source!r}\n  jinja2 {theirs}\n  ours   {ours}", file=sys.stderr)
                counts[verdict] += 1
                sums.setdefault((t, choice[:-1]), hashlib.sha256()).update(ours.get("text", "!").encode() + b"\0")
            done.append({**family, "sums": [h.hexdigest()[:8] for h in sums.values()]})
            print(len(keys), len(sums), dict(counts), file=sys.stderr)
    print("[" + ",\n".join(json.dumps(f, ensure_ascii=False) for f in done) + "]")
    sys.exit(1 if counts["DIFFERENT"] else 0)


if __name__ == "__main__":
    main()
