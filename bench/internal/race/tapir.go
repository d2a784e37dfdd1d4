package race

import (
	"github.com/tapir-ml/tapir/internal/kernel"
	"github.com/tapir-ml/tapir/internal/parallel"
)

func newTapir[T kernel.Float](c Case, sets []*operands[T]) *contender {
	products := make([]*kernel.Gemm[T], len(sets))
	for i, o := range sets {
		products[i] = gemm(c, o)
	}
	how := "kernel.Gemm"
	if c.Op == Infer {
		how += ", packed"
	}
	run := inTurn(len(products), func(set int) { products[set].Run() })
	if c.Threads > 1 {
		run = inTurn(len(products), func(set int) {
			g := products[set]
			parallel.Run(c.Threads, g.Parts(), g)
		})
	}
	return &contender{name: Tapir, how: how, run: run}
}

func gemm[T kernel.Float](c Case, o *operands[T]) *kernel.Gemm[T] {
	rows, inner, cols := c.product()
	g := &kernel.Gemm[T]{M: rows, N: cols, K: inner, A: o.a, B: o.b, C: o.c, CRow: cols}
	e := &g.Epilogue
	switch c.Op {
	case GradX:
		g.ARow, g.ACol, g.BRow, g.BCol = c.N, 1, 1, c.N
		if o.saved != nil {
			e.Deriv, e.Saved, e.SavedRow = c.act(), o.saved, cols
			e.SavedInput = !c.act().FromOutput()
		}
	case GradW:
		g.ARow, g.ACol, g.BRow, g.BCol = 1, c.K, c.N, 1
	default:
		g.ARow, g.ACol, g.BRow, g.BCol = c.K, 1, c.N, 1
		e.Bias, e.Act = o.bias, c.act()
	}
	e.Alpha = T(alpha(c.act()))
	if c.Op == Infer {
		p := kernel.Pack[T](nil, o.b, g.BRow, g.BCol, inner, cols)
		g.Packed = &p
	}
	return g
}
