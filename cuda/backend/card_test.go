package backend

import (
	"strings"
	"testing"
)

// TestSheet: a card has the data sheet of its name, compute capability and memory, and
// none where one of them is another card's.
func TestSheet(t *testing.T) {
	for _, c := range []struct {
		name         string
		major, minor int
		sms          int
		mib          int64
		want         string // "" is none
	}{
		{"NVIDIA H100 80GB HBM3", 9, 0, 132, 81559, "h100-sxm"},
		{"NVIDIA H100 80GB HBM3 MIG 3g.40gb", 9, 0, 60, 40320, ""},
		{"NVIDIA H100 PCIe", 9, 0, 114, 81559, ""},
		{"NVIDIA H200", 9, 0, 132, 143771, "h200"},
		{"NVIDIA H200 NVL", 9, 0, 132, 143771, "h200"},
		{"NVIDIA H200", 9, 0, 132, 140000, "h200"},
		{"NVIDIA GH200 480GB", 9, 0, 132, 97871, ""},
		{"NVIDIA GH200 144G HBM3e", 9, 0, 132, 143771, ""},
		{"NVIDIA H200", 9, 0, 132, 97871, ""},
		{"NVIDIA H200", 10, 0, 132, 143771, ""},
		{"NVIDIA B200", 10, 0, 148, 183359, "b200"},
		{"NVIDIA GB200", 10, 0, 148, 189471, ""},
		{"NVIDIA A100-SXM4-80GB", 8, 0, 108, 81920, "a100-80gb"},
		{"NVIDIA A100-SXM4-40GB", 8, 0, 108, 40960, ""},
		{"NVIDIA L40S", 8, 9, 142, 46068, "l40s"},
		{"NVIDIA L40", 8, 9, 142, 46068, ""},
		{"NVIDIA GeForce RTX 4090", 8, 9, 128, 24564, "rtx-4090"},
		{"NVIDIA GeForce RTX 4090 D", 8, 9, 128, 24564, "rtx-4090"},
		{"NVIDIA GeForce RTX 4090 Laptop GPU", 8, 9, 76, 16376, ""},
		{"", 9, 0, 132, 143771, ""},
	} {
		got, ok := sheet(c.name, c.major, c.minor, c.sms, c.mib<<20)
		if got.Name != c.want || ok != (c.want != "") {
			t.Errorf("%s, %d.%d, %d MiB: %q, want %q", c.name, c.major, c.minor, c.mib, got.Name, c.want)
		}
	}
}

func TestCardAttention(t *testing.T) {
	for _, c := range cards {
		hopper := strings.HasPrefix(c.Name, "h")
		if err := c.attention(AttentionHopper); (err == nil) != hopper {
			t.Errorf("%s: %v", c.Name, err)
		}
		if err := c.attention(AttentionMMA); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}
