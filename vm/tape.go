package vm

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
	"github.com/tapir-ml/tapir/ops"
)

// slotID names a slot: a value on the tape.
type slotID int32

const noSlot slotID = -1

// slotKind says where a slot's memory is.
type slotKind uint8

const (
	inArena    slotKind = iota // written by one instruction, placed by the memory planner
	inFeed                     // the tensor that was fed
	inState                    // the State's storage
	inConst                    // the program's
	inBlock                    // the runner's of a rows instruction: its members' only, one block of rows at a time
	inPrologue                 // the memory that the machines of a program and a state share, at byte index
	viewOf                     // another slot's elements under another shape
)

// slot is one value: its type, where its memory is, and from which instruction to which it is needed.
type slot struct {
	kind   slotKind
	typ    graph.Type
	base   slotID      // of a view: the slot that has the memory, itself no view
	index  int         // of inFeed, inState and inConst: in Program.feeds, states, consts; of inPrologue: bytes from its start
	shares slotID      // of an arena slot: the dying operand whose place it takes, or noSlot
	name   string      // for people
	node   *graph.Node // the private graph's node it came from
	first  int         // the instruction that writes it
	last   int         // the last instruction that reads it; len(instrs) if it outlives the tape
}

// instrKind says how the executor runs an instruction.
type instrKind uint8

const (
	evalInstr        instrKind = iota // the operator's own kernel
	affineInstr                       // act(A·B + bias), and pointwise operators on the result
	elementwiseInstr                  // several pointwise operators in one pass
	rowsInstr                         // several instructions, one block of rows after the other
	copyInstr                         // operand 0, element by element
	packInstr                         // operand 0, a matrix, as the product kernel reads it
)

var instrNames = [...]string{evalInstr: "eval", affineInstr: "affine", elementwiseInstr: "elementwise", rowsInstr: "rows", copyInstr: "copy", packInstr: "pack"}

// instr is one line of the tape. It is data only: the executor finds the kernel by its kind.
type instr struct {
	kind     instrKind
	node     *graph.Node // the node it came from, for names and positions; its Def and Attr for evalInstr
	in       []slotID
	out      []slotID
	scratch  graph.Dim // bytes
	affine   affine
	elements elementwise
	rows     rowMembers
	hoisted  bool // runs once for each version of the state
	commit   bool // writes states, once all that can fail is done
	again    bool // computes a second time what an earlier one did
	dead     bool
}

// affine describes act(A·B + bias) and what follows: operands 0 and 1 are A and B, read with their dimensions permuted where
// perms says so, then comes the bias if there is one. Then either the saved result of an activation whose derivative multiplies,
// or the operands of a program (instr.elements) that runs on each finished tile. The first result is the product's memory; the
// last one, if sums is set, its columns' sums.
type affine struct {
	perms  [2][]int // as of ops.Transpose; nil: in order
	bias   bool
	act    kernel.Act
	alpha  float64 // act's parameter
	deriv  kernel.Act
	sums   bool
	packed bool     // the last operand is B's layout
	names  []string // what was fused, for people
}

// tape is a program while passes work on it.
type tape struct {
	instrs  []instr
	slots   []slot
	feeds   []*graph.Node // leaves of the private graph, by slot.index
	states  []*graph.Node
	consts  []graph.Array
	outputs []slotID // of Spec.Outputs
	marks   []slotID // of ops.Checkpoint: places that are kept
	shared  int      // bytes of the prologue's results
	commits []slotID // of the updates' values; a state's own slot where nothing is left to copy
}

func (t *tape) add(s slot) slotID {
	t.slots = append(t.slots, s)
	return slotID(len(t.slots) - 1)
}

// base returns the slot that has id's memory.
func (t *tape) base(id slotID) slotID {
	if t.slots[id].kind == viewOf {
		return t.slots[id].base
	}
	return id
}

