package ops

import (
	"fmt"
	"os"
	"strconv"

	"github.com/tapir-ml/tapir/graph"
)

// The definitions of the operators that act when the tape runs. Their result is an operand; what nobody reads is not computed,
// so they act only if something uses their result.
var (
	AssertDef = new(graph.Def)
	PrintDef  = new(graph.Def)
)

type assertAttr struct{ Message string }

type printAttr struct{ Label string }

// Assert returns x, and lets a run fail if not every element of cond, of booleans, is true: the error has this line, the message
// and the place of the first element that is false, and nothing is committed. The cotangent flows to x.
func Assert(cond, x *graph.Node, message string) *graph.Node {
	return graph.Apply(AssertDef, assertAttr{message}, cond, x)
}

// Print returns x, and writes a line with the label, the type and the first elements of x whenever a program that uses the result
// runs: to vm.Machine.Stdout. A run whose line cannot be written fails. The cotangent flows to x, and is not printed.
func Print(x *graph.Node, label string) *graph.Node {
	return graph.Apply(PrintDef, printAttr{label}, x)
}

// pass gives the result operand x's elements; they may share memory.
func pass(c *graph.Call, x graph.Array) error {
	if to := c.Out[0].Bytes(); len(to) > 0 && &to[0] != &x.Bytes()[0] {
		copy(to, x.Bytes())
	}
	return nil
}

func evalAssert(c *graph.Call) error {
	for i, ok := range c.In[0].Bool() {
		if !ok {
			at := ""
			if rank := len(c.In[0].Shape); rank > 0 {
				at = fmt.Sprintf(" (element %v of %v)", indexOf(i, c.In[0].Shape), c.In[0].Shape)
			}
			return graph.Errorf(graph.ErrValue, "%s%s", c.Attr.(assertAttr).Message, at)
		}
	}
	return pass(c, c.In[1])
}

func indexOf(position int, shape []int) []int {
	index := make([]int, len(shape))
	for axis := len(shape) - 1; axis >= 0; axis-- {
		index[axis] = position % shape[axis]
		position /= shape[axis]
	}
	return index
}

// printed is how many elements Print writes, and printedBytes at least what they take.
const (
	printed      = 8
	printedBytes = 32 * (printed + graph.MaxRank + 2)
)

func evalPrint(c *graph.Call) error {
	x := c.In[0]
	b := append(c.Scratch[:0], c.Attr.(printAttr).Label...)
	b = append(append(b, ": "...), x.DType.String()...)
	separator := "("
	for _, s := range x.Shape {
		b = strconv.AppendInt(append(b, separator...), int64(s), 10)
		separator = ", "
	}
	if len(x.Shape) > 0 {
		b = append(b, ')')
	}
	separator = " "
	if len(x.Shape) > 0 {
		separator = " ["
	}
	for i := range min(x.Len(), printed) {
		b = appendElement(append(b, separator...), x, i)
		separator = " "
	}
	switch {
	case x.Len() == 0:
		b = append(b, " []"...)
	case x.Len() > printed:
		b = append(b, " …]"...)
	case len(x.Shape) > 0:
		b = append(b, ']')
	}
	w := c.Stdout
	if w == nil {
		w = os.Stdout
	}
	if _, err := w.Write(append(b, '\n')); err != nil {
		return err
	}
	return pass(c, x)
}

func appendElement(b []byte, x graph.Array, i int) []byte {
	switch x.DType {
	case graph.Bool:
		return strconv.AppendBool(b, x.Bool()[i])
	case graph.Int32:
		return strconv.AppendInt(b, int64(x.I32()[i]), 10)
	case graph.Int64:
		return strconv.AppendInt(b, x.I64()[i], 10)
	case graph.Float32:
		return strconv.AppendFloat(b, x.At(i), 'g', -1, 32)
	}
	return strconv.AppendFloat(b, x.At(i), 'g', -1, 64)
}

func init() {
	define(AssertDef, graph.Def{
		Name: "assert",
		Infer: func(_ any, in []graph.Type) (graph.Type, error) {
			if err := wantOperands(in, 2); err != nil {
				return graph.Type{}, err
			}
			if in[0].DType != graph.Bool {
				return graph.Type{}, graph.Errorf(graph.ErrDType, "the condition is %v; it must be of booleans, as comparisons give", in[0])
			}
			return in[1], nil
		},
		Eval:   evalAssert,
		VJP:    func(_, dy *graph.Node) []*graph.Node { return []*graph.Node{nil, dy} },
		Traits: graph.InPlace,
		Samples: func() []graph.Sample {
			yes := graph.Operand{Type: graph.TypeOf(graph.Bool, 2), Values: []float64{1}}
			return []graph.Sample{{Attr: assertAttr{"no"}, In: []graph.Operand{yes, floats(2, 3)}}, {Attr: assertAttr{"no"}, In: []graph.Operand{yes, floats(0, 3)}}}
		},
	})
	define(PrintDef, graph.Def{
		Name:  "print",
		Infer: inferSame,
		Eval:  evalPrint,
		Scratch: func(attr any, _ []graph.Type) graph.Dim {
			return graph.Dim(printedBytes + len(attr.(printAttr).Label))
		},
		VJP:    func(_, dy *graph.Node) []*graph.Node { return []*graph.Node{dy} },
		Traits: graph.InPlace | graph.Impure,
		Samples: func() []graph.Sample {
			return []graph.Sample{{Attr: printAttr{"x"}, In: []graph.Operand{floats(2, 3)}}, {Attr: printAttr{"x"}, In: []graph.Operand{floats()}}}
		},
	})
}
