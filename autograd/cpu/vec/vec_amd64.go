//go:build amd64 && !noasm

package vec

import "golang.org/x/sys/cpu"

//go:generate sh -c "cd asm && go run ."

// AVX2 (with FMA and F16C) and AVX512 (F, BW, DQ and VL) are nil where the
// processor or its operating system lacks them.
var (
	AVX2   = avx2()
	AVX512 = avx512()
)

func avx2() *Impl {
	// Every processor with AVX2 and FMA has F16C.
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA || !cpu.X86.HasBMI2 {
		return nil
	}
	return &Impl{
		name: "avx2",

		add: addAVX2, sub: subAVX2, mul: mulAVX2, scale: scaleAVX2, axpy: axpyAVX2,

		sum: sumAVX2, dot: dotAVX2, sumSquares: sumSquaresAVX2,
		max: maxAVX2, maxAbs: maxAbsAVX2, allFinite: allFiniteAVX2,
		columnSum: columnSumBy(addRows8AVX2, addAVX2),

		exp: expAVX2, log: logAVX2, tanh: tanhAVX2, sigmoid: sigmoidAVX2, erf: erfAVX2,

		relu: reluAVX2, relu2: relu2AVX2, gelu: geluAVX2, geluTanh: geluTanhAVX2, silu: siluAVX2,
		reluBackward: reluBackwardAVX2, relu2Backward: relu2BackwardAVX2, geluBackward: geluBackwardAVX2,
		geluTanhBackward: geluTanhBackwardAVX2, siluBackward: siluBackwardAVX2,
		swiGLU: swiGLUAVX2, swiGLUBackward: swiGLUBackwardAVX2,

		lstm: lstmAVX2, lstmBackward: lstmBackwardAVX2, gru: gruAVX2, gruBackward: gruBackwardAVX2,

		layerStats: layerStatsAVX2, rmsStats: rmsStatsAVX2,
		normalize: normalizeAVX2, rmsNormalize: rmsNormalizeAVX2,
		normGrad: normGradAVX2, normInput: normInputAVX2,

		expSum: expSumAVX2, sumExp: sumExpAVX2, softmaxGrad: softmaxGradAVX2, affine: affineAVX2,

		rope: ropeAVX2, dropout: dropoutBy(dropoutBlocksAVX2, 32),

		adamW: adamWBy(adamWAVX2), sgd: sgdBy(sgdAVX2), lion: lionBy(lionAVX2), ema: emaBy(emaAVX2),

		toBF16: narrowBy(toBF16AVX2, toBF16Generic, 8), fromBF16: widenBy(fromBF16AVX2, fromBF16Generic, 8),
		toF16: narrowBy(toF16AVX2, toF16Generic, 8), fromF16: widenBy(fromF16AVX2, fromF16Generic, 8),

		transpose: transposeBy(transpose8AVX2),

		tile:         tileBy(tileWideAVX2, 16, nil),
		softmaxLanes: softmaxLanesBy(softmaxLanesAVX2, 8),
		probGrad:     probGradBy(probGradAVX2),
		maskBand:     maskBandBy(maskBandAVX2),
		maskSegments: maskSegmentsBy(maskSegmentsAVX2),
		rowDots:      rowDotsBy(rowDotsAVX2),
		scaleRows:    scaleRowsBy(scaleRowsAVX2),
	}
}

func avx512() *Impl {
	x := &cpu.X86
	if AVX2 == nil || !x.HasAVX512F || !x.HasAVX512BW || !x.HasAVX512DQ || !x.HasAVX512VL {
		return nil
	}
	return &Impl{
		name: "avx512",

		add: addAVX512, sub: subAVX512, mul: mulAVX512, scale: scaleAVX512, axpy: axpyAVX512,

		sum: sumAVX512, dot: dotAVX512, sumSquares: sumSquaresAVX512,
		max: maxAVX512, maxAbs: maxAbsAVX512, allFinite: allFiniteAVX512,
		columnSum: columnSumBy(addRows8AVX512, addAVX512),

		exp: expAVX512, log: logAVX512, tanh: tanhAVX512, sigmoid: sigmoidAVX512, erf: erfAVX512,

		relu: reluAVX512, relu2: relu2AVX512, gelu: geluAVX512, geluTanh: geluTanhAVX512, silu: siluAVX512,
		reluBackward: reluBackwardAVX512, relu2Backward: relu2BackwardAVX512, geluBackward: geluBackwardAVX512,
		geluTanhBackward: geluTanhBackwardAVX512, siluBackward: siluBackwardAVX512,
		swiGLU: swiGLUAVX512, swiGLUBackward: swiGLUBackwardAVX512,

		lstm: lstmAVX512, lstmBackward: lstmBackwardAVX512, gru: gruAVX512, gruBackward: gruBackwardAVX512,

		layerStats: layerStatsAVX512, rmsStats: rmsStatsAVX512,
		normalize: normalizeAVX512, rmsNormalize: rmsNormalizeAVX512,
		normGrad: normGradAVX512, normInput: normInputAVX512,

		expSum: expSumAVX512, sumExp: sumExpAVX512, softmaxGrad: softmaxGradAVX512, affine: affineAVX512,

		rope: ropeAVX512, dropout: dropoutBy(dropoutBlocksAVX512, 64),

		adamW: adamWBy(adamWAVX512), sgd: sgdBy(sgdAVX512), lion: lionBy(lionAVX512), ema: emaBy(emaAVX512),

		toBF16: narrowBy(toBF16AVX512, toBF16Generic, 16), fromBF16: widenBy(fromBF16AVX512, fromBF16Generic, 16),
		toF16: narrowBy(toF16AVX512, toF16Generic, 16), fromF16: widenBy(fromF16AVX512, fromF16Generic, 16),

		transpose: transposeBy(transpose8AVX512),

		tile:         tileBy(tileWideAVX512, 32, tileNarrowAVX512),
		softmaxLanes: softmaxLanesBy(softmaxLanesAVX512, 16),
		probGrad:     probGradBy(probGradAVX512),
		maskBand:     maskBandBy(maskBandAVX512),
		maskSegments: maskSegmentsBy(maskSegmentsAVX512),
		rowDots:      rowDotsBy(rowDotsAVX512),
		scaleRows:    scaleRowsBy(scaleRowsAVX512),
	}
}
