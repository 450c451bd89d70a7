package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"

	"github.com/zeebo/xxh3"
)

// Split is the side that a text is on.
type Split uint8

const (
	Train Split = iota
	Validation
)

// String returns "train" or "validation".
func (s Split) String() string {
	if s == Validation {
		return "validation"
	}
	return "train"
}

// Document is a text, or a piece of about 1 MiB of a longer one. Pieces are cut at blank lines where there are some; their
// tokens are those of the whole text (see seam.go).
type Document struct {
	Source int    // of Config.Sources, 0 without
	File   string // the file's path
	Record int    // the line of JSONL or of a table, or the Parquet row, from 1; 0 for text
	Text   []byte // owned by the receiver; UTF-8
	Split  Split
	More   bool // the document goes on with the next Document
}

// place names the document in errors.
func (d Document) place() string {
	if d.Record > 0 {
		return fmt.Sprintf("%s:%d", d.File, d.Record)
	}
	return d.File
}

// Corpus is the text that a Config names.
type Corpus struct {
	cfg        Config
	train      []string // sorted
	validation []string // from ValidationPaths, sorted
	sides      sides
	longest    int     // bytes of a line of JSON that is read at once
	ledger     *Ledger // notes the side of each text that is read; nil for none

	parts  []*Corpus // of Config.Sources; nil without
	source int       // among them
	name   string
}

// OpenCorpus validates cfg and finds its files. It opens none of them.
func OpenCorpus(cfg Config) (*Corpus, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if len(cfg.Sources) == 0 {
		return openCorpus(cfg, nil)
	}
	c := &Corpus{cfg: cfg.withDefaults()}
	parts := cfg.parts()
	var held []string // of any source
	for _, source := range parts {
		names, err := ExpandPaths(source.ValidationPaths)
		if err != nil {
			return nil, err
		}
		held = append(held, names...)
	}
	slices.Sort(held)
	for i, source := range parts {
		p, err := openCorpus(source.Config, held)
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", source.name, err)
		}
		p.source, p.name = i, source.name
		c.parts = append(c.parts, p)
	}
	return c, checkApart(c.parts)
}

// openCorpus is OpenCorpus for a configuration without sources, beside others that hold files out.
func openCorpus(cfg Config, held []string) (*Corpus, error) {
	c := &Corpus{cfg: cfg.withDefaults(), longest: longLine}
	var err error
	if c.validation, err = ExpandPaths(cfg.ValidationPaths); err != nil {
		return nil, err
	}
	if held == nil {
		held = c.validation
	}
	c.train, err = cfg.trainFiles(held)
	return c, err
}

// Documents streams the corpus in the order of its files, those of ValidationPaths last, with memory for about one
// Document. Before the first it looks at the beginning of each file, so that one that is no text is
// found at once. Empty records are left out. The first error ends the sequence. Shards, and other files of tokens, have no documents to give: a corpus of
// them alone is an error (open it with [Prepare]), as one of several sources they are passed over.
func (c *Corpus) Documents() iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		parts := slices.DeleteFunc(slices.Clone(c.parts), func(p *Corpus) bool { return p.cfg.Format.tokens() })
		if len(parts) == 0 {
			parts = []*Corpus{c}
		}
		for _, p := range parts {
			if err := p.check(); err != nil {
				yield(Document{}, err)
				return
			}
		}
		more := true
		pass := func(d Document) bool {
			more = yield(d, nil)
			return more
		}
		for _, p := range parts {
			if err := p.read(pass, &more); err != nil {
				yield(Document{}, err)
				return
			}
			if !more {
				return
			}
		}
	}
}

// read passes the documents of a corpus without sources on, as long as more is true.
func (c *Corpus) read(pass func(Document) bool, more *bool) error {
	if c.parts != nil {
		return errors.New("data: the sources have tokens, not text (open them with Prepare)")
	}
	if err := c.balance(); err != nil {
		return err
	}
	for side, names := range [][]string{c.train, c.validation} {
		fraction := c.cfg.Validation
		if Split(side) == Validation {
			fraction = 0
		}
		for _, name := range names {
			err := c.documents(name, fraction, Split(side), func(d Document) bool {
				d.Source = c.source
				return pass(d)
			})
			if err != nil || !*more {
				return err
			}
		}
	}
	return nil
}

// Tokens opens the sources that have tokens, not text, for a moment, and tells how many there are on each side.
func (c *Corpus) Tokens(enc Encoder, each func(source int, side Split, tokens int64)) error {
	for _, p := range c.parts {
		if !p.cfg.Format.tokens() {
			continue
		}
		prepared, err := openShards(p, enc)
		if err != nil {
			return fmt.Errorf("source %s: %w", p.name, err)
		}
		each(p.source, Train, prepared.Train.Tokens())
		if prepared.Validation != nil {
			each(p.source, Validation, prepared.Validation.Tokens())
		}
		if err := prepared.Close(); err != nil {
			return err
		}
	}
	return nil
}

