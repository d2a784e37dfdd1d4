package initializers

import (
	"math"
	"math/rand/v2"

	"github.com/tapir-ml/tapir/graph"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// Orthogonal starts at gain times a random matrix Q with QᵀQ = 1, or QQᵀ = 1 if it is wide: all singular values are gain, so that signals
// and gradients keep their length through many linear layers (Saxe et al. 2014). It is drawn evenly from all such matrices: the Q of a
// Gaussian matrix's QR decomposition, its columns' signs such that R's diagonal is positive (Mezzadri 2007). A shape of more than two
// dimensions is taken as the matrix (first, product of the others): for a convolution, a row for each filter.
func Orthogonal(gain float64) graph.Init {
	return checked(graph.Init{Name: call("orthogonal", gain), Fill: func(r *rand.Rand, shape []int, dst []float64) {
		for i := range dst {
			dst[i] = r.NormFloat64()
		}
		if len(dst) > 0 {
			orthogonalise(shape[0], len(dst)/shape[0], dst)
		}
		for i := range dst {
			dst[i] *= gain
		}
	}}, func(shape []int) error {
		if len(shape) < 2 {
			return graph.Errorf(graph.ErrShape, "an orthogonal matrix of shape %v; want two or more dimensions", shape)
		}
		return finiteGain(gain)
	})
}

// orthogonalise replaces a matrix, rows × columns, by the orthonormal factor of its QR decomposition; a wide one by way of its transpose.
func orthogonalise(rows, columns int, a []float64) {
	if rows < columns {
		t := transpose(rows, columns, a)
		orthogonalise(columns, rows, t)
		copy(a, transpose(columns, rows, t))
		return
	}
	m := blas64.General{Rows: rows, Cols: columns, Stride: columns, Data: a}
	scales, best := make([]float64, columns), make([]float64, 1)
	lapack64.Geqrf(m, scales, best, -1) // asks for the best size of the working memory
	work := make([]float64, max(int(best[0]), columns))
	lapack64.Geqrf(m, scales, work, len(work))
	negative := make([]bool, columns)
	for i := range negative {
		negative[i] = a[i*columns+i] < 0
	}
	lapack64.Orgqr(m, scales, work, len(work))
	for i := range a {
		if negative[i%columns] {
			a[i] = -a[i]
		}
	}
}

func transpose(rows, columns int, a []float64) []float64 {
	t := make([]float64, len(a))
	for i := range rows {
		for j := range columns {
			t[j*rows+i] = a[i*columns+j]
		}
	}
	return t
}

// Identity starts a matrix at gain on the diagonal and 0 elsewhere, square or not: what a layer is given it passes on. For recurrent
// weights under relu see Le, Jaitly and Hinton 2015.
func Identity(gain float64) graph.Init {
	return checked(graph.Init{Name: call("identity", gain), Fill: func(_ *rand.Rand, shape []int, dst []float64) {
		clear(dst)
		for i := range min(shape[0], shape[1]) {
			dst[i*shape[1]+i] = gain
		}
	}}, func(shape []int) error {
		if len(shape) != 2 {
			return graph.Errorf(graph.ErrShape, "an identity of shape %v; want a matrix, or Dirac for the weights of a convolution", shape)
		}
		return finiteGain(gain)
	})
}

// Dirac is the identity of a convolution with weights (out, in/groups, window…): in each group, output i passes on input i, through the middle of
// the window, as far as there are both; the other weights are 0.
func Dirac(groups int) graph.Init {
	return checked(graph.Init{Name: call("dirac", groups), Fill: func(_ *rand.Rand, shape []int, dst []float64) {
		clear(dst)
		middle := 0
		for _, s := range shape[2:] {
			middle = middle*s + s/2
		}
		window, outputs := size(shape[2:]), shape[0]/groups
		if window == 0 {
			return
		}
		for g := range groups {
			for i := range min(outputs, shape[1]) {
				dst[((g*outputs+i)*shape[1]+i)*window+middle] = 1
			}
		}
	}}, func(shape []int) error {
		if len(shape) < 3 {
			return graph.Errorf(graph.ErrShape, "the identity of a convolution of shape %v; want (out, in/groups, window…), or Identity for a matrix", shape)
		}
		if groups < 1 || shape[0]%groups != 0 {
			return graph.Errorf(graph.ErrValue, "%d outputs in %d groups; the groups must be 1 or more, and divide them evenly", shape[0], groups)
		}
		return nil
	})
}

// Sparse draws from a Gaussian of mean 0 and standard deviation std and sets a part of each column to 0: of the in weights (in, out) that
// each output has, ⌈sparsity·in⌉ at random (Martens 2010). With std = gain/√((1−sparsity)·in) the size of signals is that of ScaledNormal.
func Sparse(sparsity, std float64) graph.Init {
	return checked(graph.Init{Name: call("sparse", sparsity, std), Fill: func(r *rand.Rand, shape []int, dst []float64) {
		for i := range dst {
			dst[i] = std * r.NormFloat64()
		}
		rows, columns := shape[0], shape[1]
		zeros := int(math.Ceil(sparsity * float64(rows)))
		for j := range columns {
			for _, i := range r.Perm(rows)[:zeros] {
				dst[i*columns+j] = 0
			}
		}
	}}, func(shape []int) error {
		if len(shape) != 2 {
			return graph.Errorf(graph.ErrShape, "a sparse matrix of shape %v; want two dimensions", shape)
		}
		if !(sparsity >= 0 && sparsity <= 1) {
			return graph.Errorf(graph.ErrValue, "a sparsity of %v; want the share of zeros, from 0 to 1", sparsity)
		}
		return standard(std)(shape)
	})
}
