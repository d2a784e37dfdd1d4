package draw

import "strings"

// layout is a diagram on its way to a picture. Its first vertices are the diagram's boxes; the rest are bends, where a line
// that skips layers passes through each of them.
type layout struct {
	*diagram
	horizontal bool
	vertices   []vertex
	trunk      [][]int // of each box: its bends, the nearest first; all lines that leave the box share them
	layers     [][]int // vertices in the order in which they lie along the layer

	minor map[[2]int]bool // lines that give way to a straighter one, see findSpine

	bandStart, bandEnd []float64 // of each layer, in the direction of flow
	extent, depth      float64   // of the whole, across and along the flow
}

// vertex is a box or a bend. "Across" is the direction of its layer, "along" that of the flow.
type vertex struct {
	layer, position int
	up, down        []int // neighbours one layer before and after, each once
	across, along   float64
	x               float64 // middle, across
	width, height   float64 // on the page, for boxes
}

// arrange gives everything its place.
func arrange(d *diagram, horizontal bool) *layout {
	l := &layout{diagram: d, horizontal: horizontal, vertices: make([]vertex, len(d.boxes)), trunk: make([][]int, len(d.boxes))}
	l.assignLayers()
	l.splitLongEdges()
	l.measure()
	l.order()
	l.place()
	return l
}

func (l *layout) isBend(v int) bool { return v >= len(l.boxes) }

// assignLayers gives each box the length of the longest path to it, then moves down what stands too early:
//
//	x   w1  w2  w3        x   w1
//	 \ /    |   |          \ /
//	 dot    |   |    →     dot  w2
//	   \   /    |            \ /
//	    dot     |            dot  w3
//
// so that weights stand beside the operator that reads them. A box with operands moves if that makes no line longer, but those of
// leaves, which move too.
func (l *layout) assignLayers() {
	consumers := make([][]int, len(l.boxes))
	floats := make([]bool, len(l.boxes)) // nothing holds the box up: what it needs can move with it
	for i := range l.boxes {
		v := &l.vertices[i]
		for _, x := range l.boxes[i].operands {
			if x.from >= 0 {
				v.layer = max(v.layer, l.vertices[x.from].layer+1)
				consumers[x.from] = appendOnce(consumers[x.from], i)
			}
		}
	}
	isFree := func(x int) bool { return !l.hasLines(x) || floats[x] && len(consumers[x]) == 1 }
	for i := range l.boxes {
		floats[i] = true
		for _, x := range l.boxes[i].operands {
			floats[i] = floats[i] && (x.from < 0 || isFree(x.from))
		}
	}
	var movable func(i, target, depth int) bool
	movable = func(i, target, depth int) bool {
		for _, x := range l.boxes[i].operands {
			if x.from < 0 || isFree(x.from) || l.staysShort(i, consumers[x.from], target) {
				continue
			}
			const chain = 8 // boxes that move together
			if depth == chain || len(consumers[x.from]) > 1 || !movable(x.from, target-1, depth+1) {
				return false
			}
		}
		return true
	}
	for i := len(l.boxes) - 1; i >= 0; i-- {
		if len(consumers[i]) == 0 {
			continue
		}
		target := l.vertices[consumers[i][0]].layer
		for _, c := range consumers[i] {
			target = min(target, l.vertices[c].layer)
		}
		target--
		if movable(i, target, 0) {
			l.vertices[i].layer = max(target, l.vertices[i].layer)
		}
	}
}

// staysShort reports whether the lines to consumers do not get longer when i, which is one of them, moves to layer target.
func (l *layout) staysShort(i int, consumers []int, target int) bool {
	const hub = 16 // consumers; one of so many stands far away, and looking for it takes time
	if len(consumers) > hub {
		return true
	}
	for _, c := range consumers {
		if c != i && l.vertices[c].layer >= target {
			return true
		}
	}
	return false
}

// hasLines reports whether any line leads to box i.
func (l *layout) hasLines(i int) bool {
	for _, x := range l.boxes[i].operands {
		if x.from >= 0 {
			return true
		}
	}
	return false
}

func appendOnce(list []int, i int) []int {
	if len(list) > 0 && list[len(list)-1] == i {
		return list
	}
	return append(list, i)
}

// splitLongEdges puts a bend into each layer that a line passes. The lines of one value share their bends, as tracks on a board
// do. If even so there would be far more bends than boxes, the longest lines are not drawn: the consumer names the value
// instead.
func (l *layout) splitLongEdges() {
	spans := make([]int, len(l.boxes)) // of each box: layers to its farthest consumer
	longest := 0
	for i := range l.boxes {
		for _, x := range l.boxes[i].operands {
			if x.from >= 0 {
				span := l.vertices[i].layer - l.vertices[x.from].layer
				spans[x.from] = max(spans[x.from], span)
				longest = max(longest, span)
			}
		}
	}
	for budget := 4000 + 4*len(l.boxes); longest > 1; longest = (longest + 1) / 2 {
		bends := 0
		for _, span := range spans {
			bends += max(0, min(span, longest)-1)
		}
		if bends <= budget {
			break
		}
	}
	shortened := false
	for i := range l.boxes {
		for j := range l.boxes[i].operands {
			x := &l.boxes[i].operands[j]
			switch {
			case x.from < 0:
			case l.vertices[i].layer-l.vertices[x.from].layer > longest:
				source := &l.boxes[x.from]
				if source.id != source.name && !strings.HasPrefix(source.name, source.id+" = ") {
					source.name = source.id + " = " + source.name
				}
				*x = operand{written, "↑" + source.id}
				shortened = true
			default:
				v := l.reach(x.from, l.vertices[i].layer-1)
				l.connect(v, i)
			}
		}
	}
	if shortened {
		l.notes = append(l.notes, note{"Values used many layers further on have no line there; the consumer names them: ↑%7.", false})
	}
	last := 0
	for i := range l.vertices {
		last = max(last, l.vertices[i].layer)
	}
	if len(l.vertices) > 0 {
		l.layers = make([][]int, last+1)
	}
}

// reach returns the vertex from which a line of box i starts in the given layer: the box, or a bend of its trunk.
func (l *layout) reach(i, layer int) int {
	at := i
	for k := 0; l.vertices[i].layer+k < layer; k++ {
		if k == len(l.trunk[i]) {
			l.trunk[i] = append(l.trunk[i], len(l.vertices))
			l.vertices = append(l.vertices, vertex{layer: l.vertices[i].layer + k + 1})
			l.connect(at, len(l.vertices)-1)
		}
		at = l.trunk[i][k]
	}
	return at
}

func (l *layout) connect(from, to int) {
	for _, v := range l.vertices[to].up {
		if v == from {
			return
		}
	}
	l.vertices[to].up = append(l.vertices[to].up, from)
	l.vertices[from].down = append(l.vertices[from].down, to)
}
