package spm

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"

	"example.com/gotrain/data/hf"
)

// maxModelBytes is the most that a tokenizer.model may hold; the largest in use have 5 MB.
const maxModelBytes = 64 << 20

// Load reads a tokenizer.model of SentencePiece.
func Load(path string) (*Tokenizer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadModel(f, path)
}

// ReadModel reads a tokenizer.model; name stands for the source in errors. A BPE model with a BOS piece begins texts with
// it, as those of Llama, Mistral and Gemma do: the file itself does not say.
func ReadModel(r io.Reader, name string) (*Tokenizer, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxModelBytes+1))
	if err != nil {
		return nil, err
	}
	cfg, err := parseModel(data)
	if err != nil {
		return nil, hf.InFile(err, name)
	}
	t, err := New(cfg)
	return t, hf.InFile(err, name)
}

// A model is the part of sentencepiece's ModelProto that decides ids.
type model struct {
	pieces       []Piece
	algorithm    Algorithm
	byteFallback bool
	suffix       bool // treat_whitespace_as_suffix
	bos          string
	charsmap     []byte
	dummyPrefix  bool
	removeExtra  bool
	escape       bool
}

func parseModel(data []byte) (Config, error) {
	if len(data) > maxModelBytes {
		return Config{}, &hf.FormatError{Offset: maxModelBytes, Fault: "file too large", Cure: "a tokenizer.model has at most " + strconv.Itoa(maxModelBytes>>20) + " MiB"}
	}
	m := model{algorithm: Unigram, bos: "<s>", dummyPrefix: true, removeExtra: true, escape: true}
	err := fields(data, "", func(number int, value uint64, body []byte) error {
		switch number {
		case 1:
			return m.piece(body)
		case 2:
			return m.trainerSpec(body)
		case 3:
			return m.normalizerSpec(body)
		case 5:
			return deniesDenormalizer(body)
		}
		return nil
	})
	if err != nil {
		return Config{}, err
	}
	return m.config()
}

// config makes the Config of a model.
func (m *model) config() (Config, error) {
	if m.suffix {
		return Config{}, &hf.UnsupportedError{What: "trainer_spec.treat_whitespace_as_suffix", Value: "true", Cure: "train with spaces before words"}
	}
	c := Config{Algorithm: m.algorithm, Pieces: m.pieces, ByteFallback: m.byteFallback,
		Rules: &Rules{DummyPrefix: m.dummyPrefix, RemoveExtraSpace: m.removeExtra, KeepSpaces: !m.escape}}
	if len(m.charsmap) > 0 {
		var err error
		if c.Rules.Charsmap, err = hf.ParseCharsmap(m.charsmap); err != nil {
			if f, ok := err.(*hf.FormatError); ok {
				f.Key = "normalizer_spec.precompiled_charsmap"
			}
			return c, err
		}
	}
	c.Added = ControlTokens(m.pieces)
	if c.Algorithm == BPE {
		for _, a := range c.Added {
			if a.Content == m.bos {
				c.Frame.Before = []int32{a.ID}
			}
		}
	}
	return c, nil
}

// ControlTokens returns the added tokens of pieces: control pieces and the unknown one.
func ControlTokens(pieces []Piece) []hf.AddedToken {
	var added []hf.AddedToken
	for id, p := range pieces {
		if (p.Type == Control || p.Type == Unknown) && p.Text != "" {
			added = append(added, hf.AddedToken{ID: int32(id), Content: p.Text, Special: true})
		}
	}
	return added
}

