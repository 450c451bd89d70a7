package onig

import (
	"sync"
	"unicode"
)

// multiFolds are the foldings of Unicode's CaseFolding.txt that have several characters, with the characters that fold so.
var multiFolds = map[string]string{
	"\u0061\u02be": "\u1e9a", "\u0066\u0066": "\ufb00", "\u0066\u0066\u0069": "\ufb03", "\u0066\u0066\u006c": "\ufb04",
	"\u0066\u0069": "\ufb01", "\u0066\u006c": "\ufb02", "\u0068\u0331": "\u1e96", "\u0069\u0307": "\u0130",
	"\u006a\u030c": "\u01f0", "\u0073\u0073": "\u00df\u1e9e", "\u0073\u0074": "\ufb05\ufb06", "\u0074\u0308": "\u1e97",
	"\u0077\u030a": "\u1e98", "\u0079\u030a": "\u1e99", "\u02bc\u006e": "\u0149", "\u03ac\u03b9": "\u1fb4",
	"\u03ae\u03b9": "\u1fc4", "\u03b1\u0342": "\u1fb6", "\u03b1\u0342\u03b9": "\u1fb7", "\u03b1\u03b9": "\u1fb3\u1fbc",
	"\u03b7\u0342": "\u1fc6", "\u03b7\u0342\u03b9": "\u1fc7", "\u03b7\u03b9": "\u1fc3\u1fcc", "\u03b9\u0308\u0300": "\u1fd2",
	"\u03b9\u0308\u0301": "\u0390\u1fd3", "\u03b9\u0308\u0342": "\u1fd7", "\u03b9\u0342": "\u1fd6", "\u03c1\u0313": "\u1fe4",
	"\u03c5\u0308\u0300": "\u1fe2", "\u03c5\u0308\u0301": "\u03b0\u1fe3", "\u03c5\u0308\u0342": "\u1fe7",
	"\u03c5\u0313": "\u1f50", "\u03c5\u0313\u0300": "\u1f52", "\u03c5\u0313\u0301": "\u1f54", "\u03c5\u0313\u0342": "\u1f56",
	"\u03c5\u0342": "\u1fe6", "\u03c9\u0342": "\u1ff6", "\u03c9\u0342\u03b9": "\u1ff7", "\u03c9\u03b9": "\u1ff3\u1ffc",
	"\u03ce\u03b9": "\u1ff4", "\u0565\u0582": "\u0587", "\u0574\u0565": "\ufb14", "\u0574\u056b": "\ufb15",
	"\u0574\u056d": "\ufb17", "\u0574\u0576": "\ufb13", "\u057e\u0576": "\ufb16", "\u1f00\u03b9": "\u1f80\u1f88",
	"\u1f01\u03b9": "\u1f81\u1f89", "\u1f02\u03b9": "\u1f82\u1f8a", "\u1f03\u03b9": "\u1f83\u1f8b",
	"\u1f04\u03b9": "\u1f84\u1f8c", "\u1f05\u03b9": "\u1f85\u1f8d", "\u1f06\u03b9": "\u1f86\u1f8e",
	"\u1f07\u03b9": "\u1f87\u1f8f", "\u1f20\u03b9": "\u1f90\u1f98", "\u1f21\u03b9": "\u1f91\u1f99",
	"\u1f22\u03b9": "\u1f92\u1f9a", "\u1f23\u03b9": "\u1f93\u1f9b", "\u1f24\u03b9": "\u1f94\u1f9c",
	"\u1f25\u03b9": "\u1f95\u1f9d", "\u1f26\u03b9": "\u1f96\u1f9e", "\u1f27\u03b9": "\u1f97\u1f9f",
	"\u1f60\u03b9": "\u1fa0\u1fa8", "\u1f61\u03b9": "\u1fa1\u1fa9", "\u1f62\u03b9": "\u1fa2\u1faa",
	"\u1f63\u03b9": "\u1fa3\u1fab", "\u1f64\u03b9": "\u1fa4\u1fac", "\u1f65\u03b9": "\u1fa5\u1fad",
	"\u1f66\u03b9": "\u1fa6\u1fae", "\u1f67\u03b9": "\u1fa7\u1faf", "\u1f70\u03b9": "\u1fb2", "\u1f74\u03b9": "\u1fc2",
	"\u1f7c\u03b9": "\u1ff2",
}

// folds answers for the foldings of single characters.
var folds = sync.OnceValue(func() map[rune][]rune {
	to := map[rune][]rune{}
	for fold, from := range multiFolds {
		for _, c := range from {
			to[c] = []rune(fold)
		}
	}
	return to
})

// simpleFold returns the character that stands for all that differ from c in case alone.
func simpleFold(c rune) rune {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	least := c
	for other := unicode.SimpleFold(c); other != c; other = unicode.SimpleFold(other) {
		least = min(least, other)
	}
	if 'A' <= least && least <= 'Z' {
		return least + 'a' - 'A'
	}
	return least
}

// alike returns all characters that fold as c does, c included.
func alike(c rune) ranges {
	if fold, ok := folds()[c]; ok {
		r := ranges{}
		for _, other := range multiFolds[string(fold)] {
			r = append(r, span{other, other})
		}
		return normal(r)
	}
	r := single(c)
	for other := unicode.SimpleFold(c); other != c; other = unicode.SimpleFold(other) {
		if _, multi := folds()[other]; !multi {
			r = append(r, span{other, other})
		}
	}
	return normal(r)
}

// caseful lists the characters that are like others.
var caseful = sync.OnceValue(func() []rune {
	var all []rune
	for _, table := range []*unicode.RangeTable{unicode.L, unicode.M, unicode.Nl, unicode.So} {
		for _, r := range table.R16 {
			all = appendCaseful(all, rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range table.R32 {
			all = appendCaseful(all, rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
	}
	return all
})

func appendCaseful(all []rune, lo, hi, stride rune) []rune {
	for c := lo; c <= hi; c += stride {
		if r := alike(c); len(r) > 1 || r[0].lo < r[0].hi {
			all = append(all, c)
		}
	}
	return all
}
