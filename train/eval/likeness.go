package eval

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/mat"
)

// neighbours is k of precision and recall, as Kynkäänniemi et al. 2019 have it.
const neighbours = 3

// Likeness tells how like drawn pictures are to real ones, by features of each. Its numbers compare
// with others of the same features alone: those of Inception, which papers have, are other ones.
type Likeness struct {
	FID       float64 // distance of two normal distributions with the features' means and covariances (Heusel et al. 2017)
	KID       float64 // squared discrepancy by the kernel (x·y/D + 1)³, unbiased (Bińkowski et al. 2018)
	Precision float64 // share of drawn pictures that are as near to a real one as its third neighbour
	Recall    float64 // share of real pictures that are as near to a drawn one as its third neighbour
}

// NewLikeness compares drawn (N, D) with real (M, D) features, of neighbours + 1 pictures each at least.
func NewLikeness(drawn, real []float32, d int) (Likeness, error) {
	if len(drawn) < (neighbours+1)*d || len(real) < (neighbours+1)*d {
		return Likeness{}, errors.New("the likeness of pictures needs four drawn and four real ones at least")
	}
	x, y := rowsOf(drawn, d), rowsOf(real, d)
	fid, err := frechet(x, y)
	return Likeness{fid, kernelDistance(x, y), covered(x, y), covered(y, x)}, err
}

func rowsOf(x []float32, d int) *mat.Dense {
	m := mat.NewDense(len(x)/d, d, nil)
	for i, v := range x {
		m.Set(i/d, i%d, float64(v))
	}
	return m
}

// frechet is |μ - ν|² + tr(C + D - 2·(√C·D·√C)^½).
func frechet(x, y *mat.Dense) (float64, error) {
	mx, cx := moments(x)
	my, cy := moments(y)
	sum := 0.0
	for i, m := range mx {
		sum += (m - my[i]) * (m - my[i])
	}
	var e mat.EigenSym
	if !e.Factorize(cx, true) {
		return 0, errors.New("the covariance of the features has no eigenvalues: they are not finite")
	}
	var q, root, product mat.Dense
	e.VectorsTo(&q)
	values := e.Values(nil)
	for i, v := range values {
		values[i] = math.Sqrt(max(v, 0))
	}
	root.Mul(&q, mat.NewDiagDense(len(values), values))
	root.Mul(&root, q.T())
	product.Mul(&root, cy)
	product.Mul(&product, &root)
	n, _ := product.Dims()
	between := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			between.SetSym(i, j, (product.At(i, j)+product.At(j, i))/2)
		}
	}
	if !e.Factorize(between, false) {
		return 0, errors.New("the covariance of the features has no eigenvalues: they are not finite")
	}
	sum += mat.Trace(cx) + mat.Trace(cy)
	for _, v := range e.Values(nil) {
		sum -= 2 * math.Sqrt(max(v, 0))
	}
	return sum, nil
}

// moments are mean and covariance of rows, the latter by one less than there are.
func moments(x *mat.Dense) ([]float64, *mat.SymDense) {
	n, d := x.Dims()
	mean := make([]float64, d)
	for i := range n {
		for k := range d {
			mean[k] += x.At(i, k) / float64(n)
		}
	}
	var off mat.Dense
	off.Apply(func(_, k int, v float64) float64 { return v - mean[k] }, x)
	c := mat.NewSymDense(d, nil)
	c.SymOuterK(1/float64(n-1), off.T())
	return mean, c
}

// kernelDistance is mean k(x, x') + mean k(y, y') - 2·mean k(x, y), of pairs of two.
func kernelDistance(x, y *mat.Dense) float64 {
	_, d := x.Dims()
	mean := func(a, b *mat.Dense, apart bool) float64 {
		n, _ := a.Dims()
		m, _ := b.Dims()
		sum, pairs := 0.0, 0
		for i := range n {
			for j := range m {
				if apart && i == j {
					continue
				}
				sum += math.Pow(mat.Dot(a.RowView(i), b.RowView(j))/float64(d)+1, 3)
				pairs++
			}
		}
		return sum / float64(pairs)
	}
	return mean(x, x, true) + mean(y, y, true) - 2*mean(x, y, false)
}

// covered is the share of rows of x that lie in a ball around a row of y which reaches to that
// row's third neighbour among y.
func covered(x, y *mat.Dense) float64 {
	n, _ := x.Dims()
	m, _ := y.Dims()
	radii := make([]float64, m)
	for j := range m {
		var near [neighbours]float64 // the nearest so far, in order
		for k := range near {
			near[k] = math.Inf(1)
		}
		for i := range m {
			if i == j {
				continue
			}
			far := distance(y.RawRowView(i), y.RawRowView(j))
			for k := range near {
				if far < near[k] {
					near[k], far = far, near[k]
				}
			}
		}
		radii[j] = near[neighbours-1]
	}
	inside := 0
	for i := range n {
		for j := range m {
			if distance(x.RawRowView(i), y.RawRowView(j)) <= radii[j] {
				inside++
				break
			}
		}
	}
	return float64(inside) / float64(n)
}

// distance is the squared distance of two points.
func distance(a, b []float64) (sum float64) {
	for i, v := range a {
		sum += (v - b[i]) * (v - b[i])
	}
	return sum
}
