package ops

import (
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// VarDef is the definition of the variance.
var VarDef = new(graph.Def)

type varAttr struct {
	Axes []int
	DDOF int
}

// Var returns the variance Σ(x − x̄)²/(n − ddof) over the given axes, or over all if none is given. ddof 0 is the variance of a whole
// population (NumPy's default), ddof 1 its estimate from a sample (PyTorch's). Where n ≤ ddof the division is by 0, so of one element it
// is NaN for ddof 1. The variance of no elements is an error at run time.
//
// It goes through the elements twice: deviations are from the mean, summed in float64 and corrected for the rounding of the mean, so
// that a mean that is large beside the deviations costs no digits. It is never negative.
func Var(x *graph.Node, ddof int, axes ...int) *graph.Node {
	if x.Err() != nil {
		return graph.Apply(VarDef, nil, x)
	}
	normal, err := normalAxes(axes, x.Type())
	if err != nil {
		return graph.Invalid(err, "var("+x.Name()+")", x)
	}
	return graph.Apply(VarDef, varAttr{normal, ddof}, x)
}

// VarKeep is Var with the reduced axes kept at size 1.
func VarKeep(x *graph.Node, ddof int, axes ...int) *graph.Node {
	return keep(Var(x, ddof, axes...), x, axes)
}

// Std returns the standard deviation, the root of Var. Its derivative where all elements are equal is taken to be 0.
func Std(x *graph.Node, ddof int, axes ...int) *graph.Node { return rootOrZero(Var(x, ddof, axes...)) }

// StdKeep is Std with the reduced axes kept at size 1.
func StdKeep(x *graph.Node, ddof int, axes ...int) *graph.Node {
	return keep(Std(x, ddof, axes...), x, axes)
}

// center returns x less its mean over axes.
func center(x *graph.Node, axes []int) *graph.Node {
	return Sub(x, Reshape(graph.Apply(MeanDef, axesAttr{axes}, x), keptShape(x.Shape(), axes)...))
}

// rootOrZero is √x for x ≥ 0 whose derivatives at 0, where √ has a pole, are 0.
func rootOrZero(x *graph.Node) *graph.Node {
	positive := Greater(x, like(x, 0))
	return Select(positive, Sqrt(Select(positive, x, like(x, 1))), Mul(x, like(x, 0)))
}

// evalVar works on elements as they lie, whatever the axes are: of each result it keeps Σd and Σd², d = x − mean, in float64. What is
// added up in T before that is at most varBlock elements of a row, and about varRows of a column.
func evalVar[T kernel.Float](c *graph.Call, mean *reducer[T]) error {
	attr := c.Attr.(varAttr)
	x, dst := c.In[0], c.Out[0]
	groups := dst.Len()
	if groups > 0 && x.Len() == 0 {
		return graph.Errorf(graph.ErrValue, "the variance of no elements: the operand has shape %v; an empty batch must not reach it", x.Shape)
	}
	if x.Len() == 0 {
		return nil
	}
	sums := graph.ElementsIn[float64](c.Scratch)[:2*groups]
	clear(sums)
	work := graph.ElementsIn[T](c.Scratch[16*groups:])
	d, s, q := work[:varBlock], work[varBlock:varBlock+groups], work[varBlock+groups:varBlock+2*groups]
	// The means come into the result's memory. What finds them may use all of the working memory that follows the sums.
	mean.eval(c, attr.Axes, c.Scratch[16*groups:])
	clear(s)
	clear(q)
	var kept [graph.MaxRank]int
	n := 1
	for axis, size := range x.Shape {
		kept[axis] = size
		if slices.Contains(attr.Axes, axis) {
			kept[axis] = 1
			n *= size
		}
	}
	means, elements := graph.Elements[T](dst), graph.Elements[T](x)
	flush := func() {
		for i := range groups {
			sums[2*i] += float64(s[i])
			sums[2*i+1] += float64(q[i])
		}
		clear(s)
		clear(q)
	}
	walked := [1]graph.Array{dst.As(kept[:len(x.Shape)])}
	var w graph.Walk
	w.Plan(x.Shape, walked[:])
	every, visits := max(varRows*groups/w.Run, 1), 0
	for {
		run, at := elements[w.Pos:w.Pos+w.Run], w.At[0]
		switch {
		case w.Stride(0) == 0 && w.Run < varShort:
			m := means[at]
			var s, q float64
			for _, v := range run {
				d := float64(v - m)
				s += d
				q += d * d
			}
			sums[2*at] += s
			sums[2*at+1] += q
		case w.Stride(0) == 0:
			for m := means[at]; len(run) > 0; {
				block := d[:min(len(run), varBlock)]
				kernel.SubScalar(block, run[:len(block)], m)
				sums[2*at] += float64(kernel.Sum(block))
				sums[2*at+1] += float64(kernel.SumSquares(block))
				run = run[len(block):]
			}
		case w.Run < varShort:
			to := sums[2*at:][:2*len(run)]
			for i, m := range means[at : at+len(run)] {
				d := float64(run[i] - m)
				to[2*i] += d
				to[2*i+1] += d * d
			}
		default:
			for ; len(run) > 0; at += varBlock {
				block := d[:min(len(run), varBlock)]
				end := at + len(block)
				kernel.Sub(block, run[:len(block)], means[at:end])
				kernel.Add(s[at:end], s[at:end], block)
				kernel.Mul(block, block, block)
				kernel.Add(q[at:end], q[at:end], block)
				run = run[len(block):]
			}
			if visits++; visits%every == 0 {
				flush()
			}
		}
		if !w.Next() {
			break
		}
	}
	flush()
	for i := range means {
		s, q := sums[2*i], sums[2*i+1]
		means[i] = T(max(q-s/float64(n)*s, 0) / float64(max(n-attr.DDOF, 0)))
	}
	return nil
}

const (
	varBlock = 1024
	varRows  = 64
	varShort = 32 // runs too short for a kernel
)

func init() {
	infer := inferReduce(inferElementwise(1))
	mean32, mean64 := averaging[float32](), averaging[float64]()
	define(VarDef, graph.Def{
		Name: "var",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			return infer(axesAttr{attr.(varAttr).Axes}, in)
		},
		Scratch: func(attr any, in []graph.Type) graph.Dim {
			groups := graph.Dim(1)
			for i, d := range in[0].Shape {
				if !slices.Contains(attr.(varAttr).Axes, i) {
					groups = groups.Mul(d)
				}
			}
			own := groups.Mul(2).Add(varBlock).Mul(graph.Dim(in[0].DType.Size()))
			return groups.Mul(16).Add(own.Max(scratchReduce(axesAttr{attr.(varAttr).Axes}, in)))
		},
		Eval: func(c *graph.Call) error {
			if c.Out[0].DType == graph.Float32 {
				return evalVar(c, &mean32)
			}
			return evalVar(c, &mean64)
		},
		VJP: func(n, dy *graph.Node) []*graph.Node { // 2(x − x̄)/(n − ddof)
			x, attr := n.In(0), n.Attr().(varAttr)
			free := Maximum(AddScalar(countOf(x, attr.Axes), -float64(attr.DDOF)), like(x, 0))
			deviation := center(center(x, attr.Axes), attr.Axes) // the mean of a large x is rounded
			return []*graph.Node{Mul(spread(Div(Scale(dy, 2), free), x, attr.Axes), deviation)}
		},
		Samples: func() []graph.Sample {
			var list []graph.Sample
			for i, s := range reduceSamples()() {
				ddof := i % 2
				if len(s.In[0].Type.Shape) == 0 || slices.Contains(s.In[0].Type.Shape, 1) {
					ddof = 0
				}
				list = append(list, graph.Sample{Attr: varAttr{s.Attr.(axesAttr).Axes, ddof}, In: s.In})
			}
			return list
		},
	})
}
