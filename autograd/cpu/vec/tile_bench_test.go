package vec

import (
	"fmt"
	"testing"
)

func BenchmarkTile(b *testing.B) {
	for _, s := range []struct{ m, n, k int }{{64, 64, 64}, {64, 32, 64}, {64, 16, 64}, {8, 64, 64}, {8, 32, 32}, {8, 16, 32}, {8, 32, 8}} {
		for _, v := range Available()[1:] {
			x := make([]float32, 64*64*4)
			one := make([]float32, 64)
			for _, tr := range []bool{false, true} {
				as, ak := 64, 1
				if tr {
					as, ak = 1, 64
				}
				b.Run(fmt.Sprintf("%v_tr%v/%s", s, tr, v.Name()), func(b *testing.B) {
					best(b, 20*float64(2*s.m*s.n*s.k), "GFLOP/s", func() {
						for range 20 {
							v.tile(x[2*4096:], 64, s.m, s.n, s.k, x, as, ak, x[4096:], 64, one)
						}
					})
				})
			}
		}
	}
}
