package vm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/columns"
)

// Program is a compiled tape. It is immutable data and may be shared by any number of machines and goroutines.
type Program struct {
	mode    Mode
	tape    *tape
	feeds   []*graph.Node // the user's inputs, in the order of tape.feeds
	states  []*graph.Node // the user's parameters and variables, in the order of tape.states
	outputs []*graph.Node // the user's nodes, in the order of tape.outputs
	updates []graph.Update
	commits []int // index into states, in the order of tape.commits
	fixed   bool  // some size may shrink while a symbol grows, so a plan serves one binding only
}

// program seals the tape.
func (u *unit) program() (*Program, error) {
	t := u.tape
	p := &Program{mode: u.spec.Mode, tape: t, outputs: u.spec.Outputs, updates: u.updates}
	for _, n := range t.feeds {
		p.feeds = append(p.feeds, u.user.Leaf(n.Name()))
	}
	at := map[*graph.Node]int{}
	for i, n := range t.states {
		p.states = append(p.states, u.user.Leaf(n.Name()))
		at[p.states[i]] = i
	}
	for _, up := range u.updates {
		p.commits = append(p.commits, at[up.Target])
	}
	if err := p.checkSizes(u.user); err != nil {
		return nil, err
	}
	for _, in := range t.instrs {
		if in.kind != evalInstr {
			continue
		}
		if err := in.node.Def().CanCompute(t.slots[in.out[0]].typ.DType); err != nil {
			return nil, graph.Locate(err, in.node)
		}
	}
	return p, nil
}

// checkSizes sees to it that the inputs say what size every symbol has, and finds out whether sizes can shrink. Where the
// program reads no input that has a symbol, as in the gradient of a sum, the graph's first one that has it joins the feeds.
func (p *Program) checkSizes(user *graph.Graph) error {
	t := p.tape
	bound := map[graph.Dim]bool{}
	bind := func(n *graph.Node) {
		for _, d := range n.Shape() {
			bound[d] = true
		}
	}
	for _, n := range p.feeds {
		bind(n)
	}
	check := func(d graph.Dim, n *graph.Node) error {
		for _, s := range d.Symbols(nil) {
			if bound[s] {
				continue
			}
			for _, x := range user.Feeds() {
				if !bound[s] && slices.Contains(x.Shape(), s) {
					bind(x)
					t.add(slot{kind: inFeed, index: len(p.feeds), typ: x.Type(), name: x.Name(), node: x, base: noSlot, shares: noSlot})
					t.feeds, p.feeds = append(t.feeds, x), append(p.feeds, x)
				}
			}
			if !bound[s] {
				return graph.Locate(graph.Errorf(graph.ErrShape, "nothing says what size %v has: no input of this program has it as a dimension", s), n)
			}
		}
		return nil
	}
	for _, in := range t.instrs {
		for _, d := range append(in.node.AttrDims(), in.scratch) {
			if err := check(d, in.node); err != nil {
				return err
			}
		}
		p.fixed = p.fixed || !in.scratch.Monotone()
	}
	for i := 0; i < len(t.slots); i++ { // feeds may join
		s := t.slots[i]
		for _, d := range s.typ.Shape {
			if err := check(d, s.node); err != nil {
				return err
			}
			p.fixed = p.fixed || !d.Monotone()
		}
	}
	return nil
}

// Mode returns what the program was compiled for.
func (p *Program) Mode() Mode { return p.mode }

// Feeds returns the inputs that a run needs, be it only for the size of a dimension.
func (p *Program) Feeds() []*graph.Node { return append([]*graph.Node(nil), p.feeds...) }

// Outputs returns the nodes whose values a machine can give, the watched ones last.
func (p *Program) Outputs() []*graph.Node { return append([]*graph.Node(nil), p.outputs...) }

// Len returns the number of instructions.
func (p *Program) Len() int { return len(p.tape.instrs) }

// SharedMemory returns the bytes of what the program computes from the state alone: one copy for all machines of one State.
func (p *Program) SharedMemory() int { return p.tape.shared }

// Memory returns the bytes of the arena that a machine needs under a binding of the program's symbols, scratch included.
func (p *Program) Memory(b graph.Binding) (int, error) {
	plan, err := p.plan(b)
	if err != nil {
		return 0, err
	}
	return plan.bytes, nil
}

// LowerBound returns the largest sum of bytes that are alive at once under a binding: no placement can need less than this.
func (p *Program) LowerBound(b graph.Binding) (int, error) {
	sizes, scratch, err := p.sizes(b)
	if err != nil {
		return 0, err
	}
	change := make([]int, len(p.tape.instrs)+2)
	for i, s := range p.tape.slots {
		if s.kind == inArena && s.first >= 0 {
			change[s.first] += sizes[i]
			change[s.last+1] -= sizes[i]
			if s.shares != noSlot {
				change[s.first] -= sizes[i]
				change[s.first+1] += sizes[i]
			}
		}
	}
	peak, live := 0, 0
	for i := range p.tape.instrs {
		live += change[i]
		peak = max(peak, live+scratch[i])
	}
	return max(peak, live+change[len(p.tape.instrs)]), nil
}

// String lists the tape with symbolic sizes.
func (p *Program) String() string { return p.list(nil) }

