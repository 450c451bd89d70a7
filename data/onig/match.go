package onig

import (
	"encoding/binary"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"github.com/zeebo/xxh3"
)

// A Regex is a compiled expression.
type Regex struct {
	pattern   string
	program   []inst
	registers int
	starts    *[256]bool // the bytes that a match may begin with; nil for any
	machines  sync.Pool
}

// Compile reads an expression. What is not understood is an *Error.
func Compile(pattern string) (*Regex, error) {
	n, err := parse(pattern)
	if err != nil {
		return nil, err
	}
	c := &compiler{sets: map[string]*set{}}
	c.node(n)
	c.emit(inst{op: opMatch})
	if c.full {
		return nil, &Error{Pattern: pattern, What: "its repetitions make it too large"}
	}
	r := &Regex{pattern: pattern, program: c.program, registers: c.registers}
	var starts [256]bool
	if c.first(0, nil, &starts) {
		r.starts = &starts
	}
	r.machines.New = func() any { return &machine{registers: make([]int, r.registers)} }
	return r, nil
}

// String returns the expression.
func (r *Regex) String() string { return r.pattern }

// FindAll returns the matches in text, each from a place to another, one behind the other. An empty match at the end of the
// one before does not count.
func (r *Regex) FindAll(text []byte) [][2]int {
	var out [][2]int
	m := r.machines.Get().(*machine)
	m.begin(r, text)
	last := -1 // the end of the last match
	for at := 0; at <= len(text); {
		start, end := m.search(at)
		if end < 0 {
			break
		}
		if start == end && end == last {
			if at = end + 1; end < len(text) {
				_, size := utf8.DecodeRune(text[end:])
				at = end + size
			}
			continue
		}
		out = append(out, [2]int{start, end})
		at, last = end, end
	}
	m.text = nil
	r.machines.Put(m)
	return out
}

// A machine is what one search needs.
type machine struct {
	program   []inst
	text      []byte
	starts    *[256]bool
	stack     []frame
	registers []int
	start     int // the place at which a match is tried
	steps     int // left for it
	most      int // what it begins with

	// failed has a bit for each instruction and place from which no match is reached, once a search takes long; it holds
	// from place base on, until a match is found.
	careful bool
	failed  []uint64
	base    int
	seen    map[uint64]struct{} // in the place of failed, for an expression with registers
}

// A frame is what to go back to: an instruction and a place, of a span of characters that may give back some down to low; or
// the value of a register.
type frame struct {
	pc  int32 // -1 minus the register for a value
	at  int
	low int // -1 for none
}

// Bounds of a match: the steps after which failures are remembered, and those after which a place is given up.
const (
	carefulSteps = 20_000
	maxSteps     = 5_000_000
	hastySteps   = 100_000 // of the places behind one that was given up
)

func (m *machine) begin(r *Regex, text []byte) {
	m.program, m.text, m.starts = r.program, text, r.starts
	m.stack, m.careful, m.most = m.stack[:0], false, maxSteps
}

// search returns the first match from at on, end -1 for none.
func (m *machine) search(at int) (start, end int) {
	for ; at <= len(m.text); at++ {
		if m.starts != nil {
			for at < len(m.text) && !m.starts[m.text[at]] {
				at++
			}
			if at == len(m.text) {
				break
			}
		}
		if at > 0 && at < len(m.text) && !utf8.RuneStart(m.text[at]) && m.inside(at) {
			continue
		}
		m.steps, m.start = m.most, at
		if end := m.run(0, at, -1, true); end >= 0 {
			m.careful = false
			return at, end
		}
		if m.steps < 0 {
			m.most = hastySteps
		}
	}
	m.careful = false
	return 0, -1
}

// inside says whether a character goes on at a place.
func (m *machine) inside(at int) bool {
	for back := 1; back < utf8.UTFMax && back <= at; back++ {
		if utf8.RuneStart(m.text[at-back]) {
			_, size := utf8.DecodeRune(m.text[at-back:])
			return size > back
		}
	}
	return false
}

