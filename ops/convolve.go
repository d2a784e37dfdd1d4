package ops

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// How the convolutions are computed: each image is a product over what its windows see, unfolded into a matrix a chunk of positions at a
// time, so that working memory does not grow with the image and stays in the cache:
//
//	y = w · unfold(x)        x = fold(wᵀ · y)        w = Σ y · unfold(x)ᵀ
//
// A lane is a share of the work with working memory of its own; lanes may run at the same time. How many there are, and what each does,
// follows from the sizes alone.

const (
	convLanes = 16      // at most
	convChunk = 1 << 16 // elements of a chunk, if it then has convLeast positions
	convLeast = 64      // positions of a chunk at least, if there are so many
	convMost  = 1024    // and at most
	convWork  = 1 << 18 // multiply-adds of a lane at least: some 10 µs
	convRows  = 16      // filters of a block at least, as each block unfolds x anew
)

// convRole says which of x, w and y is the result.
type convRole int

const (
	convOutput convRole = iota
	convInput
	convWeights
)

// convPlan is how a convolution is cut, for the sizes of the operands without their element type.
type convPlan struct {
	role           convRole
	batch, groups  int
	c, o           int // channels and filters of a group
	depth          int // elements of x that a filter sees
	plane, outputs int // elements of a plane of x, and of y
	chunk          int // positions
	blocks         int // of a group's channels, or where those are few of its filters, for the gradient by the filters
	items, lanes   int // pieces of work, and how many lanes share them
}

func (p *convPlan) cut() {
	p.chunk = max(min(convChunk/max(p.depth, 1)/convLeast*convLeast, convMost), convLeast)
	p.chunk = max(min(p.chunk, p.outputs), 1)
	lanes := min(1+p.batch*p.groups*p.o*p.depth*p.outputs/convWork, convLanes)
	switch p.role {
	case convOutput:
		p.items = p.batch * p.groups * p.chunks()
	case convInput:
		p.items = p.batch * p.groups
	case convWeights:
		most := p.o / convRows
		if p.byChannels() {
			most = p.c
		}
		p.blocks = max(min((lanes+p.groups-1)/p.groups, most), 1)
		p.items = p.groups * p.blocks
	}
	p.lanes = min(lanes, p.items)
}

func (p *convPlan) byChannels() bool { return p.c >= 4 }

func (p *convPlan) chunks() int { return (p.outputs + p.chunk - 1) / p.chunk }

// convolution is one run of any of the three operators.
type convolution[T kernel.Float] struct {
	convPlan
	x, w, y []T
	work    []T // of all lanes
	window  kernel.Window
	direct  bool // unfolding changes nothing: windows of one element
	gemm    [convLanes]kernel.Gemm[T]
	do      func(lane int) // the method lane, made once
}

func evalConv(role convRole) func(*graph.Call) error {
	return func(c *graph.Call) error {
		if c.Out[0].DType == graph.Float32 {
			runConv[float32](c, role)
		} else {
			runConv[float64](c, role)
		}
		return nil
	}
}

func runConv[T kernel.Float](c *graph.Call, role convRole) {
	v, ok := c.Kept.(*convolution[T])
	if !ok {
		v = new(convolution[T])
		v.do = v.lane
		c.Kept = v
	}
	v.role = role
	v.bind(c)
	if c.Parallel != nil && v.lanes > 1 {
		c.Parallel(v.lanes, v.do)
		return
	}
	for lane := range v.lanes {
		v.lane(lane)
	}
}

// roles returns x, w and y among the operands and the result.
func roles[E any](role convRole, first, second, result E) (x, w, y E) {
	switch role {
	case convInput:
		return result, second, first
	case convWeights:
		return first, result, second
	}
	return first, second, result
}

func (v *convolution[T]) bind(c *graph.Call) {
	a := c.Attr.(convAttr)
	x, w, y := roles(v.role, c.In[0], c.In[1], c.Out[0])
	v.x, v.w, v.y, v.work = graph.Elements[T](x), graph.Elements[T](w), graph.Elements[T](y), graph.ElementsIn[T](c.Scratch)
	v.convPlan = planConv(v.role, a.Groups, x.Shape, w.Shape, y.Shape)
	v.window = kernel.Window{H: x.Shape[2], W: x.Shape[3], KH: w.Shape[2], KW: w.Shape[3], StrideH: a.Stride[0], StrideW: a.Stride[1],
		DilationH: a.Dilation[0], DilationW: a.Dilation[1], Top: a.Before[0], Left: a.Before[1], OH: y.Shape[2], OW: y.Shape[3]}
	v.direct = v.window.Whole()
}

func planConv(role convRole, groups int, x, w, y []int) convPlan {
	p := convPlan{role: role, batch: x[0], groups: groups, c: w[1], o: w[0] / groups, depth: w[1] * w[2] * w[3], plane: x[2] * x[3], outputs: y[2] * y[3]}
	p.cut()
	return p
}

