package seq2seq

import "testing"

// TestBuckets holds where the buckets of distances begin against transformers'
// T5Attention._relative_position_bucket.
func TestBuckets(t *testing.T) {
	for _, c := range []struct {
		buckets, most int
		causal        bool
		starts        [][2]int // the distance from which on there is a bucket
	}{
		{32, 128, false, [][2]int{{-128, 15}, {-90, 14}, {-63, 13}, {-45, 12}, {-31, 11}, {-22, 10}, {-15, 9}, {-11, 8}, {-7, 7}, {-6, 6}, {-5, 5}, {-4, 4}, {-3, 3}, {-2, 2}, {-1, 1},
			{0, 0}, {1, 17}, {2, 18}, {3, 19}, {4, 20}, {5, 21}, {6, 22}, {7, 23}, {8, 24}, {12, 25}, {16, 26}, {23, 27}, {32, 28}, {46, 29}, {64, 30}, {91, 31}}},
		{32, 128, true, [][2]int{{-128, 31}, {-112, 30}, {-98, 29}, {-86, 28}, {-76, 27}, {-66, 26}, {-58, 25}, {-51, 24}, {-45, 23}, {-39, 22}, {-34, 21}, {-30, 20}, {-26, 19}, {-23, 18},
			{-20, 17}, {-18, 16}, {-15, 15}, {-14, 14}, {-13, 13}, {-12, 12}, {-11, 11}, {-10, 10}, {-9, 9}, {-8, 8}, {-7, 7}, {-6, 6}, {-5, 5}, {-4, 4}, {-3, 3}, {-2, 2}, {-1, 1}, {0, 0}}},
		{16, 20, false, [][2]int{{-20, 7}, {-13, 6}, {-8, 5}, {-5, 4}, {-3, 3}, {-2, 2}, {-1, 1}, {0, 0}, {1, 9}, {2, 10}, {3, 11}, {4, 12}, {6, 13}, {9, 14}, {14, 15}}},
		{16, 20, true, [][2]int{{-20, 15}, {-17, 14}, {-15, 13}, {-14, 12}, {-12, 11}, {-11, 10}, {-10, 9}, {-8, 8}, {-7, 7}, {-6, 6}, {-5, 5}, {-4, 4}, {-3, 3}, {-2, 2}, {-1, 1}, {0, 0}}},
	} {
		config := Config{Buckets: c.buckets, MaxDistance: c.most}
		at := 0
		for distance := -c.most; distance <= c.most; distance++ {
			if at+1 < len(c.starts) && c.starts[at+1][0] == distance {
				at++
			}
			if got := config.bucket(distance, c.causal); got != c.starts[at][1] {
				t.Errorf("%d buckets up to %d, causal %t: distance %d has bucket %d, want %d", c.buckets, c.most, c.causal, distance, got, c.starts[at][1])
			}
		}
	}
}
