//go:build gpu

package backend

import "errors"

// Replace: the binders of this family are being written.

func bindAttention(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindAttentionBackward(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindAttentionCached(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindRoPE(c *call) func() { c.fail(errors.ErrUnsupported); return nil }
