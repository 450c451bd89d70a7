package train

import (
	"errors"
	"fmt"
	"slices"

	"github.com/zeebo/xxh3"

	"example.com/gotrain/train/config"
	"example.com/gotrain/train/ranks"
)

// ErrDiverged says that ranks which must hold the same parameters do not.
var ErrDiverged = errors.New("the parameters differ between ranks")

// compareConfigs makes sure that all ranks run the same program with the same
// configuration, apart from where it runs.
func (r *run) compareConfigs() error {
	if r.cfg.Rank.Alone() {
		return nil
	}
	cfg := r.cfg
	cfg.Device, cfg.Threads = "", 0
	text, err := config.Encode(cfg)
	if err != nil {
		return err
	}
	return ranks.Agree(r.ranks.Group(), []ranks.Fact{
		{Name: "version of gotrain", Value: r.deps.Version, Cure: "install the same binary on all nodes"},
		{Name: "configuration", Value: fmt.Sprintf("%016x", xxh3.Hash(text)), Cure: "give all ranks the same file and flags"},
		{Name: "flag --resume", Value: r.deps.Resume, Cure: "give all ranks the same flags"},
	})
}

// compareStart makes sure that all ranks begin from the same state with the same
// data.
func (r *run) compareStart() error {
	if r.cfg.Rank.Alone() {
		return nil
	}
	hash, err := r.engine.Hash()
	if err != nil {
		return err
	}
	return ranks.Agree(r.ranks.Group(), append(slices.Clone(r.job.Facts), []ranks.Fact{
		{Name: "step", Value: fmt.Sprint(r.state.Step), Cure: "the run's directory has to be one that all nodes share"},
		{Name: "parameters", Value: fmt.Sprintf("%016x", hash), Cure: "the checkpoint or base has to be the same on all nodes"},
	}...))
}

// diverged returns an error that names the ranks whose parameters are not those
// of the majority, the same on all ranks. Of equal halves, that of the lowest
// rank counts as right.
func diverged(notices []ranks.Notice) error {
	count := map[uint64]int{}
	for _, r := range notices {
		count[r.Hash]++
	}
	if len(count) == 1 {
		return nil
	}
	right := notices[0].Hash
	for _, r := range notices {
		if count[r.Hash] > count[right] {
			right = r.Hash
		}
	}
	var wrong []int
	for rank, r := range notices {
		if r.Hash != right {
			wrong = append(wrong, rank)
		}
	}
	return fmt.Errorf("%w: %s against %d that agree; test the memory and the links of its node, and resume without it",
		ErrDiverged, ranks.Ranks(wrong), count[right])
}
