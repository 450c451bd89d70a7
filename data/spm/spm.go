// Package spm tokenizes as SentencePiece does, by merges (BPE: Llama 2, Mistral, Gemma) or by the likeliest segmentation
// (unigram: T5, XLM-R, ALBERT), and gives the ids of the original, which is either of two:
//
//   - sentencepiece, for tokenizer.model and GGUF: text is normalized by the model's own rules, a space is put before it,
//     spaces become ▁, and the pieces' scores decide.
//   - tokenizers, for tokenizer.json: normalizer, pre_tokenizer and model as the file has them.
//
// The two differ in details (which of two equal merges comes first, single or double precision, what happens to control
// tokens); each source is followed in its own.
//
// The types in reading order: Piece, Config and Tokenizer; Load for tokenizer.model; FromDocument for tokenizer.json.
// A Tokenizer is immutable and safe for concurrent use. Errors are *hf.FormatError and *hf.UnsupportedError, and those of
// the operating system; nothing here prints or panics on input.
//
// References: Kudo and Richardson 2018, arXiv:1808.06226 (SentencePiece); Kudo 2018, arXiv:1804.10959 (unigram).
package spm

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"runtime"
	"strconv"
	"sync"

	"example.com/gotrain/data/hf"
)

// space is ▁, U+2581, which stands for a space in pieces.
const space = "▁"

// An Algorithm is how text becomes pieces.
type Algorithm uint8

// The algorithms, numbered as in tokenizer.model.
const (
	Unigram Algorithm = 1
	BPE     Algorithm = 2
)

func (a Algorithm) String() string {
	if a == BPE {
		return "BPE"
	}
	return "unigram"
}

// A Type is what a piece is for, numbered as in tokenizer.model and GGUF.
type Type uint8

// The types of pieces.
const (
	Normal      Type = 1
	Unknown     Type = 2 // stands for what no piece spells
	Control     Type = 3 // BOS, EOS and the like, which text does not spell
	UserDefined Type = 4 // always one piece where text spells it
	Unused      Type = 5
	Byte        Type = 6 // <0x00> … <0xFF>
)

// A Piece is a token: its text, with ▁ for a space, the logarithm of its probability (unigram) or minus its rank (BPE).
type Piece struct {
	Text  string
	Score float64
	Type  Type
}

// A Merge joins two adjacent pieces into the piece of their joined text.
type Merge struct{ Left, Right int32 }

// A Config is the whole definition of a Tokenizer.
type Config struct {
	Algorithm Algorithm
	Pieces    []Piece // by id; Text "" for an id that is unused
	// ByteFallback spells what no piece spells in pieces <0x00> … <0xFF>.
	ByteFallback bool

	// Rules are those of sentencepiece, which then decides in all else; nil for those of tokenizers, which are Hub.
	Rules *Rules
	Hub   *Hub

	// Added tokens are found in text before anything else. The pieces that Rules say are Control are among them.
	Added []hf.AddedToken
	// Frame is the special tokens that the original puts around a text.
	Frame hf.Frame
}

// Rules are how sentencepiece prepares text.
type Rules struct {
	Charsmap         *hf.Charsmap // nil for the identity
	DummyPrefix      bool         // a space before the text
	RemoveExtraSpace bool         // spaces at both ends, and all but one of a run
	KeepSpaces       bool         // spaces stay spaces and do not become ▁
}

// A Hub is how tokenizers prepares text and what it adds to the models.
type Hub struct {
	Normalizer   hf.Normalizer
	PreTokenizer hf.PreTokenizer
	Decoder      hf.Decoder
	Merges       []Merge // of BPE, lowest rank first
	Unknown      int32   // id of the unknown token, -1 for none
	FuseUnknown  bool    // a run of unknown characters is one token
	IgnoreMerges bool    // a word that is in the vocabulary is that token
	// Continuing is before each character of a word but the first, and not before what they join to; Suffix is behind the
	// last. Both are "" as a rule.
	Continuing, Suffix string
}

// A Tokenizer turns bytes into ids and back. Make one with New, Load or FromDocument.
type Tokenizer struct {
	cfg      Config
	texts    [][]byte // what each id adds to a text
	ids      map[string]int32
	byteIDs  [256]int32 // -1 where there is none
	unknown  int32
	special  map[string]int32
	added    map[int32]string // contents of added tokens by id
	segments *hf.Segmenter

	// words tells that no piece goes from a character other than ▁ on to ▁, so that each ▁ behind another character
	// begins a stretch of its own.
	words   bool
	defined matcher // user-defined pieces
	bpe     *merges
	unigram *lattice

	encoders    chan *encoder
	fingerprint func() string
}

