package plan

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"example.com/gotrain/autograd/ir"
)

const mib = 1 << 20

// WriteReport writes the passes and what they left, the bytes at the peak by
// category, and every value alive at the peak, the largest first. Sizes are in
// MiB.
func (p *Plan) WriteReport(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "program %s: %d instructions, peak %.2f MiB\n\n", p.Program.Name, len(p.Program.Instrs), float64(p.Peak())/mib)
	p.writePasses(&b)
	b.WriteByte('\n')
	alive, at := p.alivePeak()
	p.writeCategories(&b, alive)
	if len(alive) > 0 {
		where := "after the last instruction"
		if at < len(p.Program.Instrs) {
			in := p.Program.Instrs[at]
			where = fmt.Sprintf("at instruction %d, %s of %q", at, in.Kind, in.Path)
		}
		fmt.Fprintf(&b, "\nalive in the arena %s\n", where)
		t := table(&b)
		fmt.Fprint(t, "MiB\tshape\tmade by\tpath\n")
		for _, a := range alive {
			fmt.Fprintf(t, "%.2f\t%s\t%s\t%s\n", float64(a.bytes)/mib, a.shape, a.maker, a.path)
		}
		t.Flush() // cannot fail: b takes everything
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func table(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 0, 2, ' ', 0) }

func (p *Plan) writePasses(w io.Writer) {
	t := table(w)
	fmt.Fprint(t, "pass\tinstructions\tremoved\n")
	for _, r := range p.Report {
		fmt.Fprintf(t, "%s\t%d\t%d\n", r.Name, r.InstrsOut, r.InstrsIn-r.InstrsOut)
	}
	t.Flush()
}

// writeCategories writes the sums of persistent memory and of the arena.
func (p *Plan) writeCategories(w io.Writer, alive []resident) {
	sums := map[string]int64{}
	var used int64
	for _, a := range alive {
		sums[a.category] += a.bytes
		used += a.bytes
	}
	var gradients int64
	for _, v := range p.Program.Values {
		if v.Class == ir.State && v.Base == nil && strings.HasPrefix(v.Name, "grad.") {
			gradients += v.Bytes()
		}
	}
	t := table(w)
	fmt.Fprint(t, "memory\tMiB\n")
	for _, row := range []struct {
		name  string
		bytes int64
	}{
		{"state", p.State - gradients},
		{"state: gradients", gradients},
		{"inputs", p.Inputs},
		{"tables", p.Tables},
		{"arena", p.Arena},
		{"  activations", sums[activations]},
		{"  gradients", sums[backward]},
		{"  workspace", sums[workspace]},
		{"  fragmentation", p.Arena - used},
		{"peak", p.Peak()},
		{"arena, lower bound", p.Live},
		{"arena without sharing", p.Naive},
	} {
		fmt.Fprintf(t, "%s\t%.2f\n", row.name, float64(row.bytes)/mib)
	}
	t.Flush()
}

// Categories of what is in the arena.
const (
	activations = "activations"
	backward    = "gradients"
	workspace   = "workspace"
)

// resident is something alive in the arena at the peak.
type resident struct {
	category           string
	bytes              int64 // aligned
	shape, maker, path string
}

// alivePeak lists what is alive at the instruction where the arena is
// fullest, the largest first, and returns that instruction's index.
func (p *Plan) alivePeak() ([]resident, int) {
	prog := p.Program
	lives := p.lifetimes()
	var blocks []block
	for id, l := range lives {
		if s := p.Slots[id]; s.Bytes > 0 {
			blocks = append(blocks, block{life: l, bytes: align(s.Bytes)})
		}
	}
	for _, l := range p.Launches {
		blocks = append(blocks, block{life: l.life(), bytes: align(l.Workspace.Bytes)})
	}
	_, at := peak(blocks, len(prog.Instrs))
	var alive []resident
	for id, l := range lives {
		if s := p.Slots[id]; s.Bytes > 0 && l.def <= at && at <= l.last {
			in := prog.Instrs[l.def]
			r := resident{activations, align(s.Bytes), prog.Values[id].Shape.String(), in.Kind.String(), in.Path}
			if in.Backward {
				r.category = backward
			}
			alive = append(alive, r)
		}
	}
	for _, l := range p.Launches {
		if life := l.life(); life.def <= at && at <= life.last && l.Workspace.Bytes > 0 {
			in := prog.Instrs[l.First]
			alive = append(alive, resident{workspace, align(l.Workspace.Bytes), "workspace", in.Kind.String(), in.Path})
		}
	}
	slices.SortStableFunc(alive, func(a, b resident) int { return cmp.Compare(b.bytes, a.bytes) })
	return alive, at
}
