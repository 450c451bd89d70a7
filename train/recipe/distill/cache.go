package distill

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"

	"github.com/zeebo/xxh3"

	"example.com/gotrain/data"
	"example.com/gotrain/data/vfs"
)

// File holds the distributions of the teacher, in the run's directory.
const File = "teacher.bin"

// key is the hash of a text that sees nothing but itself, a row or a document in one: its tokens,
// their positions, and which of them have targets.
type key [16]byte

// identity is the first line of the file: what the distributions depend on beside the texts.
type identity struct {
	Format      int     `json:"format"`
	Model       string  `json:"model"`
	Precision   string  `json:"precision"`
	Temperature float64 `json:"temperature"`
	Top         int     `json:"top"`
	Rest        bool    `json:"rest"`
	Vocab       int     `json:"vocab"` // tokens that both models know
}

// idBytes is the size of a token's id.
func (d identity) idBytes() int {
	if d.Vocab <= 1<<16 {
		return 2
	}
	return 4
}

// tokenBytes is the size of what the file keeps of a token: Top ids and log-probabilities, and
// that of the remainder.
func (d identity) tokenBytes() int {
	n := d.Top * (d.idBytes() + 4)
	if d.Rest {
		n += 4
	}
	return n
}

// A record is a key, the number of its tokens, what is kept of each, and a checksum of that.
const (
	headBytes = len(key{}) + 4
	sumBytes  = 8
)

// cache finds the distributions of texts in the file. What is not in its index is not whole:
// the end of a process that was killed.
type cache struct {
	identity
	file  vfs.File
	index map[key]place
	end   int64 // of what is whole
}

// place is where the tokens of a text are.
type place struct {
	offset int64
	tokens int
}

// openCache reads which texts a file has: none where it is not there, or of another identity. To
// write, what is not whole is cut off first.
func openCache(fsys vfs.FS, path string, d identity, write bool) (*cache, error) {
	c := &cache{identity: d, index: map[key]place{}}
	f, err := fsys.Open(path)
	if err == nil {
		err = errors.Join(c.read(f), f.Close())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if write {
		if err := c.begin(fsys, path); err != nil {
			return nil, err
		}
	}
	if c.end == 0 {
		return c, nil
	}
	c.file, err = fsys.Open(path)
	return c, err
}

// close closes the file.
func (c *cache) close() error {
	if c == nil || c.file == nil {
		return nil
	}
	return c.file.Close()
}

// begin cuts off what is not whole, or all of a file of another identity.
func (c *cache) begin(fsys vfs.FS, path string) error {
	if c.end > 0 {
		f, err := fsys.OpenAppend(path)
		if err != nil {
			return err
		}
		return errors.Join(f.Truncate(c.end), f.Sync(), f.Close())
	}
	head, err := json.Marshal(c.identity)
	if err != nil {
		return err
	}
	head = append(head, '\n')
	c.end = int64(len(head))
	return vfs.WriteFile(fsys, path, func(w io.Writer) error {
		_, err := w.Write(head)
		return err
	})
}

// read fills the index.
func (c *cache) read(f vfs.File) error {
	r := bufio.NewReaderSize(f, 1<<20)
	head, err := r.ReadBytes('\n')
	var was identity
	if err != nil || json.Unmarshal(head, &was) != nil || was != c.identity {
		return nil
	}
	c.end = int64(len(head))
	var record []byte
	for {
		record = append(record[:0], make([]byte, headBytes)...)
		if _, err := io.ReadFull(r, record); err != nil {
			return ended(err)
		}
		tokens := int(binary.LittleEndian.Uint32(record[headBytes-4:]))
		if tokens > 1<<24 {
			return nil
		}
		record = append(record, make([]byte, tokens*c.tokenBytes()+sumBytes)...)
		if _, err := io.ReadFull(r, record[headBytes:]); err != nil {
			return ended(err)
		}
		body := len(record) - sumBytes
		if binary.LittleEndian.Uint64(record[body:]) != xxh3.Hash(record[:body]) {
			return nil
		}
		c.index[key(record)] = place{c.end + int64(headBytes), tokens}
		c.end += int64(len(record))
	}
}

// ended is no error at the end of a file.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// recordOf begins the record of a text.
func recordOf(k key, tokens int) []byte {
	return binary.LittleEndian.AppendUint32(bytes.Clone(k[:]), uint32(tokens))
}

// add appends what is kept of a token to a record.
func (d identity) add(record []byte, m *Most) []byte {
	for _, id := range m.Tokens {
		if d.idBytes() == 2 {
			record = binary.LittleEndian.AppendUint16(record, uint16(id))
		} else {
			record = binary.LittleEndian.AppendUint32(record, uint32(id))
		}
	}
	for _, p := range m.LogProbs {
		record = binary.LittleEndian.AppendUint32(record, math.Float32bits(p))
	}
	return record
}

// sealed is a record with its checksum.
func sealed(record []byte) []byte {
	return binary.LittleEndian.AppendUint64(record, xxh3.Hash(record))
}

// get reads the distributions of a text with these targets into classes (T, K) and logs (T, W),
// where there is a target.
func (c *cache) get(k key, targets, classes []int32, logs []float32, scratch []byte) error {
	at, ok := c.index[k]
	size := c.tokenBytes()
	if !ok {
		return fmt.Errorf("%s lacks the distributions of a text: %w", File, errLacking)
	}
	content := scratch[:at.tokens*size]
	if _, err := c.file.ReadAt(content, at.offset); err != nil {
		return fmt.Errorf("%s: %w", File, err)
	}
	width := len(logs) / len(targets)
	for i, target := range targets {
		if target < 0 {
			continue
		}
		ids, ps := classes[i*c.Top:][:c.Top], logs[i*width:][:width]
		if len(content) < size {
			return fmt.Errorf("%s has fewer tokens of a text than that has targets", File)
		}
		for j := range ids {
			if c.idBytes() == 2 {
				ids[j] = int32(binary.LittleEndian.Uint16(content[2*j:]))
			} else {
				ids[j] = int32(binary.LittleEndian.Uint32(content[4*j:]))
			}
		}
		numbers := content[c.Top*c.idBytes() : size]
		for j := range ps {
			ps[j] = math.Float32frombits(binary.LittleEndian.Uint32(numbers[4*j:]))
		}
		content = content[size:]
	}
	return nil
}

// errLacking says that the file was made for other data or fewer steps.
var errLacking = errors.New("the file is of other data, or was changed while the run went on; begin again, and what it lacks is computed")

// texts calls f for each text of a row that has targets, with the place of its first token and
// that behind its last.
func texts(row data.Columns, f func(first, end int) error) error {
	for first := 0; first < len(row.IDs); {
		end := len(row.IDs)
		if row.Segments != nil {
			for end = first + 1; end < len(row.IDs) && row.Segments[end] == row.Segments[first]; end++ {
			}
		}
		if count(row.Targets[first:end]) > 0 {
			if err := f(first, end); err != nil {
				return err
			}
		}
		first = end
	}
	return nil
}

// keyOf hashes the tokens [first, end) of a row.
func keyOf(row data.Columns, first, end int) key {
	h := xxh3.New()
	var words [9]byte
	for i := first; i < end; i++ {
		binary.LittleEndian.PutUint32(words[:], uint32(row.IDs[i]))
		binary.LittleEndian.PutUint32(words[4:], uint32(row.Positions[i]))
		words[8] = 0
		if row.Targets[i] >= 0 {
			words[8] = 1
		}
		h.Write(words[:])
	}
	return key(h.Sum128().Bytes())
}