// Count encodes the documents, as Prepare does, and tells how many tokens each piece of one becomes, with what begins and
// ends it. It ends with the first error.
func (c *Corpus) Count(ctx context.Context, enc Encoder, each func(d Document, tokens int)) error {
	return tokenize(ctx, c.Documents(), enc, c.cfg.Workers, func(j *job) error {
		begin := 0
		for i, d := range j.documents {
			each(d, j.ends[i]-begin)
			begin = j.ends[i]
		}
		return nil
	})
}

// check looks at the beginning of all files.
func (c *Corpus) check() error {
	look := func(name string) error { return checkHead(name, c.cfg.Format, c.cfg.TextKey, c.cfg.Encoding) }
	switch c.cfg.Format {
	case FormatText, FormatJSONL:
	case FormatCSV, FormatTSV:
		look = func(name string) error { return checkTable(name, c.cfg.Format, c.cfg.TextKey, c.cfg.Encoding) }
	default:
		return nil
	}
	for _, names := range [][]string{c.train, c.validation} {
		for _, name := range names {
			if err := look(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// Note has Documents note the side of each text in the ledger that it returns, complete once all were read.
func (c *Corpus) Note() *Ledger {
	c.ledger = NewLedger()
	for _, p := range c.parts {
		p.ledger = c.ledger
	}
	return c.ledger
}

// sideOf is the side of a record: that which a ledger knows, else that of the rule.
func (c *Corpus) sideOf(hash uint64, fraction float64) Split {
	if side, ok := c.cfg.Known.Side(hash); ok {
		c.sides.decided()
		return side
	}
	return c.sides.of(hash, fraction)
}

// documents yields one file, on side unless its content says that it is held out. The text of a Document is the receiver's.
func (c *Corpus) documents(name string, fraction float64, side Split, yield func(Document) bool) error {
	record := func(d Document) bool {
		d.Split = side
		if fraction > 0 || c.ledger != nil {
			hash := xxh3.Hash(d.Text)
			if fraction > 0 {
				d.Split = c.sideOf(hash, fraction)
			}
			c.noteRecord(hash, d.Split, side == Validation)
		}
		for text := d.Text; ; {
			end := len(text)
			if end > maxPiece+cutSlack {
				end = cutPoint(text[:maxPiece+cutSlack], maxPiece)
			}
			d.Text, text = bytes.Clone(text[:end]), text[end:]
			d.More = len(text) > 0
			if !yield(d) {
				return false
			}
			if !d.More {
				return true
			}
		}
	}
	switch c.cfg.Format {
	case FormatJSONL:
		return jsonlFile(name, c.cfg.TextKey, c.cfg.Encoding, c.longest, record, func(r *longRecord) (bool, error) {
			return c.longRecord(r, fraction, side, yield)
		})
	case FormatParquet:
		return parquetFile(name, c.cfg.TextKey, record)
	case FormatCSV, FormatTSV:
		return tableFile(name, c.cfg.Format, c.cfg.TextKey, c.cfg.Encoding, record)
	case FormatShards, FormatBin:
		return fmt.Errorf("data: %s: shards hold tokens, not text (open them with Prepare)", name)
	}
	info, err := os.Stat(name)
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	return c.textFile(name, info.Size(), fraction, side, yield)
}

// longRecord yields a record of which the text is read in parts.
func (c *Corpus) longRecord(r *longRecord, fraction float64, side Split, yield func(Document) bool) (more bool, err error) {
	d := r.Document
	d.Split = side
	if fraction > 0 {
		hash, size, err := r.hash()
		if err != nil {
			return false, err
		}
		if size > 0 {
			d.Split = c.sideOf(hash, fraction)
			c.noteRecord(hash, d.Split, side == Validation)
		}
		_, more, err = recordPieces(r, d, yield)
		return more, err
	}
	hash := xxh3.New()
	size, more, err := recordPieces(io.TeeReader(r, hash), d, yield)
	if err == nil && more && size > 0 {
		c.noteRecord(hash.Sum64(), d.Split, side == Validation)
	}
	return more, err
}

// recordPieces yields a text as a document in pieces, cut where those of a text in memory are.
func recordPieces(text io.Reader, d Document, yield func(Document) bool) (size int64, more bool, err error) {
	pieces := &pieceReader{r: text}
	for {
		buffer, err := pieces.peek(maxPiece + cutSlack + 1)
		if err != nil {
			return size, false, err
		}
		end := len(buffer)
		if d.More = end > maxPiece+cutSlack; d.More {
			end = cutPoint(buffer[:maxPiece+cutSlack], maxPiece)
		}
		if end == 0 {
			return size, true, nil
		}
		d.Text = bytes.Clone(buffer[:end])
		size += int64(end)
		pieces.buffer = pieces.buffer[:copy(pieces.buffer, pieces.buffer[end:])]
		if !yield(d) {
			return size, false, nil
		}
		if !d.More {
			return size, true, nil
		}
	}
}
