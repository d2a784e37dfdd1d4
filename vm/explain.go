package vm

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tapir-ml/tapir/graph"
)

// Explanation is what happened while a program was compiled: what each pass and each rule did, and why a product stayed alone. Compile
// fills it in where Spec.Explain asks for it; WriteHTML makes a page of it. It does not change what is compiled.
type Explanation struct {
	program *Program
	stages  []stage
	rules   []firing
}

// stage is the program after a pass.
type stage struct {
	pass    string
	why     string
	left    bool // out, by Spec.Without
	isTape  bool
	lines   []stageLine
	gone    int // lines of the stage before that are not there any more
	changed int // lines that were not there
	total   int // lines, of which those up to longestColumn are kept
	keys    map[string]int
}

// stageLine is a node or an instruction.
type stageLine struct {
	text, typ string
	line      string // of the user's program
	key       string // what it computes, whatever it is called: equal keys in two stages are one thing
	isNew     bool
}

// firing counts how often a rule was applied, with one example.
type firing struct {
	rule          *graph.Rule
	times         int
	before, after string
	line          string
}

// longestColumn bounds what the page shows of a stage.
const longestColumn = 400

// record notes the program after a pass.
func (u *unit) record(p *pass, left bool) {
	e := u.spec.Explain
	if e == nil {
		return
	}
	s := stage{pass: p.name, why: p.why, left: left, isTape: u.tape != nil}
	if u.tape == nil {
		s.lines = graphLines(u.roots)
	} else {
		s.lines = u.tape.lines()
	}
	s.keys = map[string]int{}
	for _, l := range s.lines {
		s.keys[l.key]++
	}
	if n := len(e.stages); n > 0 {
		if before := &e.stages[n-1]; before.isTape == s.isTape {
			s.compare(before.keys)
			before.keys = nil
		}
	}
	s.total = len(s.lines)
	s.lines = slices.Clone(s.lines[:min(s.total, longestColumn)])
	e.stages = append(e.stages, s)
}

// compare marks what was not there before.
func (s *stage) compare(before map[string]int) {
	count := maps.Clone(before)
	for i := range s.lines {
		l := &s.lines[i]
		if count[l.key]--; count[l.key] < 0 {
			l.isNew = true
			s.changed++
		}
	}
	for _, n := range count {
		s.gone += max(n, 0)
	}
}

// graphLines lists the nodes that roots need. A node's key says its operator, its type, its line, and what its operands are: not
// what these are computed from, so that a change does not show in all that depends on it.
func graphLines(roots []*graph.Node) (lines []stageLine) {
	for _, n := range graph.Reachable(roots...) {
		l := stageLine{text: nodeName(n), typ: n.Type().String(), line: n.Pos().String()}
		if d := n.Def(); d != nil {
			names, kinds := make([]string, len(n.Inputs())), make([]string, len(n.Inputs()))
			for i, x := range n.Inputs() {
				names[i], kinds[i] = nodeName(x), nodeName(x)
				if x.Def() != nil {
					kinds[i] = x.Def().Name
				}
			}
			attr := ""
			if a := n.AttrString(); a != "" {
				attr = " {" + a + "}"
			}
			l.text += " = " + d.Name + "(" + strings.Join(names, ", ") + ")" + attr
			l.key = d.Name + "(" + strings.Join(kinds, ", ") + ")" + attr
		}
		l.key += l.typ + l.line
		lines = append(lines, l)
	}
	return lines
}

func nodeName(n *graph.Node) string {
	switch n.Kind() {
	case graph.Input, graph.Param, graph.Variable:
		return n.Name()
	case graph.Constant:
		return n.Expr()
	}
	return fmt.Sprintf("%%%d", n.ID())
}

// lines lists the instructions.
func (t *tape) lines() (lines []stageLine) {
	for i := range t.instrs {
		in := &t.instrs[i]
		outs := make([]string, len(in.out))
		for k, s := range in.out {
			outs[k] = t.operand(s)
		}
		text := strings.Join(outs, ", ") + " = " + t.operation(in)
		where := map[bool]string{true: " prologue"}[in.hoisted] + map[bool]string{true: " commit"}[in.commit] + map[bool]string{true: " again"}[in.again]
		if from := t.slots[in.out[0]].shares; from != noSlot {
			where += fmt.Sprintf(" in place of s%d", from)
		}
		lines = append(lines, stageLine{text: text + where, typ: t.slots[in.out[0]].typ.String(), line: in.node.Pos().String(), key: text + where})
	}
	return lines
}

// fired notes the rules that were applied.
func (u *unit) fired(list []graph.Fired) {
	e := u.spec.Explain
	if e == nil {
		return
	}
	for _, f := range list {
		at := slices.IndexFunc(e.rules, func(r firing) bool { return r.rule.Name == f.Rule.Name })
		if at < 0 {
			at = len(e.rules)
			e.rules = append(e.rules, firing{rule: f.Rule, before: f.Before.String(), after: f.After.String(), line: f.Before.Pos().String()})
		}
		e.rules[at].times++
	}
}

// alone says why a product has nothing fused to it: the second result is empty where something is.
func (t *tape) alone(i int) (product, why string) {
	in := &t.instrs[i]
	if in.kind != affineInstr || len(in.affine.names) > 1 || len(in.elements.steps) > 0 {
		return "", ""
	}
	product = t.operand(in.out[0]) + " = " + t.operation(in)
	out := in.out[0]
	if slices.ContainsFunc(t.outputs, func(s slotID) bool { return t.base(s) == out }) {
		return product, "its value itself is asked for, as an output"
	}
	if slices.ContainsFunc(t.commits, func(s slotID) bool { return t.base(s) == out }) {
		return product, "its value itself becomes a state"
	}
	var readers []int
	reshaped := false
	for k := range t.instrs {
		for _, s := range t.instrs[k].in {
			if t.base(s) == out {
				readers = append(readers, k)
				reshaped = reshaped || s != out
				break
			}
		}
	}
	names := make([]string, len(readers))
	for k, r := range readers {
		names[k] = t.readerName(r)
	}
	switch {
	case len(readers) == 0:
		return product, "nothing reads it"
	case len(readers) > 4:
		return product, fmt.Sprintf("%d instructions read it: %s, …", len(readers), strings.Join(names[:4], ", "))
	case len(readers) > 1:
		return product, fmt.Sprintf("%d instructions read it: %s", len(readers), strings.Join(names, ", "))
	}
	reader := "its only reader, instruction " + names[0]
	switch r := &t.instrs[readers[0]]; {
	case r.commit:
		return product, reader + ", writes the state: in the commit phase a product would keep readers of the state waiting"
	case reshaped:
		return product, reader + ", reads it under another shape"
	case r.kind == affineInstr:
		return product, reader + ", is another product"
	case r.kind == elementwiseInstr || r.kind == rowsInstr:
		return product, reader + ", computes over another shape, or with what is computed after the product"
	}
	return product, reader + ", is no pointwise operator"
}

// readerName names instruction i: "17 (elementwise)".
func (t *tape) readerName(i int) string {
	in := &t.instrs[i]
	if in.kind == evalInstr {
		return fmt.Sprintf("%d (%s)", i, in.node.Def().Name)
	}
	return fmt.Sprintf("%d (%s)", i, instrNames[in.kind])
}
