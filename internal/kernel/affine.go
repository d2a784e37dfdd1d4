package kernel

// Act names the activation an Epilogue applies.
type Act uint8

// The activations; α is Epilogue.Alpha, z the value before and y the value after.
const (
	ActIdentity  Act = iota // z
	ActReLU                 // z where z > 0, else 0; NaN stays NaN
	ActLeakyReLU            // z where z > 0, else αz
	ActELU                  // z where z > 0, else α(eᶻ − 1)
	ActSELU                 // λz where z > 0, else λα(eᶻ − 1), with the constants of Klambauer et al. (2017)
	ActTanh                 // tanh z
	ActSigmoid              // 1/(1 + e⁻ᶻ)
	ActSoftplus             // ln(1 + eᶻ)
	ActSwish                // z/(1 + e^(−αz))
	ActGELU                 // ½z(1 + erf(z/√2))
	ActGELUTanh             // ½z(1 + tanh(√(2/π)(z + 0.044715z³)))
	ActExp                  // eᶻ
	numActs
)

var actNames = [numActs]string{"identity", "relu", "leakyrelu", "elu", "selu", "tanh", "sigmoid", "softplus", "swish", "gelu", "gelutanh", "exp"}

func (a Act) String() string { return actNames[a] }

// FromOutput says whether the derivative of a can be had from its output y: swish and the two gelus are not monotone and
// need their input. ActLeakyReLU and ActELU need α ≥ 0 for it.
func (a Act) FromOutput() bool { return a != ActSwish && a != ActGELU && a != ActGELUTanh }

// Epilogue is what happens to each element of a product while its tile is still in registers or in the nearest cache:
//
//	c = act(A·B [+ C] [+ bias])            the forward form
//	c = (A·B [+ C]) ⊙ act′(saved)          the backward form
//
// in that order if both are asked for; then Tile sees each finished tile, and then the columns are summed. The zero value
// does nothing.
type Epilogue[T Float] struct {
	Bias  []T // nil, or N values added to every row
	Act   Act
	Deriv Act // with Saved: the activation whose derivative multiplies
	// SavedInput says that Saved holds the inputs z of Deriv, not its outputs y.
	SavedInput bool
	Alpha      T   // the parameter of Act or Deriv: leaky slope, ELU α, swish β
	Saved      []T // nil, or an M×N matrix, element (i,j) at Saved[i*SavedRow+j]; may be C itself
	SavedRow   int
	// ColSums, if not nil, receives the N sums over the columns of the finished C, rows added in ascending order.
	ColSums []T
	Tile    Tiler[T] // nil, or what is run on each finished tile
	TileRow int      // the row that C's row 0 is to Tile, for a product that is one of several
}

// Tiler is work on a finished tile of C while it is hot in cache: any elementwise program.
type Tiler[T Float] interface {
	// Tile works on C's elements (i0+i, j0+j), i < rows, j < cols, at c[i*stride+j]; i0 counts from TileRow. Each element of
	// C belongs to exactly one call; calls for different tiles may come at the same time from several goroutines.
	Tile(c []T, i0, j0, rows, cols, stride int)
}

// inRegisters says whether the micro-kernels can do the activation and the derivative themselves.
func (e *Epilogue[T]) inRegisters() bool {
	return e.Act <= ActLeakyReLU && (e.Saved == nil || e.Deriv <= ActLeakyReLU)
}

// finishes says whether anything is left to do on a tile after the micro-kernel.
func (e *Epilogue[T]) finishes() bool {
	return !e.inRegisters() || e.Tile != nil || e.ColSums != nil
}

// finish does to the rows × cols elements of C from (i0, j0) on what the micro-kernel has left: all but the bias and
// what fits in registers.
func (g *Gemm[T]) finish(i0, j0, rows, cols int) {
	e := &g.Epilogue
	c := g.C[i0*g.CRow+j0:]
	if !e.inRegisters() {
		rows, cols := rows, cols
		if cols == g.CRow && (e.Saved == nil || cols == e.SavedRow) { // rows without gaps are one
			rows, cols = 1, rows*cols
		}
		for i := range rows {
			row := c[i*g.CRow:][:cols]
			if e.Act != ActIdentity {
				Activate(e.Act, row, row, e.Alpha)
			}
			if e.Saved != nil {
				MultiplySlope(e.Deriv, e.SavedInput, row, row, e.Saved[(i0+i)*e.SavedRow+j0:][:cols], e.Alpha)
			}
		}
	}
	if e.Tile != nil {
		e.Tile.Tile(c, e.TileRow+i0, j0, rows, cols, g.CRow)
	}
	if e.ColSums != nil {
		sums := e.ColSums[j0:][:cols]
		if i0 == 0 {
			clear(sums)
		}
		for i := range rows {
			vec[T]().accumulate(sums, c[i*g.CRow:][:cols])
		}
	}
}
