package autodiff

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// MaxJacobian is the largest number of elements, of the roots or of the nodes asked for, whichever are fewer, up to which Jacobian
// and Hessian build their nodes: each costs a pass of its own. Package autodiff/jacobian computes larger ones.
const MaxJacobian = 256

// Jacobian returns the Jacobians of y by each of wrt: J[i…, j…] = ∂y[i…]/∂w[j…], of y's element type and of the shape y.shape + w.shape. Either y or
// wrt (together) must be of a static size of at most MaxJacobian: each element costs one pass, forward or backward, whichever are fewer;
// the other side may be symbolic. Beyond, jacobian.Rows of package autodiff/jacobian runs one backward program in a loop.
//
// The errors are those of Grad.
func Jacobian(y *graph.Node, wrt ...*graph.Node) []*graph.Node { return Options{}.Jacobian(y, wrt...) }

// Jacobian is the function Jacobian with options.
func (o Options) Jacobian(y *graph.Node, wrt ...*graph.Node) []*graph.Node {
	if err := checkTypes(y, wrt); err != nil {
		return invalid("jacobian", err, y, wrt)
	}
	d := derive([]*graph.Node{y}, wrt)
	blocks, err := d.jacobian()
	if err != nil {
		return invalid("jacobian", err, y, wrt)
	}
	for i, w := range wrt {
		if blocks[0][i] == nil {
			blocks[0][i] = o.nothing("jacobian", d, y, w, blockType(y, w))
		}
	}
	return blocks[0]
}

// Hessian returns the second derivatives of the scalar y: H[a][b][i…, j…] = ∂²y/∂wrtₐ[i…]∂wrt_b[j…], of y's element type and of the shape
// wrtₐ.shape + wrt_b.shape. The static sizes of wrt add up to at most MaxJacobian. It is the Jacobian of Grad; a block that is zero because
// nothing flows is zeros. For a product with a vector take HVP, which never forms it.
//
// The errors are those of Grad.
func Hessian(y *graph.Node, wrt ...*graph.Node) [][]*graph.Node { return Options{}.Hessian(y, wrt...) }

// Hessian is the function Hessian with options.
func (o Options) Hessian(y *graph.Node, wrt ...*graph.Node) [][]*graph.Node {
	grads := o.unseeded().Grad(y, wrt...)
	err := firstError(grads)
	var blocks [][]*graph.Node
	if err == nil && len(wrt) > 0 {
		blocks, err = derive(grads, wrt).jacobian()
	}
	for i, a := range wrt {
		if err != nil {
			blocks = append(blocks, invalid("hessian", err, y, wrt))
			continue
		}
		for k, b := range wrt {
			if blocks[i][k] == nil {
				blocks[i][k] = zeros(y.Graph(), blockType(a, b))
			}
		}
	}
	return blocks
}

func blockType(y, w *graph.Node) graph.Type {
	return graph.Type{DType: y.DType(), Shape: append(append(graph.Shape{}, y.Shape()...), w.Shape()...)}
}

// jacobian returns the Jacobian of each root by each of wrt, nil where nothing flows.
func (d *derivation) jacobian() ([][]*graph.Node, error) {
	blocks := make([][]*graph.Node, len(d.span.roots))
	for i := range blocks {
		blocks[i] = make([]*graph.Node, len(d.wrt))
	}
	rows, cols := elements(d.span.roots), elements(d.wrt)
	fewRows, fewCols := rows.IsStatic() && rows <= MaxJacobian, cols.IsStatic() && cols <= MaxJacobian
	switch {
	case fewCols && (!fewRows || cols < rows):
		for k, w := range d.wrt {
			columns := make([][]*graph.Node, len(blocks))
			for e := range int(w.Shape().Size()) {
				dx := make([]*graph.Node, len(d.wrt))
				dx[k] = unit(w, e)
				dy, err := d.push(dx)
				if err != nil {
					return nil, err
				}
				for i, y := range d.span.roots {
					columns[i] = append(columns[i], reshaped(dy[i], y.Shape(), graph.Shape{1}))
				}
			}
			for i, y := range d.span.roots {
				blocks[i][k] = joined(y.Graph(), -1, columns[i], append(append(graph.Shape{}, y.Shape()...), 1), blockType(y, w))
			}
		}
	case fewRows:
		for i, y := range d.span.roots {
			lines := make([][]*graph.Node, len(d.wrt))
			for e := range int(y.Shape().Size()) {
				dy := make([]*graph.Node, len(blocks))
				dy[i] = unit(y, e)
				var dx []*graph.Node
				var err error
				y.Graph().Derive(func(rule func(*graph.Node)) { dx, err = d.pull(rule, dy) })
				if err != nil {
					return nil, err
				}
				for k, w := range d.wrt {
					lines[k] = append(lines[k], reshaped(dx[k], graph.Shape{1}, w.Shape()))
				}
			}
			for k, w := range d.wrt {
				blocks[i][k] = joined(y.Graph(), 0, lines[k], append(graph.Shape{1}, w.Shape()...), blockType(y, w))
			}
		}
	default:
		return nil, graph.Errorf(graph.ErrGradient, "a Jacobian as nodes needs a static size of at most %d on one side, but the results have %v elements and what they are differentiated by has %v; jacobian.Rows of package autodiff/jacobian runs it row by row", MaxJacobian, rows, cols)
	}
	return blocks, nil
}

func elements(nodes []*graph.Node) graph.Dim {
	sum := graph.Dim(0)
	for _, n := range nodes {
		sum = sum.Add(n.Shape().Size())
	}
	return sum
}

// unit is 1 at element e and 0 elsewhere, of n's type.
func unit(n *graph.Node, e int) *graph.Node {
	shape := make([]int, len(n.Shape()))
	for i, d := range n.Shape() {
		shape[i] = int(d)
	}
	a := graph.NewArray(n.DType(), shape...)
	a.SetAt(e, 1)
	return n.Graph().Constant(a)
}

func reshaped(n *graph.Node, a, b graph.Shape) *graph.Node {
	if n == nil {
		return nil
	}
	return ops.Reshape(n, append(append(graph.Shape{}, a...), b...)...)
}

// joined is a block of the Jacobian from its rows or columns, each of shape part; nil if it has some but nothing flows in any.
func joined(g *graph.Graph, axis int, parts []*graph.Node, part graph.Shape, block graph.Type) *graph.Node {
	none := graph.Type{DType: block.DType, Shape: part}
	flows := false
	for i, p := range parts {
		if flows = flows || p != nil; p == nil {
			parts[i] = zeros(g, none)
		}
	}
	switch {
	case len(parts) == 0:
		return zeros(g, block)
	case !flows:
		return nil
	}
	return ops.Reshape(ops.Concat(axis, parts...), block.Shape...)
}
