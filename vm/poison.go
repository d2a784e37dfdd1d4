package vm

// poison keeps track of which places of a machine's arena hold nothing that will be read again.
type poison struct {
	dying [][]life // by the instruction that reads them last
}

// begin spoils the whole arena, so that a value of an earlier run is not taken for one of this.
func (p *poison) begin(m *Machine) {
	t := m.program.tape
	sizes, scratch, err := m.program.sizes(m.plan.sizes)
	if err != nil { // the plan would have failed before
		return
	}
	p.dying = make([][]life, len(t.instrs)+1)
	for _, l := range t.lives(sizes, scratch) {
		l.offset = m.plan.scratch[l.first]
		if l.slot != noSlot {
			l.offset = m.plan.offsets[l.slot]
		}
		p.dying[l.last] = append(p.dying[l.last], l)
	}
	spoil(m.arena)
}

// after spoils what instruction at read for the last time, and its scratch.
func (p *poison) after(m *Machine, at int) {
	for _, l := range p.dying[at] {
		spoil(m.arena[l.offset : l.offset+l.size])
	}
}

// spoil writes what is a NaN as a float, −1 as an integer, and neither true nor false as a truth value.
func spoil(memory []byte) {
	for i := range memory {
		memory[i] = 0xff
	}
}
