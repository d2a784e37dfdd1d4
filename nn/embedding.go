package nn

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/ops"
)

// Embedding returns a vector of Size numbers, which are learnt, for each id in x: int32 or int64 of any shape, from 0 to Entries−1, which
// every run checks. The result has x's shape and then Size. The parameter "weight" is (Entries, Size).
type Embedding struct {
	Entries, Size int
	DType         graph.DType // left out: float32
	Weight        graph.Init  // left out: initializers.Normal(1)
}

// Build adds the parameter and returns its rows at the ids.
func (l *Embedding) Build(s *Scope, x *graph.Node) *graph.Node {
	dtype := l.DType
	if !dtype.Valid() {
		dtype = graph.Float32
	}
	var err error
	switch {
	case x.Err() != nil:
		err = x.Err()
	case l.Entries < 1 || l.Size < 1:
		err = graph.Errorf(graph.ErrValue, "%d entries of size %d; both are 1 or more", l.Entries, l.Size)
	case !dtype.IsFloat():
		err = graph.Errorf(graph.ErrDType, "learns float32 or float64, not %v", dtype)
	case !x.DType().IsInt():
		err = graph.Errorf(graph.ErrDType, "takes ids, int32 or int64, not %v; convert with ops.Cast", x.Type())
	}
	if err != nil {
		return s.invalid(l, x, err)
	}
	init := or(l.Weight, initializers.Normal(1))
	return ops.Embedding(s.Param("weight", dtype, init, graph.Dim(l.Entries), graph.Dim(l.Size)), x)
}
