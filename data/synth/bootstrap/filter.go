package bootstrap

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/abadojack/whatlanggo"

	"example.com/gotrain/data"
	"example.com/gotrain/data/instruct"
	"example.com/gotrain/data/similar"
)

// Reason is why a draft became no record.
type Reason string

// The reasons, in the order in which they are looked for.
const (
	Malformed    Reason = "malformed"      // the author's answer has not what was asked for
	Unfinished   Reason = "unfinished"     // it ended with its number of tokens
	Empty        Reason = "empty"          // a part says nothing
	Ruled        Reason = "rule"           // words of a task that text can't do, or of Filter.Never
	Short        Reason = "short"          // fewer than MinWords
	Long         Reason = "long"           // more than MaxWords
	Contaminated Reason = "contaminated"   // it has a passage of a text for evaluation
	Similar      Reason = "similar"        // ROUGE-L with an instruction that is there
	Refused      Reason = "refusal"        // the author says that it can't
	Language     Reason = "language"       // not that of Filter.Language
	Duplicate    Reason = "duplicate"      // the words of a record that is there
	NearCopy     Reason = "near duplicate" // nearly its passages, by MinHash
	Unrewarded   Reason = "reward"         // less than MinReward
	Beyond       Reason = "beyond count"   // there were enough in the middle of a round
)

// Filter says what is kept. The zero value keeps all that is whole.
type Filter struct {
	Rouge     float64  `json:"rouge"`   // an instruction whose ROUGE-L with another reaches it is rejected; 0: none is
	MinHash   float64  `json:"minhash"` // a record whose estimated Jaccard index of passages with another reaches it is; 0: none is
	Language  string   `json:"language,omitempty"`
	MinWords  int      `json:"min_words"` // of an instruction, and of a text
	MaxWords  int      `json:"max_words"` // of an instruction, and of a text; 0: any number
	Rules     bool     `json:"rules"`     // self-instruct's words and forms of tasks that text can't do
	Never     []string `json:"never,omitempty"`
	MinReward *float64 `json:"min_reward,omitempty"`
	Held      []string `json:"held,omitempty"` // files for evaluation
}

// Validate says what is wrong.
func (f *Filter) Validate() error {
	switch {
	case !(f.Rouge >= 0 && f.Rouge <= 1), !(f.MinHash >= 0 && f.MinHash <= 1):
		return fmt.Errorf("a text is as like another as a number in [0, 1] says, not %g or %g", f.Rouge, f.MinHash)
	case f.MinWords < 0, f.MaxWords < 0, f.MaxWords > 0 && f.MaxWords < f.MinWords:
		return fmt.Errorf("%d to %d words hold nothing", f.MinWords, f.MaxWords)
	case f.Language != "" && languageOf(f.Language) < 0:
		return fmt.Errorf("the language %q is not known; use a code of ISO 639, such as en or deu", f.Language)
	}
	for _, n := range f.Never {
		if _, err := regexp.Compile(n); err != nil {
			return err
		}
	}
	return nil
}

// languageOf finds a language by its code of two or three letters, -1 for none.
func languageOf(code string) whatlanggo.Lang {
	for lang := range whatlanggo.Langs {
		if code != "" && (lang.Iso6391() == code || lang.Iso6393() == code) {
			return lang
		}
	}
	return -1
}

// impossible are words of tasks that are not of text alone, as self-instruct leaves them out.
var impossible = regexp.MustCompile(`(?i)\b(images?|graphs?|pictures?|files?|maps?|draw|plot|go to|videos?|audio|music|flowcharts?|diagrams?)\b`)

// refusal is how an answer begins that is none.
var refusal = regexp.MustCompile(`(?i)^\s*(i['’]?m sorry|i am sorry|sorry|i can(no|['’])t|as an ai)\b`)

// judge is a Filter with what it compares with.
type judge struct {
	Filter
	never        []*regexp.Regexp
	language     whatlanggo.Lang
	held         similar.Grams
	instructions similar.Pool // of seeds and records
	near         similar.Near
	exact        map[string]bool
}

func newJudge(f Filter, seeds []Task) (*judge, error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	j := &judge{Filter: f, language: languageOf(f.Language), exact: map[string]bool{}}
	for _, n := range f.Never {
		j.never = append(j.never, regexp.MustCompile(n))
	}
	for _, path := range f.Held {
		if err := hold(&j.held, path); err != nil {
			return nil, err
		}
	}
	for _, s := range seeds {
		j.instructions.Add(s.Instruction)
		j.exact[normal(s.Instruction+"\n\n"+s.Input+"\n\n"+s.Output)] = true
	}
	return j, nil
}

