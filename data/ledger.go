package data

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sort"

	"github.com/zeebo/xxh3"
)

// Ledger says on which side a run has put each text by its hash: what it has trained on and what it holds out. A run that
// goes on with other data keeps these sides, and only texts that it does not know are assigned by the rule. The nil Ledger
// knows nothing.
type Ledger struct {
	// Plain identifies the data and their settings, Key what came of them with the ledger of the run before; they are equal
	// where there was none.
	Plain, Key string
	// Kept tells what the ledger of the run before did.
	Kept Kept
	// Both are the texts of files that are held out which are in the training text too.
	Both int

	files  map[string]fileEntry // files of text, by path
	hashes [2][]uint64          // of records, by side; sorted, each once
	added  [2][]uint64          // those of Note
	keys   map[string]string    // Key by Plain of the sources
}

// Kept tells how a run that goes on with other data was split.
type Kept struct {
	Known int `json:"known"` // texts (records, or files) that the run knew
	New   int `json:"new"`   // texts that it did not
	// Trained and HeldOut are the known texts that stayed where they were although the rule says otherwise: in training, and
	// held out.
	Trained int `json:"trained"`
	HeldOut int `json:"held_out"`
	// Leaked are the texts of ValidationPaths that the run has trained on.
	Leaked int `json:"leaked"`
	// Edited are files that are held out in part and have changed before their end: text that was trained on may be held
	// out.
	Edited []string `json:"edited,omitempty"`
}

// fileEntry is how a file of text was split.
type fileEntry struct {
	Path string `json:"path"`
	Head uint64 `json:"head"` // hash of its first seedBytes
	Size int64  `json:"size"` // bytes of its content
	Hash uint64 `json:"hash"` // of its content
	way
}

// NewLedger returns an empty ledger.
func NewLedger() *Ledger { return &Ledger{files: map[string]fileEntry{}, keys: map[string]string{}} }

// Side is the side of the record with that hash.
func (l *Ledger) Side(hash uint64) (side Split, known bool) {
	if l == nil {
		return Train, false
	}
	for _, side := range []Split{Train, Validation} {
		if _, found := slices.BinarySearch(l.hashes[side], hash); found {
			return side, true
		}
	}
	return Train, false
}

// file is the entry of a file of text: that of its path, else of one that begins as it does.
func (l *Ledger) file(path string, head uint64) (fileEntry, bool) {
	if l == nil {
		return fileEntry{}, false
	}
	if e, ok := l.files[path]; ok {
		return e, true
	}
	for _, e := range l.files {
		if e.Head == head {
			return e, true
		}
	}
	return fileEntry{}, false
}

// Note notes the side of a record, and what known, the ledger of the run before, has done to it: rule is the side that the
// record has without it; given says that the record is of a file that is held out as a whole. Side knows it after Sort.
func (l *Ledger) Note(known *Ledger, hash uint64, side, rule Split, given bool) {
	l.added[side] = append(l.added[side], hash)
	if known == nil {
		return
	}
	was, ok := known.Side(hash)
	switch {
	case !ok:
		l.Kept.New++
		return
	case given && was == Train:
		l.Kept.Leaked++
	case side == rule:
	case side == Train:
		l.Kept.Trained++
	default:
		l.Kept.HeldOut++
	}
	l.Kept.Known++
}

// Sort takes in what was added. A text on both sides was trained on; it returns how many of these there are.
func (l *Ledger) Sort() (both int) {
	for side := range l.added {
		all := append(l.hashes[side], l.added[side]...)
		slices.Sort(all)
		l.hashes[side], l.added[side] = slices.Compact(all), nil
	}
	l.hashes[Validation] = slices.DeleteFunc(l.hashes[Validation], func(hash uint64) bool {
		_, trained := slices.BinarySearch(l.hashes[Train], hash)
		if trained {
			both++
		}
		return trained
	})
	return both
}

