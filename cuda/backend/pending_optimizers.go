//go:build gpu

package backend

import "errors"

// Replace: the binders of this family are being written.

func bindActivation(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindActivationBackward(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindSwiGLU(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindSwiGLUBackward(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindDropout(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindAdd(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindMul(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindScale(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindScaleBy(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindReshape(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindTranspose(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindSlice(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindSliceBackward(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindConcat(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindReduceSum(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindBroadcast(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindCast(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindGradNorm(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindMuon(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindAdamW(calls []*call) func() { calls[0].fail(errors.ErrUnsupported); return nil }

func bindSGD(calls []*call) func() { calls[0].fail(errors.ErrUnsupported); return nil }

func bindLion(calls []*call) func() { calls[0].fail(errors.ErrUnsupported); return nil }

func bindEMA(calls []*call) func() { calls[0].fail(errors.ErrUnsupported); return nil }