// scratchConv is chunk·depth elements for each lane, if the sizes are known, else a bound of it.
func scratchConv(role convRole) func(attr any, in []graph.Type) graph.Dim {
	return func(attr any, in []graph.Type) graph.Dim {
		a, size := attr.(convAttr), graph.Dim(in[0].DType.Size())
		result, err := roleDefs[role].Infer(attr, in)
		if err != nil {
			return 0
		}
		x, w, y := roles(role, in[0].Shape, in[1].Shape, result.Shape)
		if x[2:].IsStatic() && w.IsStatic() && y[2:].IsStatic() {
			batch := int(max(x[0], 0)) // of an unknown batch as many lanes as there may be
			p := planConv(role, a.Groups, []int{batch, 0, int(x[2]), int(x[3])}, ints(w), []int{batch, 0, int(y[2]), int(y[3])})
			if x[0].IsSymbolic() {
				p.lanes = convLanes
			}
			return graph.Dim(p.lanes*p.chunk*p.depth) * size
		}
		return w[1].Mul(w[2]).Mul(w[3]).Mul(convLeast).Add(convChunk).Mul(convLanes * size)
	}
}

var roleDefs = map[convRole]*graph.Def{convOutput: ConvDef, convInput: ConvInputDef, convWeights: ConvWeightsDef}

func ints(s graph.Shape) []int {
	list := make([]int, len(s))
	for i, d := range s {
		list[i] = int(d)
	}
	return list
}

// lane does its share of the items.
func (v *convolution[T]) lane(lane int) {
	work := v.work[lane*v.chunk*v.depth:][:v.chunk*v.depth]
	g := &v.gemm[lane]
	for item := lane * v.items / v.lanes; item < (lane+1)*v.items/v.lanes; item++ {
		switch v.role {
		case convOutput:
			v.forward(g, work, item/v.chunks(), item%v.chunks())
		case convInput:
			v.byInput(g, work, item)
		default:
			v.byWeights(g, work, item/v.blocks, item%v.blocks)
		}
	}
}

// image is what a group sees of an image, of index n·groups + group.
func (v *convolution[T]) image(image int) []T {
	return v.x[image*v.c*v.plane : (image+1)*v.c*v.plane]
}

// seen is the matrix of what the windows at positions p0 ≤ p < p1 see of some channels, and its row stride.
func (v *convolution[T]) seen(work, channels []T, p0, p1 int) ([]T, int) {
	if v.direct {
		return channels[p0:], v.plane
	}
	kernel.Unfold(work, p1-p0, channels, len(channels)/v.plane, &v.window, p0, p1, 0)
	return work, p1 - p0
}

func (v *convolution[T]) filters(group int) []T {
	return v.w[group*v.o*v.depth : (group+1)*v.o*v.depth]
}

// forward computes one chunk of the positions of one image: y = w · unfold(x).
func (v *convolution[T]) forward(g *kernel.Gemm[T], work []T, image, chunk int) {
	p0 := chunk * v.chunk
	p1 := min(p0+v.chunk, v.outputs)
	*g = kernel.Gemm[T]{M: v.o, N: p1 - p0, K: v.depth, A: v.filters(image % v.groups), ARow: v.depth, ACol: 1, BCol: 1,
		C: v.y[image*v.o*v.outputs+p0:], CRow: v.outputs}
	if v.depth > 0 && v.plane > 0 {
		g.B, g.BRow = v.seen(work, v.image(image), p0, p1)
	} else {
		g.K = 0
	}
	g.Run()
}

// byInput computes one image: x = fold(wᵀ · y).
func (v *convolution[T]) byInput(g *kernel.Gemm[T], work []T, image int) {
	x := v.image(image)
	if clear(x); len(x) == 0 || v.o == 0 {
		return
	}
	for p0 := 0; p0 < v.outputs; p0 += v.chunk {
		p1 := min(p0+v.chunk, v.outputs)
		*g = kernel.Gemm[T]{M: v.depth, N: p1 - p0, K: v.o, A: v.filters(image % v.groups), ARow: 1, ACol: v.depth,
			B: v.y[image*v.o*v.outputs+p0:], BRow: v.outputs, BCol: 1, C: work, CRow: p1 - p0}
		if v.direct {
			g.C, g.CRow = x[p0:], v.plane
			g.Run()
			continue
		}
		g.Run()
		kernel.Fold(x, v.c, &v.window, p0, p1, work, p1-p0)
	}
}

// byWeights computes one block of a group's filters or channels from all images, in order: w = Σ y · unfold(x)ᵀ.
func (v *convolution[T]) byWeights(g *kernel.Gemm[T], work []T, group, block int) {
	o0, o1, c0, c1 := 0, v.o, 0, v.c
	if v.byChannels() {
		c0, c1 = block*v.c/v.blocks, (block+1)*v.c/v.blocks
	} else {
		o0, o1 = block*v.o/v.blocks, (block+1)*v.o/v.blocks
	}
	size := v.window.KH * v.window.KW
	*g = kernel.Gemm[T]{M: o1 - o0, N: (c1 - c0) * size, ACol: 1, BRow: 1, CRow: v.depth} // of no images: zeros
	if g.M == 0 || g.N == 0 {
		return
	}
	g.C = v.filters(group)[o0*v.depth+c0*size:]
	g.Run()
	g.Accumulate = true
	g.ARow = v.outputs
	for n := range v.batch {
		image := n*v.groups + group
		x := v.image(image)[c0*v.plane : c1*v.plane]
		for p0 := 0; p0 < v.outputs && v.plane > 0; p0 += v.chunk {
			p1 := min(p0+v.chunk, v.outputs)
			g.K, g.A = p1-p0, v.y[(image*v.o+o0)*v.outputs+p0:]
			g.B, g.BCol = v.seen(work, x, p0, p1)
			g.Run()
		}
	}
}
