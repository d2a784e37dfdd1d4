package kernel

import (
	"sync"
	"unsafe"
)

// Packed is a matrix B laid out as the micro-kernels read it: panels of 64 bytes' worth of columns (16 float32, 8 float64),
// each K rows of one panel's width, one panel after the other; the last is filled up with zeros. Inference packs its
// weights once and multiplies many times.
type Packed[T Float] struct {
	K, N int
	data []T
}

// PackedLen is the number of elements a packed K×N matrix takes.
func PackedLen[T Float](k, n int) int { return k * roundUp(n, panel[T]()) }

// Pack lays out the K×N matrix with element (k,j) at b[k*row+j*col]. The layout goes to the first PackedLen elements of
// data, which is allocated if nil; later calls of Gemm read it from there.
func Pack[T Float](data, b []T, row, col, k, n int) Packed[T] {
	if data == nil {
		data = make([]T, PackedLen[T](k, n))
	}
	data = data[:PackedLen[T](k, n)]
	if k > 0 && n > 0 {
		_ = b[(k-1)*row+(n-1)*col]
		packPanels(data, b, row, col, k, n)
	}
	return Packed[T]{K: k, N: n, data: data}
}

// PackedAt is a layout that Pack has written to data before, for the same k and n.
func PackedAt[T Float](data []T, k, n int) Packed[T] {
	return Packed[T]{K: k, N: n, data: data[:PackedLen[T](k, n)]}
}

func (p *Packed[T]) check(k, n int) {
	if p.K != k || p.N != n || len(p.data) < PackedLen[T](k, n) {
		panic("kernel: packed matrix of other sizes than the product's")
	}
}

// columns is the layout from column j, a multiple of the panel width, and row k on.
func (p *Packed[T]) columns(j, k int) []T { return p.data[j*p.K+k*panel[T]():] }

// packPanels lays out a K×N matrix with any strides.
func packPanels[T Float](dst, b []T, row, col, k, n int) {
	nr := panel[T]()
	for j := 0; j < n; {
		switch d, s := dst[j*k:], b[j*col:]; {
		case accelerated && col == 1 && n-j >= nr:
			j += nr * copyPanels(d, s, row, k, (n-j)/nr)
		case accelerated && row == 1:
			transposePanel(d[:k*nr], s, col, min(nr, n-j))
			j += nr
		default:
			packPanel(d[:k*nr], s, row, col, min(nr, n-j), 0)
			j += nr
		}
	}
}

// packPanel lays out one panel of w columns and len(dst)/panel rows, from row k0 on.
func packPanel[T Float](dst, b []T, row, col, w, k0 int) {
	nr := panel[T]()
	k := len(dst) / nr
	if col == 1 && w == nr {
		for i := k0; i < k; i++ {
			copy(dst[i*nr:][:nr], b[i*row:][:nr])
		}
		return
	}
	for i := k0; i < k; i++ {
		d := dst[i*nr:][:nr]
		for j, at := 0, i*row; j < w; j, at = j+1, at+col {
			d[j] = b[at]
		}
		clear(d[w:])
	}
}

// packBuffer is the memory of a part that packs. There are as many as parts have ever run at the same time; a buffer that
// has just been used is used next, as it is still in cache.
type packBuffer struct {
	b [maxGroupBytes / 8]float64 // panels of B
	a [blockBytes / 8]float64    // rows of A
}

var packBuffers struct {
	sync.Mutex
	free []*packBuffer
}

func takePackBuffer() *packBuffer {
	packBuffers.Lock()
	defer packBuffers.Unlock()
	if n := len(packBuffers.free); n > 0 {
		b := packBuffers.free[n-1]
		packBuffers.free = packBuffers.free[:n-1]
		return b
	}
	return new(packBuffer)
}

func giveBackPackBuffer(b *packBuffer) {
	packBuffers.Lock()
	packBuffers.free = append(packBuffers.free, b)
	packBuffers.Unlock()
}

// panels and rows are the buffer's two halves as elements of type T.
func panels[T Float](b *packBuffer) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(&b.b)), maxGroupBytes/64*panel[T]())
}

func rows[T Float](b *packBuffer) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(&b.a)), blockBytes/64*panel[T]())
}
