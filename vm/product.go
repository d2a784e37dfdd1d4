package vm

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// product runs an affine instruction: one matrix product, or one for each element of a batch. It is a parallel.Task.
//
//	(b, t, k) · (k, n)            one product of b·t rows
//	(b, h, t, k) · (b, h, k, n)   b·h products; a batch dimension that an operand lacks, or has at size 1, repeats it
//
// Operands are read by strides, so a permutation of their dimensions need not be carried out.
type product[T kernel.Float] struct {
	gemm  kernel.Gemm[T] // the product, or the first of the batch; its epilogue is that of the whole
	batch []int          // the sizes of the batch's dimensions
	a, b  operandOf
	count int // products
	each  int // parts of one product
	group int // products of one part, where each is 1
}

// operandOf says how a matrix, or a batch of them, lies in memory: sizes and strides of its dimensions as the product sees them.
type operandOf struct {
	rank         int
	size, stride [graph.MaxRank]int
}

func (o *operandOf) set(shape, perm []int) {
	o.rank = len(shape)
	var stride [graph.MaxRank]int
	for axis, s := len(shape)-1, 1; axis >= 0; axis-- {
		stride[axis] = s
		s *= shape[axis]
	}
	for axis := range shape {
		from := axis
		if perm != nil {
			from = perm[axis]
		}
		o.size[axis], o.stride[axis] = shape[from], stride[from]
	}
}

// matrix returns sizes and strides of the last two dimensions.
func (o *operandOf) matrix() (rows, cols, row, col int) {
	r := o.rank
	return o.size[r-2], o.size[r-1], o.stride[r-2], o.stride[r-1]
}

// at returns where matrix e of a batch begins.
func (o *operandOf) at(e int, batch []int) int {
	place := 0
	for i, axis := len(batch)-1, o.rank-3; axis >= 0; i, axis = i-1, axis-1 {
		if o.size[axis] != 1 {
			place += e % batch[i] * o.stride[axis]
		}
		e /= batch[i]
	}
	return place
}

// isOneProduct reports whether an affine instruction is a single product: there is no batch, or only A has one, so that the rows of
// its matrices can follow each other.
func (f *affine) isOneProduct(rankA, rankB int) bool {
	return rankB == 2 && (rankA == 2 || f.perms[0] == nil)
}

// productWork is how many multiply-adds a part of several small products has about: some tens of microseconds of work.
const productWork = 1 << 20

// bind points the product at its operands, and tile, if there is one, at those of the program that runs on each tile.
func (p *product[T]) bind(s *step, tile *elementRunner[T]) {
	a, b, c := s.call.In[0], s.call.In[1], s.call.Out[0]
	form, g := &s.in.affine, &p.gemm
	p.a.set(a.Shape, form.perms[0])
	p.b.set(b.Shape, form.perms[1])
	g.A, g.B, g.C = graph.Elements[T](a), graph.Elements[T](b), graph.Elements[T](c)
	g.M, g.K, g.ARow, g.ACol = p.a.matrix()
	_, g.N, g.BRow, g.BCol = p.b.matrix()
	g.CRow = g.N
	p.batch = c.Shape[:len(c.Shape)-2]
	p.count = 1
	for _, n := range p.batch {
		p.count *= n
	}
	if form.isOneProduct(p.a.rank, p.b.rank) {
		g.M *= p.count
		p.batch, p.count = nil, 1
	}
	bindEpilogue(g, s, tile)
	p.each = g.Parts()
	p.group = max(productWork/max(g.M*g.N*g.K, 1), 1)
	if tile != nil {
		tile.workspaces.reserve(&tile.program, p.parts())
	}
}

// parts splits the work by its size alone.
func (p *product[T]) parts() int {
	if p.each != 1 {
		return p.count * p.each
	}
	return (p.count + p.group - 1) / p.group
}

// flops counts the operations of the products; what their epilogues do is not in it.
func (p *product[T]) flops() float64 {
	return 2 * float64(p.count) * float64(p.gemm.M) * float64(p.gemm.N) * float64(p.gemm.K)
}

// Do computes one part.
func (p *product[T]) Do(part int) {
	switch {
	case p.count == 1:
		p.gemm.Do(part)
	case p.each > 1:
		g := p.element(part / p.each)
		g.Do(part % p.each)
	default:
		for e := part * p.group; e < min((part+1)*p.group, p.count); e++ {
			g := p.element(e)
			g.Run()
		}
	}
}

// element returns product e of the batch.
func (p *product[T]) element(e int) kernel.Gemm[T] {
	g := p.gemm
	if g.K > 0 { // else there are no elements to begin at
		g.A, g.B = g.A[p.a.at(e, p.batch):], g.B[p.b.at(e, p.batch):]
	}
	g.C = g.C[e*g.M*g.N:]
	if g.Epilogue.Saved != nil {
		g.Epilogue.Saved = g.Epilogue.Saved[e*g.M*g.N:]
	}
	g.Epilogue.TileRow = e * g.M
	return g
}
