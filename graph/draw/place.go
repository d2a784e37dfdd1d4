package draw

import "sort"

// Distances in pixels.
const (
	boxGap  = 22.0 // between boxes of a layer
	lineGap = 12.0 // between a line and what is beside it
	margin  = 16.0
)

// place gives each vertex its coordinate along the layer, and each layer its band in the direction of flow.
//
// Vertices are aligned with a median neighbour, so that lines run straight, above all those that pass several layers (Brandes
// and Köpf, "Fast and Simple Horizontal Coordinate Assignment", 2001). That is done four times, looking up or down and
// preferring left or right, and the mean of the two middle results is taken, which is symmetric. Aligned vertices form a block
// that moves as one; blocks are packed by longest paths over the graph of blocks, so that boxes never overlap.
func (l *layout) place() {
	if len(l.vertices) == 0 {
		return
	}
	l.placeAcross()
	l.placeBands()
}

func (l *layout) placeAcross() {
	conflicts := l.conflicts()
	var results [4][]float64
	for k := range results {
		results[k] = l.packBlocks(l.align(conflicts, k&1 == 0, k&2 == 0), k&2 == 0)
	}
	l.balance(&results)
}

// findSpine decides which lines should run straight where not all can: the path of the data through operators before that of a
// weight beside it, and a long line itself before what branches off.
//
//	h   w           h   w
//	 \ /            │ ┌─┘
//	matmul   →    matmul
//	   \ b          │ b
//	   add          add
func (l *layout) findSpine() {
	rank := func(v int) int {
		switch {
		case l.isBend(v):
			return 2
		case len(l.vertices[v].up) > 0:
			return 3
		case l.boxes[v].class == "input":
			return 1
		}
		return 0
	}
	l.minor = map[[2]int]bool{}
	for u := range l.vertices {
		bends := 0
		for _, v := range l.vertices[u].down {
			if l.isBend(v) {
				bends++
			}
		}
		for _, v := range l.vertices[u].down {
			minor := false
			switch {
			case l.isBend(u) && l.isBend(v):
			case l.isBend(u) && bends > 0:
				minor = true
			case l.isBend(v):
				minor = bends < len(l.vertices[u].down)
			default:
				for _, other := range l.vertices[v].up {
					minor = minor || rank(other) > rank(u)
				}
			}
			if minor {
				l.minor[[2]int{u, v}] = true
			}
		}
	}
}

// conflicts finds lines that cross a stretch between two bends. The stretch is to stay straight; the line gives way.
func (l *layout) conflicts() map[[2]int]bool {
	found := map[[2]int]bool{}
	for i := 1; i < len(l.layers); i++ {
		upper, lower := l.layers[i-1], l.layers[i]
		left, scanned := 0, 0
		for j, v := range lower {
			stretch := -1
			if l.isBend(v) && l.isBend(l.vertices[v].up[0]) {
				stretch = l.vertices[v].up[0]
			}
			if stretch < 0 && j < len(lower)-1 {
				continue
			}
			right := len(upper) - 1
			if stretch >= 0 {
				right = l.vertices[stretch].position
			}
			for ; scanned <= j; scanned++ {
				w := lower[scanned]
				for _, u := range l.vertices[w].up {
					if p := l.vertices[u].position; (p < left || p > right) && !(l.isBend(u) && l.isBend(w)) {
						found[[2]int{u, w}] = true
					}
				}
			}
			left = right
		}
	}
	return found
}

// align returns the first vertex (root) of each vertex's block.
func (l *layout) align(conflicts map[[2]int]bool, downwards, leftwards bool) []int {
	root := make([]int, len(l.vertices))
	taken := make([]bool, len(l.vertices)) // something is aligned below it already
	for v := range root {
		root[v] = v
	}
	for step := range l.layers {
		layer := l.layers[step]
		if !downwards {
			layer = l.layers[len(l.layers)-1-step]
		}
		bound := -1 // position, from the side preferred, up to which the layer before is used up
		for j := range layer {
			v := layer[j]
			if !leftwards {
				v = layer[len(layer)-1-j]
			}
			neighbours := l.vertices[v].down
			if downwards {
				neighbours = l.vertices[v].up
			}
			if len(neighbours) == 0 {
				continue
			}
			position := func(w int) int {
				if leftwards {
					return l.vertices[w].position
				}
				return len(l.layers[l.vertices[w].layer]) - 1 - l.vertices[w].position
			}
			sorted := make([]int, 0, len(neighbours))
			for _, w := range neighbours {
				if !l.minor[line(w, v, downwards)] {
					sorted = append(sorted, w)
				}
			}
			if len(sorted) == 0 {
				continue
			}
			sort.Slice(sorted, func(a, b int) bool { return position(sorted[a]) < position(sorted[b]) })
			for m := (len(sorted) - 1) / 2; m <= len(sorted)/2; m++ {
				w := sorted[m]
				if taken[w] || position(w) <= bound || conflicts[line(w, v, downwards)] {
					continue
				}
				root[v], taken[w], bound = root[w], true, position(w)
				break
			}
		}
	}
	return root
}