// Merge takes in what other knows, whose files replace those of the same path.
func (l *Ledger) Merge(other *Ledger) {
	for path, e := range other.files {
		l.files[path] = e
	}
	for side := range other.hashes {
		l.added[side] = append(l.added[side], other.hashes[side]...)
	}
	maps.Copy(l.keys, other.keys)
	l.Sort()
}

// unite is the ledger of sources, of which each has its own.
func unite(sources []*Ledger) *Ledger {
	all := NewLedger()
	plain, key := xxh3.New(), xxh3.New()
	for _, l := range sources {
		fmt.Fprintln(plain, l.Plain)
		fmt.Fprintln(key, l.Key)
		all.Merge(l)
		all.keys[l.Plain] = l.Key
		all.Kept.add(l.Kept)
		all.Both += l.Both
	}
	for _, l := range sources {
		for _, hash := range l.hashes[Validation] {
			if _, trained := slices.BinarySearch(all.hashes[Train], hash); trained {
				all.Both++
			}
		}
	}
	sum := plain.Sum128().Bytes()
	all.Plain = hex.EncodeToString(sum[:])
	sum = key.Sum128().Bytes()
	all.Key = hex.EncodeToString(sum[:])
	return all
}

// compare counts the texts of another ledger that l knows, and those that it does not.
func (l *Ledger) compare(other *Ledger) (k Kept) {
	count := func(known bool) {
		if known {
			k.Known++
		} else {
			k.New++
		}
	}
	for path, e := range other.files {
		_, known := l.file(path, e.Head)
		count(known)
	}
	for _, hashes := range other.hashes {
		for _, hash := range hashes {
			_, known := l.Side(hash)
			count(known)
		}
	}
	return k
}

func (k *Kept) add(other Kept) {
	k.Known, k.New = k.Known+other.Known, k.New+other.New
	k.Trained, k.HeldOut, k.Leaked = k.Trained+other.Trained, k.HeldOut+other.HeldOut, k.Leaked+other.Leaked
	k.Edited = append(k.Edited, other.Edited...)
}

// Len is the number of texts, records or files, that the ledger has.
func (l *Ledger) Len() int { return len(l.files) + len(l.hashes[Train]) + len(l.hashes[Validation]) }

// Name is a name for the ledger's file: others have other names.
func (l *Ledger) Name() string {
	hash := xxh3.New()
	fmt.Fprintf(hash, "%s\n%s\n%d\n", l.Plain, l.Key, l.digest())
	return fmt.Sprintf("%016x", hash.Sum64())
}

// Same tells whether two ledgers have the same texts on the same sides.
func (l *Ledger) Same(other *Ledger) bool { return l.digest() == other.digest() }

// Seal gives a ledger Plain and Key that identify its texts and their sides.
func (l *Ledger) Seal() {
	l.Sort()
	l.Plain = fmt.Sprintf("%016x", l.digest())
	l.Key = l.Plain
}

// key is that of shards which are made of data with the key plain, of which text is held out or not.
func (l *Ledger) key(plain string, heldOut bool) string {
	switch {
	case l == nil || !heldOut:
		return plain
	case l.Plain == plain:
		return l.Key
	case l.keys[plain] != "":
		return l.keys[plain]
	}
	hash := xxh3.New()
	fmt.Fprintf(hash, "%s\n%d\n", plain, l.digest())
	sum := hash.Sum128().Bytes()
	return hex.EncodeToString(sum[:])
}

// digest identifies what the ledger knows.
func (l *Ledger) digest() uint64 {
	hash := xxh3.New()
	for _, e := range l.sortedFiles() {
		text, err := json.Marshal(e)
		if err != nil {
			panic(err) // numbers and a path
		}
		hash.Write(text)
	}
	for _, hashes := range l.hashes {
		fmt.Fprintf(hash, "\n%d\n", len(hashes))
		hash.Write(littleEndian(hashes))
	}
	return hash.Sum64()
}

