package graph

import "io"

// Def defines one operator; Tapir's own are literals of this type in package ops, and a user's have equal rights. A nil field
// means "not offered", and whatever would need it says so in an error. A Def is identified by its pointer and must not change
// once used.
type Def struct {
	// Name is what people read in errors, listings and pictures: lower case, e.g. "matmul".
	Name string

	// Infer returns the type of the result from the attributes and the operands' types: the operator's legality rule. It must
	// not look at anything else. Errors are made with Errorf and say what would fix them.
	Infer func(attr any, in []Type) (Type, error)

	// Eval computes the result on the CPU. Element types are read from the arrays, never from attributes: the reference
	// interpreter hands a float32 graph's operators float64 arrays. It needs no allocation of its own: see Scratch. It must not use
	// the State of the machine that runs it, which is locked while it runs.
	Eval func(c *Call) error

	// VJP is the reverse-mode rule: given a node of this operator and dy, the cotangent of its result, it returns the cotangent of
	// each operand as ordinary nodes. A nil entry means that none flows. Entries must have their operand's type.
	VJP func(n, dy *Node) []*Node

	// JVP is the forward-mode rule: given a node of this operator and the tangents of its operands, it returns the tangent of its
	// result, of the result's type. A nil entry means that the operand does not move, a nil result that n does not. Without a JVP the
	// rule follows from VJP, at the same cost for most operators; one is wanted where VJP is not linear in dy, or offers no gradient
	// of its own, or where a Pointwise has a VJP that is not elementwise.
	JVP func(n *Node, dx []*Node) *Node

	// Pointwise, if set, gives the operator over blocks of elements, so that the compiler can fuse it.
	Pointwise *Pointwise

	// Expand, if set, writes the operator as a composition of operators that have no Expand themselves, of the same value within
	// rounding; nil where it stays as it is. The compiler puts it in the operator's place, so that it fuses and shares subexpressions with gradients. The operator
	// still has an Eval or a Pointwise: the plain formula, which the composition is compared with.
	Expand func(attr any, in []*Node) *Node

	// Scratch is an upper bound of the bytes of working memory that Eval wants in Call.Scratch.
	Scratch func(attr any, in []Type) Dim

	// Traits are facts the compiler may use.
	Traits Trait

	// Samples are operands for the gradient check and for the comparison with the reference interpreter.
	Samples func() []Sample
}

// Pointwise computes one element of the result from one element of each operand, over blocks. dst may be one of the operands;
// operands of length 1 are scalars, all others have dst's length. At most four operands. The functions may be called from several
// goroutines at a time, and must not keep the slices. An operator with a Pointwise needs no Eval.
//
// Operands and result have one element type, which a function is for; nil means that the operator is not offered for it.
type Pointwise struct {
	F32  func(attr any, dst []float32, in [][]float32)
	F64  func(attr any, dst []float64, in [][]float64)
	I32  func(attr any, dst []int32, in [][]int32)
	I64  func(attr any, dst []int64, in [][]int64)
	Bool func(attr any, dst []bool, in [][]bool)
}

// Trait is a set of facts about an operator.
type Trait uint32

// The traits.
const (
	// Commutative: the operands of a binary operator may be exchanged, so f(a, b) and f(b, a) are one node.
	Commutative Trait = 1 << iota
	// View: the result is operand 0's elements in the same order, under another shape of equal size; nothing needs to be computed.
	View
	// InPlace: Eval may be given a result that shares memory with an operand of the same size and element type.
	InPlace
	// Identity: for values the operator is operand 0; it only speaks to passes before execution.
	Identity
	// Discrete: the result does not vary continuously, so no gradient flows and none is missed: comparisons, integer results.
	Discrete
	// Impure: it acts outside the tape, as printing does. It is neither computed at compile time nor computed twice.
	Impure
)

// Has reports whether all traits in u are in t.
func (t Trait) Has(u Trait) bool { return t&u == u }

// Call is what an operator's Eval works on. All arrays are dense and row-major; operands must not be written.
type Call struct {
	Attr    any
	In      []Array
	Out     []Array // one; for a tuple one for each part
	Scratch []byte  // at least Def.Scratch bytes; its content is undefined
	Binding Binding // the sizes of symbols, for operators with dimensions among their attributes

	// Parallel calls do(0), …, do(parts-1), on several goroutines where that helps, and returns when all are done. The split
	// must depend on the problem alone, so that results do not depend on the number of workers. It may be nil.
	Parallel func(parts int, do func(part int))

	// Kept is nil at first; what Eval stores here it finds again when the same machine runs the same instruction: structures that it
	// would otherwise have to allocate at each run. Results must not depend on it.
	Kept any

	// Stdout is where operators print; nil means os.Stdout.
	Stdout io.Writer

	blocks any // of a pointwise operator, [][]T of its element type: working memory
}

// Sample describes operands for testing an operator: gradients are checked by finite differences at random values from it.
type Sample struct {
	Attr any
	In   []Operand
}

// Operand is one operand of a Sample.
type Operand struct {
	Type   Type      // static shape
	Lo, Hi float64   // range of random values; both 0 means −1 to 1
	Avoid  []float64 // kinks that values keep away from by 0.05
	Values []float64 // if set, these instead of random values
}