// Format lists the tape with the sizes and places it has under a binding of its symbols.
func (p *Program) Format(b graph.Binding) string {
	plan, err := p.plan(b)
	if err != nil {
		return p.String() + "error: " + err.Error() + "\n"
	}
	return p.list(plan)
}

// list prints the tape; plan may be nil.
func (p *Program) list(plan *memoryPlan) string {
	t := p.tape
	var b strings.Builder
	fmt.Fprintf(&b, "program for %v: %d instructions, %d updates", p.mode, len(t.instrs), len(p.updates))
	if plan != nil {
		fmt.Fprintf(&b, ", arena %d bytes", plan.bytes)
	}
	if t.shared > 0 {
		fmt.Fprintf(&b, ", shared %d bytes", t.shared)
	}
	header := b.String() + "\n"
	b.Reset()
	for i, s := range t.slots {
		if s.kind == inFeed || s.kind == inState || s.kind == inConst {
			fmt.Fprintf(&b, "\ts%d\t%s %s\t%v\t\n", i, t.origin(slotID(i)), s.name, s.typ)
		}
	}
	for i := range t.instrs {
		in := &t.instrs[i]
		outs := make([]string, len(in.out))
		for k, s := range in.out {
			outs[k] = t.operand(s)
		}
		typ := t.slots[in.out[0]].typ.String()
		where := ""
		if plan != nil {
			typ = t.slots[in.out[0]].typ.DType.String() + fmt.Sprint(plan.shapes[in.out[0]])
			where = fmt.Sprintf("@%d", plan.offsets[in.out[0]])
		}
		switch {
		case in.commit:
			where = "commit"
		case in.hoisted:
			where = "prologue"
		case in.again:
			where = strings.TrimSpace("again " + where)
		}
		if b := t.slots[in.out[0]].shares; b != noSlot {
			where += fmt.Sprintf(" in place of s%d", b)
		}
		fmt.Fprintf(&b, "%d\t%s\t= %s\t%s\t%s\t%v\n", i, strings.Join(outs, ", "), t.operation(in), typ, strings.TrimSpace(where), in.node.Pos())
	}
	for i, s := range t.outputs {
		fmt.Fprintf(&b, "output\t%s\ts%d\t%v\t\n", labelOf(p.outputs[i]), s, p.outputs[i].Type())
	}
	for i, s := range t.commits {
		if t.slots[s].kind == inState { // the instructions say it
			continue
		}
		fmt.Fprintf(&b, "commit\t%s\t:= s%d\t%v\t\n", p.updates[i].Target.Name(), s, p.updates[i].Target.Type())
	}
	return header + columns.Align(b.String())
}

func labelOf(n *graph.Node) string {
	if n.Name() != "" {
		return n.Name()
	}
	return n.String()
}

func (t *tape) origin(s slotID) string {
	switch t.slots[s].kind {
	case inFeed:
		return "feed"
	case inState:
		return t.slots[s].node.Kind().String()
	case inConst:
		return "constant"
	}
	return ""
}

// operation prints an instruction's right side: "affine(x, 0.weight, 0.bias) matmul+add+relu".
func (t *tape) operation(in *instr) string {
	operands := make([]string, len(in.in))
	for i, s := range in.in {
		operands[i] = t.operand(s)
	}
	name, note := instrNames[in.kind], ""
	switch in.kind {
	case evalInstr:
		name = in.node.Def().Name
		if attr := in.node.AttrString(); attr != "" {
			note = " {" + attr + "}"
		}
	case affineInstr:
		for i, perm := range in.affine.perms {
			if perm != nil {
				operands[i] += "ᵀ"
			}
			if perm != nil && !swapsLast(perm) {
				operands[i] += fmt.Sprint(perm)
			}
		}
		if in.affine.packed {
			operands[1] = "packed " + operands[1]
			operands = operands[:len(operands)-1]
		}
		if len(in.affine.names) > 1 {
			note = " " + strings.Join(in.affine.names, "+")
		} else {
			name = "matmul"
		}
	}
	switch in.kind {
	case elementwiseInstr:
		note = " " + in.elements.String()
	case rowsInstr:
		for i, m := range in.rows.list {
			note += map[bool]string{true: " ", false: "; "}[i == 0]
			if m.kind == elementwiseInstr {
				note += m.elements.String()
			} else {
				note += m.node.Def().Name
			}
		}
	}
	return name + "(" + strings.Join(operands, ", ") + ")" + note
}

// String names the operators: "sub+mul+mean".
func (e *elementwise) String() string {
	names := make([]string, len(e.steps))
	for i, s := range e.steps {
		names[i] = s.name
	}
	if r := e.tail.node; r != nil {
		names = append(names, r.Def().Name)
	}
	if n := len(names); n > 8 {
		return fmt.Sprintf("%s+…+%s (%d operators)", strings.Join(names[:3], "+"), names[n-1], n)
	}
	return strings.Join(names, "+")
}

func (t *tape) operand(s slotID) string {
	at := &t.slots[s]
	switch at.kind {
	case inArena, inPrologue:
		return fmt.Sprintf("s%d", s)
	case viewOf:
		return t.operand(at.base) + fmt.Sprintf(" as %v", at.typ.Shape)
	}
	return at.name
}
