"""Compare our regular expressions (data/onig) with Oniguruma as Hugging Face tokenizers has it.

    scripts/parity/regex.sh [patterns, default 5000 [seed]]
    python scripts/parity/onig.py golden > data/onig/testdata/golden.json

Fixed expressions, one for each construct of Oniguruma's doc/RE and its corners, and generated ones, on hostile texts: what
matches and what lies between must be the same, or the expression refused by us with the place. Exits 1 if any differs.
"""

import json
import os
import random
import subprocess
import sys

from tokenizers import Regex, pre_tokenizers

os.environ["TOKENIZERS_PARALLELISM"] = "false"
TEXTS = [
    "", "é b! 12", "a1é٣b", 'x  \nyz  ', 'ab\nab', "¿a😀b!", "naïve 日本 ひら", "Straße STRASSE ſ ß", 'a\xa0b\u3000c\td', "ab aab aaab",
    "αβγ abc", "xyz abc x", "b", 'ab\n', 'ab\r\ncd\n\n', "café é", "ſs SS ẞ ﬁ fi FI ﬀi ŉ ΐ", "İi̇ Iı kK K Å å Å", "_a-b.c[d]e",
    "$+<=>^`|~!\"#%&'()*,-./:;?@[\\]_{}", '\x00\x07\x1b\x7f\x85\u2028\u200d',
    '\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7\U0001f469\u200d\U0001f469\u200d\U0001f467e\u0301\u0301', "aaaa", "abcabcabc",
    "it's I'LL we'Ve 'ſ", "١٢٣ ⅷ ½ ² ①", "ǅ Ǆ ǆ ς σ Σ", "0123456789", 'the\n\n quick\r\n\tbrown',
]
FIXED = [
    r"\W", r"\b", "^", "$", r"\B", r"\A", r"\z", r"\Z", "^a", "a$", "b$", "^b", r"\n$", r"^\n", r"\w+", r"\w+?", r"\w*", r"\w*?", r"\w*+",
    r"\w++", r"\w?+", "[a-z]+", "[^a-z]+", "[[:alpha:]]+", "[[:^alpha:]]+", "[[:punct:]]", "[[:space:]]+", "[[:upper:]]", "[[:lower:]]",
    "[[:cntrl:]]", "[[:graph:]]", "[[:print:]]", "[[:xdigit:]]+", "[[:word:]]+", "[[:alnum:]]+", "[[:digit:]]+", "[[:blank:]]",
    "[[:ascii:]]+", "[a-z&&[^aeiou]]+", "[a-z&&b-y&&c-x]", "[^a-z&&[aeiou]]", "[a[bc]d]+", "[a[^bc]d]", "[[a]]", r"[\w&&[^\d]]+",
    r"[\p{L}&&[^\p{Lu}]]+", r"[^\P{L}]", r"[\P{L}]+", r"\p{^L}+", r"\P{^L}+", r"[\p{^L}]+", r"\h+", r"\H+", r"\R", r"\R+", r"\X", r"\X+",
    r"\N+", r"\O+", "(?i)a", "(?i)s", "(?i)k", "(?i)å", "(?i)ss", "(?i)ß", "(?i)[s]", "(?i)[a-z]+", "(?i)[^a-z]+", "(?i)[ß]", "(?i)[^ß]",
    "(?i)fi", "(?i)ﬁ", "(?i)ffi", "(?i)straße", "(?i)strasse", "(?i)i", "(?i)İ", "(?i)σ", "(?i)ŉ", "(?i)ʼn", "(?i)ǆ", "(?i:'s", "'t",
    "'re", "'ve", "'m", "'ll", "'d)", r"(?i)\p{Lu}", r"(?i)[\p{Lu}]", "(?i)ſ", "(?i)[ſ]", "a{2}", "a{2,}", "a{,2}", "a{1,2}", "a{2}?",
    "a{2}+", "a{1,2}?", "a{1,2}+", "a{0}", "a{0,}", "(?:ab", "a){2}", "(?:a", "ab)(?:c", "bcd)*", "(?>a", "ab)c", "(?>a+)b", "(?<=a)b",
    "(?<!a)b", "(?<=^)a", "(?<=a", r"(?<!\w)\w", "(?=b)", "(?!b)", "a(?=b)", "a(?!b)", r"\s+(?!\S)", r"\s+(?!\S)\s+", "(?:a*)*b",
    "(?:a*)+", "b*)*", "(", "a)+b", "(a*?)*?b", "(a?)*b", "x*", "(?:)", "a", "", "b", ".", "(?m).", ".+", "(?m).+", "(?m:.)+", "a.c",
    "(?x) a b # c", "(?#comment)a", "(?<n>a)b", "(?'n'a)b", r"\x41", r"\x{e9}", r"\x{e9 301}", r"\u00e9", r"\t", r"\e", r"\a", r"\f",
    r"\v", r"\07", r"\101", r"\o{101}", r"[\x{61}-\x{63}]", r"[\u0061-c]", "[a-]", "[-a]", "[]a]", "[^]a]", r"[a\-z]", r"[\d\-a]",
    "[0-9-a]", "[a-c-e]", r"[\b]", r"[\n\r]", "[.]", "[$^]", "[*+?]", "{", "}", "]", "a{", "a{x}", "a{,}", "a{1,", r"\{", r"\Q", r"\_",
    r"\-", r"\.", r"\p{Han}+", r"\p{Script_Extensions}", r"\p{Latin}+", r"\p{Greek}", r"\p{Nd}+", r"\p{N}", r"\p{Emoji}",
    r"\p{Alphabetic}+", r"\p{lu}", r"\p{ L u }", r"\p{Uppercase Letter}", r"[\p{L}\p{N}_]+", r"[^\s\p{L}\p{N}]+", r"\S+", r"\S", r"\s",
    r"\s+", r"\D", r"\d", r"[\D]", r"[\S]", r"[\W]", r"[^\W]", r"[\H]", r"\b\w", r"\w\b", r"\B\w", r"\b{1}", "(?i)(?-i)a", "(?i:a)b",
    "(?-i:a)", "a(?i)b", "c", "(a)", "(?:(a)", "b)", "((((a))))", r"\Aab", r"ab\z", r"ab\Z", r"\n\Z", r"(?<=\n)", r"(?<!\n)^", "^^", "$$",
    "^$", r"\A\z", "a*?b", "a+?", "a??", "a??b", "(?:ab)+?", "(?:ab)*+a", "[ab]*+b", "(?i)[[:upper:]]", "(?i)[[:lower:]]", r"(?i)\x{17f}",
    "(?i)[k-l]", "(?i)[^k]", r"\pL", r"\p", "a|b|ab", "ab|a", "(?:a|ab)c",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\s+", "(?i)a|B|c",
    "a(?i)b|C", "(?:a|b*)*", "(?:a|(?=b))+", "(?<=a|bc)d", r"\s*[\r\n]+|\s+(?!\S)|\s+", r"(?:^|\s)a", "(?i)s|ß", "(?i)ſs|t",
    r"<\|[a-z]+\|>", "(?:|a)+", "(|a)*b", "(a|)*?b", "(?:a?|b)*", "(?:(?:a)*?b?)*", "[a", "(a", "a)", "*", "a**", "a+*", "a?*", "+a",
    "[z-a]", "[]", "[^]", "\\", "(?z)a", r"\p{Foo}", "[[:foo:]]", "(?", "(?<", "[a&&]", "[&&a]", "[a&&&&b]", r"[a-\w]", r"[\w-a]", "^*",
    "(?:^)*a", "(?=a)*", r"\b+", r"\xff", r"\x", r"\x{110000}", r"\x{d800}", "(?i-m:a)", "(?im)a.", "[[:alpha:]&&[:lower:]]+",
    r"\x610", r"\x6a1", r"\1011", r"\0611", r"\u00611", r"\x{61}1", r"\o{141}1", r"\x4g", r"\u006", r"\08", r"\18", r"(a)\1", r"(?:a{2}){2}", "(?:a+)?", "(?:a+?)+",
    "(?:a*?)*b", "(?:a{2,})+", "(?:a+){2,}", "(?:a+)*?b", "(?:a+)++", "(?:a++)+", "(?:a?)+b", "(?:a?){2}",
    "[[:alpha:][:digit:]]+", "[a[:digit:]]", "[^[:alpha:]]+", "[[^a]]", "[^[^a]]", "[a&&^b]", "[[a-z]&&[^m-p]]+",
]

