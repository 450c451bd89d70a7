package main

import (
	"strings"
	"testing"

	"example.com/gotrain/train/device"
	"example.com/gotrain/train/ranks/probe"
)

func TestPrintCluster(t *testing.T) {
	var out strings.Builder
	err := printCluster(&out, &probe.Report{
		Ranks:     []probe.Rank{{Rank: 0, Host: "node", DiskMBs: 900}, {Rank: 1, Host: "other", ClockS: -0.25}},
		AllReduce: []probe.Reduction{{Bytes: 1 << 20, TimeMS: 0.5, BusGBs: 2}},
		Links:     []probe.Link{{From: 0, To: 1, LatencyUS: 20, GBs: 1.5}},
		Findings:  []device.Finding{{Name: "rank 1", Detail: "cannot write", Cure: "mount it"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"disk MB/s", " -0.2500 ", "0-1", "all-reduce", "1.0 MiB", "warn  rank 1      cannot write\n", "→ mount it"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s\nlacks %q", &out, want)
		}
	}
}