// New checks cfg and builds its Tokenizer. The slices of cfg must not be changed afterwards.
func New(cfg Config) (*Tokenizer, error) {
	t := &Tokenizer{cfg: cfg, unknown: -1}
	if err := t.check(); err != nil {
		return nil, err
	}
	if err := t.index(); err != nil {
		return nil, err
	}
	normalizer := hf.Normalizer{}
	if cfg.Hub != nil {
		normalizer = cfg.Hub.Normalizer
	}
	t.segments = hf.NewSegmenter(cfg.Added, normalizer)
	var err error
	if cfg.Algorithm == BPE {
		t.bpe, err = newMerges(t)
	} else {
		t.unigram, err = newLattice(t)
	}
	if err != nil {
		return nil, err
	}
	if err := cfg.Frame.Check(t.Vocab()); err != nil {
		return nil, err
	}
	t.words = t.cutsAtSpaces()
	t.encoders = make(chan *encoder, runtime.GOMAXPROCS(0))
	t.fingerprint = sync.OnceValue(t.hash)
	return t, nil
}

// check finds faults of the configuration by itself.
func (t *Tokenizer) check() error {
	c := &t.cfg
	switch {
	case c.Algorithm != BPE && c.Algorithm != Unigram:
		return hf.Faultf("Algorithm", "%d is not an algorithm", c.Algorithm)
	case (c.Rules == nil) == (c.Hub == nil):
		return hf.Faultf("Rules", "give either Rules or Hub")
	case len(c.Pieces) == 0:
		return hf.Faultf("Pieces", "there are none")
	case len(c.Pieces) > hf.MaxVocab:
		return hf.Faultf("Pieces", "%d, more than %d", len(c.Pieces), hf.MaxVocab)
	}
	for id, p := range c.Pieces {
		if math.IsNaN(p.Score) || math.IsInf(p.Score, 0) {
			return hf.Faultf("Pieces", "the score of piece %d, %s, is %v", id, hf.Quote(p.Text), p.Score)
		}
	}
	return nil
}

// index fills the maps between ids and texts.
func (t *Tokenizer) index() error {
	c := &t.cfg
	size := len(c.Pieces)
	for _, a := range c.Added {
		if a.ID < 0 || a.ID >= hf.MaxVocab || a.Content == "" {
			return hf.Faultf("Added", "token %s with id %d; ids are 0 … %d, texts not empty", hf.Quote(a.Content), a.ID, hf.MaxVocab-1)
		}
		size = max(size, int(a.ID)+1)
	}
	t.texts = make([][]byte, size)
	t.ids = make(map[string]int32, len(c.Pieces))
	for b := range t.byteIDs {
		t.byteIDs[b] = -1
	}
	for id, p := range c.Pieces {
		if p.Text == "" {
			continue
		}
		if other, ok := t.ids[p.Text]; ok && c.Rules != nil {
			return hf.Faultf("Pieces", "ids %d and %d are both %s", other, id, hf.Quote(p.Text))
		}
		t.ids[p.Text] = int32(id)
		if c.Hub != nil {
			t.texts[id] = c.Hub.Decoder.Token(p.Text)
		} else {
			t.texts[id] = []byte(unescape(p.Text))
		}
		if b := byteOfPiece(p.Text); b >= 0 && (p.Type == Byte || c.Rules == nil && c.ByteFallback) {
			t.byteIDs[b] = int32(id)
			t.texts[id] = []byte{byte(b)}
		}
		if p.Type == Unknown {
			t.unknown = int32(id)
		}
	}
	if c.Hub != nil {
		t.unknown = c.Hub.Unknown
	}
	if int(t.unknown) >= len(c.Pieces) {
		return hf.Faultf("Unknown", "id %d is no piece", t.unknown)
	}
	t.special, t.added = map[string]int32{}, make(map[int32]string, len(c.Added))
	for _, a := range c.Added {
		t.added[a.ID] = a.Content
		switch {
		case a.Special:
			t.texts[a.ID] = []byte(a.Content)
			t.special[a.Content] = a.ID
		case c.Hub != nil:
			t.texts[a.ID] = c.Hub.Decoder.Token(a.Content)
		default:
			t.texts[a.ID] = []byte(unescape(a.Content))
		}
	}
	return t.defined.init(c)
}

