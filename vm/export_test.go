package vm

func init() { verifyPasses = true }

// CheckOrder exposes the check of the pass table.
var CheckOrder = checkOrder