func line(w, v int, downwards bool) [2]int {
	if downwards {
		return [2]int{w, v}
	}
	return [2]int{v, w}
}

// packBlocks places the blocks as far to the left as separations allow and then pulls each towards its right neighbour; or the
// mirror image of that.
func (l *layout) packBlocks(root []int, leftwards bool) []float64 {
	type distance struct {
		block int
		least float64
	}
	after := make([][]distance, len(root))
	waiting := make([]int, len(root)) // of each block: neighbours before it that have no place yet
	for _, layer := range l.layers {
		for j := 1; j < len(layer); j++ {
			u, v := layer[j-1], layer[j]
			least := l.separation(u, v)
			if !leftwards {
				u, v = v, u
			}
			after[root[u]] = append(after[root[u]], distance{root[v], least})
			waiting[root[v]]++
		}
	}
	x := make([]float64, len(root))
	var sequence []int
	for v := range root {
		if root[v] == v && waiting[v] == 0 {
			sequence = append(sequence, v)
		}
	}
	for i := 0; i < len(sequence); i++ {
		u := sequence[i]
		for _, d := range after[u] {
			x[d.block] = max(x[d.block], x[u]+d.least)
			if waiting[d.block]--; waiting[d.block] == 0 {
				sequence = append(sequence, d.block)
			}
		}
	}
	for i := len(sequence) - 1; i >= 0; i-- {
		u := sequence[i]
		if len(after[u]) == 0 {
			continue
		}
		room := x[after[u][0].block] - after[u][0].least
		for _, d := range after[u] {
			room = min(room, x[d.block]-d.least)
		}
		x[u] = max(x[u], room)
	}
	placed := make([]float64, len(root))
	for v := range root {
		placed[v] = x[root[v]]
		if !leftwards {
			placed[v] = -placed[v]
		}
	}
	return placed
}

// separation is the least distance between the middles of neighbours.
func (l *layout) separation(u, v int) float64 {
	gap := boxGap
	if l.isBend(u) || l.isBend(v) {
		gap = lineGap
	}
	return (l.vertices[u].across+l.vertices[v].across)/2 + gap
}

// balance shifts the four results to the sides of the narrowest and takes the mean of the two middle ones. Each keeps
// separations, so their order statistics and the mean of these do.
func (l *layout) balance(results *[4][]float64) {
	var low, high [4]float64
	narrowest := 0
	for k, x := range results {
		low[k], high[k] = l.bounds(x)
		if high[k]-low[k] < high[narrowest]-low[narrowest] {
			narrowest = k
		}
	}
	for v := range l.vertices {
		var x [4]float64
		for k := range results {
			x[k] = results[k][v] + low[narrowest] - low[k]
			if k&2 != 0 { // packed to the right
				x[k] = results[k][v] + high[narrowest] - high[k]
			}
		}
		sort.Float64s(x[:])
		l.vertices[v].x = (x[1] + x[2]) / 2
	}
	x := make([]float64, len(l.vertices))
	for v := range x {
		x[v] = l.vertices[v].x
	}
	left, right := l.bounds(x)
	for v := range x {
		l.vertices[v].x -= left
	}
	l.extent = right - left
}

func (l *layout) bounds(x []float64) (low, high float64) {
	low, high = x[0]-l.vertices[0].across/2, x[0]+l.vertices[0].across/2
	for v := range x {
		low, high = min(low, x[v]-l.vertices[v].across/2), max(high, x[v]+l.vertices[v].across/2)
	}
	return low, high
}

// placeBands gives each layer a band as wide as its largest box, and the gaps between bands more room where lines travel far
// to the side.
func (l *layout) placeBands() {
	at := 0.0
	for i, layer := range l.layers {
		farthest, thickness := 0.0, 0.0
		for _, v := range layer {
			thickness = max(thickness, l.vertices[v].along)
			for _, u := range l.vertices[v].up {
				farthest = max(farthest, l.vertices[u].x-l.vertices[v].x, l.vertices[v].x-l.vertices[u].x)
			}
		}
		if i > 0 {
			at += min(30+farthest/9, 84)
		}
		l.bandStart, l.bandEnd = append(l.bandStart, at), append(l.bandEnd, at+thickness)
		at += thickness
	}
	l.depth = at
}