func (l *Ledger) sortedFiles() []fileEntry {
	files := make([]fileEntry, 0, len(l.files))
	for _, e := range l.files {
		files = append(files, e)
	}
	sort.Slice(files, func(i, j int) bool { return files[i].Path < files[j].Path })
	return files
}

func littleEndian(words []uint64) []byte {
	b := make([]byte, 0, 8*len(words))
	for _, w := range words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

// ledgerHeader is the first line of a ledger's file. Behind it come the hashes of the records trained on and of those held
// out, 8 bytes each, little-endian, and a hash of all of that.
type ledgerHeader struct {
	Version    int         `json:"version"`
	Plain      string      `json:"plain"`
	Key        string      `json:"key"`
	Train      int         `json:"train"`
	Validation int         `json:"validation"`
	Kept       Kept        `json:"kept"`
	Both       int         `json:"both,omitempty"`
	Files      []fileEntry `json:"files,omitempty"`
	// Sources has Key by Plain of each source that the texts have come from.
	Sources map[string]string `json:"sources,omitempty"`
}

const ledgerVersion = 1

// ErrLedger says that a file is no whole ledger.
var ErrLedger = errors.New("not a whole record of which texts are held out")

// WriteTo writes the ledger as ReadLedger reads it.
func (l *Ledger) WriteTo(w io.Writer) (int64, error) {
	var b bytes.Buffer
	err := json.NewEncoder(&b).Encode(ledgerHeader{
		Version: ledgerVersion, Plain: l.Plain, Key: l.Key, Train: len(l.hashes[Train]), Validation: len(l.hashes[Validation]),
		Kept: l.Kept, Both: l.Both, Files: l.sortedFiles(), Sources: l.keys,
	})
	if err != nil {
		return 0, err
	}
	for _, hashes := range l.hashes {
		b.Write(littleEndian(hashes))
	}
	b.Write(littleEndian([]uint64{xxh3.Hash(b.Bytes())}))
	return b.WriteTo(w)
}

// ledgerName is the file of the ledger in a prepared directory.
const ledgerName = "split"

// save writes the ledger to a new file and syncs it.
func (l *Ledger) save(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = l.WriteTo(file)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// ReadLedger reads what WriteTo wrote. The error wraps ErrLedger for a file that is damaged or another, and is
// os.ErrNotExist's where there is none.
func ReadLedger(path string) (*Ledger, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	fault := func(err error) (*Ledger, error) { return nil, fmt.Errorf("%s: %w: %w", path, ErrLedger, err) }
	end := len(text) - 8
	if end < 0 || xxh3.Hash(text[:end]) != binary.LittleEndian.Uint64(text[end:]) {
		return fault(errors.New("its checksum differs"))
	}
	line, err := bufio.NewReader(bytes.NewReader(text[:end])).ReadBytes('\n')
	if err != nil {
		return fault(err)
	}
	var h ledgerHeader
	if err := json.Unmarshal(line, &h); err != nil {
		return fault(err)
	}
	words := text[len(line):end]
	if h.Version != ledgerVersion || h.Train < 0 || h.Validation < 0 || len(words)%8 != 0 || h.Train+h.Validation != len(words)/8 {
		return fault(fmt.Errorf("version %d, %d and %d texts in %d bytes", h.Version, h.Train, h.Validation, len(words)))
	}
	l := NewLedger()
	l.Plain, l.Key, l.Kept, l.Both = h.Plain, h.Key, h.Kept, h.Both
	maps.Copy(l.keys, h.Sources)
	for _, e := range h.Files {
		l.files[e.Path] = e
	}
	for side, n := range []int{h.Train, h.Validation} {
		l.hashes[side] = make([]uint64, n)
		for i := range n {
			l.hashes[side][i] = binary.LittleEndian.Uint64(words)
			words = words[8:]
		}
	}
	return l, nil
}
