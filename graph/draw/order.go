package draw

import (
	"math"
	"sort"
)

// order arranges the vertices along their layers so that few lines cross: start from a walk that keeps relatives together, then
// sweep down and up, sorting each layer by the mean position of its vertices' neighbours (the barycentre method of Sugiyama,
// Tagawa and Toda), and keep the best arrangement seen. Small graphs also get several starts, exchanges of neighbours (Gansner,
// Koutsofios, North and Vo, "A Technique for Drawing Directed Graphs", 1993, section 3), and a finer idea of what is best.
func (l *layout) order() {
	isSmall := len(l.vertices) <= 1500
	sweeps, starts := 6, 1
	if isSmall {
		sweeps, starts = 16, 4
	}
	l.findSpine()
	var best [][]int
	least := math.Inf(1)
	keep := func() {
		if cost := l.cost(isSmall); cost < least {
			best, least = l.snapshot(), cost
		}
	}
	for start := 0; start < starts; start++ {
		l.initialOrder(start&1 != 0, start&2 != 0)
		keep()
		for sweep := 0; sweep < sweeps; sweep++ {
			if sweep%2 == 0 {
				for _, layer := range l.layers {
					l.sortByNeighbours(layer, true)
				}
			} else {
				for i := len(l.layers) - 1; i >= 0; i-- {
					l.sortByNeighbours(l.layers[i], false)
				}
			}
			if isSmall {
				l.exchange()
			}
			keep()
		}
	}
	if best != nil {
		l.layers = best
	}
	l.number()
}

// cost says how bad an arrangement is: by its crossings, for small graphs also by how far lines travel to the side once all is
// in its place. A crossing is worth a detour of 150 pixels.
func (l *layout) cost(precise bool) float64 {
	crossings := float64(l.crossings())
	if !precise || len(l.vertices) == 0 {
		return crossings
	}
	l.placeAcross()
	travel := 0.0
	for v := range l.vertices {
		for _, w := range l.vertices[v].down {
			travel += math.Abs(l.vertices[v].x - l.vertices[w].x)
		}
	}
	return 150*crossings + travel
}

// initialOrder walks from the results back to what they need, or from the leaves forward, and appends each vertex to its layer.
func (l *layout) initialOrder(forward, mirrored bool) {
	seen := make([]bool, len(l.vertices))
	for i := range l.layers {
		l.layers[i] = l.layers[i][:0]
	}
	next := func(v int) []int {
		if forward {
			return l.vertices[v].down
		}
		return l.vertices[v].up
	}
	var stack []int
	push := func(list []int) { // so that the first is on top
		for i := range list {
			if mirrored {
				stack = append(stack, list[i])
			} else {
				stack = append(stack, list[len(list)-1-i])
			}
		}
	}
	var ends []int
	for v := range l.vertices {
		if forward && len(l.vertices[v].up) == 0 || !forward && len(l.vertices[v].down) == 0 {
			ends = append(ends, v)
		}
	}
	push(ends)
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if !seen[v] {
			seen[v] = true
			l.layers[l.vertices[v].layer] = append(l.layers[l.vertices[v].layer], v)
			push(next(v))
		}
	}
	l.number()
}

func (l *layout) number() {
	for _, layer := range l.layers {
		for i, v := range layer {
			l.vertices[v].position = i
		}
	}
}

func (l *layout) snapshot() [][]int {
	layers := make([][]int, len(l.layers))
	for i, layer := range l.layers {
		layers[i] = append([]int(nil), layer...)
	}
	return layers
}

// sortByNeighbours sorts a layer by the barycentres of the neighbours in the layer before (or after) it. A vertex without such
// neighbours keeps its position.
func (l *layout) sortByNeighbours(layer []int, before bool) {
	type ranked struct {
		v    int
		mean float64
	}
	var movable []ranked
	for _, v := range layer {
		neighbours := l.vertices[v].down
		if before {
			neighbours = l.vertices[v].up
		}
		if len(neighbours) == 0 {
			continue
		}
		sum := 0
		for _, w := range neighbours {
			sum += l.vertices[w].position
		}
		movable = append(movable, ranked{v, float64(sum) / float64(len(neighbours))})
	}
	sort.SliceStable(movable, func(i, j int) bool { return movable[i].mean < movable[j].mean })
	next := 0
	for i, v := range layer {
		if before && len(l.vertices[v].up) > 0 || !before && len(l.vertices[v].down) > 0 {
			layer[i] = movable[next].v
			next++
		}
	}
	for i, v := range layer {
		l.vertices[v].position = i
	}
}

// exchange swaps neighbours of a layer while that undoes crossings.
func (l *layout) exchange() {
	for round := 0; round < 4; round++ {
		gained := 0
		for _, layer := range l.layers {
			for i := 1; i < len(layer); i++ {
				v, w := layer[i-1], layer[i]
				gain := l.crossingsOf(v, w) - l.crossingsOf(w, v)
				if gain > 0 {
					layer[i-1], layer[i] = w, v
					l.vertices[v].position, l.vertices[w].position = i, i-1
					gained += gain
				}
			}
		}
		if gained == 0 {
			return
		}
	}
}

// crossingsOf counts the crossings among the lines of v and w if v lies to the left of w.
func (l *layout) crossingsOf(v, w int) int {
	n := 0
	for _, pair := range [2][2][]int{{l.vertices[v].up, l.vertices[w].up}, {l.vertices[v].down, l.vertices[w].down}} {
		for _, a := range pair[0] {
			for _, b := range pair[1] {
				if l.vertices[a].position > l.vertices[b].position {
					n++
				}
			}
		}
	}
	return n
}

// crossings counts all crossings in O(E log V): lines between two layers are taken from left to right by their upper ends, and
// a tree of counters (Fenwick) says how many of those seen end further to the right (Barth, Jünger and Mutzel, "Simple and
// Efficient Bilayer Cross Counting", 2002).
func (l *layout) crossings() int {
	total := 0
	var tree, ends []int
	for i, layer := range l.layers[:max(0, len(l.layers)-1)] {
		size := len(l.layers[i+1])
		tree = append(tree[:0], make([]int, size+1)...)
		seen := 0
		for _, v := range layer {
			ends = ends[:0]
			for _, w := range l.vertices[v].down {
				ends = append(ends, l.vertices[w].position)
			}
			for _, end := range ends { // lines of one vertex do not cross each other
				notRight := 0
				for k := end + 1; k > 0; k -= k & -k {
					notRight += tree[k]
				}
				total += seen - notRight
			}
			for _, end := range ends {
				for k := end + 1; k <= size; k += k & -k {
					tree[k]++
				}
				seen++
			}
		}
	}
	return total
}