// piece reads a ModelProto.SentencePiece.
func (m *model) piece(body []byte) error {
	p := Piece{Type: Normal}
	if len(m.pieces) >= hf.MaxVocab {
		return hf.Faultf("pieces", "more than %d", hf.MaxVocab)
	}
	key := "pieces[" + strconv.Itoa(len(m.pieces)) + "]"
	err := fields(body, key, func(number int, value uint64, body []byte) error {
		switch number {
		case 1:
			p.Text = string(body)
		case 2:
			p.Score = float64(math.Float32frombits(uint32(value)))
		case 3:
			if value < uint64(Normal) || value > uint64(Byte) {
				return hf.Faultf(key+".type", "%d is no type", value)
			}
			p.Type = Type(value)
		}
		return nil
	})
	if err == nil && p.Text == "" {
		err = hf.Faultf(key, "the piece is empty")
	}
	m.pieces = append(m.pieces, p)
	return err
}

// trainerSpec reads a TrainerSpec.
func (m *model) trainerSpec(body []byte) error {
	return fields(body, "trainer_spec", func(number int, value uint64, body []byte) error {
		switch number {
		case 3:
			if value != uint64(Unigram) && value != uint64(BPE) {
				return &hf.UnsupportedError{What: "trainer_spec.model_type", Value: strconv.FormatUint(value, 10), Cure: "known are 1, unigram, and 2, BPE"}
			}
			m.algorithm = Algorithm(value)
		case 24:
			m.suffix = value != 0
		case 35:
			m.byteFallback = value != 0
		case 46:
			m.bos = string(body)
		}
		return nil
	})
}

// normalizerSpec reads a NormalizerSpec.
func (m *model) normalizerSpec(body []byte) error {
	return fields(body, "normalizer_spec", func(number int, value uint64, body []byte) error {
		switch number {
		case 2:
			m.charsmap = body
		case 3:
			m.dummyPrefix = value != 0
		case 4:
			m.removeExtra = value != 0
		case 5:
			m.escape = value != 0
		}
		return nil
	})
}

// deniesDenormalizer refuses a denormalizer_spec that would alter decoded text.
func deniesDenormalizer(body []byte) error {
	return fields(body, "denormalizer_spec", func(number int, _ uint64, body []byte) error {
		if number == 2 && len(body) > 0 {
			return &hf.UnsupportedError{What: "denormalizer_spec.precompiled_charsmap", Value: fmt.Sprintf("%d bytes", len(body)), Cure: "use a model without one"}
		}
		return nil
	})
}

// Wire types of protocol buffers.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// fields calls f for each field of a protocol buffer message: value for numbers, body, a part of data, for the rest.
func fields(data []byte, key string, f func(number int, value uint64, body []byte) error) error {
	fault := func(at int, text string) error {
		return &hf.FormatError{Key: key, Offset: int64(at), Fault: text, Cure: "is this a tokenizer.model, and complete?"}
	}
	for at := 0; at < len(data); {
		tag, n := binary.Uvarint(data[at:])
		if n <= 0 || tag>>3 == 0 || tag>>3 > 1<<29-1 {
			return fault(at, "not a field of a protocol buffer")
		}
		start := at
		at += n
		var value uint64
		var body []byte
		switch tag & 7 {
		case wireVarint:
			if value, n = binary.Uvarint(data[at:]); n <= 0 {
				return fault(start, "a number is cut off")
			}
			at += n
		case wireFixed64:
			if len(data)-at < 8 {
				return fault(start, "a number is cut off")
			}
			value = binary.LittleEndian.Uint64(data[at:])
			at += 8
		case wireFixed32:
			if len(data)-at < 4 {
				return fault(start, "a number is cut off")
			}
			value = uint64(binary.LittleEndian.Uint32(data[at:]))
			at += 4
		case wireBytes:
			size, n := binary.Uvarint(data[at:])
			if n <= 0 || size > uint64(len(data)-at-n) {
				return fault(start, "a field is longer than what is left")
			}
			body = data[at+n : at+n+int(size)]
			at += n + int(size)
		default:
			return fault(start, "wire type "+strconv.Itoa(int(tag&7))+" is not known")
		}
		if err := f(int(tag>>3), value, body); err != nil {
			return err
		}
	}
	return nil
}
