package data

import (
	"fmt"
	"math"
	"math/bits"
)

// Mixture draws training batches from several sources, each in the order that a [Loader] gives it.
//
// Which source a sample comes from follows from the seed and the number of the sample alone, by counting: of the first n
// samples source 0, of weight q₀ out of R₀ = Σq, has c₀(n) = ⌊(n·q₀+φ₀)/R₀⌋ with a phase φ₀ < R₀ that the seed draws; of the
// others, counted by themselves, source 1 has c₁(n-c₀(n)) with q₁ out of R₁ = R₀-q₀, and so on. So sample n is the
// c(n)-th of its source, each source's share of any stretch of samples is its weight to within a sample or two, and nothing
// but the number of samples consumed need be stored to resume.
//
// Without weights a source is as much as it has windows: a pass over all of them is one pass over each.
type Mixture struct {
	LoaderConfig
	names   []string
	loaders []*Loader
	turns   []turn
	windows uint64
}

// turn is how a source takes its turns among itself and those behind it: q of r samples, from a phase on.
type turn struct{ q, r, phase uint64 }

// before is how many of the first n samples are the source's.
func (t turn) before(n uint64) uint64 {
	hi, lo := bits.Mul64(n, t.q)
	lo, carry := bits.Add64(lo, t.phase, 0)
	count, _ := bits.Div64(hi+carry, lo, t.r)
	return count
}

// newMixture returns a mixture of parts, whose sets must stay open.
func newMixture(parts []Part, cfg LoaderConfig) (*Mixture, error) {
	m := &Mixture{LoaderConfig: cfg}
	quotas := make([]uint64, len(parts))
	sum := 0.0
	for _, p := range parts {
		sum += p.Weight
	}
	for i, p := range parts {
		own := cfg
		own.Seed = mix(mix(cfg.Seed) + uint64(i) + 1)
		l, err := NewLoader(p.Train, own)
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", p.Name, err)
		}
		m.names, m.loaders = append(m.names, p.Name), append(m.loaders, l)
		m.windows += l.windows
		if quotas[i] = l.windows; p.Weight > 0 {
			quotas[i] = max(1, uint64(math.Round(p.Weight/sum*quotaScale)))
		}
	}
	rest := uint64(0)
	for _, q := range quotas {
		rest += q
	}
	for i, q := range quotas {
		m.turns = append(m.turns, turn{q: q, r: rest, phase: mix(mix(cfg.Seed)^uint64(i)) % rest})
		rest -= q
	}
	return m, nil
}

// quotaScale is the whole of which weights are parts.
const quotaScale = 1 << 32

// Windows returns the samples of a pass: as many as the sources have windows, together.
func (m *Mixture) Windows() uint64 { return m.windows }

// at returns the source of a sample, and how many of the source's came before.
func (m *Mixture) at(sample uint64) (source int, number uint64) {
	last := len(m.turns) - 1
	for i, t := range m.turns[:last] {
		before := t.before(sample)
		if t.before(sample+1) > before {
			return i, before
		}
		sample -= before
	}
	return last, sample
}

// SourceOf names the source of a sample.
func (m *Mixture) SourceOf(sample uint64) string {
	source, _ := m.at(sample)
	return m.names[source]
}

// Drawn is what samples have taken from a source.
type Drawn struct {
	Name    string
	Samples uint64
	Windows uint64 // of a pass over the source
}

// Drawn tells what the first n samples take from each source.
func (m *Mixture) Drawn(n uint64) []Drawn {
	drawn := make([]Drawn, len(m.turns))
	for i, t := range m.turns {
		count := n
		if i < len(m.turns)-1 {
			count = t.before(n)
		}
		drawn[i] = Drawn{m.names[i], count, m.loaders[i].windows}
		n -= count
	}
	return drawn
}

// Fill sets dst to this rank's share of the step that begins at global sample position, as [Loader.Fill] does.
func (m *Mixture) Fill(dst *Batch, position uint64) error {
	c, err := m.Columns(dst)
	if err != nil {
		return err
	}
	first := begin(&m.Sequences, c, dst, position, m.loaders[0].set.EndOfText())
	counted := 0
	_, rows := m.Share()
	for row := range rows {
		source, number := m.at(first + uint64(row))
		l := m.loaders[source]
		e := l.epoch(number / l.windows)
		counted += l.row(c, dst, row, number, &e)
	}
	dst.Weight = float64(counted)
	return nil
}
