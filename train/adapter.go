package train

import (
	"errors"
	"fmt"
	"io/fs"

	"gotrain/nn/hub"
	"gotrain/nn/hub/manifest"
)

// BaseState identifies the weights that an adapter was trained on: merging
// rounds, so a run can only go on from the very same ones.
type BaseState struct {
	Dir         string       `json:"dir"`
	Fingerprint manifest.Sum `json:"fingerprint"` // of the names, shapes and bytes of its tensors
}

// checkBase refuses to go on from a checkpoint whose adapter was trained on
// other weights than the base has now.
func (r *run) checkBase() error {
	was := r.state.Base
	if was == nil {
		return fmt.Errorf("the checkpoint was trained without an adapter; take the lora section out, or begin anew with --resume none")
	}
	now, err := hub.Fingerprint(r.cfg.Base)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the base of the adapter is gone: %w; put it back at %s", err, was.Dir)
	}
	if err != nil {
		return err
	}
	if now != was.Fingerprint {
		return fmt.Errorf("the weights in %s are others than those that the adapter was trained on (%s then); put those back, or begin anew with --resume none", r.cfg.Base, was.Dir)
	}
	return nil
}
