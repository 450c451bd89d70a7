package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gotrain/autograd/cpu/kernel"
	"gotrain/train/ranks"
	"gotrain/train/ranks/nccl"
	"gotrain/train/ranks/store"
)

const (
	linkBytes   = 8 << 20         // that each side of a link sends at once
	clockLimit  = 1.0             // seconds between two clocks that logs still bear
	slowLink    = 0.5             // of the median bandwidth
	clusterTime = 5 * time.Minute // for the whole examination
)

// reduceSizes are the messages of the all-reduce, in bytes.
var reduceSizes = []int{4, 64 << 10, 1 << 20, 16 << 20, 64 << 20}

// clusterProbe examines a group of ranks, seen from one of them.
type clusterProbe struct {
	group ranks.Group
	store ranks.Store // its keys are for this examination alone
	// pair opens the group of two ranks, of which this is one, that meet in store.
	pair  func(ctx context.Context, store ranks.Store, rank int) (ranks.Group, error)
	host  string
	dir   string // whose disk is measured
	facts []ranks.Fact
	sizes []int // of all-reduces, in bytes
}

// clusterReport is what doctor --cluster found.
type clusterReport struct {
	Ranks     []rankReport   `json:"ranks"`
	AllReduce []reduceReport `json:"all_reduce"`
	Links     []linkReport   `json:"links"`
	Findings  []finding      `json:"findings"`
}

type rankReport struct {
	Rank      int     `json:"rank"`
	Host      string  `json:"host"`
	ClockS    float64 `json:"clock_s"` // ahead of rank 0's
	DiskMBs   float64 `json:"disk_mb_per_s"`
	DiskError string  `json:"disk_error,omitempty"`
}

type reduceReport struct {
	Bytes  int     `json:"bytes"`
	TimeMS float64 `json:"time_ms"`
	// BusGBs is 2·(n−1)/n · bytes / time: what each link of a ring of n carries.
	BusGBs float64 `json:"bus_gb_per_s"`
}

type linkReport struct {
	From      int     `json:"from"`
	To        int     `json:"to"`
	LatencyUS float64 `json:"latency_us"` // of an exchange of 8 bytes
	GBs       float64 `json:"gb_per_s"`   // in each direction, both at once
	Error     string  `json:"error,omitempty"`
}

