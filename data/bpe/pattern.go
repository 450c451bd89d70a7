package bpe

// A Pattern names a rule that cuts text into pre-tokens; merges never cross their boundaries.
type Pattern uint8

// The patterns. Each is a hand-written scanner that gives what the regular expression gives in its peer: the classes are
// those of Unicode 16.0, invalid UTF-8 counts as one U+FFFD a byte (the bytes themselves survive).
const (
	GPT2   Pattern = iota // GPT-2, r50k_base, p50k_base; the regular expression built into ByteLevel
	CL100K                // cl100k_base as tiktoken has it: trailing white space stays whole
	GPT4                  // GPT-4 as on the Hugging Face hub; Llama 3
	Qwen2                 // GPT4 with one digit a pre-token; Qwen2, Qwen3
	Qwen35                // Qwen2 with marks as letters; Qwen3.5
	O200K                 // o200k_base, GPT-4o, gpt-oss, Llama 4
	Tekken                // O200K without contractions, one digit a pre-token; Mistral
	Digits                // single digits cut out, then GPT2; StarCoder2, SmolLM
)

type patternInfo struct {
	name    string
	rules   splitRules
	regexes []string // spellings in tokenizer.json; the first is what we write; none for patterns without Split
}

// The alternatives that patterns share.
const (
	contractions = `(?i:'s|'t|'re|'ve|'m|'ll|'d)`
	o200kUpper   = `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`
	o200kLower   = `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`
	o200kPrefix  = `[^\r\n\p{L}\p{N}]?`
	spaces       = `\s*[\r\n]+|\s+(?!\S)|\s+`
	gpt2Regex    = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
)

var patternTable = [...]patternInfo{
	GPT2: {
		name:  "gpt2",
		rules: splitRules{family: familyGPT2},
		regexes: []string{
			gpt2Regex,
			`'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
			`'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s`,
		},
	},
	CL100K: {
		name:  "cl100k",
		rules: splitRules{family: familyGPT4, digits: 3, tailWhole: true},
		regexes: []string{
			contractions + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+\z|` + spaces,
		},
	},
	GPT4: {
		name:  "gpt4",
		rules: splitRules{family: familyGPT4, digits: 3},
		regexes: []string{
			contractions + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|` + spaces,
			`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`,
		},
	},
	Qwen2: {
		name:  "qwen2",
		rules: splitRules{family: familyGPT4, digits: 1},
		regexes: []string{
			contractions + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|` + spaces,
		},
	},
	Qwen35: {
		name:  "qwen3.5",
		rules: splitRules{family: familyGPT4, digits: 1, marks: true},
		regexes: []string{
			contractions + `|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|` + spaces,
		},
	},
	O200K: {
		name:  "o200k",
		rules: splitRules{family: familyO200K, digits: 3, contracted: true},
		regexes: []string{
			o200kPrefix + o200kUpper + `*` + o200kLower + `+` + contractions + `?|` +
				o200kPrefix + o200kUpper + `+` + o200kLower + `*` + contractions + `?|` +
				`\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|` + spaces,
		},
	},
	Tekken: {
		name:  "tekken",
		rules: splitRules{family: familyO200K, digits: 1},
		regexes: []string{
			o200kPrefix + o200kUpper + `*` + o200kLower + `+|` +
				o200kPrefix + o200kUpper + `+` + o200kLower + `*|` +
				`\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|` + spaces,
		},
	},
	Digits: {
		name:  "digits",
		rules: splitRules{family: familyGPT2, alone: true},
	},
}

// Patterns lists all patterns.
func Patterns() []Pattern {
	all := make([]Pattern, len(patternTable))
	for i := range all {
		all[i] = Pattern(i)
	}
	return all
}

// String returns the name that ParsePattern takes.
func (p Pattern) String() string {
	if int(p) >= len(patternTable) {
		return "unknown"
	}
	return patternTable[p].name
}

// Regex returns the regular expression of the pattern, in the syntax that tokenizers and regexp2 share. For Digits it is
// the one that applies between the digits.
func (p Pattern) Regex() string {
	if regexes := patternTable[p].regexes; len(regexes) > 0 {
		return regexes[0]
	}
	return gpt2Regex
}

// ParsePattern returns the pattern of a name as String gives it.
func ParsePattern(name string) (Pattern, error) {
	names := ""
	for i, info := range patternTable {
		if info.name == name {
			return Pattern(i), nil
		}
		names += " " + info.name
	}
	return 0, &UnsupportedError{What: "split pattern", Value: name, Cure: "use one of:" + names}
}

// patternOfRegex finds the pattern with this spelling.
func patternOfRegex(regex string) (Pattern, bool) {
	for i, info := range patternTable {
		for _, spelling := range info.regexes {
			if spelling == regex {
				return Pattern(i), true
			}
		}
	}
	return 0, false
}