// byteOfPiece returns the byte of a piece <0x00> … <0xFF>, -1 for any other.
func byteOfPiece(text string) int {
	if len(text) != 6 || text[:3] != "<0x" || text[5] != '>' {
		return -1
	}
	b, err := strconv.ParseUint(text[3:5], 16, 8)
	if err != nil {
		return -1
	}
	return int(b)
}

// Config returns the definition of t. Its slices are shared: do not change them.
func (t *Tokenizer) Config() Config { return t.cfg }

// Model names the kind of tokenizer in words.
func (t *Tokenizer) Model() string { return "SentencePiece " + t.cfg.Algorithm.String() }

// Vocab returns one more than the largest id.
func (t *Tokenizer) Vocab() int { return len(t.texts) }

// TokenBytes returns what a token adds to a text in the middle of it, nil for an id that is unused or out of range.
func (t *Tokenizer) TokenBytes(id int32) []byte {
	if uint(id) >= uint(len(t.texts)) {
		return nil
	}
	return t.texts[id]
}

// ID returns the id of the token with this text, in which ▁ stands for a space.
func (t *Tokenizer) ID(token []byte) (int32, bool) {
	if id, ok := t.ids[string(token)]; ok {
		return id, true
	}
	return hf.AddedID(t.cfg.Added, token)
}

// Special returns the id of a special token by its content, such as </s>.
func (t *Tokenizer) Special(content string) (int32, bool) {
	id, ok := t.special[content]
	return id, ok
}

// Specials returns the special tokens in order of id.
func (t *Tokenizer) Specials() []hf.AddedToken {
	return hf.Specials(t.cfg.Added)
}

// Frame returns the special tokens that the original puts before and behind a text.
func (t *Tokenizer) Frame() hf.Frame { return t.cfg.Frame }

// AppendDecode appends the text of ids, which begin a text: the space that encoding puts before it is dropped. Special
// tokens before it count as nothing in sentencepiece and as text in tokenizers.
func (t *Tokenizer) AppendDecode(dst []byte, ids []int32) []byte {
	if t.cfg.Hub != nil {
		return t.cfg.Hub.Decoder.Append(dst, t.spellings(ids))
	}
	strip := t.cfg.Rules.DummyPrefix || t.cfg.Rules.RemoveExtraSpace
	for _, id := range ids {
		text := t.TokenBytes(id)
		if len(text) == 0 {
			continue
		}
		if _, special := t.special[string(text)]; strip && (!special || id == t.unknown) {
			if text[0] == ' ' {
				text = text[1:]
			}
			// sentencepiece drops one of each piece until something comes.
			strip = t.cfg.Rules.RemoveExtraSpace && len(text) == 0
		}
		dst = append(dst, text...)
	}
	return dst
}

// spellings are the tokens of ids as the vocabulary has them, those that are unused left out.
func (t *Tokenizer) spellings(ids []int32) []string {
	var all []string
	for _, id := range ids {
		if content, ok := t.added[id]; ok {
			all = append(all, content)
		} else if uint(id) < uint(len(t.cfg.Pieces)) && t.cfg.Pieces[id].Text != "" {
			all = append(all, t.cfg.Pieces[id].Text)
		}
	}
	return all
}

// Fingerprint returns a hash, in hexadecimal, of all that decides ids: equal fingerprints mean equal encodings.
func (t *Tokenizer) Fingerprint() string { return t.fingerprint() }

func (t *Tokenizer) hash() string {
	h := sha256.New()
	buf := []byte("gotrain spm 1\n")
	if r := t.cfg.Rules; r != nil {
		buf = append(buf, "rules "+strconv.FormatBool(r.DummyPrefix)+strconv.FormatBool(r.RemoveExtraSpace)+strconv.FormatBool(r.KeepSpaces)...)
		if r.Charsmap != nil {
			buf = append(buf, r.Charsmap.Raw()...)
		}
	}
	for _, p := range t.cfg.Pieces {
		buf = binary.LittleEndian.AppendUint64(append(buf, byte(p.Type)), math.Float64bits(p.Score))
	}
	h.Write(t.AppendJSON(buf))
	return hex.EncodeToString(h.Sum(nil))
}

// ConfigJSON returns the content of tokenizer_config.json. Roles that are not special tokens of t are an error.
func (t *Tokenizer) ConfigJSON(r hf.Roles) ([]byte, error) { return hf.ConfigJSON(t.cfg.Added, r) }
