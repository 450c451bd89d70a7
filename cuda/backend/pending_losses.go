//go:build gpu

package backend

import "errors"

// Replace: the binders of this family are being written.

func bindEmbedding(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindEmbeddingBackward(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindColumnSum(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindLayerNorm(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindLayerNormBackward(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindRMSNorm(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindRMSNormBackward(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindSoftmax(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindSoftmaxBackward(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindCrossEntropy(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindCrossEntropyBackward(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindLinearCrossEntropy(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindMSE(c *call) func() { c.fail(errors.ErrUnsupported); return nil }

func bindMSEBackward(c *call) func() { c.fail(errors.ErrUnsupported); return nil }
