package ops

import "github.com/tapir-ml/tapir/graph"

// A move copies elements from one array to another, each walked with strides of its own: what transposing, broadcasting, slicing,
// padding, joining and splitting have in common. For every index i of the loops,
//
//	dst[to0 + Σ i·to] = src[from0 + Σ i·from]
//
// The zero move has no loops and copies one element. Elements are moved as words of their size, whatever their type.
type move struct {
	to0, from0     int
	rank           int
	size, to, from [graph.MaxRank]int // outermost first
	empty          bool
}

// loop adds a loop inside those there are; where both sides run straight on, it becomes one with the last.
func (m *move) loop(size, to, from int) {
	m.empty = m.empty || size == 0
	if size == 1 {
		return
	}
	if r := m.rank - 1; r >= 0 && m.to[r] == to*size && m.from[r] == from*size {
		m.size[r], m.to[r], m.from[r] = m.size[r]*size, to, from
		return
	}
	m.size[m.rank], m.to[m.rank], m.from[m.rank] = size, to, from
	m.rank++
}

// run moves the elements. It uses up the move.
func (m *move) run(dst, src graph.Array) {
	if m.empty {
		return
	}
	switch dst.DType.Size() {
	case 1:
		moveWords(m, words[bool](dst), words[bool](src))
	case 4:
		moveWords(m, words[int32](dst), words[int32](src))
	default:
		moveWords(m, words[int64](dst), words[int64](src))
	}
}

type word interface{ bool | int32 | int64 }

func words[T word](a graph.Array) []T { return graph.ElementsIn[T](a.Bytes()) }

func moveWords[T word](m *move, dst, src []T) {
	rows, rowTo, rowFrom := 1, 0, 0
	cols, colTo, colFrom := 1, 1, 1
	if m.rank > 0 {
		m.rank--
		cols, colTo, colFrom = m.size[m.rank], m.to[m.rank], m.from[m.rank]
	}
	if m.rank > 0 {
		m.rank--
		if colFrom != 1 { // the loop along which the source is contiguous goes next to the innermost, for tiles
			for r := range m.rank {
				if m.from[r] == 1 {
					m.swap(r, m.rank)
					break
				}
			}
		}
		rows, rowTo, rowFrom = m.size[m.rank], m.to[m.rank], m.from[m.rank]
	}
	tiled := colTo == 1 && colFrom > 1 && rowFrom == 1
	var index [graph.MaxRank]int
	for d, s := m.to0, m.from0; ; {
		if tiled {
			moveTiles(dst[d:], src[s:], rows, rowTo, cols, colFrom)
		} else {
			for i := range rows {
				moveRow(dst, src, d+i*rowTo, s+i*rowFrom, cols, colTo, colFrom)
			}
		}
		r := m.rank - 1
		for ; r >= 0; r-- {
			d, s = d+m.to[r], s+m.from[r]
			if index[r]++; index[r] < m.size[r] {
				break
			}
			d, s, index[r] = d-m.to[r]*m.size[r], s-m.from[r]*m.size[r], 0
		}
		if r < 0 {
			return
		}
	}
}

func (m *move) swap(i, j int) {
	m.size[i], m.size[j] = m.size[j], m.size[i]
	m.to[i], m.to[j] = m.to[j], m.to[i]
	m.from[i], m.from[j] = m.from[j], m.from[i]
}

func moveRow[T word](dst, src []T, d, s, n, to, from int) {
	switch {
	case to == 1 && from == 1:
		copy(dst[d:d+n], src[s:s+n])
	case to == 1 && from == 0:
		fill(dst[d:d+n], src[s])
	case to == 1:
		for i := range dst[d : d+n] {
			dst[d+i] = src[s]
			s += from
		}
	default:
		for range n {
			dst[d] = src[s]
			d, s = d+to, s+from
		}
	}
}

// moveTiles transposes: dst has cols contiguous elements in each of its rows, src has rows contiguous ones in each of its columns. Tiles
// keep the lines of both in the cache.
func moveTiles[T word](dst, src []T, rows, rowTo, cols, colFrom int) {
	const tile = 16
	for i0 := 0; i0 < rows; i0 += tile {
		i1 := min(i0+tile, rows)
		for j0 := 0; j0 < cols; j0 += tile {
			j1 := min(j0+tile, cols)
			for i := i0; i < i1; i++ {
				s := i + j0*colFrom
				for j := range dst[i*rowTo+j0 : i*rowTo+j1] {
					dst[i*rowTo+j0+j] = src[s]
					s += colFrom
				}
			}
		}
	}
}

// strides are the row-major strides of a shape.
func strides(shape []int) (list [graph.MaxRank]int) {
	for axis, s := len(shape)-1, 1; axis >= 0; axis-- {
		list[axis] = s
		s *= shape[axis]
	}
	return list
}