// uses counts how often each slot's memory is read, by instructions and as a result.
func (t *tape) uses() []int {
	n := make([]int, len(t.slots))
	for i := range t.instrs {
		if t.instrs[i].dead {
			continue
		}
		for _, s := range t.instrs[i].in {
			n[t.base(s)]++
		}
	}
	for _, s := range t.outputs {
		n[t.base(s)]++
	}
	for _, s := range t.commits {
		n[t.base(s)]++
	}
	return n
}

// writers returns the instruction that writes each slot, −1 for none.
func (t *tape) writers() []int {
	w := make([]int, len(t.slots))
	for i := range w {
		w[i] = -1
	}
	for i := range t.instrs {
		for _, s := range t.instrs[i].out {
			w[s] = i
		}
	}
	return w
}

// lower makes an instruction of each operator node, in id order, and a slot of each value:
//
//	%3 = matmul(%0, %1)         →   s2 = eval matmul(s0, s1)
//	%4 = reshape(%3)            →   s3 = s2 under another shape
//	%6 = get(%5) {part=1}       →   the slot of that part
func lower(u *unit) error {
	nodes := graph.Reachable(u.roots...)
	operators := 0
	for _, n := range nodes {
		if n.Def() != nil {
			operators++
		}
	}
	t := &tape{slots: make([]slot, 0, len(nodes)), instrs: make([]instr, 0, operators)}
	u.tape = t
	places := make([][]slotID, len(u.roots[0].Graph().Nodes())) // by node id; one for each part of a tuple
	for _, n := range nodes {
		u.at = n
		places[n.ID()] = t.lowerNode(n, places)
	}
	u.at = nil
	outputs := len(u.spec.Outputs)
	for i, n := range u.roots {
		if s := places[n.ID()][0]; i < outputs {
			t.outputs = append(t.outputs, s)
		} else {
			t.commits = append(t.commits, s)
		}
	}
	known := map[string]bool{}
	for _, n := range t.states {
		known[n.Name()] = true
	}
	for _, up := range u.updates {
		if !known[up.Target.Name()] { // a state that nothing reads
			t.states = append(t.states, up.Target)
		}
	}
	return nil
}

func (t *tape) lowerNode(n *graph.Node, places [][]slotID) []slotID {
	s := slot{typ: n.Type(), name: n.Name(), node: n, base: noSlot, shares: noSlot}
	switch n.Kind() {
	case graph.Input:
		s.kind, s.index = inFeed, len(t.feeds)
		t.feeds = append(t.feeds, n)
		return []slotID{t.add(s)}
	case graph.Param, graph.Variable:
		s.kind, s.index = inState, len(t.states)
		t.states = append(t.states, n)
		return []slotID{t.add(s)}
	case graph.Constant:
		s.kind, s.index = inConst, len(t.consts)
		s.name = n.Expr()
		t.consts = append(t.consts, n.Value())
		return []slotID{t.add(s)}
	}
	var in []slotID
	for _, x := range n.Inputs() {
		in = append(in, places[x.ID()]...)
	}
	d := n.Def()
	switch {
	case n.Is(ops.GetDef):
		return []slotID{in[ops.Part(n)]}
	case n.Is(ops.TupleDef):
		return in
	case n.Is(ops.CheckpointDef):
		t.marks = append(t.marks, t.base(in[0]))
		return in
	case d.Traits.Has(graph.View):
		s.kind, s.base = viewOf, t.base(in[0])
		return []slotID{t.add(s)}
	}
	i := instr{kind: evalInstr, node: n, in: in}
	if d.Scratch != nil {
		types := make([]graph.Type, len(in))
		for k, x := range in {
			types[k] = t.slots[x].typ
		}
		i.scratch = d.Scratch(n.Attr(), types)
	}
	parts := []graph.Type{n.Type()}
	if n.Type().IsTuple() {
		parts = n.Type().Tuple
	}
	for _, p := range parts {
		s.typ = p
		i.out = append(i.out, t.add(s))
	}
	t.instrs = append(t.instrs, i)
	return i.out
}
