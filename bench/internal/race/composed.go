package race

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"

	"github.com/tapir-ml/tapir/internal/kernel"
)

// newGonum is a product by gonum's BLAS and a loop over its result.
func newGonum[T kernel.Float](c Case, sets []*operands[T]) *contender {
	return &contender{name: "gonum", how: "gemm, then a loop", roams: true, run: inTurn(len(sets), func(set int) {
		o := sets[set]
		gonumProduct(c, o)
		finish(c, o)
	})}
}

func gonumProduct[T kernel.Float](c Case, o *operands[T]) {
	var lib gonum.Implementation
	rows, inner, cols := c.product()
	ta, tb, lda := blas.NoTrans, blas.NoTrans, inner
	ldb := c.N
	switch c.Op {
	case GradX:
		tb = blas.Trans
	case GradW:
		ta, lda = blas.Trans, c.K
	}
	switch a := any(o.a).(type) {
	case []float32:
		lib.Sgemm(ta, tb, rows, cols, inner, 1, a, lda, any(o.b).([]float32), ldb, 0, any(o.c).([]float32), cols)
	case []float64:
		lib.Dgemm(ta, tb, rows, cols, inner, 1, a, lda, any(o.b).([]float64), ldb, 0, any(o.c).([]float64), cols)
	}
}

// newNaive is the composition of a program that has no kernels: a pass for the product, one for the bias, one for the activation.
func newNaive[T kernel.Float](c Case, sets []*operands[T]) *contender {
	return &contender{name: "naive", how: "three plain loops", run: inTurn(len(sets), func(set int) {
		o := sets[set]
		naiveProduct(c, o)
		finish(c, o)
	})}
}

// naiveProduct has the loops in the order that reads memory along its rows.
func naiveProduct[T kernel.Float](c Case, o *operands[T]) {
	rows, inner, cols := c.product()
	if c.Op == GradX {
		for i := range rows {
			a := o.a[i*inner:][:inner]
			for j := range cols {
				var sum T
				for k, w := range o.b[j*inner:][:inner] {
					sum += a[k] * w
				}
				o.c[i*cols+j] = sum
			}
		}
		return
	}
	clear(o.c)
	row, col := inner, 1
	if c.Op == GradW {
		row, col = 1, c.K
	}
	for i := range rows {
		for k := range inner {
			a, y := o.a[i*row+k*col], o.c[i*cols:][:cols]
			for j, b := range o.b[k*cols:][:cols] {
				y[j] += a * b
			}
		}
	}
}

// finish adds the bias, and applies the activation or its derivative, each in a pass of its own.
func finish[T kernel.Float](c Case, o *operands[T]) {
	_, _, cols := c.product()
	for i := 0; o.bias != nil && i < len(o.c); i += cols {
		y := o.c[i:][:cols]
		for j, b := range o.bias {
			y[j] += b
		}
	}
	act := c.act()
	switch {
	case act == kernel.ActIdentity:
	case c.Op == GradX && act == kernel.ActReLU:
		for i, s := range o.saved {
			if !(s > 0) {
				o.c[i] = 0
			}
		}
	case c.Op == GradX:
		for i, s := range o.saved {
			o.c[i] *= T(slope(act, float64(s)))
		}
	case act == kernel.ActReLU:
		for i, z := range o.c {
			o.c[i] = max(z, 0)
		}
	default:
		for i, z := range o.c {
			o.c[i] = T(activation(act, float64(z)))
		}
	}
}