// run executes the program from pc on and returns where it matches, -1 for nowhere; with a target, only a match that ends
// there counts. top tells that it is not a part of another run.
func (m *machine) run(pc int32, at, target int, top bool) int {
	base := len(m.stack)
	for {
		if m.steps--; m.steps < 0 {
			return m.leave(base, -1)
		}
		in := &m.program[pc]
		ok := true
		switch in.op {
		case opMatch:
			if target < 0 || at == target {
				return m.leave(base, at)
			}
			ok = false
		case opRune, opSet:
			var c rune
			size := 1
			if at >= len(m.text) {
				ok = false
				break
			}
			if c = rune(m.text[at]); c >= utf8.RuneSelf {
				c, size = utf8.DecodeRune(m.text[at:])
			}
			if in.op == opRune {
				ok = c == in.c
			} else {
				ok = in.set.has(c)
			}
			at += size
			pc++
		case opCluster:
			if ok = at < len(m.text); ok {
				cluster, _, _, _ := uniseg.FirstGraphemeCluster(m.text[at:], -1)
				at += len(cluster)
				pc++
			}
		case opSplit:
			m.stack = append(m.stack, frame{in.y, at, -1})
			pc = in.x
		case opJump:
			pc = in.x
		case opAnchor:
			ok = m.anchored(byte(in.c), at)
			pc++
		case opAtomic:
			end := m.run(in.x, at, -1, false)
			ok = end >= 0
			at, pc = end, in.y
		case opLook:
			ok = m.look(in, at)
			pc = in.y
		case opMark:
			m.stack = append(m.stack, frame{-1 - in.x, m.registers[in.x], -1})
			m.registers[in.x] = at
			pc++
		case opMoved:
			if pc++; m.registers[in.x] == at {
				pc = in.y
			}
		case opSpan, opHold:
			n, low := int32(0), at
			for at < len(m.text) {
				c, size := rune(m.text[at]), 1
				if c >= utf8.RuneSelf {
					c, size = utf8.DecodeRune(m.text[at:])
				}
				if !in.set.has(c) {
					break
				}
				at += size
				if n++; n <= in.x {
					low = at
				}
			}
			m.steps -= int(n) / 16
			ok = n >= in.x
			if pc++; ok && in.op == opSpan && low < at {
				m.stack = append(m.stack, frame{pc, at, low})
			}
		}
		for !ok {
			if len(m.stack) == base {
				return -1
			}
			last := len(m.stack) - 1
			f := &m.stack[last]
			switch {
			case f.pc < 0:
				m.registers[-1-f.pc] = f.at
				m.stack = m.stack[:last]
				continue
			case f.low >= 0:
				_, size := utf8.DecodeLastRune(m.text[f.low:f.at])
				f.at -= size
				if pc, at = f.pc, f.at; f.at == f.low {
					m.stack = m.stack[:last]
				}
			default:
				pc, at = f.pc, f.at
				m.stack = m.stack[:last]
			}
			if top && !m.careful && m.steps < m.most-carefulSteps {
				m.remember()
			}
			ok = !top || !m.careful || m.visit(pc, at)
		}
	}
}

// leave drops what a run has left on the stack.
func (m *machine) leave(base, end int) int {
	m.stack = m.stack[:base]
	return end
}

// remember begins to remember failures, from the place on at which a match is being tried.
func (m *machine) remember() {
	m.careful, m.base = true, m.start
	if len(m.registers) > 0 {
		m.seen = map[uint64]struct{}{}
		return
	}
	words := (len(m.text)-m.base+1)*len(m.program)/64 + 1
	if words > maxMemory/8 {
		m.careful = false
		return
	}
	if len(m.failed) < words {
		m.failed = make([]uint64, words)
	}
	clear(m.failed)
}

// maxMemory bounds the bytes for remembering failures.
const maxMemory = 64 << 20

// visit says whether an instruction is tried at a place for the first time.
func (m *machine) visit(pc int32, at int) bool {
	if len(m.registers) > 0 {
		return m.visitWith(pc, at)
	}
	bit := (at-m.base)*len(m.program) + int(pc)
	word, mask := &m.failed[bit/64], uint64(1)<<(bit%64)
	if *word&mask != 0 {
		return false
	}
	*word |= mask
	return true
}

// visitWith is visit where what is reached depends on the registers too. It knows them by a hash.
func (m *machine) visitWith(pc int32, at int) bool {
	key := make([]byte, 0, 64)
	key = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(key, uint32(pc)), uint64(at))
	for _, r := range m.registers {
		key = binary.LittleEndian.AppendUint64(key, uint64(r))
	}
	state := xxh3.Hash(key)
	if _, seen := m.seen[state]; seen {
		return false
	}
	m.seen[state] = struct{}{}
	return true
}

func (m *machine) look(in *inst, at int) bool {
	switch in.c {
	case lookAhead:
		return m.run(in.x, at, -1, false) >= 0
	case notAhead:
		return m.run(in.x, at, -1, false) < 0
	}
	if in.ends {
		whole := m.text
		m.text = whole[:at]
		defer func() { m.text = whole }()
	}
	from := at
	for back := int32(0); ; back++ {
		if m.run(in.x, from, at, false) >= 0 {
			return in.c == lookBehind
		}
		if from == 0 || back == in.width || m.steps < 0 {
			return in.c == notBehind
		}
		_, size := utf8.DecodeLastRune(m.text[:from])
		from -= size
	}
}

// anchored says whether a place is of a kind.
func (m *machine) anchored(kind byte, at int) bool {
	n := len(m.text)
	switch kind {
	case '^':
		return at == 0 || m.text[at-1] == '\n' && at < n
	case '$':
		return at == n || m.text[at] == '\n'
	case 'A':
		return at == 0
	case 'z':
		return at == n
	case 'Z':
		return at == n || at == n-1 && m.text[at] == '\n'
	}
	before, _ := utf8.DecodeLastRune(m.text[:at])
	after, _ := utf8.DecodeRune(m.text[at:])
	return ((at > 0 && isWord(before)) != (at < n && isWord(after))) == (kind == 'b')
}

var words = sync.OnceValue(func() *set { return newSet(known("word")) })

func isWord(c rune) bool {
	if c < utf8.RuneSelf {
		return c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c)
	}
	return words().has(c)
}
