package probe

import (
	"fmt"

	"example.com/gotrain/train/device"
)

const (
	clockLimit = 1.0 // seconds between two clocks that logs still bear
	slowLink   = 0.5 // of the median bandwidth
)

// judge adds what a person should look at.
func (r *Report) judge(disagreement error) {
	agreement := device.Finding{Name: "agreement", OK: disagreement == nil, Detail: "all ranks have the same program, kernels and configuration"}
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
			r.Findings = append(r.Findings, device.Finding{Name: name, Detail: l.Error, Cure: "see that the machines reach each other on all ports"})
		case l.GBs < slowLink*median(speeds):
			r.Findings = append(r.Findings, device.Finding{Name: name, Detail: fmt.Sprintf("%.3g GB/s, the median link has %.3g", l.GBs, median(speeds)),
				Cure: "the slowest link sets the pace of all: look at its cable, port and interface, or leave the machine out"})
		}
	}
	for _, rank := range r.Ranks {
		name := fmt.Sprintf("rank %d", rank.Rank)
		if rank.ClockS > clockLimit || rank.ClockS < -clockLimit {
			r.Findings = append(r.Findings, device.Finding{Name: name, Detail: fmt.Sprintf("the clock of %s is %+.1f s off rank 0's", rank.Host, rank.ClockS),
				Cure: "logs of the ranks will not fit together: let NTP set the clock"})
		}
		if rank.DiskError != "" {
			r.Findings = append(r.Findings, device.Finding{Name: name, Detail: "cannot write: " + rank.DiskError, Cure: "every rank writes its part of a checkpoint: mount the directory of --run on " + rank.Host})
		} else if rank.DiskMBs < device.SlowDisk {
			r.Findings = append(r.Findings, device.Finding{Name: name, Detail: fmt.Sprintf("%.0f MB/s to disk on %s", rank.DiskMBs, rank.Host),
				Cure: device.SlowDiskCure})
		}
	}
}