// doctorCluster is doctor --cluster on one rank; rank 0 prints.
func doctorCluster(c *cobra.Command, dir, config, device string, asJSON bool) error {
	facts, err := clusterFacts(config)
	if err != nil {
		return usageError{err}
	}
	members, err := openCluster(c.Context(), "auto", device)
	if err != nil {
		return err
	}
	if members.group == nil {
		return usageError{errors.New("doctor --cluster examines several ranks, and this process is alone: " +
			"start it as a run is started, such as by mpirun -np 2 gotrain doctor --cluster")}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	ctx, cancel := context.WithTimeout(c.Context(), clusterTime)
	defer cancel()
	p := clusterProbe{group: members.group, store: store.WithPrefix(members.store, "doctor"), host: host, dir: existing(dir), facts: facts, sizes: reduceSizes,
		pair: func(ctx context.Context, s ranks.Store, rank int) (ranks.Group, error) {
			return members.openGroup(ctx, s, rank, 2)
		}}
	report, err := p.examine(ctx)
	if err == nil && members.first() {
		if asJSON {
			err = writeJSON(c.OutOrStdout(), report)
		} else {
			err = report.print(c.OutOrStdout())
		}
	}
	return errors.Join(err, members.close(err))
}

// clusterFacts is what has to be alike on all ranks: the program, the kernels,
// whose sums differ by rounding, and a configuration when one is given.
func clusterFacts(config string) ([]ranks.Fact, error) {
	facts := []ranks.Fact{
		{Name: "program", Value: readBuild().String(), Cure: "install the same binary on all nodes"},
		{Name: "kernels", Value: fmt.Sprint(kernel.Best()), Cure: "use nodes with the same instruction set, else sums differ by rounding"},
	}
	if config == "" {
		return facts, nil
	}
	text, err := os.ReadFile(config)
	if err != nil {
		return nil, err
	}
	return append(facts, ranks.Fact{Name: "configuration", Value: fmt.Sprintf("%.6x", sha256.Sum256(text)), Cure: "give all ranks the same file"}), nil
}

// existing is the nearest parent of dir that exists.
func existing(dir string) string {
	at, err := filepath.Abs(dir)
	if err != nil {
		return dir
	}
	for !exists(at) && at != filepath.Dir(at) {
		at = filepath.Dir(at)
	}
	return at
}

// examine is called on all ranks; the report is rank 0's.
func (p *clusterProbe) examine(ctx context.Context) (*clusterReport, error) {
	defer context.AfterFunc(ctx, p.group.Abort)() // a link that is down would hold up a collective for ever
	disagreement := ranks.Agree(p.group, p.facts)
	if err := ctx.Err(); err != nil {
		return nil, errors.Join(err, disagreement)
	}
	var report clusterReport
	clocks, err := p.clocks()
	if err != nil {
		return nil, fmt.Errorf("clocks: %w", err)
	}
	for _, size := range p.sizes {
		r, err := p.allReduce(size)
		if err != nil {
			return nil, fmt.Errorf("all-reduce of %d bytes: %w", size, err)
		}
		report.AllReduce = append(report.AllReduce, r)
	}
	if report.Links, err = p.links(ctx); err != nil {
		return nil, fmt.Errorf("links: %w", err)
	}
	// All ranks write at once, as they do at a checkpoint.
	own := rankReport{Rank: p.group.Rank(), Host: p.host, ClockS: clocks[p.group.Rank()]}
	if own.DiskMBs, err = diskSpeed(p.dir); err != nil {
		own.DiskError = err.Error()
	}
	if err := p.publish(ctx, fmt.Sprint("rank/", own.Rank), own); err != nil {
		return nil, err
	}
	if p.group.Rank() == 0 {
		report.Ranks = make([]rankReport, p.group.Size())
		for i := range report.Ranks {
			if err := p.collect(ctx, fmt.Sprint("rank/", i), &report.Ranks[i]); err != nil {
				return nil, err
			}
		}
		report.judge(disagreement)
	}
	return &report, p.group.Barrier()
}

func (p *clusterProbe) publish(ctx context.Context, key string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return p.store.Set(ctx, key, text)
}

func (p *clusterProbe) collect(ctx context.Context, key string, v any) error {
	text, err := p.store.Get(ctx, key)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// clocks returns how far, in seconds, each rank's clock is ahead of rank 0's: all
// read theirs as they leave a barrier, and the median of some rounds counts, so it
// is as good as the barrier is short.
func (p *clusterProbe) clocks() ([]float64, error) {
	const rounds = 9
	size := p.group.Size()
	ahead := make([][]float64, size)
	all := make([]byte, 8*size)
	for range rounds {
		if err := p.group.Barrier(); err != nil {
			return nil, err
		}
		now := binary.LittleEndian.AppendUint64(nil, uint64(time.Now().UnixNano()))
		if err := p.group.AllGather(all, now); err != nil {
			return nil, err
		}
		first := int64(binary.LittleEndian.Uint64(all))
		for i := range ahead {
			ahead[i] = append(ahead[i], float64(int64(binary.LittleEndian.Uint64(all[8*i:]))-first)/1e9)
		}
	}
	medians := make([]float64, size)
	for i, rounds := range ahead {
		medians[i] = median(rounds)
	}
	return medians, nil
}

// onDevice gives f what a group on GPUs computes with size bytes of their memory, as
// training does; false says that the group is one on CPUs.
func onDevice(g ranks.Group, size int, f func(nccl.Resident) error) (bool, error) {
	gpus, ok := g.(nccl.Group)
	if !ok {
		return false, nil
	}
	r, err := gpus.Resident(size)
	if err != nil {
		return true, err
	}
	return true, errors.Join(f(r), r.Close())
}

// allReduce times sums of size bytes over the whole group.
func (p *clusterProbe) allReduce(size int) (reduceReport, error) {
	var seconds float64
	onGPU, err := onDevice(p.group, size, func(r nccl.Resident) (err error) {
		seconds, err = medianTime(repeats(size), r.AllReduce)
		return err
	})
	if !onGPU {
		x := make([]float32, size/4)
		seconds, err = medianTime(repeats(size), func() error { return p.group.AllReduce(x) })
	}
	n := float64(p.group.Size())
	return reduceReport{Bytes: size, TimeMS: seconds * 1e3, BusGBs: 2 * (n - 1) / n * float64(size) / seconds / 1e9}, err
}

func repeats(size int) int {
	if size <= 1<<20 {
		return 25
	}
	return 5
}

// medianTime is the median time in seconds of calls of f, after one that does not count.
func medianTime(calls int, f func() error) (float64, error) {
	seconds := make([]float64, calls)
	if err := f(); err != nil {
		return 0, err
	}
	for i := range seconds {
		start := time.Now()
		if err := f(); err != nil {
			return 0, err
		}
		seconds[i] = max(time.Since(start).Seconds(), 1e-9)
	}
	return median(seconds), nil
}

func median(x []float64) float64 {
	sorted := slices.Sorted(slices.Values(x))
	return sorted[len(sorted)/2]
}

// links measures the links of the ring of ranks one after another, while the other
// ranks rest.
func (p *clusterProbe) links(ctx context.Context) ([]linkReport, error) {
	rank, size := p.group.Rank(), p.group.Size()
	count := size
	if size == 2 {
		count = 1
	}
	links := make([]linkReport, count)
	for from := range links {
		to := (from + 1) % size
		key := fmt.Sprint("link/", from)
		if rank == from || rank == to {
			side := 0
			if rank == to {
				side = 1
			}
			link := linkReport{From: from, To: to}
			if err := p.link(ctx, store.WithPrefix(p.store, key+"/group"), side, &link); err != nil {
				link.Error = err.Error()
			}
			if side == 0 {
				if err := p.publish(ctx, key, link); err != nil {
					return nil, err
				}
			}
		}
		if err := p.collect(ctx, key, &links[from]); err != nil {
			return nil, err
		}
		if err := p.group.Barrier(); err != nil {
			return nil, err
		}
	}
	return links, nil
}

// link measures one link from one of its sides.
func (p *clusterProbe) link(ctx context.Context, meet ranks.Store, side int, r *linkReport) error {
	pair, err := p.pair(ctx, meet, side)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, pair.Abort)()
	exchange := func(size int) (seconds float64, err error) {
		onGPU, err := onDevice(pair, 2*size, func(r nccl.Resident) (err error) {
			seconds, err = medianTime(repeats(size), r.AllGather)
			return err
		})
		if onGPU {
			return seconds, err
		}
		src, dst := make([]byte, size), make([]byte, 2*size)
		return medianTime(repeats(size), func() error { return pair.AllGather(dst, src) })
	}
	latency, err := exchange(8)
	if err != nil {
		return errors.Join(err, pair.Close())
	}
	seconds, err := exchange(linkBytes)
	if err != nil {
		return errors.Join(err, pair.Close())
	}
	r.LatencyUS, r.GBs = latency*1e6, linkBytes/seconds/1e9
	return pair.Close()
}

// judge adds what a person should look at.
func (r *clusterReport) judge(disagreement error) {
	agreement := finding{Name: "agreement", OK: disagreement == nil, Detail: "all ranks have the same program, kernels and configuration"}
	if disagreement != nil {
		agreement.Detail = disagreement.Error()
	}
	r.Findings = append(r.Findings, agreement)
	var speeds []float64
	for _, l := range r.Links {
		if l.Error == "" {
			speeds = append(speeds, l.GBs)
		}
	}
	for _, l := range r.Links {
		name := fmt.Sprintf("link %d-%d", l.From, l.To)
		switch {
		case l.Error != "":
			r.Findings = append(r.Findings, finding{Name: name, Detail: l.Error, Cure: "see that the machines reach each other on all ports"})
		case l.GBs < slowLink*median(speeds):
			r.Findings = append(r.Findings, finding{Name: name, Detail: fmt.Sprintf("%.3g GB/s, the median link has %.3g", l.GBs, median(speeds)),
				Cure: "the slowest link sets the pace of all: look at its cable, port and interface, or leave the machine out"})
		}
	}
	for _, rank := range r.Ranks {
		name := fmt.Sprintf("rank %d", rank.Rank)
		if rank.ClockS > clockLimit || rank.ClockS < -clockLimit {
			r.Findings = append(r.Findings, finding{Name: name, Detail: fmt.Sprintf("the clock of %s is %+.1f s off rank 0's", rank.Host, rank.ClockS),
				Cure: "logs of the ranks will not fit together: let NTP set the clock"})
		}
		if rank.DiskError != "" {
			r.Findings = append(r.Findings, finding{Name: name, Detail: "cannot write: " + rank.DiskError, Cure: "every rank writes its part of a checkpoint: mount the directory of --run on " + rank.Host})
		} else if rank.DiskMBs < slowDiskMBs {
			r.Findings = append(r.Findings, finding{Name: name, Detail: fmt.Sprintf("%.0f MB/s to disk on %s", rank.DiskMBs, rank.Host),
				Cure: "checkpoints will hold up training: raise train.save_every, or put run.dir on a faster disk"})
		}
	}
}

// print writes the tables, then the findings.
func (r *clusterReport) print(w io.Writer) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "rank\thost\tclock s\tdisk MB/s\t")
	for _, rank := range r.Ranks {
		fmt.Fprintf(table, "%d\t%s\t%+.4f\t%.0f\t\n", rank.Rank, rank.Host, rank.ClockS, rank.DiskMBs)
	}
	fmt.Fprintln(table, "\t\t\t\t\nlink\tlatency µs\tGB/s\t\t")
	for _, l := range r.Links {
		fmt.Fprintf(table, "%d-%d\t%.1f\t%.3g\t\t\n", l.From, l.To, l.LatencyUS, l.GBs)
	}
	fmt.Fprintln(table, "\t\t\t\t\nall-reduce\tms\tbus GB/s\t\t")
	for _, a := range r.AllReduce {
		fmt.Fprintf(table, "%s\t%.3f\t%.3g\t\t\n", bytesText(int64(a.Bytes)), a.TimeMS, a.BusGBs)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	b.WriteString("\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	return printFindings(w, r.Findings)
}