CHARS = [*"abcABCsSkKiI019_ .-'\n\t$+^|][{}&\\", *"éÉßẞſσΣςµÅKﬁﬀﬃ日ひ😀\u0301\u00a0\u2028\r½²٣ⅷǆǅİı"]
WORDS = ["the", "Straße", "STRASSE", "ffi", "don't", "abc", "ABC", "日本ひ", "123", "é", "e\u0301"]
TYPES = r"\w \W \d \D \s \S \h \H \p{L} \P{L} \p{Lu} \p{^Ll} \p{N} \p{M} \p{P} \P{^S} \p{Han} \p{Latin} \p{Alphabetic} \p{Word} \p{Punct}".split()
POSIX = "alpha digit alnum upper lower punct space cntrl graph print xdigit word blank ascii".split()
QUANTIFIERS = "? * + ?? *? +? ?+ *+ ++ {2} {1,2} {,2} {2,} {1,2}? {2}? {1,2}+ {0} {0,1}".split()
GROUPS = ["(?:", "(?:", "(", "(?>", "(?i:", "(?-i:", "(?m:", "(?=", "(?!", "(?<=", "(?<!"]


class Generator:
    """Random expressions and texts that they may match."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def char(self):
        c = self.rng.choice(CHARS)
        return "\\" + c if c in "$+^|][{}\\.*?()&-" else c

    def cls(self, depth=0):
        rng = self.rng
        out = ["^"] if rng.random() < 0.25 else []
        for _ in range(rng.randint(1, 4)):
            k = rng.random()
            if k < 0.35:
                out.append(self.char())
            elif k < 0.5:
                out.append("-".join(sorted(rng.sample("acegikmoqsuwyAEIKSZ059", 2))))
            elif k < 0.7:
                out.append(rng.choice(TYPES))
            elif k < 0.8:
                out.append("[:%s%s:]" % (rng.choice(["", "^"]), rng.choice(POSIX)))
            elif k < 0.9 and depth < 2:
                out.append(self.cls(depth + 1))
            elif k < 0.97 and depth < 2:
                out.append("&&" + rng.choice([self.cls(depth + 1), rng.choice(TYPES), self.char()]))
            else:
                out.append(rng.choice(["\\n", "\\x{e9}", "\\t", "\\-"]))
        return "[" + "".join(out) + "]"

    def atom(self, depth):
        rng, k = self.rng, self.rng.random()
        if k < 0.3:
            return "".join(self.char() for _ in range(rng.choice([1, 1, 1, 2, 3])))
        if k < 0.42:
            return rng.choice(TYPES)
        if k < 0.57:
            return self.cls()
        if k < 0.62:
            return "."
        if k < 0.66:
            return rng.choice([r"\R", r"\N", r"\O", r"\X"])
        if depth > 3:
            return self.char()
        return rng.choice(GROUPS) + self.pattern(depth + 1) + ")"

    def branch(self, depth):
        rng, out = self.rng, []
        for _ in range(rng.choice([1, 1, 2, 2, 3])):
            k = rng.random()
            if k < 0.08:
                out.append(rng.choice(["^", "$", r"\b", r"\B", r"\A", r"\z", r"\Z"]))
            elif k < 0.1:
                out.append(rng.choice(["(?i)", "(?-i)", "(?m)"]))
            else:
                a = self.atom(depth)
                if rng.random() < 0.4 and not a.startswith(("(?=", "(?!", "(?<=", "(?<!")):
                    a += rng.choice(QUANTIFIERS)
                    if rng.random() < 0.05:
                        a += rng.choice(QUANTIFIERS)
                out.append(a)
        return "".join(out)

    def pattern(self, depth=0):
        return "|".join(self.branch(depth) for _ in range(self.rng.choice([1, 1, 1, 2, 3])))

    def text(self):
        rng = self.rng
        if rng.random() < 0.6:
            return "".join(rng.choice(CHARS) * rng.choice([1, 1, 1, 2, 3]) for _ in range(rng.randint(0, 14)))
        return "".join(rng.choice(WORDS + CHARS + [" "] * 5) for _ in range(rng.randint(1, 8)))

    def case(self):
        return self.pattern(), [self.text() for _ in range(20)]


def theirs(pattern, texts):
    """For each text the ends of its pieces in bytes, negative for what lies between matches; None where tokenizers panics."""
    try:
        regex = Regex(pattern)
    except Exception:
        return None
    isolated, removed = pre_tokenizers.Split(regex, "isolated"), pre_tokenizers.Split(regex, "removed")
    out = []
    for text in texts:
        try:
            between = {offsets for _, offsets in removed.pre_tokenize_str(text)}
            out.append([len(text[:b].encode()) * (-1 if (a, b) in between else 1) for _, (a, b) in isolated.pre_tokenize_str(text)])
        except BaseException as e:
            if type(e).__name__ != "PanicException":
                raise
            out.append(None)
    return out


def golden():
    generator = Generator(7)
    cases = [(p, TEXTS) for p in FIXED] + [(p, texts[:5]) for p, texts in (generator.case() for _ in range(120))]
    out = []
    for pattern, texts in cases:
        want = theirs(pattern, texts)
        if want is None or None in want:
            continue
        case = {"pattern": pattern, "ends": want}
        if texts is not TEXTS:
            case["texts"] = texts
        out.append(json.dumps(case, separators=(",", ":")))
    print('{"texts":' + json.dumps(TEXTS) + ',"cases":[\n' + ",\n".join(out) + "\n]}")


def compare(program, count, seed):
    generator = Generator(seed)
    cases = [(p, TEXTS) for p in FIXED] + [generator.case() for _ in range(count)]
    request = "\n".join(json.dumps({"pattern": p, "texts": t}) for p, t in cases)
    answers = subprocess.run([program], input=request, check=True, stdout=subprocess.PIPE, text=True).stdout.rstrip("\n").split("\n")
    compared = differ = refused = both = 0
    for (pattern, texts), answer in zip(cases, answers, strict=True):
        got, want = json.loads(answer), theirs(pattern, texts)
        if "error" in got:
            both, refused = both + (want is None), refused + (want is not None)
            continue
        pairs = [(text, a, b) for text, a, b in zip(texts, want or [], got["ends"]) if a is not None]
        compared += len(pairs)
        bad = [pair for pair in pairs if pair[1] != pair[2]]
        if bad:
            differ += 1
            print(f"{pattern!r} on {bad[0][0]!r}: want {bad[0][1]}, got {bad[0][2]}")
    print(f"{len(cases)} expressions, {compared} comparisons, seed {seed}: {differ} expressions differ, {refused} are refused here only, {both} by both")
    return differ


if sys.argv[1] == "golden":
    golden()
else:
    sys.exit(1 if compare(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])) else 0)