// hold adds the texts of a file: all texts in the records of JSON Lines or a table, else its paragraphs.
func hold(g *similar.Grams, path string) error {
	if holdsRecords(path) {
		for record, err := range instruct.Records([]string{path}, "") {
			if err != nil {
				return err
			}
			var v any
			if err := json.Unmarshal(record.JSON, &v); err != nil {
				return fmt.Errorf("%s: %w", record.Source, err)
			}
			texts(v, func(text string) { g.Add(text, record.Source) })
		}
		return nil
	}
	lines, err := data.Lines(path, "")
	if err != nil {
		return err
	}
	g.Add(strings.Join(lines, "\n"), path)
	return nil
}

// texts calls f with every text in a value of JSON.
func texts(v any, f func(string)) {
	switch v := v.(type) {
	case string:
		f(v)
	case []any:
		for _, e := range v {
			texts(e, f)
		}
	case map[string]any:
		for _, e := range v {
			texts(e, f)
		}
	}
}

// normal is what duplicates have in common: the words in small letters.
func normal(text string) string { return strings.Join(similar.Words(text), " ") }

// instruction looks at what was asked, or the text: what the pool holds, and fresh, which those have that are
// on their way through the round.
func (j *judge) instruction(d *Draft, fresh *similar.Pool) {
	text := d.Instruction + d.Text
	words := len(similar.Words(text))
	first, _ := utf8.DecodeRuneInString(text)
	switch found := impossible.FindString(d.Instruction); {
	case strings.TrimSpace(text) == "":
		d.reject(Empty, "the instruction")
	case j.Rules && found != "":
		d.reject(Ruled, "%q", found)
	case j.Rules && d.Instruction != "" && strings.HasPrefix(d.Instruction, "Write a program"):
		d.reject(Ruled, "%q", "Write a program")
	case j.Rules && d.Instruction != "" && (unicode.IsPunct(first) || unicode.IsSymbol(first)):
		d.reject(Ruled, "it begins with %q", first)
	case words < j.MinWords:
		d.reject(Short, "%d words", words)
	case j.MaxWords > 0 && words > j.MaxWords:
		d.reject(Long, "%d words", words)
	default:
		j.seen(d, text, fresh)
	}
	if d.Reason == "" {
		fresh.Add(text)
	}
}

// seen rejects what has a passage of a held text, or is like an instruction that is there.
func (j *judge) seen(d *Draft, text string, fresh *similar.Pool) {
	for _, n := range j.never {
		if found := n.FindString(text); found != "" {
			d.reject(Ruled, "%q", found)
			return
		}
	}
	if passage, where := j.held.Find(text); where != "" {
		d.reject(Contaminated, "%q stands in %s", passage, where)
		return
	}
	if j.Rouge == 0 {
		return
	}
	for _, pool := range []*similar.Pool{&j.instructions, fresh} {
		if number, rouge := pool.Nearest(text, j.Rouge); number >= 0 {
			d.reject(Similar, "ROUGE-L %.3f", rouge)
			return
		}
	}
}

// whole looks at a finished draft, and adds it to what others are compared with if it is kept.
func (j *judge) whole(d *Draft) {
	all := d.all()
	passage, where := j.held.Find(all)
	switch {
	case d.cut:
		d.reject(Unfinished, "the answer")
	case d.Text == "" && strings.TrimSpace(d.Output) == "":
		d.reject(Empty, "the answer")
	case d.Text == "" && (d.Output == d.input() || normal(d.Output) == normal(d.Instruction)):
		d.reject(Malformed, "the answer says what was asked")
	case refusal.MatchString(d.Output):
		d.reject(Refused, "%.40q", d.Output)
	case where != "":
		d.reject(Contaminated, "%q stands in %s", passage, where)
	case j.exact[normal(all)]:
		d.reject(Duplicate, "")
	}
	for _, n := range j.never {
		if found := n.FindString(all); d.Reason == "" && found != "" {
			d.reject(Ruled, "%q", found)
		}
	}
	if d.Reason == "" && j.language >= 0 {
		if info := whatlanggo.Detect(all); info.Lang != j.language && info.IsReliable() {
			d.reject(Language, "%s", info.Lang)
		}
	}
	if d.Reason == "" && j.MinHash > 0 {
		if number, jaccard := j.near.Find(all); number >= 0 && jaccard >= j.MinHash {
			d.reject(NearCopy, "%.2f of the passages", jaccard)
		}
	}
}

// rewarded looks at the reward of a draft.
func (j *judge) rewarded(d *Draft, reward float64) {
	if math.IsNaN(reward) || math.IsInf(reward, 0) {
		d.reject(Unrewarded, "it is %g", reward)
		return
	}
	if d.Metadata.Reward = &reward; j.MinReward != nil && reward < *j.MinReward {
		d.reject(Unrewarded, "%.4g", reward)
	}
}

// keep adds a record to what others are compared with.
func (j *judge) keep(r *Record) {
	j.instructions.Add(r.Instruction + r.Text)
	j.exact[normal(r.all())] = true
	if j.MinHash > 0 {
		j.near.Add(r.all())
	}
}
